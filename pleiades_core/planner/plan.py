"""The plan: units per day, project and bucket, and who goes without.

Belongs here: putting survey, forecast and budget together. Does not belong here: the arithmetic (forecast.py, allocation.py),
words (report.py), how it is shown (cli/commands/plan.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType

from pleiades_core.clock import pacific_day
from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.planner import allocation, forecast
from pleiades_core.planner.allocation import Backlog, Grant, Purse, Wish
from pleiades_core.planner.forecast import Arrival, Horizon, Hours
from pleiades_core.planner.report import Plan, PlanRow, Starved, help_for, judge, why
from pleiades_core.planner.survey import Survey, survey
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.api import IDS_PER_CALL
from pleiades_core.youtube.quota import DEFAULT_LIMITS, Ledger
from pleiades_core.youtube.shares import POOLS

#: Who lives without a key plans for one project with the usual limits.
_NO_KEY = {"default": POOLS}
#: Units below which a shortfall is rounding.
_NOTHING = 0.5

#: By project and bucket: limit of a whole day, and what is left of today's.
Limits = Mapping[tuple[str, Bucket], tuple[int, int]]


def plan(
    database: Database, ledger: Ledger, settings: Settings, now: datetime, *,
    projects: Mapping[str, frozenset[QuotaPool]] | None = None, days: int = 30, found_a_day: float | None = None,
    suppose: int | None = None,
) -> Plan:  # fmt: skip
    """Forecast the rest of today and `days` more. Reads, and changes nothing.

    `projects`: those in use, with the pools that their live keys serve (`KeyRing.living`); one with the usual limits where
    nothing is said. Projects that no live key serves are left out, unless there is no other.
    `found_a_day` takes the place of what was found lately, `suppose` of the number of projects.
    """
    when = forecast.horizon(now, days)
    stands = survey(database, settings, now, when.first)
    if found_a_day is not None:
        stands = supposing(stands, found_a_day)
    given = dict(projects or _NO_KEY)
    used = {name: pools for name, pools in given.items() if pools} or given
    rows = ledger.rows(used)
    limits = {(row.project, row.bucket): (row.limit, row.left) for row in rows}
    refused = {(row.project, row.bucket): row.spent for row in rows if row.exhausted}
    if suppose is not None:
        used = dict(list(used.items())[:suppose])
        used |= {f"supposed {number}": POOLS for number in range(len(used) + 1, suppose + 1)}
    return make_plan(stands, when, used, limits, settings.discovery.when_full, refused=refused)


def supposing(stands: Survey, found_a_day: float) -> Survey:
    """The same with another number of new videos a day, all to be watched: as old as they were, or fresh where none came."""
    before = sum(arrival.a_day for arrival in stands.arrivals)
    arrivals = (
        tuple(Arrival(age_h=arrival.age_h, a_day=arrival.a_day * found_a_day / before) for arrival in stands.arrivals)
        if before
        else (Arrival(age_h=0, a_day=found_a_day),)
    )
    return replace(stands, arrivals=arrivals, discovery=replace(stands.discovery, found_a_day=found_a_day))


def make_plan(
    stands: Survey, when: Horizon, projects: Mapping[str, frozenset[QuotaPool]], limits: Limits, when_full: str, *,
    refused: Mapping[tuple[str, Bucket], int] = MappingProxyType({}),
) -> Plan:  # fmt: skip
    """The plan for a survey. Pure. `refused`: units that were counted in buckets of which YouTube says that they are spent."""
    parts = forecast.spread(stands.watched)
    old, new = forecast.of_watched(stands.watched, when.hours), forecast.of_arrivals(stands.arrivals, when.hours)
    tracking = forecast.by_day(forecast.units({tier: old[tier] + new[tier] for tier in old}, parts), when.spans)
    a_day = sum(arrival.a_day for arrival in stands.arrivals)
    base = forecast.by_day(forecast.units(old, parts), when.spans)
    # What is watched is polled with general units where stats units run out; what is new is not watched then, but for `admit`.
    falls_back = tracking if when_full == "admit" else base
    channels = stands.discovery.channels
    backlog = Backlog(
        list_pages=channels.waiting_pages + channels.back_catalogue_uploads / IDS_PER_CALL,
        campaign_pages=stands.discovery.campaign_pages,
        details=(stands.discovery.to_describe + channels.back_catalogue_uploads) / IDS_PER_CALL,
    )  # fmt: skip
    rows: list[PlanRow] = []
    starved: dict[tuple[str, bool], Starved] = {}
    polling = [_purse(name, Bucket.STATS, pools, limits) for name, pools in projects.items()]
    most = _most_a_day(base, new, a_day, when, polling)
    for place, start in enumerate(when.starts):
        begin, end = when.spans[place]
        # Days of 23 and 25 hours have as many hunts; sources that count by the day count such a day as one.
        part = min(1.0, (end - begin) / 24) if place == 0 else 1.0
        day, demands = pacific_day(start), allocation.wishes(stands.discovery, backlog, tracking[place], part)
        for bucket in Bucket:
            purses = [
                _purse(name, bucket, pools, limits, refused=refused if place == 0 else None) for name, pools in projects.items()
            ]
            of_bucket = allocation.in_earnest([wish for wish in demands if wish.bucket == bucket], purses)
            granted = allocation.grant(of_bucket, purses)
            if bucket is Bucket.STATS:
                of_bucket, handed_on = allocation.hand_on(of_bucket, granted, falls_back[place], purses)
                demands += handed_on
            backlog.work_off(of_bucket, granted.gets)
            rows += _rows(day, of_bucket, purses, granted)
            for wish in of_bucket:
                lack = allocation.lack_of(wish, granted.gets[wish.consumer], purses)
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
        verdicts=tuple(judge(bucket, [row for row in rows if row.bucket == bucket]) for bucket in Bucket),
        starved=tuple(sorted(starved.values(), key=lambda row: row.day)),
    )  # fmt: skip


def _purse(
    project: str, bucket: Bucket, pools: frozenset[QuotaPool], limits: Limits, *,
    refused: Mapping[tuple[str, Bucket], int] | None = None,
) -> Purse:  # fmt: skip
    """Of a whole day, or with `refused` of today."""
    usual = DEFAULT_LIMITS[bucket]
    limit, left = limits.get((project, bucket), (usual, usual))
    units = limit if refused is None else left
    return Purse(
        # What no live key reaches cannot be spent.
        project=project, bucket=bucket, units=units if pools else 0, limit=limit, pools=pools,
        refused_at=refused.get((project, bucket)) if refused else None,
    )  # fmt: skip


def _most_a_day(
    base: Sequence[float], new: Mapping[Tier, Hours], a_day: float, when: Horizon, purses: Sequence[Purse]
) -> int | None:
    """New videos a day that tracking can take in on every whole day of the plan."""
    if not a_day:
        return None
    units = sum(purse.units for purse in purses if QuotaPool.TRACKING in purse.pools)
    share = sum(new.values(), start=forecast.nothing(when.hours)) / IDS_PER_CALL / a_day
    return allocation.tracking_room(units - TIERS.ticks_a_day, base[1:], forecast.by_day(share, when.spans)[1:])


def _short(wish: Wish, granted: Grant) -> bool:
    return wish.needs - granted.gets[wish.consumer] > _NOTHING


def _rows(day: date, demands: Sequence[Wish], purses: Sequence[Purse], granted: Grant) -> list[PlanRow]:
    """A row for each project. What none of them can serve stands with the last one."""
    rows = []
    unserved = {wish.consumer: wish.wants - granted.gets[wish.consumer] for wish in demands}
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
                    for wish in demands if last and _short(wish, granted)
                },
            )
        )  # fmt: skip
    return rows
