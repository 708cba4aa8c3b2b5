"""Who wants how many units, and who gets them. Pure.

Belongs here: the demand of discovery's sources, and sharing out a bucket's day. Does not belong here: the polls of the
watchlist (forecast.py), words about the outcome (plan.py).

The order is the one in which a hunt spends (discover/budget.py): what a source has found is described before more is looked
for, charts are few, and the uploads lists take what is left. A source *needs* what keeps its promise, and *wants* what it can
use: the search queue could use any number of calls, so it needs none, and wants all. But who may not have a single unit
starves.
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

#: By default.
HUNTS_A_DAY = timedelta(days=1) // HUNT_EVERY
_CHART_READINGS = timedelta(days=1) / READ_AGAIN

TRACK, DETAILS, CHARTS, CHECKS, LISTS, SEARCHES, PAST = (
    "tracking", "details", "charts", "checks", "lists", "searches", "archeology",
)  # fmt: skip


#: Below it there is nothing to hand on but rounding.
_UNIT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one consumer asks of one bucket on one day, in units."""

    consumer: str
    bucket: Bucket
    pool: QuotaPool
    #: What it could use.
    wants: float
    #: What keeps its promise; going without it is starving. Never more than it wants.
    needs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """One bucket of one project on one day."""

    project: str
    bucket: Bucket
    #: What is left of it; never more than the limit of a whole day.
    units: int
    limit: int
    #: That the project's live keys serve.
    pools: frozenset[QuotaPool]
    #: Units counted here when YouTube said that the bucket is spent; None: it has not said so.
    refused_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What came of it: units by consumer, for each purse, and what was needed and not there."""

    by_purse: tuple[Mapping[str, float], ...]
    gets: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What discovery's demand follows from."""

    #: New videos that will be described in a day.
    found_a_day: float
    channels: ChannelsState
    #: General units that checks and lists took in a day lately: they take what is there, feeds or not.
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
    """What is carried from one day to the next."""

    #: Of channels whose count moved before now.
    list_pages: float
    campaign_pages: float
    #: Calls that describe what was found before now.
    details: float = 0.0

    def work_off(self, wishes_of_bucket: Sequence[Wish], gets: Mapping[str, float]) -> None:
        """Take off what a day gives beyond the day's own needs."""
        for wish in wishes_of_bucket:
            beyond = max(0.0, gets.get(wish.consumer, 0.0) - wish.needs)
            if wish.consumer == LISTS:
                self.list_pages = max(0.0, self.list_pages - beyond)
            elif wish.consumer == DETAILS:
                self.details = max(0.0, self.details - beyond)
            elif wish.consumer == PAST:
                self.campaign_pages = max(0.0, self.campaign_pages - beyond)


def wishes(discovery: Discovery, backlog: Backlog, polls: float, part: float) -> list[Wish]:
    """What everybody asks for on one day, of which `part` (0 to 1) is still to come. `polls`: units of tracking."""
    channels, hunts = discovery.channels, max(1.0, HUNTS_A_DAY * part)
    details = hunts * math.ceil(discovery.found_a_day / HUNTS_A_DAY / IDS_PER_CALL - 1e-9)
    charts = discovery.chart_regions * len(CHART_CATEGORIES) * discovery.units_a_chart * _CHART_READINGS * part
    # Every channel that nothing else answers for is to be looked at once a day; those that the hub answers for, too.
    checked = channels.unanswered + channels.push_live
    checks = checked / IDS_PER_CALL * part
    lists = channels.lists_a_day * part
    most_uploads = discovery.uploads_per_hunt * hunts
    most_lists = max(0.0, most_uploads - checks)
    checks_now = min(checks, most_uploads)
    lists_now = max(lists + backlog.list_pages, discovery.uploads_a_day * part - checks)
    searches = discovery.searches_per_hunt * hunts if discovery.terms else 0.0
    return [
        Wish(consumer=TRACK, bucket=Bucket.STATS, pool=QuotaPool.TRACKING, wants=polls, needs=polls),
        Wish(
            consumer=DETAILS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=details + backlog.details, needs=details,
        ),
        Wish(consumer=CHARTS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=charts, needs=charts),
        Wish(consumer=CHECKS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=checks_now, needs=checks_now),
        Wish(
            consumer=LISTS, bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=min(lists_now, most_lists),
            needs=min(lists, most_lists),
        ),
        Wish(consumer=SEARCHES, bucket=Bucket.SEARCH, pool=QuotaPool.HUNTING, wants=searches, needs=0.0),
        Wish(consumer=PAST, bucket=Bucket.SEARCH, pool=QuotaPool.ARCHEOLOGY, wants=backlog.campaign_pages, needs=0.0),
    ]  # fmt: skip


def serving(wish: Wish, purses: Sequence[Purse]) -> list[Purse]:
    """The purses that a wish may be paid from."""
    return [purse for purse in purses if wish.pool in purse.pools]


def in_earnest(wishes_of_bucket: Sequence[Wish], purses: Sequence[Purse]) -> list[Wish]:
    """The wishes, where those for which no day has a unit need what they want: who can use any number cannot do with none."""
    return [
        wish if any(purse.limit for purse in serving(wish, purses)) else replace(wish, needs=wish.wants)
        for wish in wishes_of_bucket
    ]  # fmt: skip


def hand_on(
    wishes_of_bucket: Sequence[Wish], granted: Grant, most: float, purses: Sequence[Purse]
) -> tuple[list[Wish], list[Wish]]:
    """The wishes for the stats bucket without what of them is polled with general units, and the wish for those.

    videos.list answers where the units of videos.batchGetStats are spent (youtube/api.py). `most`: units of tracking that will
    not be left out for want of stats units.
    """
    stay, go = [], []
    for wish in wishes_of_bucket:
        units = max(0.0, min(wish.wants, most) - granted.gets[wish.consumer]) if serving(wish, purses) else 0.0
        stay.append(replace(wish, wants=wish.wants - units, needs=wish.needs - units))
        if units >= _UNIT:
            go.append(replace(wish, bucket=Bucket.GENERAL, wants=units, needs=units))
    return stay, go


def lack_of(wish: Wish, gets: float, purses: Sequence[Purse]) -> Literal["keys", "pool", "limit", "spent", "units"]:
    """Why a wish gets too little: no key is left, none serves its pool, a day has no units, today's are gone, or too few."""
    purses_of_wish = serving(wish, purses)
    if not purses_of_wish:
        return "pool" if any(purse.pools for purse in purses) else "keys"
    limit, units = sum(purse.limit for purse in purses_of_wish), sum(purse.units for purse in purses_of_wish)
    if not limit:
        return "limit"
    return "spent" if units < limit and gets + limit - units >= wish.needs else "units"


def grant(wishes_of_bucket: Sequence[Wish], purses: Sequence[Purse]) -> Grant:
    """Share out the purses of one bucket among the wishes for it, in their order, project by project.

    First each pool's own share, then whatever is left: needs before wants.
    """
    gets = dict.fromkeys((wish.consumer for wish in wishes_of_bucket), 0.0)
    by_purse: list[dict[str, float]] = []
    for purse in purses:
        given = dict.fromkeys((wish.consumer for wish in wishes_of_bucket), 0.0)
        allowed = [wish for wish in wishes_of_bucket if wish.pool in purse.pools]
        shares = weights(purse.bucket, purse.pools)
        whole = sum(shares.values())
        for pool, share in shares.items():
            own = [wish for wish in allowed if wish.pool == pool]
            _hand_out(own, purse.units * share / whole, gets, given)
        _hand_out(allowed, purse.units - sum(given.values()), gets, given)
        by_purse.append(given)
    return Grant(by_purse=tuple(by_purse), gets=gets)


def _hand_out(wishes_of_bucket: Sequence[Wish], units: float, gets: dict[str, float], given: dict[str, float]) -> None:
    left = units
    for goal in ("needs", "wants"):
        for wish in wishes_of_bucket:
            take = min(left, max(0.0, getattr(wish, goal) - gets[wish.consumer]))
            gets[wish.consumer] += take
            given[wish.consumer] += take
            left -= take


def tracking_room(units_a_day: float, base: Sequence[float], each: Sequence[float]) -> int | None:
    """New videos a day that tracking can take in on every day: `base` units go to what is watched, `each` to one new one a day.

    None: no day of the forecast costs anything for new ones.
    """
    rates = [(units_a_day - old) / new for old, new in zip(base, each, strict=True) if new > 0]
    return max(0, math.floor(min(rates))) if rates else None
