"""Promises about speed, size and cost, each measured beside its rival in one run: `python -m benchmarks.NAME --json`.

Every module prints one JSON object: `figures` (name → number), `rivals`, `workload`, `machine`. None of them is a test:
machines are noisy, so read medians and the ratios within one run.
"""
