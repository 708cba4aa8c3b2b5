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
from functools import partial
from typing import Protocol

import pyarrow as pa

from pleiades_core.clock import Clock
from pleiades_core.discover import queries
from pleiades_core.discover.admission import (
    Acknowledge,
    Claim,
    Found,
    admit,
    claim,
    first_samples,
    give_up,
    note,
    registry_rows,
    take_over,
    unseen,
)
from pleiades_core.discover.describe import describe
from pleiades_core.discover.sources.search import search
from pleiades_core.discover.sources.source import Find
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.errors import ApiError, LeaseLost, QuotaExhausted
from pleiades_core.models import VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import WrittenBatch, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.vault.vault import Vault
from pleiades_core.watchlist.reaper import adopt_orphans, reap
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube

log = logging.getLogger(__name__)

#: Videos described under one lease: 50 calls, which is what one kill may waste.
_PORTION = 50 * IDS_PER_CALL


class _Claiming(Protocol):
    """T1, all but the lease."""

    def __call__(self, lease_id: uuid.UUID, *, now: datetime, lasting: timedelta) -> Claim | None: ...


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

    def note(self, what: str, error: ApiError) -> None:
        """Keep an error; spent quota is the one that counts."""
        if not isinstance(self.errors.get(what), QuotaExhausted):
            self.errors[what] = error

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
        self._admit_all(hunt)
        if hunt.errors and hunt.exhausted is None and not hunt.admitted and not any(find.candidates for find in hunt.finds):
            raise next(iter(hunt.errors.values()))
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
            hunt.note(name, error)

    def _admit_all(self, hunt: _Hunt) -> None:
        """Claim and admit in portions. A road is noted once its finds are claimed: a claim is durable, and is taken over."""
        roads = {candidate.video_id: find.road for find in reversed(hunt.finds) for candidate in find.candidates}
        self._claim_and_admit(partial(take_over, self._database, limit=_PORTION), roads, [], hunt)
        fresh = unseen(self._database, itertools.chain.from_iterable(find.candidates for find in hunt.finds))
        hunt.new = len(fresh)
        id8s, unclaimed = list(fresh.values()), set(fresh)
        noted = False
        for start in range(0, len(id8s), _PORTION):
            if isinstance(hunt.errors.get("details"), QuotaExhausted):
                break
            portion = id8s[start : start + _PORTION]
            unclaimed -= set(list(fresh)[start : start + _PORTION])
            acknowledge = [] if unclaimed else [find.acknowledge for find in hunt.finds]
            committed = self._claim_and_admit(partial(claim, self._database, id8s=portion), roads, acknowledge, hunt)
            noted = committed and not unclaimed
        if not noted:
            durable = [f.acknowledge for f in hunt.finds if not any(c.video_id in unclaimed for c in f.candidates)]
            note(self._database, durable, now=self._clock.now())

    def _claim_and_admit(
        self, claiming: _Claiming, roads: dict[VideoId, str], acknowledge: Sequence[Acknowledge], hunt: _Hunt
    ) -> bool:
        """From T1 to T2. False: there was nothing to claim, or the lease was lost."""
        lease_id = uuid.uuid4()
        try:
            claimed = claiming(lease_id, now=self._clock.now(), lasting=self._settings.lease)
            return claimed is not None and self._admit(claimed, roads, acknowledge, hunt)
        except BaseException:
            # Ctrl-C at any moment included: the next hunt takes the claims over.
            give_up(self._database, lease_id)
            raise

    def _admit(self, claimed: Claim, roads: dict[VideoId, str], acknowledge: Sequence[Acknowledge], hunt: _Hunt) -> bool:
        described = describe(self._youtube, self._clock, self._settings, claimed)
        for error in described.errors:
            hunt.note("details", error)
        wanted = [(details, at) for details, at in described.found if self._is_admissible(details, at)]
        refused = [details.video_id for details, at in described.found if not self._is_admissible(details, at)]
        gone = [*described.absent, *refused]
        # In an outage nobody is at fault; when other calls were answered, the videos of those that failed may be.
        answered = described.found or described.absent or any(find.candidates for find in hunt.finds)
        failed = described.failed if answered else ()
        written = self._write(claimed, wanted, roads)
        try:
            admit(
                self._database, claimed, written,
                gone=gone, failed=failed, acknowledge=acknowledge, now=self._clock.now(),
            )  # fmt: skip
        except LeaseLost:
            log.warning("lease %s ran out; adopting what it wrote", claimed.lease.lease_id)
            for batch, _ in written:
                adopt_orphans(self._database, self._vault, self._clock, batch.day, dead={claimed.lease.lease_id})
            return False
        hunt.admitted += len(wanted)
        hunt.gone += len(gone)
        hunt.bytes += sum(batch.bytes for batch, _ in written)
        return True

    def _is_admissible(self, details: VideoDetails, now: datetime) -> bool:
        return now - details.published_at <= timedelta(days=self._settings.admission_max_age_days)

    def _write(self, claimed: Claim, found: Sequence[Found], roads: dict[VideoId, str]) -> list[tuple[WrittenBatch, pa.Table]]:
        """Registry before samples: a vid must be known before a sample uses it."""
        days: dict[date, list[Found]] = defaultdict(list)
        for details, arrived_at in found:
            days[arrived_at.astimezone(UTC).date()].append((details, arrived_at))
        tables = [(REGISTRY, day, registry_rows(rows, claimed.vids, roads)) for day, rows in sorted(days.items())]
        tables += [(SAMPLES, day, first_samples(rows, claimed.vids)) for day, rows in sorted(days.items())]
        lease = claimed.lease
        return [
            (write_batch(self._vault, dataset, day, table, lease_id=lease.lease_id, epoch=lease.epoch), table)
            for dataset, day, table in tables
        ]
