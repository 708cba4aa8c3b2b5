"""How many polls the watchlist will need, hour by hour. Pure.

Belongs here: following videos through the cadence's tiers into the future. Does not belong here: discovery's demand and quota
(allocation.py), reading the database (survey.py).

Nothing is fitted: a video's next poll follows from its last one. So the polls of present videos are exact, except for deleted
videos and late ticks. Only future finds are a guess: as many a day, and as old, as in the days before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from pleiades_core.clock import quota_resets_at
from pleiades_core.models import Tier
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.api import IDS_PER_CALL

Hours = np.ndarray[tuple[int], np.dtype[np.float64]]

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Videos with equal age, tier and due hour."""

    #: Whole hours since publication, at the instant of the forecast.
    age_h: int
    #: The tier of their next poll, by their age at the last one.
    tier: Tier
    #: The hour of the forecast in which the next poll is due; 0: it is due now.
    due_h: int
    #: True if they are WEEKLY because they were missing, whatever their age.
    missing: bool
    videos: int
    #: The tick of the hour in which the last poll was, from 0; 0 if a tick is longer than an hour.
    tick: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """New videos of one age."""

    #: Whole hours since publication.
    age_h: int
    a_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The hours of a forecast: whole hours of the clock, from the present hour to the end of a quota day."""

    #: The beginning of the present hour.
    first: datetime
    #: The hours of each quota day, as (from, until). The first day is the rest of today.
    spans: tuple[tuple[int, int], ...]

    @property
    def hours(self) -> int:
        """The number of hours."""
        return self.spans[-1][1]

    @property
    def starts(self) -> list[datetime]:
        """The beginning of each quota day; for the first day the present hour."""
        return [self.first + begin * _HOUR for begin, _ in self.spans]


def horizon(now: datetime, days: int) -> Horizon:
    """The rest of the present quota day and `days` more. Pacific days have 23, 24 or 25 hours."""
    first = now.replace(minute=0, second=0, microsecond=0)
    spans: list[tuple[int, int]] = []
    begin = first
    for _ in range(days + 1):
        end = quota_resets_at(begin)
        spans.append((round((begin - first) / _HOUR), round((end - first) / _HOUR)))
        begin = end
    return Horizon(first=first, spans=tuple(spans))


def of_watched(watched: Iterable[Watched], hours: int) -> dict[Tier, Hours]:
    """Polls of the videos that are watched now."""
    polls = {tier: np.zeros(hours) for tier in Tier}
    for group in watched:
        _follow(polls, group.tier, group.age_h, group.due_h, group.videos, missing=group.missing)
    return polls


def of_arrivals(arrivals: Iterable[Arrival], hours: int) -> dict[Tier, Hours]:
    """Polls of new videos, as many in each hour. Describing a video is its first poll and costs no unit here."""
    kernel = {tier: np.zeros(hours) for tier in Tier}
    for arrival in arrivals:
        tier = TIERS.tier(timedelta(hours=arrival.age_h + 0.5))
        first = round(TIERS.interval(tier) / _HOUR)
        _follow(kernel, tier, arrival.age_h, first, arrival.a_day / 24, missing=False)
    return {tier: np.cumsum(each) for tier, each in kernel.items()}


def spread(watched: Iterable[Watched]) -> list[float]:
    """The part of an hour's HOURLY polls that falls into each tick with polls.

    A video is polled at about the same minute of every hour. New videos are assumed to be spread like the present ones; without
    present ones, one hunt an hour brings them.
    """
    by_tick = Counter[int]()
    for group in watched:
        if group.tier is Tier.HOURLY:
            by_tick[group.tick] += group.videos
    return [videos / by_tick.total() for videos in by_tick.values()] or [1.0]


def units(polls: Mapping[Tier, Hours], parts: Sequence[float]) -> Hours:
    """Units of `videos.batchGetStats` in each hour: full calls, and the last one of each tier's tick that is not full."""
    spent = nothing(len(polls[Tier.HOURLY]))
    for part in parts:
        spent += _calls(part * polls[Tier.HOURLY])
    for tier in (Tier.DAILY, Tier.WEEKLY):
        each, tick = polls[tier], TIERS.tick(tier) // _HOUR
        # By ticks from the first hour: which hour of a tick bills the call does not matter for a day.
        for begin in range(0, len(each), tick):
            together = each[begin : begin + tick]
            spent[begin : begin + tick] += _calls(together.sum(keepdims=True)) / len(together)
    return spent


def _calls(polls: Hours) -> Hours:
    """Calls of ticks. An expectation below one video costs a call with the probability that there is a video."""
    return np.minimum(np.ceil(polls / IDS_PER_CALL - 1e-9), polls)


def nothing(hours: int) -> Hours:
    """No polls at all."""
    return np.zeros(hours)


def by_day(hourly: Hours, spans: Sequence[tuple[int, int]]) -> list[float]:
    """The sum over each quota day."""
    return [float(hourly[begin:end].sum()) for begin, end in spans]


def _follow(polls: dict[Tier, Hours], tier: Tier, age_h: int, due_h: int, videos: float, *, missing: bool) -> None:
    """Add the polls of equal videos. They are assumed to be half an hour older than their whole hours."""
    hours, hour = len(polls[tier]), due_h
    while hour < hours:
        polls[tier][hour] += videos
        age = timedelta(hours=age_h + hour + 0.5)
        tier = Tier.WEEKLY if missing else TIERS.tier(age)
        hour += round(TIERS.interval(tier) / _HOUR)
