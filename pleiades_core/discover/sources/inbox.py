"""Push and added: what came in between two hunts, by the hub's notices or from a person. Neither asks YouTube anything.

Belongs here: taking from the inbox. Does not belong here: receiving notices (push/), what a person typed (additions.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import psycopg

from pleiades_core.discover.sources.base import Find
from pleiades_core.models import Candidate
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import encode

_SQL = load_queries("inbox")

#: Taken in one hunt: describing them costs 400 units.
_MOST = 20_000


def inbox(database: Database, source: str) -> Iterator[Find]:
    """Everything that waits on one of the sources `push` and `added`. It leaves the inbox once it is claimed."""
    with database.transaction() as connection:
        rows = connection.execute(_SQL.waiting, {"source": source, "limit": _MOST}).fetchall()
    if rows:
        yield Find(
            source=source,
            candidates=tuple(
                Candidate(video_id=encode(id8), channel_id=channel_id, published_at=published_at)
                for id8, channel_id, published_at in rows
            ),
            acknowledge=partial(_taken, source, [id8 for id8, _, _ in rows]),
        )


def waiting(connection: psycopg.Connection, before: datetime) -> int:
    """How many came in before an instant, on either source, and wait."""
    row = connection.execute(_SQL.waiting_since, {"before": before}).fetchone()
    return row[0] if row else 0


def _taken(source: str, id8s: list[int], connection: psycopg.Connection, _now: datetime) -> None:
    connection.execute(_SQL.taken, {"source": source, "id8s": id8s})
