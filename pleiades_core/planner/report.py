"""The report of a plan: rows, verdicts, starved consumers, and what a person can do, in sentences.

Belongs here: the records and the sentences. Does not belong here: the numbers (plan.py), tables (cli/commands/plan.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pleiades_core.models import Bucket, Tier
from pleiades_core.planner import allocation
from pleiades_core.planner.allocation import Allocation, Budget, Demand
from pleiades_core.youtube.key_pool import VARIABLE

#: What the forecast takes for allocated. Shown with every plan.
ASSUMPTIONS = (
    "every watched video is polled when it is due; no video is deleted, no call fails",
    "as many new videos come in a day, and as old, as in the last 7 days (a young installation's first day left out)",
    "channels whose feed was read within a day, or with a live push subscription, need no list",
    f"{allocation.HUNTS_A_DAY} hunts a day; what searches and campaigns find is in the number of new videos",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One bucket of one project on one quota day, in units."""

    #: Pacific.
    day: date
    project: str
    bucket: Bucket
    #: Units left of today's limit when the plan is made, or the whole limit of a later day.
    supply: int
    #: Units that each consumer could use. The row of the last project has the demand that no project can serve.
    demand: dict[str, float]
    #: Units that each consumer gets.
    gets: dict[str, float]
    #: Units that consumers need and do not get; empty if there is no shortfall. The row of the last project has it.
    shortfall: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketVerdict:
    """One bucket in a sentence."""

    bucket: Bucket
    fits: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Starved:
    """A consumer that gets too few units, and the first day of that."""

    consumer: str
    bucket: Bucket
    #: Pacific.
    day: date
    needs: int
    gets: int
    why: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rest of today and the days after it."""

    made_at: datetime
    projects: tuple[str, ...]
    watched: int
    by_tier: dict[Tier, int]
    #: New videos a day that the plan counts on: described ones, and watched ones of these.
    found_a_day: float
    watched_a_day: float
    #: Days whose finds the forecast is based on.
    seen_days: float
    #: The most new videos that tracking could take in on every day; None if no new ones are expected.
    most_watched_a_day: int | None
    rows: tuple[PlanRow, ...]
    verdicts: tuple[BucketVerdict, ...]
    #: Consumers that get too few units, in the order of days; empty if everything fits.
    starved: tuple[Starved, ...]
    assumptions: tuple[str, ...] = ASSUMPTIONS

    @property
    def fits(self) -> bool:
        """True if no consumer is starved."""
        return not self.starved


def judge(bucket: Bucket, rows: Sequence[PlanRow]) -> BucketVerdict:
    """Judge whether a bucket's demand fits on all days, and name the busiest day."""
    days: dict[date, list[PlanRow]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)
    short = [day for day, parts in days.items() if any(part.shortfall for part in parts)]
    if short:
        day = short[0]
        missing = added(row.shortfall for row in days[day])
        needed = added(row.gets for row in days[day])
        supply = sum(row.supply for row in days[day])
        wanting = sum(needed.values()) + sum(missing.values())
        lacking = ", ".join(f"{name} lacks {units:,.0f}" for name, units in missing.items())
        text = (
            f"{bucket}: does not fit on {len(short)} of {len(days)} days, first on {day}: {supply:,} units, "
            f"{wanting:,.0f} needed ({lacking})"
        )
        if supply >= wanting:
            text += "; keys in use may not spend them on it"
        return BucketVerdict(bucket=bucket, fits=False, text=text)
    busiest = max(days, key=lambda day: sum(sum(row.gets.values()) for row in days[day]))
    spent, supply = sum(sum(row.gets.values()) for row in days[busiest]), sum(row.supply for row in days[busiest])
    text = f"{bucket}: fits; {spent:,.0f} of {supply:,} units on the busiest day ({busiest})"
    demand = sum(sum(row.demand.values()) for row in days[busiest])
    if demand - spent >= 1:
        # Only consumers that need nothing may want more than there is: none is starved.
        text += f"; {demand:,.0f} could be used: the most promising requests go first"
    return BucketVerdict(bucket=bucket, fits=True, text=text)


def why(lack: str, demand: Demand, budgets: Sequence[Budget], allocated: Allocation) -> str:
    """Why a consumer is starved, from the numbers alone.

    Args:
        lack: as `allocation.cause_of_shortfall` gives it.
        demand: the consumer's demand.
        budgets: of its bucket.
        allocated: the allocation.

    Returns:
        A sentence.
    """
    paying = allocation.budgets_for(demand, budgets)
    limit, units = sum(budget.limit for budget in paying), sum(budget.units for budget in paying)
    refused = [budget for budget in paying if budget.refused_at is not None]
    counted = sum(budget.limit - budget.units if budget.refused_at is None else budget.refused_at for budget in paying)
    spent = f"{counted:,} of today's {limit:,} units are spent"
    if refused:
        of_project = "" if len(paying) == 1 else f" of {', '.join(budget.project for budget in refused)}"
        spent = f"YouTube says that today's units{of_project} are spent ({counted:,} of {limit:,} counted here)"
    match lack:
        case "keys":
            return "YouTube refused every key"
        case "pool":
            return f"no key in use serves the pool {demand.pool}"
        case "limit":
            return f"the limit of the bucket {demand.bucket} is 0 where a key serves the pool {demand.pool}"
        case "spent":
            return spent
    given = added(given for budget, given in zip(budgets, allocated.by_budget, strict=True) if budget in paying)
    competitors = [f"{name} takes {taken:,.0f}" for name, taken in given.items() if name != demand.consumer and taken >= 1]
    text = f"there are {units:,} units" + (f", of which {', '.join(competitors)}" if competitors else " in all")
    if units < limit:
        text += f"; {spent}"
    if demand.consumer in {allocation.CHECKS, allocation.LISTS}:
        text += "; no feed or hub answers for the channels that it is for"
    return text


def help_for(lack: str, demand: Demand, *, most: int | None, a_day: float, when_full: str) -> str:
    """What a person can do about a starved consumer.

    Args:
        lack: as `allocation.cause_of_shortfall` gives it.
        demand: the consumer's demand.
        most: new videos a day that tracking could take in.
        a_day: new videos a day that the plan counts on.
        when_full: what discovery does if not all new videos fit.

    Returns:
        A sentence.
    """
    whatever_it_is = {
        "keys": f"replace the keys in {VARIABLE}, or mend them and let `pleiades doctor --call` try them again",
        "pool": f"add {demand.pool!r} to the pools of a key in {VARIABLE}",
        "limit": f"ask Google for quota of the bucket {demand.bucket}; PLEIADES_KEYS_QUOTA_LIMITS must not say 0",
        "spent": "there are new ones after midnight, Pacific time",
    }
    if lack in whatever_it_is:
        return whatever_it_is[lack]
    match demand.consumer:
        case allocation.TRACK if most is not None and most >= a_day:
            return "the days after it have room for what is overdue then: it is polled late, and nothing is lost"
        case allocation.TRACK:
            fits = (
                f"at most {most:,} of {a_day:,.0f} new videos a day can be watched"
                if most is not None
                else "watch fewer videos"
            )
            then = {
                "sample": "PLEIADES_DISCOVERY_WHEN_FULL=sample, as set, watches an unbiased share",
                "refuse": "PLEIADES_DISCOVERY_WHEN_FULL=refuse, as set, watches no batch that does not fit",
                "admit": "PLEIADES_DISCOVERY_WHEN_FULL=admit, as set, makes polls late; `sample` would watch an unbiased share",
            }[when_full]
            return f"{fits}: {then}; or ask Google for more quota"
        case allocation.DETAILS:
            lower = "PLEIADES_DISCOVERY_FEEDS_PER_HUNT or PLEIADES_DISCOVERY_FOLLOWED_CHANNELS"
            return f"describe fewer: lower {lower}; or ask Google for more quota"
        case allocation.CHARTS:
            return "fewer PLEIADES_DISCOVERY_CHART_REGIONS"
        case _:
            return (
                "feeds and push cost no quota: raise PLEIADES_DISCOVERY_FEEDS_PER_HUNT, set up `pleiades push`; "
                "or follow fewer channels (PLEIADES_DISCOVERY_FOLLOWED_CHANNELS)"
            )


def added(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Units by consumer, summed up over all parts."""
    total: dict[str, float] = {}
    for part in parts:
        for name, units in part.items():
            total[name] = total.get(name, 0.0) + units
    return total
