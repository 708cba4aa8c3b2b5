"""Room under the cadence, and who is watched when there is too little."""

from __future__ import annotations

import random

import pytest

from pleiades_core.discover.admission.capacity import MARGIN, decide, demand, in_hourly, is_chosen, polls_a_day, room
from pleiades_core.models import Tier


def test_a_tier_is_polled_as_its_interval_says() -> None:
    assert [polls_a_day(tier) for tier in Tier] == [24, 1, pytest.approx(1 / 7)]


@pytest.mark.parametrize(
    ("watched", "units", "fits"),
    [
        ({}, 10_000, 20_833),
        ({Tier.HOURLY: 20_833}, 10_000, 0),
        ({Tier.HOURLY: 20_000}, 10_000, 833),
        ({Tier.DAILY: 240_000}, 10_000, 10_833),
        ({Tier.WEEKLY: 168}, 1, 1),
        ({Tier.WEEKLY: 10_000_000}, 10_000, 0),
        ({}, 0, 0),
    ],
)
def test_room_is_what_the_units_leave(watched: dict[Tier, int], units: int, fits: int) -> None:
    assert room(watched, units, margin=0) == fits


def test_a_margin_is_kept() -> None:
    assert room({}, 10_000) == int(500_000 * (1 - MARGIN) / 24)


def test_what_fits_now_fits_when_it_is_older() -> None:
    fits = room({}, 10_000)
    assert demand({Tier.HOURLY: fits}) > demand({Tier.DAILY: fits}) > demand({Tier.WEEKLY: fits})
    assert in_hourly({Tier.WEEKLY: 168, Tier.HOURLY: 1}) == pytest.approx(2)


def test_what_fits_is_watched_without_a_word() -> None:
    for when_full in ("sample", "refuse", "admit"):
        decision = decide(100, 100, when_full)
        assert (decision.share, decision.reason) == (1.0, "")
    assert decide(0, 0, "refuse").share == 1.0


@pytest.mark.parametrize(
    ("when_full", "share", "word"), [("sample", 0.25, "25.0%"), ("refuse", 0, "none"), ("admit", 1, "late")]
)
def test_too_many_are_sampled_refused_or_admitted_and_it_is_said(when_full: str, share: float, word: str) -> None:
    decision = decide(400, 100, when_full)  # type: ignore[arg-type]
    assert decision.share == share
    assert word in decision.reason


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({Tier.WEEKLY: 40}, "as many polls as 0.24 HOURLY ones, room for 0"),
        ({Tier.HOURLY: 28, Tier.DAILY: 40, Tier.WEEKLY: 200}, "as many polls as 31 HOURLY ones, room for 0"),
    ],
)
def test_what_many_old_videos_weigh_is_not_said_to_be_their_number(new: dict[Tier, int], words: str) -> None:
    reason = decide(in_hourly(new), 0, "sample").reason
    assert words in reason
    assert "new videos, room" not in reason


def test_a_sample_is_spread_over_the_day() -> None:
    """At 100,000 a day and 20,000 places every hunt of the day takes a fifth, the first one too, which would fit."""
    assert decide(4_000, 20_000, "sample", hourly=0, a_day=100_000).share == pytest.approx(0.2)
    assert decide(4_000, 4_000, "sample", hourly=16_000, a_day=100_000).share == pytest.approx(0.2)
    assert decide(4_000, 400, "sample", hourly=16_000, a_day=100_000).share == pytest.approx(0.1)


def test_a_day_of_hunts_fills_the_room_and_no_more() -> None:
    """100,000 new videos a day, hunted every hour for three days: the room is used and never overrun."""
    draw = random.Random(7)  # noqa: S311
    ages: list[int] = []
    for hour in range(72):
        watched = {Tier.HOURLY: sum(hour - born < 24 for born in ages), Tier.DAILY: sum(hour - born >= 24 for born in ages)}
        left = room(watched, 10_000)
        assert demand(watched) <= 500_000
        arrived = [draw.getrandbits(64) - 2**63 for _ in range(100_000 // 24)]
        share = decide(len(arrived), left, "sample", hourly=watched[Tier.HOURLY], a_day=100_000).share
        ages += [hour] * sum(is_chosen(id8, share) for id8 in arrived)
    assert demand(watched) > 0.85 * 500_000
    by_hour = [ages.count(hour) for hour in range(24, 72)]
    assert min(by_hour) > 0.6 * max(by_hour)
