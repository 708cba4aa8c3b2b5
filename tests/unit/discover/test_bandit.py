"""The draw of terms: readiness, precedence, and that it beats reading the terms in turn."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pleiades_core.discover.search_queue import bandit
from pleiades_core.discover.search_queue.bandit import Target, draw, expected, readiness

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _rng(seed: int = 1) -> random.Random:
    return random.Random(seed)  # noqa: S311  tests must be repeatable


def _terms(targets: list[Target]) -> list[str]:
    return [target.term for target in targets]


@pytest.mark.parametrize(
    ("rested", "in_round", "ready"),
    [
        (None, False, 1.0),
        (HOUR, True, 1.0),
        (HOUR, False, 0.0),
        (bandit.REST, False, 0.125),
        (12 * HOUR, False, 0.5),
        (30 * HOUR, False, 1.0),
        (-HOUR, False, 0.0),
    ],
)
def test_a_term_fills_up_again_while_it_rests(rested: timedelta | None, in_round: bool, ready: float) -> None:
    target = Target(term="t", last_searched_at=None if rested is None else NOW - rested, in_round=in_round)
    assert readiness(target, NOW) == ready


def test_what_nobody_knows_anything_of_is_expected_to_be_usual() -> None:
    assert bandit.usual_reward([], NOW) == bandit.USUAL_REWARD
    assert expected(Target(term="t"), 0.3, NOW) == pytest.approx(0.3)


def test_mentions_raise_what_is_expected_and_fade() -> None:
    plain = Target(term="t")
    fresh = replace(plain, mentions=15, mentioned_at=NOW)
    old = replace(plain, mentions=15, mentioned_at=NOW - 30 * DAY)
    assert expected(plain, 0.4, NOW) < expected(old, 0.4, NOW) < expected(fresh, 0.4, NOW) == pytest.approx(0.4 * 1.5)


def test_evidence_overrules_the_prior_and_is_forgotten() -> None:
    barren = Target(term="t", requests=20, reward=0, scored_at=NOW)
    assert expected(barren, 0.4, NOW) < 0.05
    assert expected(barren, 0.4, NOW + 365 * DAY) == pytest.approx(0.4, rel=0.01)


def test_a_fruitful_term_is_drawn_most() -> None:
    targets = [Target(term=f"t{n}", requests=20, reward=20 * 0.1, scored_at=NOW) for n in range(9)]
    targets.append(Target(term="rich", requests=20, reward=20 * 1.0, scored_at=NOW))
    drawn = [_terms(draw(targets, NOW, _rng(seed), 1))[0] for seed in range(200)]
    assert drawn.count("rich") > 0.7 * len(drawn)


def test_a_person_comes_first_but_never_alone() -> None:
    wanted = [Target(term=f"wanted {n}", priority=1 + n, last_searched_at=NOW - HOUR, in_round=True) for n in range(20)]
    targets = wanted + [Target(term=f"other {n}") for n in range(20)]
    drawn = [_terms(draw(targets, NOW, _rng(seed), 8)) for seed in range(100)]
    assert all(terms[:4] == ["wanted 19", "wanted 18", "wanted 17", "wanted 16"] for terms in drawn)
    assert all(any(term.startswith("other") for term in terms) for terms in drawn)
    single = [_terms(draw(targets, NOW, _rng(seed), 1))[0] for seed in range(400)]
    assert 0.4 < single.count("wanted 19") / 400 < 0.65


def test_of_equal_priority_the_one_that_waited_longest_comes_first() -> None:
    targets = [Target(term=f"t{n}", priority=1, last_searched_at=NOW - n * DAY, in_round=True) for n in (1, 3, 2)]
    assert _terms(draw(targets, NOW, _rng(), 2))[0] == "t3"


def test_the_same_chance_draws_the_same() -> None:
    targets = [Target(term=f"t{n}", requests=n % 5, reward=n % 3, scored_at=NOW) for n in range(100)]
    assert draw(targets, NOW, _rng(7), 10) == draw(targets, NOW, _rng(7), 10)
    assert draw(targets, NOW, _rng(7), 10) != draw(targets, NOW, _rng(8), 10)


def test_the_luckiest_of_twenty_thousand_unknown_terms_do_not_drown_the_known() -> None:
    fresh = [Target(term=f"fresh {n}", mentions=1, mentioned_at=NOW) for n in range(20_000)]
    good = [Target(term=f"good {n}", requests=10, reward=10.0, scored_at=NOW) for n in range(10)]
    tried = [Target(term=f"tried {n}", requests=2, reward=0.4, scored_at=NOW) for n in range(100)]
    drawn = _terms(draw(fresh + good + tried, NOW, _rng(), 8))
    assert sum(term.startswith("good") for term in drawn) >= 4


class Terms:
    """A made-up world of terms: how many videos a day each gains, and what share of them turns out viral."""

    def __init__(self, seed: int, count: int) -> None:
        self.rng = _rng(seed)
        self.a_day = [self.rng.lognormvariate(3.2, 1.2) for _ in range(count)]
        self.share = [min(0.3, self.rng.lognormvariate(-4.3, 0.9)) for _ in range(count)]
        self.unread = [min(500.0, 7 * rate) for rate in self.a_day]

    def grow(self, by: timedelta) -> None:
        """Time passes; search shows 500 results at most."""
        self.unread = [
            min(500.0, unread + rate * (by / DAY)) for unread, rate in zip(self.unread, self.a_day, strict=True)
        ]  # fmt: skip

    def read(self, number: int) -> tuple[int, int]:
        """One page: new videos, and how many of them are viral."""
        new = int(min(50.0, self.unread[number]))
        self.unread[number] -= new
        return new, sum(self.rng.random() < self.share[number] for _ in range(new))


def _virals(terms: int, *, by_bandit: bool, seed: int, days: int = 14) -> int:
    """Virals found with 96 pages a day; outcomes are known two days later, at the end of each day."""
    world, rng = Terms(seed, terms), _rng(seed + 1)
    targets = [Target(term=str(n)) for n in range(terms)]
    requests: list[tuple[datetime, int, int, int]] = []
    found = 0
    for hour in range(24 * days):
        now = NOW + hour * HOUR
        world.grow(HOUR)
        chosen = (
            [int(target.term) for target in draw(targets, now, rng, 4)]
            if by_bandit
            else [(4 * hour + n) % terms for n in range(4)]
        )
        for number in chosen:
            new, viral = world.read(number)
            found += viral
            requests.append((now, number, new, viral))
            target = targets[number]
            targets[number] = replace(
                target, scored_at=now, last_searched_at=now,
                requests=bandit.discounted(target.requests, target.scored_at, now) + 1,
                reward=bandit.discounted(target.reward, target.scored_at, now) + new * bandit.VIRAL_SHARE,
                in_round=world.unread[number] > 1,
            )  # fmt: skip
        if hour % 24 == 23 and by_bandit:
            targets = _rescored(targets, requests, now)
    return found


def _rescored(targets: list[Target], requests: list[tuple[datetime, int, int, int]], now: datetime) -> list[Target]:
    sums = [[0.0, 0.0, 0.0, 0.0] for _ in targets]
    for requested_at, number, new, viral in requests:
        weight = bandit.discounted(1.0, requested_at, now)
        known = now - requested_at >= 2 * DAY
        row = (1.0, new * known, viral * known, new * (not known))
        sums[number] = [one + weight * more for one, more in zip(sums[number], row, strict=True)]
    return [
        replace(
            target, requests=n, scored_at=now,
            reward=virals + pending * (100 * bandit.VIRAL_SHARE + virals) / (100 + judged),
        )
        for target, (n, judged, virals, pending) in zip(targets, sums, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("terms", [150, 1_000])
def test_the_bandit_finds_more_virals_than_reading_the_terms_in_turn(terms: int) -> None:
    ours = sum(_virals(terms, by_bandit=True, seed=seed) for seed in (1, 2, 3))
    theirs = sum(_virals(terms, by_bandit=False, seed=seed) for seed in (1, 2, 3))
    assert ours > 1.25 * theirs
