"""A written batch begins to count: its row, and what it changes in SQL. Its writer and the reaper call one function.

Belongs here: the core of every T2: updates of videos, channels and watchlist from the rows of a batch. Does not belong here:
writing the file (vault/journal.py), leases (leases.py), adopting files (reaper.py).

Everything here may be repeated: a schedule only moves forward, and a row that exists stays. The exception is a schedule that a
wrong clock put into the future: it moves back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from pleiades_core.models import SampleStatus
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.journal import WrittenBatch, record_batch
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.videoid import decode
from pleiades_core.watchlist.cadence import TIERS

_CHANNELS, _VIDEOS, _WATCHLIST = map(load_queries, ("channels", "videos", "watchlist"))


def commit_batches(
    connection: psycopg.Connection, written: Iterable[tuple[WrittenBatch, pa.Table]], *, now: datetime, adopted: bool = False
) -> list[WrittenBatch]:
    """Record batches and bring SQL up to what their rows say, inside the caller's transaction.

    Args:
        connection: the caller's transaction.
        written: each batch and its rows.
        now: the present instant.
        adopted: True if the reaper calls, False if the writer does.

    Returns:
        The batches that were not recorded before.
    """
    fresh = []
    for batch, rows in written:
        if not record_batch(connection, batch, now=now, adopted=adopted):
            continue
        fresh.append(batch)
        if len(rows) and batch.dataset is REGISTRY:
            _admit(connection, rows)
        elif len(rows):
            _advance(connection, batch, rows, now)
    return fresh


def _advance(connection: psycopg.Connection, batch: WrittenBatch, samples: pa.Table, now: datetime) -> None:
    """Move the schedule of every polled video. An older sample moves a schedule back only if it lies in the future."""
    missing = pc.equal(samples.column("status"), pa.scalar(int(SampleStatus.MISSING), pa.int8()))
    # The instants go as Unix seconds: psycopg takes ten times as long to adapt 5,000 datetimes.
    seconds = pc.divide(samples.column("polled_at").cast(pa.int64()), 1000)
    connection.execute(
        _WATCHLIST.advance,
        {
            "vids": samples.column("vid").to_pylist(), "at": seconds.to_pylist(),
            "missing": missing.to_pylist(), "lease_id": batch.lease_id, "now": now,
            "ahead": TIERS.ahead,
        },
    )  # fmt: skip


def _admit(connection: psycopg.Connection, registry: pa.Table) -> None:
    """Make described videos known and watched; their first samples come in a batch of their own."""
    channel_ids = registry.column("channel_id").to_pylist()
    connection.execute(_CHANNELS.make_channels, {"channel_ids": channel_ids})
    found = connection.execute(_CHANNELS.known_channels, {"channel_ids": channel_ids}).fetchall()
    ordinal = {channel_id: channel for channel, channel_id in found}
    values = {
        "vids": registry.column("vid").to_pylist(),
        "id8s": [decode(video_id) for video_id in registry.column("video_id").to_pylist()],
        "channels": [ordinal[channel_id] for channel_id in channel_ids],
        "published": registry.column("published_at").to_pylist(),
    }  # fmt: skip
    connection.execute(_VIDEOS.admit, values)
    # Null stands in batches that are older than the column.
    watched = [flag is not False for flag in registry.column("watched").to_pylist()]
    connection.execute(_WATCHLIST.watch, {**values, "watched": watched})
