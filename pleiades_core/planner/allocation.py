"""Demand and allocation: how many units each consumer wants, and how many it gets. Pure.

Belongs here: the demand of discovery's sources, and allocating a bucket's day. Does not belong here: the polls of the watchlist
(forecast.py), sentences about the result (report.py).

The order of consumers is that in which a hunt spends (discover/budget.py): found videos are described before further requests,
charts are few, and the uploads lists take the rest. A consumer *needs* the units that keep its promise, and *wants* the units
that it can use: the search queue can use any number of calls, so it needs none and wants all. But a consumer that gets no unit
on any day is starved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from pleiades_core.discover.budget import HUNT_EVERY
from pleiades_core.discover.sources.charts import A_CHART, READ_AGAIN
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.reports.sources import ChannelsState
from pleiades_core.youtube.api import CHART_CATEGORIES, IDS_PER_CALL
from pleiades_core.youtube.shares import weights

#: With the default interval.
HUNTS_A_DAY = timedelta(days=1) // HUNT_EVERY
_CHART_READINGS = timedelta(days=1) / READ_AGAIN

TRACK, DETAILS, CHARTS, CHECKS, LISTS, SEARCHES, PAST = (
    "tracking", "details", "charts", "checks", "lists", "searches", "archeology",
)  # fmt: skip


#: A smaller demand is rounding, and is not moved to another bucket.
_UNIT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The demand of one consumer for units of one bucket on one day."""

    consumer: str
    bucket: Bucket
    pool: QuotaPool
    #: Units that it could use.
    wants: float
    #: Units that keep its promise; with less it is starved. Never more than it wants.
    needs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The units of one bucket of one project on one day."""

    project: str
    bucket: Bucket
    #: Units that are left; never more than the limit of a whole day.
    units: int
    limit: int
    #: The pools that the project's live keys serve.
    pools: frozenset[QuotaPool]
    #: Units counted here when YouTube called the bucket spent; None: it has not.
    refused_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The result: units by consumer, for each budget and in all."""

    by_budget: tuple[Mapping[str, float], ...]
    gets: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The facts from which discovery's demand follows."""

    #: New videos that will be described in a day.
    found_a_day: float
    channels: ChannelsState
    #: General units that checks and lists took in a day lately: they take all units that are left, with or without feeds.
    uploads_a_day: float
    terms: int
    chart_regions: int
    searches_per_hunt: int
    #: Most general units of one hunt for checks and lists.
    uploads_per_hunt: int
    #: Pages that the open campaigns have yet to read, at most.
    campaign_pages: int
    #: General units that the reading of one chart took lately: many charts are shorter than they may be.
    units_a_chart: float = A_CHART
    #: Videos that were found and not described yet.
    to_describe: int = 0


@dataclass(slots=True)
class Backlog:
    """Work that is carried from one day to the next."""

    #: Pages of channels whose count rose before now.
    list_pages: float
    campaign_pages: float
    #: Calls that describe what was found before now.
    details: float = 0.0

    def reduce(self, demands: Sequence[Demand], gets: Mapping[str, float]) -> None:
        """Reduce the backlog by the units that a day gives beyond the day's own needs."""
        for demand in demands:
            beyond = max(0.0, gets.get(demand.consumer, 0.0) - demand.needs)
            if demand.consumer == LISTS:
                self.list_pages = max(0.0, self.list_pages - beyond)
            elif demand.consumer == DETAILS:
                self.details = max(0.0, self.details - beyond)
            elif demand.consumer == PAST:
                self.campaign_pages = max(0.0, self.campaign_pages - beyond)


def demands_of(discovery: Discovery, backlog: Backlog, polls: float, part: float) -> list[Demand]:
    """The demands of all consumers on one day.

    Args:
        discovery: the facts.
        backlog: work of earlier days.
        polls: units of tracking.
        part: the part of the day that is still to come, 0 to 1.

    Returns:
        The demands, in the order in which they are served.
    """
    channels, hunts = discovery.channels, max(1.0, HUNTS_A_DAY * part)
    details = hunts * math.ceil(discovery.found_a_day / HUNTS_A_DAY / IDS_PER_CALL - 1e-9)
    charts = discovery.chart_regions * len(CHART_CATEGORIES) * discovery.units_a_chart * _CHART_READINGS * part
    # Channels without a feed reading are to be checked once a day, and subscribed channels too.
    checked = channels.unanswered + channels.push_live
    checks = checked / IDS_PER_CALL * part
    lists = channels.lists_a_day * part
    most_uploads = discovery.uploads_per_hunt * hunts
    most_lists = max(0.0, most_uploads - checks)
    checks_now = min(checks, most_uploads)
    lists_now = max(lists + backlog.list_pages, discovery.uploads_a_day * part - checks)
    searches = discovery.searches_per_hunt * hunts if discovery.terms else 0.0
    return [
        Demand(consumer=TRACK, bucket=Bucket.STATS, pool=QuotaPool.TRACKING, wants=polls, needs=polls),
        Demand(
            consumer=DETAILS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=details + backlog.details, needs=details,
        ),
        Demand(consumer=CHARTS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=charts, needs=charts),
        Demand(consumer=CHECKS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=checks_now, needs=checks_now),
        Demand(
            consumer=LISTS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=min(lists_now, most_lists),
            needs=min(lists, most_lists),
        ),
        Demand(consumer=SEARCHES, bucket=Bucket.SEARCH, pool=QuotaPool.HUNTING, wants=searches, needs=0.0),
        Demand(consumer=PAST, bucket=Bucket.SEARCH, pool=QuotaPool.ARCHEOLOGY, wants=backlog.campaign_pages, needs=0.0),
    ]  # fmt: skip


def budgets_for(demand: Demand, budgets: Sequence[Budget]) -> list[Budget]:
    """The budgets that a demand may be paid from."""
    return [budget for budget in budgets if demand.pool in budget.pools]


def with_needs(demands: Sequence[Demand], budgets: Sequence[Budget]) -> list[Demand]:
    """The demands; a demand for which no budget has a unit needs all that it wants, so that it counts as starved."""
    return [
        demand if any(budget.limit for budget in budgets_for(demand, budgets)) else replace(demand, needs=demand.wants)
        for demand in demands
    ]  # fmt: skip


def move_to_general(
    demands: Sequence[Demand], allocated: Allocation, most: float, budgets: Sequence[Budget]
) -> tuple[list[Demand], list[Demand]]:
    """Move demand for stats units that cannot be met to the bucket general.

    videos.list answers if the units of videos.batchGetStats are spent (youtube/api.py).

    Args:
        demands: for the stats bucket.
        allocated: the stats units that they get.
        most: units of tracking that may be moved.
        budgets: of the stats bucket.

    Returns:
        The demands that stay, and the demands for general units.
    """
    stay, go = [], []
    for demand in demands:
        units = max(0.0, min(demand.wants, most) - allocated.gets[demand.consumer]) if budgets_for(demand, budgets) else 0.0
        stay.append(replace(demand, wants=demand.wants - units, needs=demand.needs - units))
        if units >= _UNIT:
            go.append(replace(demand, bucket=Bucket.GENERAL, wants=units, needs=units))
    return stay, go


def cause_of_shortfall(
    demand: Demand, gets: float, budgets: Sequence[Budget]
) -> Literal["keys", "pool", "limit", "spent", "units"]:
    """Why a demand gets too little.

    Args:
        demand: the demand.
        gets: the units that it gets.
        budgets: of its bucket.

    Returns:
        `keys`: no key is left. `pool`: no key serves its pool. `limit`: no day has a unit. `spent`: today's units are spent.
        `units`: there are too few.
    """
    paying = budgets_for(demand, budgets)
    if not paying:
        return "pool" if any(budget.pools for budget in budgets) else "keys"
    limit, units = sum(budget.limit for budget in paying), sum(budget.units for budget in paying)
    if not limit:
        return "limit"
    return "spent" if units < limit and gets + limit - units >= demand.needs else "units"


def allocate(demands: Sequence[Demand], budgets: Sequence[Budget]) -> Allocation:
    """Allocate the budgets of one bucket to the demands for it, in their order, project by project.

    Each pool's own share is allocated first, then the rest; needs go before wants.
    """
    gets = dict.fromkeys((demand.consumer for demand in demands), 0.0)
    by_budget: list[dict[str, float]] = []
    for budget in budgets:
        given = dict.fromkeys((demand.consumer for demand in demands), 0.0)
        allowed = [demand for demand in demands if demand.pool in budget.pools]
        shares = weights(budget.bucket, budget.pools)
        whole = sum(shares.values())
        for pool, share in shares.items():
            own = [demand for demand in allowed if demand.pool == pool]
            _distribute(own, budget.units * share / whole, gets, given)
        _distribute(allowed, budget.units - sum(given.values()), gets, given)
        by_budget.append(given)
    return Allocation(by_budget=tuple(by_budget), gets=gets)


def _distribute(demands: Sequence[Demand], units: float, gets: dict[str, float], given: dict[str, float]) -> None:
    left = units
    for goal in ("needs", "wants"):
        for demand in demands:
            take = min(left, max(0.0, getattr(demand, goal) - gets[demand.consumer]))
            gets[demand.consumer] += take
            given[demand.consumer] += take
            left -= take


def tracking_room(units_a_day: float, base: Sequence[float], each: Sequence[float]) -> int | None:
    """New videos a day that tracking can take in on every day.

    Args:
        units_a_day: units for tracking.
        base: units of each day for the videos that are watched now.
        each: units of each day for one new video a day.

    Returns:
        Videos a day; None if new videos cost nothing on any day of the forecast.
    """
    rates = [(units_a_day - old) / new for old, new in zip(base, each, strict=True) if new > 0]
    return max(0, math.floor(min(rates))) if rates else None
