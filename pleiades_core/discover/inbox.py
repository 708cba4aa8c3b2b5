"""The inbox: videos that arrived between two hunts, from the hub or from people.

Belongs here: taking from the inbox. Does not belong here: receiving notices (push/), parsing what a person typed (add/).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import psycopg

from pleiades_core.discover.sources.base import Find, SourceContext
from pleiades_core.models import Candidate
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import encode

_SQL = load_queries("inbox")

#: Videos taken in one hunt: describing them costs 400 units.
_MOST = 20_000


def take(context: SourceContext, *, source: str) -> Iterator[Find]:
    """The videos that wait in the inbox for a source, up to 20,000. They leave the inbox once they are claimed."""
    with context.database.transaction() as connection:
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
    """The number of videos that arrived before an instant and still wait."""
    row = connection.execute(_SQL.waiting_since, {"before": before}).fetchone()
    return row[0] if row else 0


def _taken(source: str, id8s: list[int], connection: psycopg.Connection, _now: datetime) -> None:
    connection.execute(_SQL.taken, {"source": source, "id8s": id8s})
