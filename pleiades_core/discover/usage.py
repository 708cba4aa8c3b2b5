"""Cost and yield of one hunt, by source and target.

Belongs here: counting, and the rows of table `discovery_requests`. Does not belong here: adding them up for people (reports/),
the vault's copy (vault/discovery_requests.py).

Units are the attempts that were sent, retries and refused calls included: YouTube bills all of them.
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

#: Stands as a source for the calls that describe videos.
DETAILS = "details"
#: Stands as a source for the calls of a hunt that ended before their finds were durable.
INTERRUPTED = "interrupted"
_ERROR_CHARS = 300


@dataclass(slots=True)
class DiscoveryRequest:
    """One target of one source in one hunt."""

    units: Counter[Bucket] = field(default_factory=Counter)
    candidates: int = 0
    #: Candidates that no source had found before, not even earlier in this hunt.
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
        """Count calls without a find: of requests that failed, or for the details of videos that sources found.

        Args:
            source: the source, or `DETAILS`.
            units: attempts by bucket.
            error: the error, if there was one.
            candidates: videos that were requested.
        """
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
        """Units of all requests, by bucket."""
        return sum((request.units for request in self.requests.values()), Counter())

    @property
    def candidates(self) -> int:
        """Candidates of all requests."""
        return sum(request.candidates for request in self.requests.values())

    def add(self, part: HuntUsage) -> None:
        """Add the requests of another usage, for the report. They are recorded once, by that usage."""
        for (source, target), more in part.requests.items():
            request = self._of(source, target)
            request.units += more.units
            request.candidates += more.candidates
            request.new += more.new
            request.error = more.error or request.error

    def new_of(self, source: str) -> dict[str, int]:
        """New videos by target of a source. A target with an error of its own and no candidates has 0; an outage does not
        count.
        """
        outage = self.requests[source, ""].error if (source, "") in self.requests else ""
        return {
            target: request.new for (name, target), request in self.requests.items()
            if name == source and target and (not request.error or request.error != outage)
        }  # fmt: skip

    def record(self, connection: psycopg.Connection, now: datetime) -> None:
        """Write the requests, and which sources found which videos, in the transaction that makes the finds durable."""
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
