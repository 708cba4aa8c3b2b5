"""A simulated YouTube: an HTTP server on loopback that speaks the Data API v3 with its own world, quota, errors and clock.

The product reaches it by base address alone and never imports it; only the command line, tests and benchmarks do.
"""
