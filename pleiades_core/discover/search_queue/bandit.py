"""Which terms to search now: Gamma-Poisson Thompson sampling with discount. Pure arithmetic.

Belongs here: the expected reward of a request, how evidence fades, the draw. Does not belong here: rounds, windows and page
tokens (terms.py), measuring rewards (rewards.py).

A target is a term, a request is one page of results, the reward is the number of its new videos that turn out viral. Each
target keeps two discounted sums, requests n and reward s. Theta, its reward for a request, is drawn from Gamma(K (b m + s), K
(b + n)), where m is the expected reward before any request. Sums fade by 3 % a day, so a term that was read to its end, or went
out of fashion, drifts back to the usual reward and is tried again: no term is ever excluded.

At most half of a draw goes to terms that a person prioritised, a tenth to terms that waited longest, the rest to the highest
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
#: A mention counts half after this time. An assumption: fashions change within two weeks.
MENTIONS_HALVE = timedelta(days=14)
#: Share of mentions that is left after a day.
MENTIONS_KEPT_A_DAY = 0.5 ** (timedelta(days=1) / MENTIONS_HALVE)
#: Share of all videos that counts as viral (rewards.py), and so the expected number of virals of a new video.
VIRAL_SHARE = 0.02
#: Expected reward of a request before there is any evidence: 20 new videos of 50 on a page.
USUAL_REWARD = 20 * VIRAL_SHARE
#: How many requests the expectation before any request is worth.
PRIOR_REQUESTS = 2.0
#: K above. At first the reward is an expected number, new videos times the viral share, with less noise than a Poisson variable
#: of its size. And with a wide posterior, thousands of targets would always have a lucky one to try.
CERTAINTY = 3.0
#: `USUAL_REWARD` counts as this many terms in the mean over the terms.
POOL_TERMS = 5.0
#: A term with this many mentions has twice the usual expectation; more mentions change nothing.
MOST_MENTIONS = 255
_DOUBLING = math.log2(1 + MOST_MENTIONS)
#: Shares of one draw: at most this share for prioritised terms, and about this share for terms that waited longest.
PRIORITY_SHARE, WAITING_SHARE = 0.5, 0.1
#: Terms without evidence that compete for one page, the most promising first: among 20,000 of them a lucky one would always win
#: against every known term.
FRESH_PER_PAGE = 4
#: With less evidence than this, in requests, a term counts as one without.
_EVIDENCE = 0.05
#: The least shape of the gamma distribution: it must exist for a target with an expectation of 0 too.
_LEAST_SHAPE = 1e-6
#: A term whose results were read rests for `REST`, and is then worth more the longer it rested, up to `REPLENISHED`.
REST, REPLENISHED = timedelta(hours=3), timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A term as the bandit sees it. Instants are aware UTC."""

    term: str
    #: Above zero: a person wants it searched before other terms.
    priority: int = 0
    #: The discounted sum of mentions, as of `mentioned_at`.
    mentions: float = 0.0
    mentioned_at: datetime | None = None
    #: Discounted sums as of `scored_at`.
    requests: float = 0.0
    reward: float = 0.0
    scored_at: datetime | None = None
    #: Expected reward of a request before any request; None: the usual.
    prior_mean: float | None = None
    last_searched_at: datetime | None = None
    #: Since when it waits for its first search.
    added_at: datetime | None = None
    #: True if there is a next page to read, with a token that lives.
    in_round: bool = False


def discounted(value: float, since: datetime | None, now: datetime, kept_a_day: float = KEPT_A_DAY) -> float:
    """The rest of a sum that was written at `since`. The twin of the SQL function and of the DuckDB macro of this name.

    Args:
        value: the sum.
        since: when it was written; None: it does not fade.
        now: the present instant; before `since`, nothing fades.
        kept_a_day: share that is left after a day.

    Returns:
        The sum at `now`.
    """
    if since is None:
        return value
    return value * math.pow(kept_a_day, max(0.0, (now - since) / timedelta(days=1)))


def mentions_now(target: Target, now: datetime) -> float:
    """The discounted sum of mentions at this instant."""
    return discounted(target.mentions, target.mentioned_at, now, MENTIONS_KEPT_A_DAY)


def mention_lift(mentions: float) -> float:
    """The factor on the expected reward of a term because tags mention it: 1 to 2. The twin of the SQL function."""
    return 1.0 + math.log2(1.0 + min(float(MOST_MENTIONS), max(0.0, mentions))) / _DOUBLING


def usual_reward(targets: Iterable[Target], now: datetime) -> float:
    """The expected reward of a term without evidence: the mean reward of the terms with evidence."""
    return usual_of(
        (discounted(target.requests, target.scored_at, now), discounted(target.reward, target.scored_at, now))
        for target in targets
        if target.requests
    )


def usual_of(sums: Iterable[tuple[float, float]]) -> float:
    """The mean reward of terms, from the requests and the reward of each.

    A mean over terms, not over requests: most requests go to the best terms, and a new term is not one of them.
    """
    reward = weight = 0.0
    for requests, rewarded in sums:
        reward += rewarded / (PRIOR_REQUESTS + requests)
        weight += requests / (PRIOR_REQUESTS + requests)
    return mean_reward(reward, weight)


def mean_reward(yields: float, weights: float) -> float:
    """The mean reward from the sums of the terms' rewards and weights. The twin of the SQL function and of the DuckDB macro."""
    return (POOL_TERMS * USUAL_REWARD + yields) / (POOL_TERMS + weights)


def expected_reward(requests: float, reward: float, prior: float) -> float:
    """Expected reward of the next request. The twin of the SQL function and of the DuckDB macro.

    Args:
        requests: discounted requests, n.
        reward: discounted reward, s.
        prior: expected reward before any request, m.

    Returns:
        (b m + s) / (b + n).
    """
    return (PRIOR_REQUESTS * prior + reward) / (PRIOR_REQUESTS + requests)


def prior_reward(target: Target, usual: float, now: datetime) -> float:
    """Expected reward of a request to a term before any request: its own prior or the usual, up to twice that for mentions.

    Args:
        target: the term.
        usual: as `usual_reward` gives it.
        now: the present instant.

    Returns:
        Virals for a request.
    """
    return (usual if target.prior_mean is None else target.prior_mean) * mention_lift(mentions_now(target, now))


def expected(target: Target, usual: float, now: datetime) -> float:
    """Expected reward of a request, from evidence and prior: the mean of the distribution that `draw` draws from.

    Args:
        target: the term.
        usual: as `usual_reward` gives it.
        now: the present instant.

    Returns:
        Virals for a request.
    """
    requests, reward = discounted(target.requests, target.scored_at, now), discounted(target.reward, target.scored_at, now)
    return expected_reward(requests, reward, prior_reward(target, usual, now))


def readiness(target: Target, now: datetime) -> float:
    """The share of a page of new results that is expected by now, from 0 (the term rests) to 1.

    A term with a next page is ready. A term that was read to the end, or failed, rests, and new results gather.
    """
    if target.in_round or target.last_searched_at is None:
        return 1.0
    rested = now - target.last_searched_at
    return 0.0 if rested < REST else min(1.0, rested / REPLENISHED)


def draw(targets: Sequence[Target], now: datetime, rng: random.Random, limit: int) -> list[Target]:
    """Draw the targets to request now, those with the surest place first.

    No target that is ready waits for ever, whatever its evidence: the targets that waited longest have a share of their own.

    Args:
        targets: every term.
        now: the present instant.
        rng: draws.
        limit: the most targets.

    Returns:
        The targets, each once.
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
    """The highest draws of theta times readiness, among all known targets and the most promising unknown ones."""
    known, fresh = [], []
    for target in targets:
        if discounted(target.requests, target.scored_at, now) >= _EVIDENCE:
            known.append(target)
        else:
            # The random number decides between equal promises.
            fresh.append((prior_reward(target, usual, now) * readiness(target, now), rng.random(), target))
    promising = heapq.nlargest(FRESH_PER_PAGE * limit, fresh, key=lambda row: row[:2])
    competing = known + [target for *_, target in promising]
    drawn = [(_theta(target, usual, now, rng) * readiness(target, now), place) for place, target in enumerate(competing)]
    return [competing[place] for _, place in heapq.nlargest(limit, drawn)]


def _without(targets: Sequence[Target], taken: Sequence[Target]) -> list[Target]:
    terms = {target.term for target in taken}
    return [target for target in targets if target.term not in terms]


def _theta(target: Target, usual: float, now: datetime, rng: random.Random) -> float:
    """One draw of theta for a target. Its mean is `expected`."""
    weight = CERTAINTY * (PRIOR_REQUESTS + discounted(target.requests, target.scored_at, now))
    return rng.gammavariate(max(expected(target, usual, now) * weight, _LEAST_SHAPE), 1.0 / weight)


def _share(limit: int, share: float, rng: random.Random) -> int:
    """A whole number whose mean is the share of the limit: with one page in a draw, a tenth is one page in ten draws."""
    return int(limit * share + rng.random())


def _waiting_since(target: Target) -> datetime:
    return target.last_searched_at or target.added_at or datetime.min.replace(tzinfo=UTC)
