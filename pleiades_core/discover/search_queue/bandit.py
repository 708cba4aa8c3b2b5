"""Which terms are worth a search now? Gamma-Poisson Thompson sampling with discount. Pure arithmetic.

Belongs here: what a pull is expected to bring, how evidence fades, the draw. Does not belong here: rounds, windows and page
tokens (terms.py), measuring rewards (rewards.py).

An arm is a term, a pull is one page of results, the reward is the number of its new videos that turn out viral. Each arm keeps
two discounted sums, pulls n and reward s; theta, its yield a pull, is drawn from Gamma(K (b m + s), K (b + n)), where m is what
is expected of it before any pull. Sums fade by 3 % a day, so a term that was read empty, or went out of fashion, drifts back to
what is usual and gets its chance again: no term is ever dead.

At most half of a draw goes to terms that a person prioritised, a tenth to those that waited longest, the rest to the highest
draws of theta. Numbers and their reasons: docs/decisions/0007.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: Share of pulls and reward that is left after a day.
KEPT_A_DAY = 0.97
#: A mention counts half after this: what is in fashion changes by the fortnight. An assumption.
MENTIONS_HALVE = timedelta(days=14)
#: Of all videos, the share that counts as viral (rewards.py): so many virals are expected of a new video, until more is known.
VIRAL_SHARE = 0.02
#: Expected of a pull before there is any evidence: 20 new videos of 50 on a page.
USUAL_REWARD = 20 * VIRAL_SHARE
#: How many pulls the expectation before any pull is worth.
PRIOR_PULLS = 2.0
#: K above. The reward is at first an expected number, new videos times the viral share, whose noise is smaller than that of a
#: Poisson variable of its size, and a wide posterior among thousands of arms never stops trying the luckiest.
CERTAINTY = 3.0
#: `USUAL_REWARD` counts beside the terms' own mean as that many terms do.
POOL_TERMS = 5.0
#: A term that was mentioned so often is expected to bring twice the usual; more mentions change nothing.
MOST_MENTIONS = 255
_DOUBLING = math.log2(1 + MOST_MENTIONS)
#: Of one draw: at most this share is a person's choice, and about this share waited longest.
PRIORITY_SHARE, WAITING_SHARE = 0.5, 0.1
#: So many terms without evidence compete for one page, the most promising first: among 20,000 of them the luckiest would always
#: win against everything known.
FRESH_PER_PAGE = 4
#: With less evidence than this, in pulls, a term counts as one without.
_EVIDENCE = 0.05
#: Of a gamma distribution: an arm that is expected to bring nothing at all must still have a yield to draw.
_LEAST_SHAPE = 1e-6
#: A term without a page to go on with rests so long, and is then the more worth it the longer it rested, up to `REPLENISHED`.
REST, REPLENISHED = timedelta(hours=3), timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A term as the bandit sees it. Instants are aware UTC."""

    term: str
    #: Above zero: a person wants it searched before others.
    priority: int = 0
    #: As of `mentioned_at`.
    mentions: float = 0.0
    mentioned_at: datetime | None = None
    #: Discounted sums as of `scored_at`.
    pulls: float = 0.0
    reward: float = 0.0
    scored_at: datetime | None = None
    #: Reward a pull that is expected before any pull; None: the usual.
    prior_mean: float | None = None
    last_searched_at: datetime | None = None
    #: Since when it waits for its first search.
    added_at: datetime | None = None
    #: There is a next page to read, whose token is still good.
    in_round: bool = False


def discounted(value: float, since: datetime | None, now: datetime) -> float:
    """What is left of a sum of `since`. A clock that went backwards takes nothing away and adds nothing."""
    if since is None:
        return value
    return value * math.pow(KEPT_A_DAY, max(0.0, (now - since) / timedelta(days=1)))


def mentions_now(arm: Arm, now: datetime) -> float:
    """Mentions that still count."""
    if arm.mentioned_at is None:
        return arm.mentions
    return arm.mentions * math.pow(0.5, max(0.0, (now - arm.mentioned_at) / MENTIONS_HALVE))


def usual_reward(arms: Iterable[Arm], now: datetime) -> float:
    """What is expected of a term of which nothing is known: the mean yield of those of which something is."""
    return usual_of(
        (discounted(arm.pulls, arm.scored_at, now), discounted(arm.reward, arm.scored_at, now)) for arm in arms if arm.pulls
    )


def usual_of(sums: Iterable[tuple[float, float]]) -> float:
    """The mean yield of terms, from the pulls and the reward of each.

    A mean over terms, not over pulls: most pulls are of the best, and a new term is not one of them.
    """
    reward = weight = 0.0
    for pulls, rewarded in sums:
        reward += rewarded / (PRIOR_PULLS + pulls)
        weight += pulls / (PRIOR_PULLS + pulls)
    return (POOL_TERMS * USUAL_REWARD + reward) / (POOL_TERMS + weight)


def prior_reward(arm: Arm, usual: float, now: datetime) -> float:
    """Reward a pull that is expected of a term before any pull: its own prior or the usual, up to twice that for mentions."""
    mentions = min(float(MOST_MENTIONS), max(0.0, mentions_now(arm, now)))
    return (usual if arm.prior_mean is None else arm.prior_mean) * (1.0 + math.log2(1.0 + mentions) / _DOUBLING)


def expected(arm: Arm, usual: float, now: datetime) -> float:
    """Reward a pull, from evidence and prior: the mean of the distribution that `draw` draws from."""
    pulls, reward = discounted(arm.pulls, arm.scored_at, now), discounted(arm.reward, arm.scored_at, now)
    return (PRIOR_PULLS * prior_reward(arm, usual, now) + reward) / (PRIOR_PULLS + pulls)


def readiness(arm: Arm, now: datetime) -> float:
    """From 0, rests, to 1: how much of a whole page is expected by now.

    A term with a page to go on with is ready; one that was read to the end, or failed, rests and fills up again.
    """
    if arm.in_round or arm.last_searched_at is None:
        return 1.0
    rested = now - arm.last_searched_at
    return 0.0 if rested < REST else min(1.0, rested / REPLENISHED)


def draw(arms: Sequence[Arm], now: datetime, rng: random.Random, limit: int) -> list[Arm]:
    """Up to `limit` arms to pull now, each once, those whose turn is surest first.

    Whatever its evidence, no arm that is ready waits for ever: those that waited longest have a share of their own.
    """
    ready = [arm for arm in arms if readiness(arm, now) > 0.0]
    if limit <= 0:
        return []
    wanted = [arm for arm in ready if arm.priority > 0]
    chosen = heapq.nsmallest(
        _share(limit, PRIORITY_SHARE, rng), wanted, key=lambda arm: (-arm.priority, _waiting_since(arm), arm.term)
    )
    rest = _without(ready, chosen)
    longest = min(limit - len(chosen), _share(limit, WAITING_SHARE, rng))
    chosen += heapq.nsmallest(longest, rest, key=lambda arm: (_waiting_since(arm), arm.term))
    return chosen + _best(_without(rest, chosen), usual_reward(arms, now), now, rng, limit - len(chosen))


def _best(arms: Sequence[Arm], usual: float, now: datetime, rng: random.Random, limit: int) -> list[Arm]:
    """The highest draws of theta times readiness, among all known arms and the most promising of the others."""
    known, fresh = [], []
    for arm in arms:
        if discounted(arm.pulls, arm.scored_at, now) >= _EVIDENCE:
            known.append(arm)
        else:
            # The second number: equals compete in no order.
            fresh.append((prior_reward(arm, usual, now) * readiness(arm, now), rng.random(), arm))
    promising = heapq.nlargest(FRESH_PER_PAGE * limit, fresh, key=lambda one: one[:2])
    competing = known + [arm for *_, arm in promising]
    drawn = [(_theta(arm, usual, now, rng) * readiness(arm, now), place) for place, arm in enumerate(competing)]
    return [competing[place] for _, place in heapq.nlargest(limit, drawn)]


def _without(arms: Sequence[Arm], taken: Sequence[Arm]) -> list[Arm]:
    terms = {arm.term for arm in taken}
    return [arm for arm in arms if arm.term not in terms]


def _theta(arm: Arm, usual: float, now: datetime, rng: random.Random) -> float:
    """One draw of an arm's yield. Its mean is `expected`."""
    weight = CERTAINTY * (PRIOR_PULLS + discounted(arm.pulls, arm.scored_at, now))
    return rng.gammavariate(max(expected(arm, usual, now) * weight, _LEAST_SHAPE), 1.0 / weight)


def _share(limit: int, share: float, rng: random.Random) -> int:
    """A whole number whose mean is the share: with one page a draw, a tenth is one page in ten draws."""
    return int(limit * share + rng.random())


def _waiting_since(arm: Arm) -> datetime:
    return arm.last_searched_at or arm.added_at or datetime.min.replace(tzinfo=UTC)
