"""What one hunt did, for people and for Dagster.

Belongs here: the records and how they follow from a tally. Does not belong here: hunting (hunter.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from pleiades_core.discover.tally import Pull


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadReport:
    """One road in one hunt."""

    #: Arms that were asked: terms, charts; 1 for a road that is one arm.
    arms: int
    #: By bucket, refused and repeated calls included; empty for a road that costs nothing.
    units: dict[str, int]
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
    #: Distinct videos that the roads came upon.
    candidates: int
    #: Of these, not known before.
    new: int
    admitted: int
    #: Of the admitted, those that quota has no room to poll; they are in the registry.
    unwatched: int
    #: Why, empty when all are watched.
    full: str
    #: Not there any more when their details were asked for, or refused by admission.
    gone: int
    #: First samples written.
    samples: int
    #: Of the batch files.
    bytes: int
    #: Attempts sent, by bucket.
    calls: dict[str, int]
    units_left: dict[str, int]
    #: Roads that failed for another reason than quota, with the error.
    failures: dict[str, str]
    #: When quota ran out: the instant at which there is some again.
    resets_at: datetime | None

    @property
    def did_something(self) -> bool:
        """False when quota kept everything from happening that costs some."""
        return self.admitted > 0 or any(road.units and not road.error for road in self.roads.values())


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
