"""Pleiades in Dagster: an asset is one call into the core, its report becomes metadata.

One module for every Dagster concept. Nothing here decides what is polled, stored or ranked; nothing in pleiades_core knows
Dagster.
"""
