"""Which fault hits which call, and what a plan refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.simulator.faults.fault import KINDS, Fault, FaultPlan, FaultSwitch

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def hit(fault: Fault, calls: int, method: str = "feeds") -> list[int]:
    """Which of so many calls a fault hits."""
    switch = FaultSwitch()
    switch.set(FaultPlan((fault,)))
    return [number for number in range(1, calls + 1) if switch.next_for(method, NOON)]


def test_calls_are_named_by_number() -> None:
    assert hit(Fault(first=7, last=7), 20) == [7]
    assert hit(Fault(first=3, last=12, every=4), 20) == [3, 7, 11]
    assert hit(Fault(method="videos.list"), 5) == []


def test_a_share_is_drawn_by_number() -> None:
    some = hit(Fault(share=0.3), 1_000)
    assert 250 < len(some) < 350
    assert some == hit(Fault(share=0.3), 1_000)
    assert hit(Fault(share=0.0), 50) == []


def test_an_outage_has_hours() -> None:
    fault = Fault(method="feeds", status=500, after=NOON, before=NOON + timedelta(hours=1))
    switch = FaultSwitch()
    switch.set(FaultPlan((fault,)))
    asked = [NOON - timedelta(seconds=1), NOON, NOON + timedelta(minutes=59), NOON + timedelta(hours=1)]
    assert [switch.next_for("feeds", at) is not None for at in asked] == [False, True, True, False]


def test_the_first_that_concerns_a_call_wins() -> None:
    switch = FaultSwitch()
    switch.set(FaultPlan((Fault(first=2, last=2, status=404), Fault(status=500))))
    found = [switch.next_for("feeds", NOON) for _ in range(3)]
    assert [fault.status for fault in found if fault] == [500, 404, 500]


instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  the zone comes beside
faults = st.builds(
    Fault,
    method=st.sampled_from(["*", "feeds", "search.list"]),
    first=st.integers(1, 99),
    last=st.none() | st.integers(1, 99),
    share=st.floats(0, 1),
    after=st.none() | instants,
    before=st.none() | instants,
    error=st.sampled_from([None, "spent", "per_minute"]),
    retry_after=st.sampled_from([None, "120", "Sun, 06 Sep 2026 23:38:07 GMT"]),
    truncate=st.none() | st.floats(0, 1),
    empty=st.booleans(),
)


@given(st.lists(faults, max_size=5))
def test_a_plan_survives_its_json(planned: list[Fault]) -> None:
    plan = FaultPlan(tuple(planned))
    assert FaultPlan.from_json(plan.to_json()) == plan


def test_every_kind_can_be_sent() -> None:
    plan = FaultPlan(tuple(KINDS.values()))
    assert FaultPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    "wrong",
    [
        {"mehtod": "*"},
        {"error": "nonsense"},
        {"every": 0},
        {"first": 1.5},
        {"last": 0},
        {"share": 2},
        {"truncate": -1},
        {"share": "half"},
        {"after": "2026-09-01T12:00:00"},
        {"after": "soon"},
        {"after": 7},
        {"bomb_bytes": 1 << 40},
        {"delay_s": "long"},
        {"body": 7},
        {"drop": "yes"},
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of whatever wording: the endpoint answers 400 with it
        FaultPlan.from_json({"faults": [wrong]})


def test_instants_are_compared_whatever_their_zone() -> None:
    west = NOON.astimezone(timezone(timedelta(hours=-7)))
    assert hit(Fault(after=west, before=west + timedelta(minutes=1)), 2) == [1, 2]
