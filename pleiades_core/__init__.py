"""Pleiades without Dagster: discover, watch, track, store and rank YouTube videos.

The folders follow the way data takes (docs/architecture.md). Nothing here imports Dagster; `pleiades_dagster` is the thin shell
that schedules these calls.
"""

from __future__ import annotations


def version() -> str:
    """The version of the program that is installed."""
    from importlib import metadata

    return metadata.version("pleiades")
