"""The plan: units by day, project and bucket, and the consumers that get too few.

Belongs here: putting survey, forecast and allocation together. Does not belong here: the arithmetic (forecast.py,
allocation.py), sentences (report.py), how it is shown (cli/commands/plan.py).
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
from pleiades_core.planner.allocation import Allocation, Backlog, Budget, Demand
from pleiades_core.planner.forecast import Arrival, Horizon, Hours
from pleiades_core.planner.report import Plan, PlanRow, Starved, help_for, judge, why
from pleiades_core.planner.survey import Survey, survey
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.api import IDS_PER_CALL
from pleiades_core.youtube.quota import DEFAULT_LIMITS, Ledger
from pleiades_core.youtube.shares import POOLS

#: Without any key the plan is for one project with the usual limits.
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

    Args:
        database: has watchlist, finds and requests.
        ledger: has today's units.
        settings: of discovery.
        now: the present instant.
        projects: those in use, with the pools that their live keys serve (`KeyRing.living`); None: one project with the usual
            limits. Projects that no live key serves are left out, unless there is no other.
        days: days after today.
        found_a_day: new videos a day; None: as many as lately.
        suppose: the number of projects; None: as many as there are.

    Returns:
        The plan.
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
    """The survey with another number of new videos a day, all to be watched: as old as lately, or fresh if none came lately."""
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
    """The plan for a survey. Pure.

    Args:
        stands: the survey.
        when: the hours of the forecast.
        projects: projects, with the pools that their live keys serve.
        limits: units of a whole day, and units left today, by project and bucket.
        when_full: what discovery does if not all new videos fit.
        refused: units that were counted in buckets that YouTube called spent.

    Returns:
        The plan.
    """
    parts = forecast.spread(stands.watched)
    old, new = forecast.of_watched(stands.watched, when.hours), forecast.of_arrivals(stands.arrivals, when.hours)
    tracking = forecast.by_day(forecast.units({tier: old[tier] + new[tier] for tier in old}, parts), when.spans)
    a_day = sum(arrival.a_day for arrival in stands.arrivals)
    base = forecast.by_day(forecast.units(old, parts), when.spans)
    # Watched videos are polled with general units if stats units run out. New videos are not watched then, except with `admit`.
    falls_back = tracking if when_full == "admit" else base
    channels = stands.discovery.channels
    backlog = Backlog(
        list_pages=channels.waiting_pages + channels.back_catalogue_uploads / IDS_PER_CALL,
        campaign_pages=stands.discovery.campaign_pages,
        details=(stands.discovery.to_describe + channels.back_catalogue_uploads) / IDS_PER_CALL,
    )  # fmt: skip
    rows: list[PlanRow] = []
    starved: dict[tuple[str, bool], Starved] = {}
    polling = [_budget(name, Bucket.STATS, pools, limits) for name, pools in projects.items()]
    most = _most_a_day(base, new, a_day, when, polling)
    for place, start in enumerate(when.starts):
        begin, end = when.spans[place]
        # Days of 23 and 25 hours count as one day for the hunts and for sources that count by the day.
        part = min(1.0, (end - begin) / 24) if place == 0 else 1.0
        day, demands = pacific_day(start), allocation.demands_of(stands.discovery, backlog, tracking[place], part)
        for bucket in Bucket:
            budgets = [
                _budget(name, bucket, pools, limits, refused=refused if place == 0 else None)
                for name, pools in projects.items()
            ]
            of_bucket = allocation.with_needs([demand for demand in demands if demand.bucket == bucket], budgets)
            allocated = allocation.allocate(of_bucket, budgets)
            if bucket is Bucket.STATS:
                of_bucket, moved = allocation.move_to_general(of_bucket, allocated, falls_back[place], budgets)
                demands += moved
            backlog.reduce(of_bucket, allocated.gets)
            rows += _rows(day, of_bucket, budgets, allocated)
            for demand in of_bucket:
                lack = allocation.cause_of_shortfall(demand, allocated.gets[demand.consumer], budgets)
                # Spent units of today say nothing about later days.
                if _short(demand, allocated) and (demand.consumer, lack == "spent") not in starved:
                    starved[demand.consumer, lack == "spent"] = Starved(
                        consumer=demand.consumer, bucket=bucket, day=day, needs=math.ceil(demand.needs),
                        gets=math.floor(allocated.gets[demand.consumer]), why=why(lack, demand, budgets, allocated),
                        help=help_for(lack, demand, most=most, a_day=a_day, when_full=when_full),
                    )  # fmt: skip
    return Plan(
        made_at=stands.at, projects=tuple(projects), watched=stands.videos, by_tier=stands.by_tier,
        seen_days=stands.seen_over / timedelta(days=1),
        found_a_day=stands.discovery.found_a_day, watched_a_day=a_day, most_watched_a_day=most, rows=tuple(rows),
        verdicts=tuple(judge(bucket, [row for row in rows if row.bucket == bucket]) for bucket in Bucket),
        starved=tuple(sorted(starved.values(), key=lambda row: row.day)),
    )  # fmt: skip


def _budget(
    project: str, bucket: Bucket, pools: frozenset[QuotaPool], limits: Limits, *,
    refused: Mapping[tuple[str, Bucket], int] | None = None,
) -> Budget:  # fmt: skip
    """The budget of a whole day; with `refused` that of today."""
    usual = DEFAULT_LIMITS[bucket]
    limit, left = limits.get((project, bucket), (usual, usual))
    units = limit if refused is None else left
    return Budget(
        # Units that no live key reaches cannot be spent.
        project=project, bucket=bucket, units=units if pools else 0, limit=limit, pools=pools,
        refused_at=refused.get((project, bucket)) if refused else None,
    )  # fmt: skip


def _most_a_day(
    base: Sequence[float], new: Mapping[Tier, Hours], a_day: float, when: Horizon, budgets: Sequence[Budget]
) -> int | None:
    """New videos a day that tracking can take in on every whole day of the plan."""
    if not a_day:
        return None
    units = sum(budget.units for budget in budgets if QuotaPool.TRACKING in budget.pools)
    share = sum(new.values(), start=forecast.nothing(when.hours)) / IDS_PER_CALL / a_day
    return allocation.tracking_room(units - TIERS.ticks_a_day, base[1:], forecast.by_day(share, when.spans)[1:])


def _short(demand: Demand, allocated: Allocation) -> bool:
    return demand.needs - allocated.gets[demand.consumer] > _NOTHING


def _rows(day: date, demands: Sequence[Demand], budgets: Sequence[Budget], allocated: Allocation) -> list[PlanRow]:
    """A row for each project. Demand that no project can serve is in the last row."""
    rows = []
    unserved = {demand.consumer: demand.wants - allocated.gets[demand.consumer] for demand in demands}
    for budget, given in zip(budgets, allocated.by_budget, strict=True):
        last = budget is budgets[-1]
        rows.append(
            PlanRow(
                day=day, project=budget.project, bucket=budget.bucket, supply=budget.units,
                gets={name: round(units, 1) for name, units in given.items()},
                demand={
                    name: round(units + unserved[name] * last, 1) for name, units in given.items()
                },
                shortfall={
                    demand.consumer: round(demand.needs - allocated.gets[demand.consumer], 1)
                    for demand in demands if last and _short(demand, allocated)
                },
            )
        )  # fmt: skip
    return rows
