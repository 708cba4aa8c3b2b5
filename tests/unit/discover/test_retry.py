"""When a claim that was asked for in vain is asked for again, and in which company."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.batches.leases import Lease
from pleiades_core.discover.admission.claims import Claim
from pleiades_core.discover.admission.describe import DescribeResult, portions_of, retry_decisions
from pleiades_core.discover.admission.retry import (
    ABSENT_WAITS,
    GIVEN_UP_FOR,
    MOST_ATTEMPTS,
    FailedAttempts,
    RetryDecision,
    absent,
    failed,
    refused,
)
from pleiades_core.models import Vid, VideoId

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def claim(tries: dict[str, FailedAttempts]) -> Claim:
    ids = {VideoId(name): one for name, one in tries.items()}
    lease = Lease(lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    vids = {video_id: Vid(number) for number, video_id in enumerate(ids)}
    return Claim(lease=lease, vids=vids, tries=ids, found_by=dict.fromkeys(ids, ""))


def test_four_absences_in_two_days_are_an_end_and_three_are_not() -> None:
    tries, now, waits = FailedAttempts(), NOW, []
    while not (decision := absent(tries, now)).given_up:
        waits.append(decision.retry_at - now)
        tries, now = FailedAttempts(decision.attempts, decision.absences), decision.retry_at
    assert tuple(waits) == ABSENT_WAITS == (HOUR, 6 * HOUR, 41 * HOUR)
    assert decision == RetryDecision(0, 4, now + GIVEN_UP_FOR, given_up=True)
    assert now - NOW == 2 * DAY


@pytest.mark.parametrize(
    ("before", "hours"), [(0, 0.5), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 48), (8, 48), (32_000, 48)]
)
def test_the_wait_after_a_failure_doubles_up_to_two_days(before: int, hours: float) -> None:
    decision = failed(FailedAttempts(before, 2), NOW, answered=False)
    assert decision == RetryDecision(before + 1, 2, NOW + hours * HOUR, given_up=False)


def test_a_failure_is_the_last_only_when_others_were_answered_and_it_was_alone() -> None:
    for before in range(MOST_ATTEMPTS - 1):
        assert not failed(FailedAttempts(before), NOW, answered=True).given_up
    last = FailedAttempts(MOST_ATTEMPTS - 1)
    assert failed(last, NOW, answered=True) == RetryDecision(MOST_ATTEMPTS, 0, NOW + GIVEN_UP_FOR, given_up=True)
    assert [len(ids) for ids in portions_of(claim(dict.fromkeys("abc", last)), {})] == [1, 1, 1]


def test_what_is_too_old_is_not_asked_for_in_a_hundred_years() -> None:
    decision = refused(FailedAttempts(1, 2))
    assert (decision.attempts, decision.absences, decision.given_up) == (1, 2, True)
    assert decision.retry_at > NOW + 36_500 * DAY


def test_nobody_is_blamed_in_an_outage() -> None:
    described = DescribeResult(found=(), absent=(), failed=(VideoId("a"),), errors=(), answered=False)
    claimed = claim({"a": FailedAttempts(MOST_ATTEMPTS)})
    assert retry_decisions(claimed, described, NOW, up=False) == {}
    assert retry_decisions(claimed, described, NOW, up=True) == {
        "a": RetryDecision(MOST_ATTEMPTS + 1, 0, NOW + 2 * DAY, given_up=False)
    }


@given(st.lists(st.integers(0, 40), max_size=300))
def test_portions_hold_everything_once_and_get_smaller_with_every_attempt(attempts: list[int]) -> None:
    claimed = claim({f"{number:011d}": FailedAttempts(count) for number, count in enumerate(attempts)})
    portions = portions_of(claimed, {})
    assert sorted(video_id for ids in portions for video_id in ids) == sorted(claimed.vids)
    for ids in portions:
        (count,) = {claimed.tries[video_id].attempts for video_id in ids}
        assert 1 <= len(ids) <= max(1, 50 >> count)
