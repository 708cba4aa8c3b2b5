"""Quota days: midnight to midnight in the Pacific zone, 23 and 25 hours included."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.clock import ManualClock, pacific_day, quota_resets_at


@pytest.mark.parametrize(
    ("instant", "day", "reset"),
    [
        (datetime(2026, 3, 7, 8, tzinfo=UTC), date(2026, 3, 7), datetime(2026, 3, 8, 8, tzinfo=UTC)),
        (datetime(2026, 3, 8, 8, tzinfo=UTC), date(2026, 3, 8), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # 23 hours
        (datetime(2026, 11, 1, 7, tzinfo=UTC), date(2026, 11, 1), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # 25 hours
        (datetime(2026, 9, 17, 6, 59, 59, tzinfo=UTC), date(2026, 9, 16), datetime(2026, 9, 17, 7, tzinfo=UTC)),
    ],
)
def test_days_of_23_24_and_25_hours(instant: datetime, day: date, reset: datetime) -> None:
    assert pacific_day(instant) == day
    assert quota_resets_at(instant) == reset


@given(st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC)))  # noqa: DTZ001
def test_the_reset_begins_the_next_day(instant: datetime) -> None:
    reset = quota_resets_at(instant)
    assert timedelta(0) < reset - instant <= timedelta(hours=25)
    assert pacific_day(reset) == pacific_day(instant) + timedelta(days=1)
    assert pacific_day(reset - timedelta(microseconds=1)) == pacific_day(instant)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001
