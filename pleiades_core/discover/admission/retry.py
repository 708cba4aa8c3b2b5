"""When a claim that could not be described is asked for again, and when it is given up. Pure.

Belongs here: waits, and how many of them there are. Does not belong here: asking (describe.py), whose fault a failed call is
(describe.py, discover/sources/base.py), writing it down (claims.py).

Nothing is given up for one bad hour of YouTube's: an absence has to be seen four times in two days, a failure eight times in
two and a half, the last times alone in its call and while other calls were answered. What is given up is left alone for a week;
when a source comes upon it after that, it is claimed again under the vid that it has.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

#: Waits after the first absences from replies that have other videos; one more, and the claim is given up. The hub tells of a
#: video minutes after its upload, when not every replica of the API has it: the first wait is for that. The others are for an
#: outage of hours, and for what its owner hides and shows again: two days in all.
ABSENT_WAITS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=41))
#: Failures after which a claim is given up: from the sixth on it is alone in its call (`describe.portions_of`), so no other
#: video is to blame.
MOST_ATTEMPTS = 8
#: The first wait after a failure is shorter than the hour between two hunts, so that each hunt tries what failed once; it
#: doubles from there.
_FAILED_WAIT, LONGEST_WAIT = timedelta(minutes=30), timedelta(days=2)
#: How long what was given up is left alone, though a source comes upon it: a search shows removed videos for weeks.
GIVEN_UP_FOR = timedelta(days=7)
#: Too old for admission: it will not be younger.
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Tries(NamedTuple):
    """How often a claim was asked for in vain."""

    #: Calls for it that failed although YouTube answered others.
    attempts: int = 0
    #: Replies that had others and not it.
    absences: int = 0


class Fate(NamedTuple):
    """What becomes of a claim that was not admitted."""

    attempts: int
    absences: int
    #: When it may be asked for again or, given up, claimed again. Aware UTC.
    retry_at: datetime
    given_up: bool


def absent(tries: Tries, now: datetime) -> Fate:
    """Of a claim that the reply to its call did not have."""
    waits = ABSENT_WAITS[tries.absences :]
    return Fate(tries.attempts, tries.absences + 1, now + (waits[0] if waits else GIVEN_UP_FOR), given_up=not waits)


def failed(tries: Tries, now: datetime, *, answered: bool) -> Fate:
    """Of a claim whose call failed. `answered`: other calls for details were not in vain, so that YouTube is not to blame."""
    attempts = tries.attempts + 1
    if answered and attempts >= MOST_ATTEMPTS:
        return Fate(attempts, tries.absences, now + GIVEN_UP_FOR, given_up=True)
    # Beyond 2**7 half-hours it is the longest wait in any case.
    return Fate(attempts, tries.absences, now + min(LONGEST_WAIT, _FAILED_WAIT * 2 ** min(tries.attempts, 7)), given_up=False)


def refused(tries: Tries) -> Fate:
    """Of a claim that was described and may not come in."""
    return Fate(tries.attempts, tries.absences, _NEVER, given_up=True)
