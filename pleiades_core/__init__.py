"""Pleiades without Dagster: discover, watch, track, store and rank YouTube videos.

The folders follow the way data takes (docs/architecture.md). Nothing here imports Dagster; `pleiades_dagster` is the thin shell
that schedules these calls.
"""
