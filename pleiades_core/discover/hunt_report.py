"""Progress and report of one hunt.

Belongs here: the records, how the report follows from a usage, and when a hunt has failed. Does not belong here: hunting
(hunter.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.usage import DETAILS, DiscoveryRequest, HuntUsage
from pleiades_core.errors import PleiadesError, QuotaExhausted
from pleiades_core.models import Bucket, VideoId


def _api_sources() -> frozenset[str]:
    """Sources that call YouTube's API. If all of them fail, the API is out, even if feeds and inbox bring videos."""
    return frozenset(name for name, source in SOURCES.items() if source.calls_api)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """One source in one hunt."""

    #: Targets that were requested: terms, charts; 1 for a source that has one target only.
    targets: int
    #: Units by bucket, refused and repeated calls included; empty for a source that costs nothing.
    units: dict[Bucket, int]
    #: Videos that its targets found; a video that several targets found counts for each.
    candidates: int
    #: Videos that were not known before, and that this source found first.
    new: int
    #: The last error; empty if all went well.
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntReport:
    """What one hunt did."""

    #: By name; `details` stands for the calls that described the videos of all sources.
    sources: dict[str, SourceReport]
    #: Sources that answered at least once.
    answered: tuple[str, ...]
    #: Distinct videos that the sources found.
    candidates: int
    #: Videos that were not known before.
    new: int
    admitted: int
    #: Admitted videos that quota has no room to poll; they are in the registry.
    unwatched: int
    #: Why they are not polled; empty if all are.
    full: str
    #: Videos given up: absent again and again, failing alone, or refused by admission.
    gone: int
    #: Videos found in this hunt or before and not described yet: they wait for quota, for a full call, or for their next
    #: attempt.
    waiting: int
    #: First samples written.
    samples: int
    #: Bytes of the batch files.
    bytes: int
    #: Attempts sent, by bucket.
    calls: dict[Bucket, int]
    units_left: dict[Bucket, int]
    #: Sources that failed for another reason than quota, with the error.
    failures: dict[str, str]
    #: If quota ran out: the instant at which there is some again, and the error as people read it.
    resets_at: datetime | None
    quota_error: str

    @property
    def did_something(self) -> bool:
        """False if quota prevented everything that costs units, even if free sources brought videos."""
        return self.admitted > 0 or bool(set(self.answered) & _api_sources())


@dataclass(slots=True)
class Progress:
    """One hunt as it goes."""

    usage: HuntUsage = field(default_factory=HuntUsage)
    errors: dict[str, PleiadesError] = field(default_factory=dict)
    #: Sources that answered at least once.
    answered: set[str] = field(default_factory=set)
    candidates: set[VideoId] = field(default_factory=set)
    new: int = 0
    admitted: int = 0
    unwatched: int = 0
    full: str = ""
    gone: int = 0
    #: Videos that were requested and absent, given up ones included.
    absent: int = 0
    bytes: int = 0

    def note(self, what: str, error: PleiadesError) -> None:
        """Record an error of a source, or of describing. Spent quota counts more than other errors."""
        if not isinstance(self.errors.get(what), QuotaExhausted):
            self.errors[what] = error

    @property
    def settled(self) -> int:
        """Claims whose state changed: admitted, absent, failed or given up."""
        return self.admitted + self.gone + self.absent

    @property
    def exhausted(self) -> QuotaExhausted | None:
        """The first error of spent quota."""
        return next((error for error in self.errors.values() if isinstance(error, QuotaExhausted)), None)

    @property
    def api_answered(self) -> bool:
        """True if any source that calls the API was answered."""
        return bool(self.answered & _api_sources())

    @property
    def failure(self) -> PleiadesError | None:
        """The error that the whole hunt ends with; None: the hunt did not fail.

        The hunt failed when no video was admitted, and either every source failed or every source that calls the API failed.
        Spent quota is no failure and hides none: if it stopped some sources, the failures of the other sources count.
        """
        failures = {what: error for what, error in self.errors.items() if not isinstance(error, QuotaExhausted)}
        if not failures or self.admitted:
            return None
        api_failures = [error for what, error in failures.items() if what in {*_api_sources(), DETAILS}]
        if api_failures and not self.api_answered:
            return api_failures[0]
        return None if self.answered or self.exhausted else next(iter(failures.values()))

    def report(self, *, calls: dict[Bucket, int], units_left: dict[Bucket, int], waiting: int) -> HuntReport:
        """The report of the hunt, at its end.

        Args:
            calls: attempts sent, by bucket.
            units_left: units that are left, by bucket.
            waiting: videos that are not described yet.

        Returns:
            The report.
        """
        return HuntReport(
            sources=by_source(self.usage.requests), answered=tuple(sorted(self.answered)), candidates=len(self.candidates),
            new=self.new, admitted=self.admitted,
            unwatched=self.unwatched, full=self.full, gone=self.gone, waiting=waiting, samples=self.admitted, bytes=self.bytes,
            calls=calls, units_left=units_left,
            failures={name: str(error) for name, error in self.errors.items() if not isinstance(error, QuotaExhausted)},
            resets_at=self.exhausted.resets_at if self.exhausted else None, quota_error=str(self.exhausted or ""),
        )  # fmt: skip


def by_source(requests: dict[tuple[str, str], DiscoveryRequest]) -> dict[str, SourceReport]:
    """The requests of a hunt, added up over the targets of each source."""
    names = dict.fromkeys(source for source, _ in requests)
    of = {name: [request for (source, _), request in requests.items() if source == name] for name in names}
    return {
        name: SourceReport(
            targets=len(targets), units=dict(sum((request.units for request in targets), Counter())),
            candidates=sum(request.candidates for request in targets), new=sum(request.new for request in targets),
            error=next((request.error for request in reversed(targets) if request.error), ""),
        )
        for name, targets in of.items()
    }  # fmt: skip
