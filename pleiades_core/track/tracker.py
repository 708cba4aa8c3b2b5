"""The Tracker: polls what is due, slice by slice, and loses nothing if it dies at any step.

Belongs here: the order of effects, T1 · V · T2 of docs/architecture.md. Does not belong here: what is due
(watchlist/cadence.py), the claim and the commit themselves (track/slices.py), the files (vault/journal.py).

    T1  one transaction   lease a slice, debit its calls
    V   calls             each already debited; the answers become one batch file per UTC day, durable
    T2  one transaction   fenced by the lease: record the files, move the schedule, settle the ledger, end the lease
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import statistics
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import pyarrow as pa

from pleiades_core.batches.reaper import adopt_own, reap
from pleiades_core.clock import Clock
from pleiades_core.errors import ApiError, EmptyReply, LeaseLost, QuotaExhausted, StorageError
from pleiades_core.models import Bucket, Counts, QuotaPool, Sample, SampleStatus, Tier, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.checked_clock import CheckedClock
from pleiades_core.storage.postgres import Database
from pleiades_core.track.slices import DueVideo, Slice, commit_slice, give_back, take_slice
from pleiades_core.vault.journal import WrittenBatch, write_batch
from pleiades_core.vault.layout import SAMPLES, samples_by_day
from pleiades_core.vault.vault import Vault
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import Reservation

log = logging.getLogger(__name__)

_Stats = tuple[tuple[Counts, ...], frozenset[VideoId]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply."""

    arrived_at: datetime
    requested: Sequence[DueVideo]
    counts: Sequence[Counts]
    #: Videos whose row in the reply could not be understood: neither counts nor a miss.
    unreadable: Collection[VideoId] = ()
    #: True if this is the answer of the second method: the first method had wrongly returned none of the videos.
    corrected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """What one tick did."""

    tier: Tier | None
    slices: int
    #: Videos that were claimed.
    due: int
    #: Rows written, misses included.
    samples: int
    misses: int
    #: Of the batch files.
    bytes: int
    #: Attempts sent, by bucket.
    calls: dict[Bucket, int]
    #: Of the bucket that tracking draws on.
    units_left: dict[Bucket, int]
    #: Seconds from the due instant to the claim of its slice; None if no due video had been polled before.
    lateness_median_s: float | None
    lateness_max_s: float | None
    #: Calls that failed after every retry, whose videos stay due; and empty replies that the other method corrected.
    failed_calls: int
    #: The reset of the quota that ran out; None if none did.
    resets_at: datetime | None
    #: The error of that quota as a sentence; empty if none ran out.
    quota_error: str


@dataclass(slots=True)
class _Polled:
    """The answers to a slice."""

    answers: list[Answer]
    errors: list[ApiError]

    @property
    def exhausted(self) -> QuotaExhausted | None:
        return next((error for error in self.errors if isinstance(error, QuotaExhausted)), None)


class Tracker:
    """Polls due videos. Any number of trackers may run at once: a slice belongs to one of them."""

    def __init__(self, database: Database, vault: Vault, youtube: YouTube, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._vault = vault
        self._youtube = youtube
        self._clock = CheckedClock(clock, database)
        self._settings = settings

    def track(self, tier: Tier | None = None) -> TrackReport:
        """Poll the due videos of one tier, until nothing is due or quota is spent. What dead trackers left is adopted first.

        Args:
            tier: the tier to poll; None: any.

        Returns:
            What was polled and spent.

        Raises:
            ApiError: every call of a slice failed for another reason than quota. Polls before it are committed; its videos are
                due again.
            ConfigurationError: the clocks of this machine and of the database are too far apart. No call was made.
        """
        youtube = self._youtube.part()
        reap(self._database, self._vault, self._clock)
        usage = Counter[str]()
        lateness: list[float] = []
        exhausted: QuotaExhausted | None = None
        while exhausted is None and (polled := self._slice(youtube, tier, usage, lateness)) is not None:
            exhausted = polled.exhausted
            if polled.errors and not polled.answers and exhausted is None:
                raise polled.errors[0]
            if exhausted is None and (polled.errors or not polled.answers):
                break  # Failed videos are due again at once: the next tick polls them, or this one would never end.
        return TrackReport(
            tier=tier, slices=usage["slices"], due=usage["due"], samples=usage["samples"], misses=usage["misses"],
            bytes=usage["bytes"], calls=dict(youtube.calls()),
            units_left={Bucket.STATS: youtube.units_left(Bucket.STATS)},
            lateness_median_s=statistics.median(lateness) if lateness else None, lateness_max_s=max(lateness, default=None),
            failed_calls=usage["failed_calls"], resets_at=exhausted.resets_at if exhausted else None,
            quota_error=str(exhausted or ""),
        )  # fmt: skip

    def _slice(self, youtube: YouTube, tier: Tier | None, usage: Counter[str], lateness: list[float]) -> _Polled | None:
        """One slice from T1 to T2. None when nothing is due."""
        # For each slice: a clock that is set in the middle of a tick must not decide what is due.
        self._clock.check()
        ledger = youtube.ledger
        lease_id, taken = uuid.uuid4(), None
        try:
            taken = take_slice(
                self._database, ledger, TIERS, lease_id,
                now=self._clock.now(), tier=tier, project=youtube.project_for(Bucket.STATS, QuotaPool.TRACKING),
                calls=self._settings.tracking.calls_per_slice, lasting=self._settings.tracking.lease,
            )  # fmt: skip
            if taken is None:
                return None
            now = self._clock.now()
            lateness += [max((now - due.due_at).total_seconds(), 0.0) for due in taken.videos if due.due_at]
            polled = self._poll(youtube, taken)
            written = self._write(taken, polled)
            self._commit(taken, written)
        except BaseException:
            # After any error, Ctrl-C and a full disk included: the videos are due again, and used units stay spent. If the
            # database fails too, the first error is the one to report; the lease runs out by itself.
            with contextlib.suppress(StorageError):
                give_back(self._database, ledger, lease_id, taken.reservation if taken else None)
            raise
        failed = len(polled.errors) + sum(answer.corrected for answer in polled.answers)
        usage.update(slices=1, due=len(taken.videos), failed_calls=failed)
        for batch, table in written:
            misses = table.column("status").to_pylist().count(int(SampleStatus.MISSING))
            usage.update(samples=batch.rows, misses=misses, bytes=batch.bytes)
        return polled

    def _commit(self, taken: Slice, written: Sequence[tuple[WrittenBatch, pa.Table]]) -> None:
        try:
            commit_slice(self._database, self._youtube.ledger, taken, written, now=self._clock.now())
        except LeaseLost:
            adopt_own(self._database, self._vault, self._clock, taken.lease, written)

    def _poll(self, youtube: YouTube, taken: Slice) -> _Polled:
        """Ask for every video of the slice, several calls at once. Errors are collected; quota running out ends it early."""
        chunks = [taken.videos[start : start + IDS_PER_CALL] for start in range(0, len(taken.videos), IDS_PER_CALL)]
        ask = partial(self._ask, youtube, taken.reservation)
        answers, errors = ask_all(
            ask, chunks, threads=self._settings.youtube.parallel_calls, within_s=self._settings.tracking.asking_s
        )
        requested = sum(len(answer.requested) for answer in answers)
        if len(answers) > 1 and not any(answer.counts or answer.unreadable for answer in answers):
            # Both methods answered, and neither had a video. Misses would make all of a small watchlist weekly within three
            # hours. Videos that are really gone cost polls only while nothing else is due beside them.
            errors.append(
                EmptyReply(f"{len(answers)} replies have none of the {requested} videos that were requested", status=200)
            )
            answers = [replace(answer, unreadable=[due.video_id for due in answer.requested]) for answer in answers]
        return _Polled(answers=answers, errors=errors)

    def _ask(self, youtube: YouTube, reservation: Reservation | None, chunk: Sequence[DueVideo]) -> Answer:
        ids, doubt = [due.video_id for due in chunk], None
        try:
            counts, unreadable = youtube.stats(ids, reservation)
        except EmptyReply as error:
            # If empty replies were believed, three of them would make every video of an hour weekly.
            doubt = error
            counts, unreadable = _asked_again(youtube, ids, doubt)
        corrected = doubt is not None and bool(counts or unreadable)
        if corrected:
            log.warning("%s; videos.list has %d of them", doubt, len(counts))
        return Answer(arrived_at=self._clock.now(), requested=chunk, counts=counts, unreadable=unreadable, corrected=corrected)

    def _write(self, taken: Slice, polled: _Polled) -> list[tuple[WrittenBatch, pa.Table]]:
        written = []
        for day, table in samples_by_day(itertools.chain.from_iterable(map(samples_of, polled.answers))).items():
            lease = taken.lease
            batch = write_batch(self._vault, SAMPLES, day, table, lease_id=lease.lease_id, epoch=lease.epoch)
            written.append((batch, table))
        return written


def samples_of(answer: Answer) -> Iterator[Sample]:
    """A sample for each video that was requested.

    A video that is absent from the reply becomes a miss. A video whose row could not be understood becomes a sample with that
    status. Neither has counts; both move the schedule, so that the video is not requested again and again.
    """
    found = {counts.video_id: counts for counts in answer.counts}
    for due in answer.requested:
        nothing = SampleStatus.UNREADABLE if due.video_id in answer.unreadable else SampleStatus.MISSING
        yield Sample.of(due.vid, answer.arrived_at, found.get(due.video_id, nothing))


def _asked_again(youtube: YouTube, ids: Sequence[VideoId], doubt: EmptyReply) -> _Stats:
    """The answer of the other method. Raises the doubt if there is no other method, or no unit for it."""
    if doubt.method == "videos.list":
        raise doubt
    try:
        return youtube.stats(ids, again=True)
    except QuotaExhausted:
        raise doubt from None
