"""What is rising: videos by views per hour over the last 24 hours, with what a person needs to judge them.

Belongs here: the order and the columns of a ranking. The age-matched score will stand beside the velocity (`viral_score`).
Does not belong here: velocity (velocity.py), publishing (publish.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from pleiades_core.insights.publish import compute, end_of, publish
from pleiades_core.vault.vault import Vault

#: Rows of a day's published ranking.
PUBLISHED_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedVideo:
    """One line of a ranking."""

    rank: int
    video_id: str
    title: str
    channel_title: str
    channel_id: str
    age_hours: float
    views: int
    likes: int | None
    comments: int | None
    views_gained: int
    views_per_hour: float
    #: Views per hour, per hour; None with fewer than three samples.
    acceleration: float | None
    #: Hours from the first to the last sample that the velocity is measured on.
    span_hours: float
    samples: int
    #: True: samples before a change of YouTube's counting were left out.
    definition_changed: bool
    #: None until the age-matched score exists.
    viral_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingReport:
    """The result of ranking a day."""

    day: date
    rows: int
    bytes: int
    top: tuple[RankedVideo, ...]


def ranked(vault: Vault, until: datetime, limit: int) -> tuple[RankedVideo, ...]:
    """The ranking of the 24 hours that end before `until`.

    Args:
        vault: holds the samples.
        until: the end of the window, which is not included.
        limit: the most videos.

    Returns:
        The videos, the fastest first.
    """
    return _videos(compute(vault, "ranking", until, limit=limit))


def live(vault: Vault, now: datetime, limit: int = 10) -> tuple[RankedVideo, ...]:
    """The ranking of the 24 hours that end at `now`, with what was polled in this very second.

    Args:
        vault: holds the samples.
        now: the present instant.
        limit: the most videos.

    Returns:
        The videos, the fastest first.
    """
    return ranked(vault, now + timedelta(seconds=1), limit)


def rank_day(vault: Vault, day: date, *, top: int = 10) -> RankingReport:
    """Compute and publish `insights/rankings/date=D/day.parquet` over the 24 hours that end with the day.

    Args:
        vault: holds the samples, and gets the file.
        day: UTC day to rank.
        top: how many videos the report names.

    Returns:
        What was published.
    """
    table = compute(vault, "ranking", end_of(day), whole=True, limit=PUBLISHED_ROWS)
    size = publish(vault, "rankings", day, table)
    return RankingReport(day=day, rows=len(table), bytes=size, top=_videos(table.slice(0, top)))


def _videos(table: pa.Table) -> tuple[RankedVideo, ...]:
    return tuple(RankedVideo(**row) for row in table.to_pylist())
