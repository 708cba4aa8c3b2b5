"""What the vault knows of one video: its description and every poll.

Belongs here: looking one video up. Does not belong here: when it is polled next (track/slices.py), velocity (velocity.py).
"""

from __future__ import annotations

from typing import Any

from pleiades_core.models import VideoId
from pleiades_core.storage.queries import load_duckdb_queries
from pleiades_core.vault import query
from pleiades_core.vault.vault import Vault

_SQL = load_duckdb_queries("video", "pleiades_core.insights")


def description(vault: Vault, video_id: VideoId) -> dict[str, Any] | None:
    """The video as it was described when it was found, by column of the registry. None: it is not known."""
    return next(iter(query.query(vault, _SQL.description, {"id": video_id}).to_pylist()), None)


def history(vault: Vault, vid: int) -> list[dict[str, Any]]:
    """Every poll of the video, oldest first, with its counts."""
    return list(query.query(vault, _SQL.history, {"vid": vid}).to_pylist())
