"""The retry policy: when a claim that could not be described is requested again, and when it is given up. Pure.

Belongs here: waits, and how many of them there are. Does not belong here: requests (describe.py), the cause of a failed call
(describe.py, discover/sources/base.py), writing (claims.py).

One bad hour of YouTube gives up nothing. A video is given up after four absences in two days, or after eight failures in two
and a half days, the last ones alone in its call and while other calls were answered. A video that was given up is ignored for a
week. If a source finds it after that, it is claimed again under the vid that it has.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

#: Waits after the first absences from replies that have other videos; after one more absence the claim is given up. The hub
#: announces a video minutes after its upload, when not every replica of the API has it: the first wait is for that. The other
#: waits are for an outage of hours, and for a video that its owner hides and shows again: two days in all.
ABSENT_WAITS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=41))
#: Failures after which a claim is given up. From the sixth on it is alone in its call (`describe.portions_of`), so no other
#: video can be the cause.
MOST_ATTEMPTS = 8
#: The first wait after a failure is shorter than the hour between two hunts, so that the next hunt tries again. Each further
#: wait is twice as long.
_FAILED_WAIT, LONGEST_WAIT = timedelta(minutes=30), timedelta(days=2)
#: How long a video that was given up is ignored, even if a source finds it: a search shows removed videos for weeks.
GIVEN_UP_FOR = timedelta(days=7)
#: For a video that is too old for admission: it will never be younger.
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class FailedAttempts(NamedTuple):
    """Failed attempts to describe a claimed video."""

    #: Calls for it that failed although YouTube answered other calls.
    attempts: int = 0
    #: Replies that had other videos, but not this one.
    absences: int = 0


class RetryDecision(NamedTuple):
    """What to do with a claim that was not admitted."""

    attempts: int
    absences: int
    #: When it may be requested again or, if it is given up, claimed again. Aware UTC.
    retry_at: datetime
    given_up: bool


def absent(tries: FailedAttempts, now: datetime) -> RetryDecision:
    """The decision about a claim that was absent from the reply."""
    waits = ABSENT_WAITS[tries.absences :]
    return RetryDecision(tries.attempts, tries.absences + 1, now + (waits[0] if waits else GIVEN_UP_FOR), given_up=not waits)


def failed(tries: FailedAttempts, now: datetime, *, answered: bool) -> RetryDecision:
    """The decision about a claim whose call failed.

    Args:
        tries: failed attempts before this one.
        now: the present instant.
        answered: other calls for details were answered, so YouTube is not the cause.

    Returns:
        The decision.
    """
    attempts = tries.attempts + 1
    if answered and attempts >= MOST_ATTEMPTS:
        return RetryDecision(attempts, tries.absences, now + GIVEN_UP_FOR, given_up=True)
    # Beyond 2**7 half-hours it is the longest wait in any case.
    return RetryDecision(
        attempts, tries.absences, now + min(LONGEST_WAIT, _FAILED_WAIT * 2 ** min(tries.attempts, 7)), given_up=False
    )


def refused(tries: FailedAttempts) -> RetryDecision:
    """The decision about a claim that was described and may not be admitted."""
    return RetryDecision(tries.attempts, tries.absences, _NEVER, given_up=True)
