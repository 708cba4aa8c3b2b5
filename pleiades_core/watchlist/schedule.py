"""The schedule: how many videos are watched and due in each tier, and where one video stands.

Does not belong here: when a video is due (cadence.py), claiming due videos (track/slices.py), moving the schedule
(batches/commit.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

from pleiades_core.models import Tier, VideoId
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.videoid import decode
from pleiades_core.watchlist.cadence import Cadence

_SQL = load_queries("watchlist")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCount:
    """How many videos of a tier are watched, and how many are due."""

    watched: int
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A video's row in the watchlist."""

    published_at: datetime
    #: None: not yet.
    polled_at: datetime | None
    #: Misses in a row, up to the last poll.
    misses: int


def entry(connection: psycopg.Connection, video_id: VideoId) -> Entry | None:
    """The row of one video. None: it is not watched."""
    return next(iter(records(connection, Entry, _SQL.entry, {"id8": decode(video_id)})), None)


def missing(connection: psycopg.Connection) -> tuple[int, int]:
    """How many videos were missing at their last poll, and how many videos were polled at all."""
    row = connection.execute(_SQL.missing).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def polled_in_future(connection: psycopg.Connection, cadence: Cadence, now: datetime) -> int:
    """How many videos have a last poll in the future, which a wrong clock wrote. They are due now, and their next poll mends
    them.

    Args:
        connection: where the watchlist is.
        cadence: says how far ahead a poll may be.
        now: the present instant.

    Returns:
        The number of videos.
    """
    row = connection.execute(_SQL.future, {"now": now, "ahead": cadence.ahead}).fetchone()
    return row[0] if row else 0


def due_counts(connection: psycopg.Connection, cadence: Cadence, now: datetime) -> dict[Tier, TierCount]:
    """Count the watched and the due videos of each tier.

    Args:
        connection: where the watchlist is.
        cadence: decides tier and due instant.
        now: the present instant.

    Returns:
        The counts by tier, empty tiers included.
    """
    rows = connection.execute(_SQL.due_counts, {**cadence.parameters(), "now": now}).fetchall()
    found = {Tier(tier): TierCount(watched=watched, due=due) for tier, watched, due in rows}
    return {tier: found.get(tier, TierCount(watched=0, due=0)) for tier in Tier}
