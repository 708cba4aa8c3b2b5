"""Pleiades in Dagster: an asset is one call into the core, its report becomes metadata.

One module for every concept of Dagster. The decisions about polling, storing and ranking are in pleiades_core, which does not
know Dagster.
"""
