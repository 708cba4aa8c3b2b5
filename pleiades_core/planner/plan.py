"""The plan: units per day, project and bucket, and who goes without.

Belongs here: putting survey, forecast and budget together. Does not belong here: the arithmetic (forecast.py, budget.py), words
(report.py), how it is shown (cli/discovery.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from pleiades_core.clock import pacific_day
from pleiades_core.models import Tier
from pleiades_core.planner import budget, forecast
from pleiades_core.planner.budget import Backlog, Grant, Purse, Wish
from pleiades_core.planner.forecast import Arrival, Horizon, Hours
from pleiades_core.planner.report import Plan, PlanRow, Starved, help_for, judge, why
from pleiades_core.planner.survey import Survey, survey
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import IDS_PER_CALL
from pleiades_core.youtube.quota import DEFAULT_LIMITS, GENERAL, SEARCH, STATS, Ledger, LedgerRow
from pleiades_core.youtube.shares import POOLS, TRACKING

BUCKETS = (SEARCH, STATS, GENERAL)
#: Who lives without a key plans for one project with the usual limits.
_NO_KEY = {"default": POOLS}
#: Units below which a shortfall is rounding.
_NOTHING = 0.5

#: Limit of a whole day, and what is left of today's.
Limits = Mapping[tuple[str, str], tuple[int, int]]


def plan(
    database: Database, ledger: Ledger, settings: Settings, now: datetime, *,
    projects: Mapping[str, frozenset[str]] | None = None, days: int = 30, new_a_day: float | None = None,
    suppose: int | None = None,
) -> Plan:  # fmt: skip
    """Forecast the rest of today and `days` more. Reads, and changes nothing.

    `projects`: those in use, with the pools that their keys serve; one with the usual limits where nothing is said. `new_a_day`
    takes the place of what was found lately, `suppose` of the number of projects.
    """
    when = forecast.horizon(now, days)
    stands = survey(database, settings, now, when.first)
    if new_a_day is not None:
        stands = supposing(stands, new_a_day)
    used = dict(projects or _NO_KEY)
    limits = limits_of(ledger.rows(used))
    if suppose is not None:
        used = dict(list(used.items())[:suppose])
        used |= {f"supposed {number}": POOLS for number in range(len(used) + 1, suppose + 1)}
    return make_plan(stands, when, used, limits, settings.when_full)


def limits_of(rows: Sequence[LedgerRow]) -> Limits:
    """By project and bucket, the limit of a day and what is left of today's."""
    return {(row.project, row.bucket): (row.limit, row.left) for row in rows}


def supposing(stands: Survey, new_a_day: float) -> Survey:
    """The same with another number of new videos a day, all to be watched: as old as they were, or fresh where none came."""
    before = sum(one.a_day for one in stands.arrivals)
    arrivals = (
        tuple(Arrival(age_h=one.age_h, a_day=one.a_day * new_a_day / before) for one in stands.arrivals)
        if before
        else (Arrival(age_h=0, a_day=new_a_day),)
    )
    return replace(stands, arrivals=arrivals, discovery=replace(stands.discovery, found_a_day=new_a_day))


def make_plan(stands: Survey, when: Horizon, projects: Mapping[str, frozenset[str]], limits: Limits, when_full: str) -> Plan:
    """The plan for a survey. Pure."""
    old, new = forecast.of_watched(stands.watched, when.hours), forecast.of_arrivals(stands.arrivals, when.hours)
    tracking = forecast.by_day(forecast.units({tier: old[tier] + new[tier] for tier in old}), when.spans)
    a_day = sum(one.a_day for one in stands.arrivals)
    backlog = Backlog(list_pages=stands.discovery.channels.waiting_pages, campaign_pages=stands.discovery.campaign_pages)
    rows: list[PlanRow] = []
    starved: dict[tuple[str, bool], Starved] = {}
    most = _most_a_day(old, new, a_day, when, [_purse(name, STATS, pools, limits) for name, pools in projects.items()])
    for place, start in enumerate(when.starts):
        begin, end = when.spans[place]
        # Days of 23 and 25 hours have as many hunts; roads that count by the day count such a day as one.
        part = min(1.0, (end - begin) / budget.HUNTS_A_DAY) if place == 0 else 1.0
        day, wanted = pacific_day(start), budget.wishes(stands.discovery, backlog, tracking[place], part)
        for bucket in BUCKETS:
            purses = [_purse(name, bucket, pools, limits, today=place == 0) for name, pools in projects.items()]
            mine = budget.in_earnest([wish for wish in wanted if wish.bucket == bucket], purses)
            granted = budget.grant(mine, purses)
            backlog.work_off(mine, granted.gets)
            rows += _rows(day, mine, purses, granted)
            for wish in mine:
                lack = budget.lack_of(wish, granted.gets[wish.consumer], purses)
                # That today's units are gone says nothing of the days after it.
                if _short(wish, granted) and (wish.consumer, lack == "spent") not in starved:
                    starved[wish.consumer, lack == "spent"] = Starved(
                        consumer=wish.consumer, bucket=bucket, day=day, needs=math.ceil(wish.needs),
                        gets=math.floor(granted.gets[wish.consumer]), why=why(lack, wish, purses, granted),
                        help=help_for(lack, wish, most=most, a_day=a_day, when_full=when_full),
                    )  # fmt: skip
    return Plan(
        made_at=stands.at, projects=tuple(projects), watched=stands.videos, by_tier=stands.by_tier,
        seen_days=stands.seen_over / timedelta(days=1),
        found_a_day=stands.discovery.found_a_day, watched_a_day=a_day, most_watched_a_day=most, rows=tuple(rows),
        verdicts=tuple(judge(bucket, [row for row in rows if row.bucket == bucket]) for bucket in BUCKETS),
        starved=tuple(sorted(starved.values(), key=lambda one: one.day)),
    )  # fmt: skip


def _purse(project: str, bucket: str, pools: frozenset[str], limits: Limits, *, today: bool = False) -> Purse:
    usual = DEFAULT_LIMITS[bucket]
    limit, left = limits.get((project, bucket), (usual, usual))
    return Purse(project=project, bucket=bucket, units=left if today else limit, limit=limit, pools=pools)


def _most_a_day(
    old: Mapping[Tier, Hours], new: Mapping[Tier, Hours], a_day: float, when: Horizon,
    purses: Sequence[Purse],
) -> int | None:  # fmt: skip
    """New videos a day that tracking can take in on every whole day of the plan."""
    if not a_day:
        return None
    units = sum(purse.units for purse in purses if TRACKING in purse.pools)
    asked = sum(new.values(), start=forecast.nothing(when.hours)) / IDS_PER_CALL / a_day
    base = forecast.by_day(forecast.units(old), when.spans)
    return budget.tracking_room(units - forecast.UNFILLED, base[1:], forecast.by_day(asked, when.spans)[1:])


def _short(wish: Wish, granted: Grant) -> bool:
    return wish.needs - granted.gets[wish.consumer] > _NOTHING


def _rows(day: date, wanted: Sequence[Wish], purses: Sequence[Purse], granted: Grant) -> list[PlanRow]:
    """A row for each project. What none of them can serve stands with the last one."""
    rows = []
    unserved = {wish.consumer: wish.wants - granted.gets[wish.consumer] for wish in wanted}
    for purse, given in zip(purses, granted.by_purse, strict=True):
        last = purse is purses[-1]
        rows.append(
            PlanRow(
                day=day, project=purse.project, bucket=purse.bucket, supply=purse.units,
                gets={name: round(units, 1) for name, units in given.items()},
                demand={
                    name: round(units + unserved[name] * last, 1) for name, units in given.items()
                },
                shortfall={
                    wish.consumer: round(wish.needs - granted.gets[wish.consumer], 1)
                    for wish in wanted if last and _short(wish, granted)
                },
            )
        )  # fmt: skip
    return rows
