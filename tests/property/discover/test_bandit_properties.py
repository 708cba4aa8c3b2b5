"""What must hold of the bandit whatever the queue: discount, order, no nonsense, nobody starves. And of the terms in tags."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pleiades_core.discover.search_queue import bandit
from pleiades_core.discover.search_queue.bandit import Target, discounted, draw, expected, prior_reward, readiness, usual_reward
from pleiades_core.discover.search_queue.snowball import LONGEST, term_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANTS = st.none() | st.datetimes(datetime(2005, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SUMS = st.floats(0, 1e6, allow_nan=False)
SPANS = st.floats(0, 20_000, allow_nan=False)


@st.composite
def targets(draws: st.DrawFn, term: str = "t") -> Target:
    """Any row of the queue."""
    return Target(
        term=term, priority=draws(st.integers(-3, 5)), mentions=draws(st.floats(0, 1e9)), mentioned_at=draws(INSTANTS),
        requests=draws(SUMS), reward=draws(SUMS), scored_at=draws(INSTANTS), prior_mean=draws(st.none() | st.floats(0, 50)),
        last_searched_at=draws(INSTANTS), added_at=draws(INSTANTS), in_round=draws(st.booleans()),
    )  # fmt: skip


QUEUES = st.integers(0, 30).flatmap(lambda count: st.tuples(*(targets(f"t{number}") for number in range(count)))).map(list)


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  tests must be repeatable


@given(SUMS, SPANS, SPANS)
def test_discount_only_takes_and_two_steps_are_one(value: float, first: float, second: float) -> None:
    middle, end = NOW + first * DAY / 10, NOW + first * DAY / 10 + second * DAY / 10
    once = discounted(value, NOW, end)
    assert 0 <= once <= value
    assert math.isclose(discounted(discounted(value, NOW, middle), middle, end), once, rel_tol=1e-9, abs_tol=1e-12)


@given(targets(), st.floats(0, 50), st.floats(0, 100))
def test_more_reward_mentions_or_prior_is_never_expected_to_bring_less(target: Target, usual: float, more: float) -> None:
    now = expected(target, usual, NOW)
    assert expected(replace(target, reward=target.reward + more), usual, NOW) >= now
    assert expected(replace(target, mentions=target.mentions + more), usual, NOW) >= now
    assert expected(replace(target, prior_mean=(target.prior_mean or 0) + more), usual, NOW) >= expected(
        replace(target, prior_mean=target.prior_mean or 0), usual, NOW
    )
    assert expected(replace(target, requests=target.requests + more), usual, NOW) <= now


@given(targets(), st.floats(0, 50), SPANS)
def test_without_searches_a_term_drifts_to_its_prior(target: Target, usual: float, days: float) -> None:
    """Whether it was better or worse than expected, time never takes it farther away."""
    target = replace(target, scored_at=NOW, mentions=0)
    later = NOW + days * DAY / 10
    prior = prior_reward(target, usual, NOW)
    assert abs(expected(target, usual, later) - prior) <= abs(expected(target, usual, NOW) - prior) * (1 + 1e-9) + 1e-9


@given(QUEUES, st.integers(0, 12), st.integers(0, 1_000))
def test_a_draw_is_of_ready_targets_each_once_and_as_many_as_there_are(queue: list[Target], limit: int, seed: int) -> None:
    drawn = draw(queue, NOW, _rng(seed), limit)
    ready = [target for target in queue if readiness(target, NOW) > 0]
    assert len(drawn) == min(limit, len(ready))
    assert len({target.term for target in drawn}) == len(drawn)
    assert all(target in ready for target in drawn)
    assert math.isfinite(usual_reward(queue, NOW))
    assert all(math.isfinite(expected(target, 0.4, NOW)) and 0 <= readiness(target, NOW) <= 1 for target in queue)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 1_000), st.integers(0, 5))
def test_no_term_starves(count: int, limit: int, seed: int, wanted: int) -> None:
    """One term that never brought anything, among others that always do and some that a person wants first."""
    others = [
        Target(
            term=f"t{n}", requests=30, reward=60, scored_at=NOW, in_round=True, last_searched_at=NOW, priority=int(n < wanted)
        )
        for n in range(count)
    ]
    queue = [*others, Target(term="barren", requests=100, reward=0, scored_at=NOW, last_searched_at=NOW)]
    rng, now = _rng(seed), NOW
    for _ in range(40 * (count + 1)):
        now += timedelta(hours=1)
        for target in draw(queue, now, rng, limit):
            if target.term == "barren":
                return
            place = queue.index(target)
            requests, reward = (
                discounted(target.requests, target.scored_at, now) + 1,
                discounted(target.reward, target.scored_at, now) + 2,
            )
            queue[place] = replace(target, requests=requests, reward=reward, scored_at=now, last_searched_at=now)
    raise AssertionError("the barren term was never drawn")


@given(st.text(max_size=80))
def test_a_term_is_its_own_term_and_fits_the_queue(tag: str) -> None:
    term = term_of(tag)
    if term is not None:
        assert term_of(term) == term
        assert 2 <= len(term) <= LONGEST
        assert "\0" not in term
        assert any(character.isalpha() for character in term)
        assert not any(character in term for character in '|"\n\t')


@given(st.text(min_size=1, max_size=30), st.sampled_from(["upper", "lower", "swapcase"]))
def test_ascii_spellings_of_a_tag_are_one_term(tag: str, change: str) -> None:
    plain = tag.encode("ascii", "ignore").decode()
    assert term_of(getattr(plain, change)()) == term_of(plain)


def test_of_the_pool_nothing_is_lost_in_a_draw_without_targets() -> None:
    assert draw([], NOW, _rng(1), 5) == []
    assert bandit.usual_reward([], NOW) > 0
