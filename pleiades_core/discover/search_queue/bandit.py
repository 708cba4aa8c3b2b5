"""Which terms are worth a search now? Gamma-Poisson Thompson sampling with discount. Pure arithmetic.

Belongs here: what a request is expected to bring, how evidence fades, the draw. Does not belong here: rounds, windows and page
tokens (terms.py), measuring rewards (rewards.py).

A target is a term, a request is one page of results, the reward is the number of its new videos that turn out viral. Each
target keeps two discounted sums, requests n and reward s; theta, its yield a request, is drawn from Gamma(K (b m + s), K (b +
n)), where m is what is expected of it before any request. Sums fade by 3 % a day, so a term that was read empty, or went out of
fashion, drifts back to what is usual and gets its chance again: no term is ever dead.

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

#: Share of requests and reward that is left after a day.
KEPT_A_DAY = 0.97
#: A mention counts half after this: what is in fashion changes by the fortnight. An assumption.
MENTIONS_HALVE = timedelta(days=14)
#: The same as `KEPT_A_DAY` is of requests: the share of mentions that is left after a day.
MENTIONS_KEPT_A_DAY = 0.5 ** (timedelta(days=1) / MENTIONS_HALVE)
#: Of all videos, the share that counts as viral (rewards.py): so many virals are expected of a new video, until more is known.
VIRAL_SHARE = 0.02
#: Expected of a request before there is any evidence: 20 new videos of 50 on a page.
USUAL_REWARD = 20 * VIRAL_SHARE
#: How many requests the expectation before any request is worth.
PRIOR_REQUESTS = 2.0
#: K above. The reward is at first an expected number, new videos times the viral share, whose noise is smaller than that of a
#: Poisson variable of its size, and a wide posterior among thousands of targets never stops trying the luckiest.
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
#: With less evidence than this, in requests, a term counts as one without.
_EVIDENCE = 0.05
#: Of a gamma distribution: a target that is expected to bring nothing at all must still have a yield to draw.
_LEAST_SHAPE = 1e-6
#: A term without a page to go on with rests so long, and is then the more worth it the longer it rested, up to `REPLENISHED`.
REST, REPLENISHED = timedelta(hours=3), timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A term as the bandit sees it. Instants are aware UTC."""

    term: str
    #: Above zero: a person wants it searched before others.
    priority: int = 0
    #: As of `mentioned_at`.
    mentions: float = 0.0
    mentioned_at: datetime | None = None
    #: Discounted sums as of `scored_at`.
    requests: float = 0.0
    reward: float = 0.0
    scored_at: datetime | None = None
    #: Reward a request that is expected before any request; None: the usual.
    prior_mean: float | None = None
    last_searched_at: datetime | None = None
    #: Since when it waits for its first search.
    added_at: datetime | None = None
    #: There is a next page to read, whose token is still good.
    in_round: bool = False


def discounted(value: float, since: datetime | None, now: datetime, kept_a_day: float = KEPT_A_DAY) -> float:
    """What is left of a sum that was written at `since`. A clock that went backwards changes nothing.

    The twin of the SQL function and of the DuckDB macro of this name.
    """
    if since is None:
        return value
    return value * math.pow(kept_a_day, max(0.0, (now - since) / timedelta(days=1)))


def mentions_now(target: Target, now: datetime) -> float:
    """Mentions that still count."""
    return discounted(target.mentions, target.mentioned_at, now, MENTIONS_KEPT_A_DAY)


def mention_lift(mentions: float) -> float:
    """How much more than usual a term is expected to bring because tags mention it: 1 to 2. The twin of the SQL function."""
    return 1.0 + math.log2(1.0 + min(float(MOST_MENTIONS), max(0.0, mentions))) / _DOUBLING


def usual_reward(targets: Iterable[Target], now: datetime) -> float:
    """What is expected of a term of which nothing is known: the mean yield of those of which something is."""
    return usual_of(
        (discounted(target.requests, target.scored_at, now), discounted(target.reward, target.scored_at, now))
        for target in targets
        if target.requests
    )


def usual_of(sums: Iterable[tuple[float, float]]) -> float:
    """The mean yield of terms, from the requests and the reward of each.

    A mean over terms, not over requests: most requests are of the best, and a new term is not one of them.
    """
    reward = weight = 0.0
    for requests, rewarded in sums:
        reward += rewarded / (PRIOR_REQUESTS + requests)
        weight += requests / (PRIOR_REQUESTS + requests)
    return mean_reward(reward, weight)


def mean_reward(yields: float, weights: float) -> float:
    """The mean yield from the sums of the terms' yields and weights. The twin of the SQL function and of the DuckDB macro."""
    return (POOL_TERMS * USUAL_REWARD + yields) / (POOL_TERMS + weights)


def expected_reward(requests: float, reward: float, prior: float) -> float:
    """Reward of the next request, from evidence and prior. The twin of the SQL function and of the DuckDB macro."""
    return (PRIOR_REQUESTS * prior + reward) / (PRIOR_REQUESTS + requests)


def prior_reward(target: Target, usual: float, now: datetime) -> float:
    """Reward a request that is expected of a term before any request: its own prior or the usual, up to twice that for
    mentions.
    """
    return (usual if target.prior_mean is None else target.prior_mean) * mention_lift(mentions_now(target, now))


def expected(target: Target, usual: float, now: datetime) -> float:
    """Reward a request, from evidence and prior: the mean of the distribution that `draw` draws from."""
    requests, reward = discounted(target.requests, target.scored_at, now), discounted(target.reward, target.scored_at, now)
    return expected_reward(requests, reward, prior_reward(target, usual, now))


def readiness(target: Target, now: datetime) -> float:
    """From 0, rests, to 1: how much of a whole page is expected by now.

    A term with a page to go on with is ready; one that was read to the end, or failed, rests and fills up again.
    """
    if target.in_round or target.last_searched_at is None:
        return 1.0
    rested = now - target.last_searched_at
    return 0.0 if rested < REST else min(1.0, rested / REPLENISHED)


def draw(targets: Sequence[Target], now: datetime, rng: random.Random, limit: int) -> list[Target]:
    """Up to `limit` targets to request now, each once, those whose turn is surest first.

    Whatever its evidence, no target that is ready waits for ever: those that waited longest have a share of their own.
    """
    ready = [target for target in targets if readiness(target, now) > 0.0]
    if limit <= 0:
        return []
    prioritised = [target for target in ready if target.priority > 0]
    chosen = heapq.nsmallest(
        _share(limit, PRIORITY_SHARE, rng),
        prioritised,
        key=lambda target: (-target.priority, _waiting_since(target), target.term),
    )
    rest = _without(ready, chosen)
    longest = min(limit - len(chosen), _share(limit, WAITING_SHARE, rng))
    chosen += heapq.nsmallest(longest, rest, key=lambda target: (_waiting_since(target), target.term))
    return chosen + _best(_without(rest, chosen), usual_reward(targets, now), now, rng, limit - len(chosen))


def _best(targets: Sequence[Target], usual: float, now: datetime, rng: random.Random, limit: int) -> list[Target]:
    """The highest draws of theta times readiness, among all known targets and the most promising of the others."""
    known, fresh = [], []
    for target in targets:
        if discounted(target.requests, target.scored_at, now) >= _EVIDENCE:
            known.append(target)
        else:
            # The second number: equals compete in no order.
            fresh.append((prior_reward(target, usual, now) * readiness(target, now), rng.random(), target))
    promising = heapq.nlargest(FRESH_PER_PAGE * limit, fresh, key=lambda row: row[:2])
    competing = known + [target for *_, target in promising]
    drawn = [(_theta(target, usual, now, rng) * readiness(target, now), place) for place, target in enumerate(competing)]
    return [competing[place] for _, place in heapq.nlargest(limit, drawn)]


def _without(targets: Sequence[Target], taken: Sequence[Target]) -> list[Target]:
    terms = {target.term for target in taken}
    return [target for target in targets if target.term not in terms]


def _theta(target: Target, usual: float, now: datetime, rng: random.Random) -> float:
    """One draw of a target's yield. Its mean is `expected`."""
    weight = CERTAINTY * (PRIOR_REQUESTS + discounted(target.requests, target.scored_at, now))
    return rng.gammavariate(max(expected(target, usual, now) * weight, _LEAST_SHAPE), 1.0 / weight)


def _share(limit: int, share: float, rng: random.Random) -> int:
    """A whole number whose mean is the share: with one page a draw, a tenth is one page in ten draws."""
    return int(limit * share + rng.random())


def _waiting_since(target: Target) -> datetime:
    return target.last_searched_at or target.added_at or datetime.min.replace(tzinfo=UTC)
