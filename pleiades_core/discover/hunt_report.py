"""What one hunt did: as it goes, and for people and Dagster at its end.

Belongs here: the records, how they follow from a tally, and when a hunt has failed. Does not belong here: hunting (hunter.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from pleiades_core.discover.usage import DETAILS, Pull, Tally
from pleiades_core.errors import PleiadesError, QuotaExhausted
from pleiades_core.models import Bucket, VideoId

#: Roads whose answers are YouTube's API's; an outage of it is one, whatever feeds and inbox say.
OF_THE_API = frozenset({"search", "uploads", "charts", "archeology"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadReport:
    """One road in one hunt."""

    #: Arms that were asked: terms, charts; 1 for a road that is one arm.
    arms: int
    #: By bucket, refused and repeated calls included; empty for a road that costs nothing.
    units: dict[Bucket, int]
    #: Videos named, those that several arms named counted for each.
    candidates: int
    #: Of these, not known before, and named by this road first.
    new: int
    #: The last one, empty when all went well.
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntReport:
    """What one hunt did."""

    #: By name, and `details`: the calls that described what the others found.
    roads: dict[str, RoadReport]
    #: Roads that answered at least once.
    answered: tuple[str, ...]
    #: Distinct videos that the roads came upon.
    candidates: int
    #: Of these, not known before.
    new: int
    admitted: int
    #: Of the admitted, those that quota has no room to poll; they are in the registry.
    unwatched: int
    #: Why, empty when all are watched.
    full: str
    #: Given up: absent again and again, failing alone, or refused by admission.
    gone: int
    #: Found in this hunt or before and not described yet: for quota, for company, or until it is time to ask again.
    waiting: int
    #: First samples written.
    samples: int
    #: Of the batch files.
    bytes: int
    #: Attempts sent, by bucket.
    calls: dict[Bucket, int]
    units_left: dict[Bucket, int]
    #: Roads that failed for another reason than quota, with the error.
    failures: dict[str, str]
    #: When quota ran out: the instant at which there is some again, and what to say of it.
    resets_at: datetime | None
    quota_error: str

    @property
    def did_something(self) -> bool:
        """False when quota kept everything from happening that costs some, whatever the free roads brought meanwhile."""
        return self.admitted > 0 or bool(set(self.answered) & OF_THE_API)


@dataclass(slots=True)
class Progress:
    """One hunt as it goes."""

    tally: Tally = field(default_factory=Tally)
    errors: dict[str, PleiadesError] = field(default_factory=dict)
    #: Roads that answered at least once.
    answered: set[str] = field(default_factory=set)
    candidates: set[VideoId] = field(default_factory=set)
    new: int = 0
    admitted: int = 0
    unwatched: int = 0
    full: str = ""
    gone: int = 0
    #: Asked for and not there, those that are given up included.
    absent: int = 0
    bytes: int = 0

    def note(self, what: str, error: PleiadesError) -> None:
        """Keep an error; spent quota is the one that counts."""
        if not isinstance(self.errors.get(what), QuotaExhausted):
            self.errors[what] = error

    @property
    def settled(self) -> int:
        """Claims of which something is known that was not known before."""
        return self.admitted + self.gone + self.absent

    @property
    def exhausted(self) -> QuotaExhausted | None:
        """The first word of spent quota."""
        return next((error for error in self.errors.values() if isinstance(error, QuotaExhausted)), None)

    @property
    def failure(self) -> PleiadesError | None:
        """The error that the whole hunt ends with: nothing was admitted, and nobody answered, or the API to nobody.

        Spent quota is no failure, and hides none: where it kept some roads from asking, the others' failures are what counts.
        """
        failures = {what: error for what, error in self.errors.items() if not isinstance(error, QuotaExhausted)}
        if not failures or self.admitted:
            return None
        of_the_api = [error for what, error in failures.items() if what in {*OF_THE_API, DETAILS}]
        if of_the_api and not self.answered & OF_THE_API:
            return of_the_api[0]
        return None if self.answered or self.exhausted else next(iter(failures.values()))

    def report(self, *, calls: dict[Bucket, int], units_left: dict[Bucket, int], waiting: int) -> HuntReport:
        """What the hunt did, at its end."""
        return HuntReport(
            roads=by_road(self.tally.pulls), answered=tuple(sorted(self.answered)), candidates=len(self.candidates),
            new=self.new, admitted=self.admitted,
            unwatched=self.unwatched, full=self.full, gone=self.gone, waiting=waiting, samples=self.admitted, bytes=self.bytes,
            calls=calls, units_left=units_left,
            failures={name: str(error) for name, error in self.errors.items() if not isinstance(error, QuotaExhausted)},
            resets_at=self.exhausted.resets_at if self.exhausted else None, quota_error=str(self.exhausted or ""),
        )  # fmt: skip


def by_road(pulls: dict[tuple[str, str], Pull]) -> dict[str, RoadReport]:
    """The pulls of a hunt, added up over the arms of each road."""
    names = dict.fromkeys(road for road, _ in pulls)
    of = {name: [pull for (road, _), pull in pulls.items() if road == name] for name in names}
    return {
        name: RoadReport(
            arms=len(arms), units=dict(sum((pull.units for pull in arms), Counter())),
            candidates=sum(pull.candidates for pull in arms), new=sum(pull.new for pull in arms),
            error=next((pull.error for pull in reversed(arms) if pull.error), ""),
        )
        for name, arms in of.items()
    }  # fmt: skip
