"""What each question of each road cost and brought: the pulls of one hunt.

Belongs here: counting, and the rows of table `pulls`. Does not belong here: adding them up for people (insights), the vault's
copy (vault/discovery_requests.py).

Units are counted by the executor's own calls between two finds, retries and refused calls included: what YouTube billed, not
what a road meant to spend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from pleiades_core.discover.sources.base import ROADS, Find
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.models import Bucket, VideoId
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode

_PULLS, _VIDEOS = map(load_queries, ("pulls", "videos"))

#: The calls that describe what the roads found are a line of their own.
DETAILS = "details"
#: So are the calls of a hunt that ended before what they brought was durable; by bucket.
INTERRUPTED = "interrupted"
_ERROR_CHARS = 300
#: Roads that show a removed video for hours at most; a search shows it for weeks.
_SHOWING = ROADS["uploads"] | ROADS["charts"] | ROADS["feeds"] | ROADS["push"]


@dataclass(slots=True)
class Pull:
    """One arm of one road in one hunt."""

    units: Counter[Bucket] = field(default_factory=Counter)
    candidates: int = 0
    #: Of the candidates, those that nothing had come upon before, not even earlier in this hunt.
    new: int = 0
    error: str = ""


class Tally:
    """The pulls of one hunt, by road and arm."""

    def __init__(self) -> None:
        self.pulls: dict[tuple[str, str], Pull] = {}
        self._bits: dict[VideoId, int] = {}

    def asked(self, find: Find, units: Counter[Bucket]) -> None:
        """A road yielded a find, after calls that cost so much."""
        pull = self._of(find.road, find.arm)
        pull.units += units
        pull.candidates += len(find.candidates)
        pull.error = find.error or pull.error
        for candidate in find.candidates:
            self._bits[candidate.video_id] = self._bits.get(candidate.video_id, 0) | ROADS[find.road]

    def spent(self, road: str, units: Counter[Bucket], error: str = "", *, candidates: int = 0) -> None:
        """Calls that brought no find, or described what others brought."""
        if units or error:
            pull = self._of(road, "")
            pull.units += units
            pull.candidates += candidates
            pull.error = error or pull.error

    def attribute(self, finds: Iterable[Find], fresh: Iterable[VideoId]) -> None:
        """Credit each new video to the find that named it first. Call it once."""
        left = set(fresh)
        for find in finds:
            named = {candidate.video_id for candidate in find.candidates} & left
            self._of(find.road, find.arm).new += len(named)
            left -= named

    def lost(self, units: Counter[Bucket]) -> None:
        """Calls whose finds are not kept: they are paid for, and the questions will be asked again."""
        for bucket, count in units.items():
            self._of(INTERRUPTED, bucket).units[bucket] += count

    def admitted(self, count: int) -> None:
        """Videos that were described, by calls or by what showed them, and came through the door."""
        if count:
            self._of(DETAILS, "").new += count

    @property
    def units(self) -> Counter[Bucket]:
        """Of all pulls."""
        return sum((pull.units for pull in self.pulls.values()), Counter())

    @property
    def candidates(self) -> int:
        """Of all pulls."""
        return sum(pull.candidates for pull in self.pulls.values())

    def add(self, other: Tally) -> None:
        """Take another tally's pulls in, for the report; what is recorded is recorded once, by the other."""
        for (road, arm), more in other.pulls.items():
            pull = self._of(road, arm)
            pull.units += more.units
            pull.candidates += more.candidates
            pull.new += more.new
            pull.error = more.error or pull.error

    def new_of(self, road: str) -> dict[str, int]:
        """New videos by arm of a road. An arm that brought nothing but an error of its own has 0; an outage is no arm's."""
        outage = self.pulls[road, ""].error if (road, "") in self.pulls else ""
        return {
            arm: pull.new for (name, arm), pull in self.pulls.items()
            if name == road and arm and (not pull.error or pull.error != outage)
        }  # fmt: skip

    def record(self, connection: psycopg.Connection, now: datetime) -> None:
        """Write the pulls, and which roads came upon which videos, in the transaction that makes the finds durable."""
        rows = [
            (road, arm, max(pull.units, key=lambda bucket: pull.units[bucket], default=None), pull)
            for (road, arm), pull in self.pulls.items()
        ]
        connection.execute(
            _PULLS.record_pulls,
            {
                "now": now, "roads": [road for road, *_ in rows], "arms": [arm for _, arm, *_ in rows],
                "buckets": [bucket for *_, bucket, _ in rows], "units": [pull.units.total() for *_, pull in rows],
                "candidates": [pull.candidates for *_, pull in rows], "new": [pull.new for *_, pull in rows],
                "errors": [pull.error[:_ERROR_CHARS] or None for *_, pull in rows],
            },
        )  # fmt: skip
        bits = {decode(video_id): bit for video_id, bit in self._bits.items()}
        connection.execute(_VIDEOS.mark_roads, {"id8s": list(bits), "bits": list(bits.values())})
        shown = [id8 for id8, bit in bits.items() if bit & _SHOWING]
        connection.execute(_VIDEOS.shown, {"id8s": shown, "now": now, "latest": latest(now)})

    def _of(self, road: str, arm: str) -> Pull:
        return self.pulls.setdefault((road, arm), Pull())
