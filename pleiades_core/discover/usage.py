"""Cost and yield of one hunt, by source and target.

Belongs here: counting, and the rows of table `discovery_requests`. Does not belong here: adding them up for people (insights),
the vault's copy (vault/discovery_requests.py).

Units are counted by the executor's own calls between two finds, retries and refused calls included: what YouTube billed, not
what a source meant to spend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.sources.base import Find
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.models import Bucket, VideoId
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode

_DISCOVERY_REQUESTS, _VIDEOS = map(load_queries, ("discovery_requests", "videos"))

#: The calls that describe what the sources found are a line of their own.
DETAILS = "details"
#: So are the calls of a hunt that ended before what they brought was durable; by bucket.
INTERRUPTED = "interrupted"
_ERROR_CHARS = 300


@dataclass(slots=True)
class DiscoveryRequest:
    """One target of one source in one hunt."""

    units: Counter[Bucket] = field(default_factory=Counter)
    candidates: int = 0
    #: Of the candidates, those that nothing had come upon before, not even earlier in this hunt.
    new: int = 0
    error: str = ""


class HuntUsage:
    """The requests of one hunt, by source and target."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], DiscoveryRequest] = {}
        self._bits: dict[VideoId, int] = {}

    def add_find(self, find: Find) -> None:
        """Count the result of one request, with its calls."""
        request = self._of(find.source, find.target)
        request.units += Counter(find.calls)
        request.candidates += len(find.candidates)
        request.error = find.error or request.error
        for candidate in find.candidates:
            self._bits[candidate.video_id] = self._bits.get(candidate.video_id, 0) | SOURCES[find.source].bit

    def add_calls(self, source: str, units: Counter[Bucket], error: str = "", *, candidates: int = 0) -> None:
        """Count calls without a find: of requests that failed, or for the details of videos that sources found."""
        if units or error:
            request = self._of(source, "")
            request.units += units
            request.candidates += candidates
            request.error = error or request.error

    def attribute(self, finds: Iterable[Find], fresh: Iterable[VideoId]) -> None:
        """Credit each new video to the find that named it first. Call it once."""
        left = set(fresh)
        for find in finds:
            named = {candidate.video_id for candidate in find.candidates} & left
            self._of(find.source, find.target).new += len(named)
            left -= named

    def add_interrupted(self, units: Counter[Bucket]) -> None:
        """Count calls whose finds are not kept: the units are spent, and the requests will be sent again."""
        for bucket, count in units.items():
            self._of(INTERRUPTED, bucket).units[bucket] += count

    def add_admitted(self, count: int) -> None:
        """Count videos that were described and admitted."""
        if count:
            self._of(DETAILS, "").new += count

    @property
    def units(self) -> Counter[Bucket]:
        """Of all requests."""
        return sum((request.units for request in self.requests.values()), Counter())

    @property
    def candidates(self) -> int:
        """Of all requests."""
        return sum(request.candidates for request in self.requests.values())

    def add(self, part: HuntUsage) -> None:
        """Take another usage's requests in, for the report; what is recorded is recorded once, by the other."""
        for (source, target), more in part.requests.items():
            request = self._of(source, target)
            request.units += more.units
            request.candidates += more.candidates
            request.new += more.new
            request.error = more.error or request.error

    def new_of(self, source: str) -> dict[str, int]:
        """New videos by target of a source. A target that brought nothing but an error of its own has 0; an outage is no
        target's.
        """
        outage = self.requests[source, ""].error if (source, "") in self.requests else ""
        return {
            target: request.new for (name, target), request in self.requests.items()
            if name == source and target and (not request.error or request.error != outage)
        }  # fmt: skip

    def record(self, connection: psycopg.Connection, now: datetime) -> None:
        """Write the requests, and which sources came upon which videos, in the transaction that makes the finds durable."""
        rows = [
            (source, target, max(request.units, key=lambda bucket: request.units[bucket], default=None), request)
            for (source, target), request in self.requests.items()
        ]
        connection.execute(
            _DISCOVERY_REQUESTS.record_requests,
            {
                "now": now, "sources": [source for source, *_ in rows], "targets": [target for _, target, *_ in rows],
                "buckets": [bucket for *_, bucket, _ in rows], "units": [request.units.total() for *_, request in rows],
                "candidates": [request.candidates for *_, request in rows], "new": [request.new for *_, request in rows],
                "errors": [request.error[:_ERROR_CHARS] or None for *_, request in rows],
            },
        )  # fmt: skip
        bits = {decode(video_id): bit for video_id, bit in self._bits.items()}
        connection.execute(_VIDEOS.mark_sources, {"id8s": list(bits), "bits": list(bits.values())})
        current = sum(source.bit for source in SOURCES.values() if source.forgets_removed)
        shown = [id8 for id8, bit in bits.items() if bit & current]
        connection.execute(_VIDEOS.shown, {"id8s": shown, "now": now, "latest": latest(now)})

    def _of(self, source: str, target: str) -> DiscoveryRequest:
        return self.requests.setdefault((source, target), DiscoveryRequest())
