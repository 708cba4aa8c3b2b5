"""When a video is due: the boundaries, to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.models import Tier
from pleiades_core.watchlist.cadence import TIERS

PUBLISHED = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "tier", "interval"),
    [
        (timedelta(0), Tier.HOURLY, timedelta(hours=1)),
        (timedelta(hours=23, minutes=59, seconds=59), Tier.HOURLY, timedelta(hours=1)),
        (timedelta(hours=24), Tier.DAILY, timedelta(days=1)),
        (timedelta(days=6, hours=23, minutes=59, seconds=59), Tier.DAILY, timedelta(days=1)),
        (timedelta(days=7), Tier.WEEKLY, timedelta(days=7)),
        (timedelta(days=4000), Tier.WEEKLY, timedelta(days=7)),
        (timedelta(hours=-3), Tier.HOURLY, timedelta(hours=1)),
    ],
)
def test_the_boundaries_fall_on_the_right_sides(age: timedelta, tier: Tier, interval: timedelta) -> None:
    assert TIERS.tier(age) is tier
    assert TIERS.due_at(PUBLISHED, PUBLISHED + age) == PUBLISHED + age + interval


def test_a_new_video_is_due_now() -> None:
    assert TIERS.is_due(PUBLISHED, None, PUBLISHED)


def test_an_hourly_tick_a_few_seconds_early_still_polls() -> None:
    """Ticks come an hour apart give or take seconds; without the margin every second tick would find nothing due."""
    polled = PUBLISHED + timedelta(hours=1, seconds=9)
    assert TIERS.is_due(PUBLISHED, polled, PUBLISHED + timedelta(hours=2))


def test_a_video_that_is_missing_again_and_again_is_polled_weekly() -> None:
    assert [TIERS.tier(timedelta(hours=1), misses) for misses in (0, 2, 3, 9)] == [
        Tier.HOURLY, Tier.HOURLY, Tier.WEEKLY, Tier.WEEKLY,
    ]  # fmt: skip


@given(age=st.timedeltas(timedelta(0), timedelta(days=4000)), older=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_an_older_video_is_never_polled_more_often(age: timedelta, older: timedelta) -> None:
    assert TIERS.interval(TIERS.tier(age)) <= TIERS.interval(TIERS.tier(age + older))


def test_ticks_fit_into_a_day_and_into_the_interval_of_their_tier() -> None:
    """And HOURLY's into an hour: the forecast takes a video to be polled at the same tick of every hour."""
    for tier in Tier:
        assert timedelta(days=1) % TIERS.tick(tier) == TIERS.interval(tier) % TIERS.tick(tier) == timedelta(0)
    assert TIERS.ticks_a_day == 96 + 24 + 4
