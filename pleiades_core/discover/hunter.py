"""The Hunter: asks every road, and brings what is new through the door.

Belongs here: the order of a hunt. Does not belong here: what a road asks (sources/), what admission writes (admission.py).

    roads   calls             candidates, and for each road a note of where to go on
    T1      one transaction   ids not seen before are claimed under a lease and get their vids
    V       calls             details of 50 videos a unit; one registry batch and one batch of first samples a UTC day
    T2      one transaction   videos admitted and watched, roads noted
"""

from __future__ import annotations

import itertools
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Protocol

import pyarrow as pa

from pleiades_core.clock import Clock
from pleiades_core.discover import queries
from pleiades_core.discover.admission import (
    Acknowledge,
    Claim,
    admit,
    claim,
    first_samples,
    give_up,
    note,
    registry_rows,
    take_over,
    unseen,
)
from pleiades_core.discover.sources.search import search
from pleiades_core.discover.sources.source import Find
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.errors import ApiError, LeaseLost, QuotaExhausted, ReplyTooLarge
from pleiades_core.models import VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import WrittenBatch, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.vault.vault import Vault
from pleiades_core.watchlist.reaper import adopt_orphans, reap
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import GENERAL, Reservation

log = logging.getLogger(__name__)

#: Videos described under one lease: 50 calls, which is what one kill may waste.
_PORTION = 50 * IDS_PER_CALL

#: When a reply arrived, what was asked, what came.
_Answer = tuple[datetime, Sequence[VideoId], tuple[VideoDetails, ...]]


class _Claiming(Protocol):
    """T1, all but the lease."""

    def __call__(self, lease_id: uuid.UUID, *, now: datetime, lasting: timedelta) -> Claim | None: ...


class _Outcome(Enum):
    """What became of one portion."""

    NOTHING = auto()
    INCOMPLETE = auto()
    ADMITTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntReport:
    """What one hunt did."""

    searches: int
    uploads_lists: int
    #: Distinct videos that the roads came upon.
    candidates: int
    #: Of these, not known before.
    new: int
    admitted: int
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


@dataclass(slots=True)
class _Hunt:
    """One hunt in progress."""

    finds: list[Find] = field(default_factory=list)
    errors: dict[str, ApiError] = field(default_factory=dict)
    new: int = 0
    admitted: int = 0
    gone: int = 0
    bytes: int = 0

    @property
    def exhausted(self) -> QuotaExhausted | None:
        return next((error for error in self.errors.values() if isinstance(error, QuotaExhausted)), None)


class Hunter:
    """Finds videos. Any number of hunters may run at once: an id belongs to one of them."""

    def __init__(self, database: Database, vault: Vault, youtube: YouTube, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._vault = vault
        self._youtube = youtube
        self._clock = clock
        self._settings = settings

    def hunt(self) -> HuntReport:
        """Ask each road once and admit what is new.

        Quota running out ends it early: what was found before is admitted, roads whose finds are not durable are asked again.
        Raises an ApiError when every road failed for another reason.
        """
        reap(self._database, self._vault, self._clock)
        calls_before = self._youtube.calls()
        with self._database.transaction() as connection:
            queries.seed(connection, self._settings.seed_terms)
        hunt = _Hunt()
        for name, road in self._roads():
            self._follow(name, road, hunt)
        if hunt.errors and not hunt.finds and hunt.exhausted is None:
            raise next(iter(hunt.errors.values()))
        self._admit_all(hunt)
        by_road = [find.road for find in hunt.finds]
        return HuntReport(
            searches=sum(road.startswith("search:") for road in by_road), uploads_lists=by_road.count("uploads"),
            candidates=len({candidate.video_id for find in hunt.finds for candidate in find.candidates}), new=hunt.new,
            admitted=hunt.admitted, gone=hunt.gone, samples=hunt.admitted, bytes=hunt.bytes,
            calls=dict(self._youtube.calls() - calls_before),
            units_left={bucket: self._youtube.units_left(bucket) for bucket in ("search", "general")},
            failures={name: str(error) for name, error in hunt.errors.items() if not isinstance(error, QuotaExhausted)},
            resets_at=hunt.exhausted.resets_at if hunt.exhausted else None,
        )  # fmt: skip

    def _roads(self) -> Iterator[tuple[str, Iterator[Find]]]:
        now, settings = self._clock.now(), self._settings
        window = timedelta(hours=settings.search_window_hours)
        yield "search", search(self._database, self._youtube, now=now, pages=settings.searches_per_hunt, window=window)
        yield (
            "uploads",
            uploads(
                self._database, self._youtube, now=now, channels=settings.uploads_per_hunt, parallel=settings.parallel_calls
            ),
        )

    @staticmethod
    def _follow(name: str, road: Iterator[Find], hunt: _Hunt) -> None:
        """Collect a road's finds. One road's failure does not stop the others: their buckets differ."""
        try:
            hunt.finds.extend(road)
        except ApiError as error:
            log.warning("road %s: %s", name, error)
            hunt.errors[name] = error

    def _admit_all(self, hunt: _Hunt) -> None:
        """Claim and admit in portions. The roads are noted with the last one, when everything they found is durable."""
        acknowledge = [find.acknowledge for find in hunt.finds]
        roads = {candidate.video_id: find.road for find in reversed(hunt.finds) for candidate in find.candidates}
        dead = partial(take_over, self._database, limit=_PORTION)
        if self._claim_and_admit(dead, roads, [], hunt) is _Outcome.INCOMPLETE:
            return
        fresh = unseen(self._database, itertools.chain.from_iterable(find.candidates for find in hunt.finds))
        hunt.new = len(fresh)
        id8s = list(fresh.values())
        portions = [id8s[start : start + _PORTION] for start in range(0, len(id8s), _PORTION)]
        outcome = _Outcome.NOTHING
        for place, portion in enumerate(portions, start=1):
            noted = acknowledge if place == len(portions) else []
            outcome = self._claim_and_admit(partial(claim, self._database, id8s=portion), roads, noted, hunt)
            if outcome is _Outcome.INCOMPLETE:
                return
        if outcome is _Outcome.NOTHING:
            note(self._database, acknowledge, now=self._clock.now())

    def _claim_and_admit(
        self, claiming: _Claiming, roads: dict[VideoId, str], acknowledge: Sequence[Acknowledge], hunt: _Hunt
    ) -> _Outcome:
        """From T1 to T2. INCOMPLETE: some of it could not be described, or the lease was lost."""
        lease_id = uuid.uuid4()
        try:
            claimed = claiming(lease_id, now=self._clock.now(), lasting=self._settings.lease)
            if claimed is None:
                return _Outcome.NOTHING
            return self._admit(claimed, roads, acknowledge, hunt)
        except BaseException:
            # Ctrl-C at any moment included: the next hunt takes the claims over.
            give_up(self._database, lease_id)
            raise

    def _admit(self, claimed: Claim, roads: dict[VideoId, str], acknowledge: Sequence[Acknowledge], hunt: _Hunt) -> _Outcome:
        answers, errors = self._describe(claimed)
        found = [(details, arrived_at) for arrived_at, _, batch in answers for details in batch]
        wanted = [(details, at) for details, at in found if self._is_admissible(details, at)]
        described = {details.video_id for details, _ in wanted}
        gone = [video_id for _, asked, _ in answers for video_id in asked if video_id not in described]
        written = self._write(claimed, wanted, roads)
        if errors:
            acknowledge = []
            hunt.errors["details"] = next((e for e in errors if isinstance(e, QuotaExhausted)), errors[0])
        try:
            admit(self._database, claimed, written, gone=gone, acknowledge=acknowledge, now=self._clock.now())
        except LeaseLost:
            log.warning("lease %s ran out; adopting what it wrote", claimed.lease.lease_id)
            for batch, _ in written:
                adopt_orphans(self._database, self._vault, self._clock, batch.day, dead={claimed.lease.lease_id})
            return _Outcome.INCOMPLETE
        hunt.admitted += len(wanted)
        hunt.gone += len(gone)
        hunt.bytes += sum(batch.bytes for batch, _ in written)
        return _Outcome.INCOMPLETE if errors else _Outcome.ADMITTED

    def _describe(self, claimed: Claim) -> tuple[list[_Answer], list[ApiError]]:
        """Details of everything claimed, 50 videos a call, several calls at once."""
        ids = list(claimed.vids)
        chunks = [ids[start : start + IDS_PER_CALL] for start in range(0, len(ids), IDS_PER_CALL)]
        with self._youtube.reserved(GENERAL, "hunting", len(chunks)) as reservation:
            return ask_all(partial(self._ask, reservation=reservation), chunks, threads=self._settings.parallel_calls)

    def _ask(self, ids: Sequence[VideoId], reservation: Reservation | None) -> _Answer:
        details = self._details(ids, reservation)
        return self._clock.now(), ids, details

    def _details(self, ids: Sequence[VideoId], reservation: Reservation | None) -> tuple[VideoDetails, ...]:
        """Details of `ids`. A reply that swells is asked for in halves, so that one monster does not hide 49 others."""
        try:
            return self._youtube.videos(ids, reservation=reservation)
        except ReplyTooLarge as error:
            if len(ids) == 1:
                log.warning("video %s is passed over: %s", ids[0], error)
                return ()
        half = len(ids) // 2
        return self._details(ids[:half], reservation) + self._details(ids[half:], reservation)

    def _is_admissible(self, details: VideoDetails, now: datetime) -> bool:
        return now - details.published_at <= timedelta(days=self._settings.admission_max_age_days)

    def _write(
        self, claimed: Claim, found: Sequence[tuple[VideoDetails, datetime]], roads: dict[VideoId, str]
    ) -> list[tuple[WrittenBatch, pa.Table]]:
        """Registry before samples: a vid must be known before a sample uses it."""
        days: dict[date, list[tuple[VideoDetails, datetime]]] = defaultdict(list)
        for details, arrived_at in found:
            days[arrived_at.astimezone(UTC).date()].append((details, arrived_at))
        tables = [(REGISTRY, day, registry_rows(rows, claimed.vids, roads)) for day, rows in sorted(days.items())]
        tables += [(SAMPLES, day, first_samples(rows, claimed.vids)) for day, rows in sorted(days.items())]
        lease = claimed.lease
        return [
            (write_batch(self._vault, dataset, day, table, lease_id=lease.lease_id, epoch=lease.epoch), table)
            for dataset, day, table in tables
        ]
