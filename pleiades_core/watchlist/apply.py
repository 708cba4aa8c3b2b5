"""What a batch changes in SQL, inside the transaction that records it: the same for its writer and for the reaper.

Belongs here: from a table of rows to updates of videos, channels and watchlist. Does not belong here: the batch row itself
(vault/journal.py), leases.

Everything here may be repeated: a schedule only moves forward, a row that is there stays.
"""

from __future__ import annotations

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from pleiades_core.models import SampleStatus
from pleiades_core.vault.journal import WrittenBatch
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.videoid import decode
from pleiades_core.watchlist.leases import QUERIES


def apply(connection: psycopg.Connection, batch: WrittenBatch, rows: pa.Table) -> None:
    """Bring SQL up to what the rows of a batch say."""
    if not len(rows):
        return
    if batch.dataset is REGISTRY:
        _admit(connection, rows)
    else:
        _advance(connection, batch, rows)


def _advance(connection: psycopg.Connection, batch: WrittenBatch, samples: pa.Table) -> None:
    """Move the schedule of every polled video; an older sample never moves it back."""
    missing = pc.equal(samples.column("status"), pa.scalar(int(SampleStatus.MISSING), pa.int8()))
    # The instants go as Unix seconds: psycopg takes ten times as long to adapt 5,000 datetimes.
    seconds = pc.divide(samples.column("polled_at").cast(pa.int64()), 1000)
    connection.execute(
        QUERIES.advance,
        {
            "vids": samples.column("vid").to_pylist(), "at": seconds.to_pylist(),
            "missing": missing.to_pylist(), "lease_id": batch.lease_id,
        },
    )  # fmt: skip


def _admit(connection: psycopg.Connection, registry: pa.Table) -> None:
    """Make described videos known and watched; their first samples come in a batch of their own."""
    channel_ids = registry.column("channel_id").to_pylist()
    connection.execute(QUERIES.make_channels, {"channel_ids": channel_ids})
    found = connection.execute(QUERIES.known_channels, {"channel_ids": channel_ids}).fetchall()
    ordinal = {channel_id: channel for channel, channel_id in found}
    values = {
        "vids": registry.column("vid").to_pylist(),
        "id8s": [decode(video_id) for video_id in registry.column("video_id").to_pylist()],
        "channels": [ordinal[channel_id] for channel_id in channel_ids],
        "published": registry.column("published_at").to_pylist(),
    }  # fmt: skip
    connection.execute(QUERIES.admit, values)
    # Null stands in batches that are older than the column.
    watched = [flag is not False for flag in registry.column("watched").to_pylist()]
    connection.execute(QUERIES.watch, {**values, "watched": watched})
