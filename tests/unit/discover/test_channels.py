"""How often a channel uploads, which lists are worth their units, and how units are spread over the day."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.discover.budget import allowance
from pleiades_core.discover.channels.followed import LEAST_RATE, MOST_PAGES, ToList, affordable, uploads_a_day
from pleiades_core.models import ChannelId

_NOW = datetime(2026, 9, 2, tzinfo=UTC)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("ages", "page", "expected"),
    [
        ([], 15, None),
        ([None, None], 15, None),
        # A full page of a day: fifteen a day, however long the channel exists.
        ([_DAY * n / 15 for n in range(1, 16)], 15, 15.0),
        # A short page is all there is: two in a month.
        ([_DAY, 20 * _DAY], 15, 2 / 30),
        # Silent for a month, and still looked at.
        ([400 * _DAY], 15, LEAST_RATE),
        # A bulk upload of one second is no rate of its own: at most a page an hour.
        ([timedelta(seconds=1)] * 15, 15, 15 * 24.0),
        # A page whose oldest entry is older than a month counts what the month brought.
        ([_DAY] * 14 + [40 * _DAY], 15, 14 / 30),
    ],
)
def test_the_rate_of_a_channel(ages: list[timedelta | None], page: int, expected: float | None) -> None:
    found = uploads_a_day([_NOW - age if age is not None else None for age in ages], page, _NOW)
    assert found == (None if expected is None else pytest.approx(expected))


def _waiting(moved: list[int]) -> list[ToList]:
    return [ToList(channel=n, channel_id=ChannelId(f"UC{n:022}"), moved=count) for n, count in enumerate(moved)]


@given(st.lists(st.integers(min_value=1, max_value=32_000), max_size=30), st.floats(min_value=-5, max_value=300))
def test_no_more_is_listed_than_units_pay_for(moved: list[int], units: float) -> None:
    """Pages and descriptions together stay within the budget, and nothing richer is passed over that would have fitted."""
    chosen = affordable(_waiting(moved), units)
    cost = sum(one.pages + min(one.moved, 50 * one.pages) / 50 for one in chosen)
    assert cost <= max(0.0, units) + 1e-9
    assert all(1 <= one.pages <= MOST_PAGES for one in chosen)
    left_out = set(range(len(moved))) - {one.channel for one in chosen}
    for one in _waiting(moved):
        if one.channel in left_out:
            richer = sum(
                c.pages + min(c.moved, 50 * c.pages) / 50 for c in chosen if (-c.moved, c.channel) < (-one.moved, one.channel)
            )
            assert richer + one.pages + min(one.moved, 50 * one.pages) / 50 > units


def test_the_richest_lists_come_first() -> None:
    assert [one.moved for one in affordable(_waiting([1, 40, 3, 120, 2]), 8.5)] == [120, 40, 3]


@given(
    st.integers(min_value=0, max_value=10_000),
    st.floats(min_value=0.0, max_value=25.0),
    st.floats(min_value=0.05, max_value=3.0),
)
def test_quota_lasts_until_the_reset_and_none_is_left(left: int, hours: float, every: float) -> None:
    """Whatever the length of the quota day (23, 24 or 25 hours) and of the pause between hunts."""
    spent = 0
    hunts = max(1, math.ceil(hours / every))
    for hunt in range(hunts):
        now_left = left - spent
        units = allowance(now_left, timedelta(hours=hours - hunt * every), every=timedelta(hours=every))
        assert 0 <= units <= now_left
        if hunt == 0 and left:
            assert units <= math.ceil(left / hunts)
        spent += units
    # Rounding of timedeltas may see one hunt more than there is.
    assert left - spent <= math.ceil(left / hunts)
    assert allowance(0, _HOUR) == 0
    assert allowance(7, timedelta(0)) == 7
