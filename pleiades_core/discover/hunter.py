"""The Hunter: asks every source, and brings what is new through the door.

Belongs here: the order of a hunt. Does not belong here: which sources there are and what they may spend (budget.py), what a
source asks (sources/), what admission writes (claims.py).

    source    calls             candidates, and notes of where the source goes on; settled every 50 units:
    T1      one transaction   ids not seen before are claimed under a lease, get their vids, and keep where they were found
    V       calls             details of 50 videos a unit; one registry batch and one batch of first samples a UTC day
    T2      one transaction   videos admitted and, as far as quota has room, watched; the source noted, requests recorded
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Protocol

import psycopg
import pyarrow as pa

from pleiades_core.batches.reaper import adopt_own, reap
from pleiades_core.clock import Clock
from pleiades_core.discover.admission.capacity import left_out
from pleiades_core.discover.admission.claims import (
    Claim,
    admit,
    claim,
    first_samples,
    give_up,
    note,
    registry_rows,
    take_over,
    unseen,
    waiting,
)
from pleiades_core.discover.admission.describe import NOTHING, Described, describe, fates_of
from pleiades_core.discover.admission.retry import refused
from pleiades_core.discover.budget import Sources
from pleiades_core.discover.hunt_report import OF_THE_API, HuntReport, Progress
from pleiades_core.discover.search_queue import snowball, terms
from pleiades_core.discover.sources.base import SOURCES, Acknowledge, Find, Found
from pleiades_core.discover.sources.channels import forget, take_off
from pleiades_core.discover.usage import DETAILS, HuntUsage
from pleiades_core.errors import ApiError, ConfigurationError, LeaseLost, QuotaExhausted, RateLimited, StorageError
from pleiades_core.models import Bucket, VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.checked_clock import CheckedClock
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import WrittenBatch, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, samples_by_day
from pleiades_core.vault.ownership import mark_vault
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.feeds import Feeds

log = logging.getLogger(__name__)

#: Videos described under one lease: 50 calls.
_PORTION = 50 * IDS_PER_CALL
#: A source's finds are settled once they cost so many units: with their description, one kill may waste about 100 units.
_UNSETTLED_UNITS = 50
#: Portions of older claims that one hunt takes over: more than a day of 100,000 new videos leaves behind.
_MOST_TAKEN_OVER = 40


class _Claiming(Protocol):
    """T1, all but the lease."""

    def __call__(self, lease_id: uuid.UUID, *, now: datetime, lasting: timedelta) -> Claim | None: ...


class Hunter:
    """Finds videos. Any number of hunters may run at once: an id belongs to one of them."""

    def __init__(
        self, database: Database, vault: Vault, youtube: YouTube, feeds: Feeds, clock: Clock, settings: Settings
    ) -> None:
        self._database = database
        self._vault = vault
        self._youtube = youtube
        self._clock = CheckedClock(clock, database)
        self._settings = settings
        self._sources = Sources(database=database, youtube=youtube, feeds=feeds, clock=self._clock, settings=settings)

    def hunt(self, only: Collection[str] = tuple(SOURCES)) -> HuntReport:
        """Ask each source of `only` once and admit what is new.

        Quota running out ends it early: what was found before is admitted, sources whose finds are not durable are asked again.
        Raises ConfigurationError, before any call, for a wrong clock; and the first error when nothing was admitted and no
        source answered, or none of those that ask YouTube's API.
        """
        self._clock.check()
        hunt = Progress()
        with self._youtube.executor.own_calls():
            calls_before = self._youtube.calls()
            try:
                self._take_sources(only, hunt)
            except BaseException:  # Ctrl-C included: what was asked is paid for, and stands with what it was paid for.
                self._note_lost(self._youtube.calls() - calls_before - hunt.usage.units)
                raise
            calls = dict(self._youtube.calls() - calls_before)
        if hunt.failure is not None:
            raise hunt.failure
        left = {bucket: self._youtube.units_left(bucket) for bucket in (Bucket.SEARCH, Bucket.GENERAL)}
        return hunt.report(calls=calls, units_left=left, waiting=waiting(self._database))

    def _note_lost(self, units: Counter[Bucket]) -> None:
        usage = HuntUsage()
        usage.lost(units)
        with contextlib.suppress(StorageError):  # Where the database is what failed, that is what there is to say.
            if usage.requests:
                note(self._database, [usage.record], now=self._clock.now())

    def _take_sources(self, only: Collection[str], hunt: Progress) -> None:
        reap(self._database, self._vault, self._clock)
        with self._database.transaction() as connection:
            terms.seed(connection, self._settings.seed_terms)
        for name, source in self._sources.take(only):
            with self._sources.alone(name) as ours:
                if ours:
                    self._follow(name, source, hunt)
        # Who adds a video pays for that one, not for what other sources left behind.
        self._take_over(hunt, wishes=set(only) == {"added"})
        note(self._database, [partial(forget, most=self._settings.followed_channels)], now=self._clock.now())

    def _follow(self, name: str, source: Iterator[Find], hunt: Progress) -> None:
        """Collect a source's finds and what each cost, and settle them now and then.

        One source's failure does not stop the others: their buckets differ.
        """
        finds: list[Find] = []
        usage = HuntUsage()
        before = self._youtube.calls()
        try:
            for find in source:
                finds.append(find)
                after = self._youtube.calls()
                usage.asked(find, after - before)
                if usage.units.total() >= _UNSETTLED_UNITS or usage.candidates >= _PORTION:
                    self._settle(finds, usage, hunt)
                    finds, usage, after = [], HuntUsage(), self._youtube.calls()
                before = after
        except (ApiError, ConfigurationError) as error:
            if isinstance(error, ConfigurationError) and name != "past_search":
                raise
            log.warning("source %s: %s", name, error)
            hunt.note(name, error)
            usage.spent(name, self._youtube.calls() - before, str(error))
        self._settle(finds, usage, hunt)

    def _take_over(self, hunt: Progress, *, wishes: bool) -> None:
        """Describe what earlier hunts claimed and could not: they died, quota ended, or the time to ask again had not come.

        While it gets somewhere: what was asked for in vain is not asked for again in the same hunt.
        """
        for _ in range(_MOST_TAKEN_OVER):
            if isinstance(hunt.errors.get(DETAILS), QuotaExhausted | RateLimited):
                return
            usage, settled = HuntUsage(), hunt.settled
            claiming = partial(take_over, self._database, limit=_PORTION, wishes=wishes)
            self._claim_and_admit(claiming, {}, [], usage, hunt)
            if usage.requests:
                note(self._database, [usage.record], now=self._clock.now())
                hunt.usage.add(usage)
            if hunt.settled == settled:
                return

    def _settle(self, finds: Sequence[Find], usage: HuntUsage, hunt: Progress) -> None:
        """Claim what is new and describe it, and note where the sources go on.

        A source is noted once its finds are claimed: a claim is durable, keeps where it was found, and is taken over. It costs
        nothing, so it is made also when there is no quota left to describe it with.
        """
        named = itertools.chain.from_iterable(find.candidates for find in finds)
        new, again = unseen(self._database, named, now=self._clock.now())
        fresh = new | again
        usage.attribute(finds, new)
        sources = {candidate.video_id: find.name for find in reversed(finds) for candidate in find.candidates}
        given = {details.video_id: (details, at) for find in finds for details, at in find.details}
        hunt.candidates |= set(sources)
        hunt.answered |= {find.source for find in finds if not find.error}
        hunt.new += len(new)
        acknowledge: list[Acknowledge] = [*(find.acknowledge for find in finds), partial(self._record, usage)]
        noted = False
        portions = _portions(fresh, given)
        for number, (ids, at_once) in enumerate(portions, start=1):
            claiming = partial(claim, self._database, found_by={fresh[video_id]: sources[video_id] for video_id in ids})
            notes = acknowledge if number == len(portions) else []
            settled = self._claim_and_admit(claiming, given, notes, usage, hunt, describing=at_once)
            noted = settled and bool(notes)
        if not noted and (finds or usage.requests):
            note(self._database, acknowledge, now=self._clock.now())
        hunt.usage.add(usage)

    @staticmethod
    def _record(usage: HuntUsage, connection: psycopg.Connection, now: datetime) -> None:
        usage.record(connection, now)
        for term, new in usage.new_of("search").items():
            terms.note_search(connection, term, new=new, now=now)

    def _claim_and_admit(
        self, claiming: _Claiming, given: Mapping[VideoId, Found], acknowledge: Sequence[Acknowledge], usage: HuntUsage,
        hunt: Progress, *, describing: bool = True,
    ) -> bool:  # fmt: skip
        """From T1 to T2. False: there was nothing to claim, or the lease was lost."""
        lease_id = uuid.uuid4()
        try:
            claimed = claiming(lease_id, now=self._clock.now(), lasting=self._settings.lease)
            if claimed is None:
                return False
            described = self._describe(claimed, given, usage, hunt) if describing else NOTHING
            return self._admit(claimed, described, acknowledge, usage, hunt)
        except BaseException:
            # Ctrl-C at any moment included: the next hunt takes the claims over. The first error is the one to report.
            with contextlib.suppress(StorageError):
                give_up(self._database, lease_id)
            raise

    def _describe(self, claimed: Claim, given: Mapping[VideoId, Found], usage: HuntUsage, hunt: Progress) -> Described:
        before = self._youtube.calls()
        described = describe(self._youtube, self._clock, self._settings, claimed, given)
        for error in described.errors:
            hunt.note(DETAILS, error)
        said = str(described.errors[0]) if described.errors else ""
        usage.spent(DETAILS, self._youtube.calls() - before, said, candidates=len(claimed.vids))
        return described

    def _admit(
        self, claimed: Claim, described: Described, acknowledge: Sequence[Acknowledge], usage: HuntUsage, hunt: Progress
    ) -> bool:
        wanted = [(one, at) for one, at in described.found if self._is_admissible(one, at, claimed)]
        ring, now = self._youtube.ring, self._clock.now()
        fates = fates_of(claimed, described, now, up=bool(hunt.answered & OF_THE_API))
        for one, at in described.found:
            if not self._is_admissible(one, at, claimed):
                fates[one.video_id] = refused(claimed.tries[one.video_id])
        unwatched, decision = left_out(self._database, ring, self._settings, claimed, wanted, now)
        usage.admitted(len(wanted))
        written = self._write(claimed, wanted, unwatched)

        def feed(connection: psycopg.Connection, now: datetime) -> None:
            details = [one for one, _ in wanted]
            take_off(connection, details)
            snowball.feed(connection, details, now, cap=self._settings.queue_terms, sources=claimed.found_by)

        try:
            admit(self._database, claimed, written, fates=fates, acknowledge=[*acknowledge, feed], now=self._clock.now())
        except LeaseLost:
            adopt_own(self._database, self._vault, self._clock, claimed.lease, written)
            return False
        if unwatched:
            log.warning("%d of %d new videos are not watched: %s", len(unwatched), len(wanted), decision.reason)
        hunt.admitted += len(wanted)
        hunt.unwatched += len(unwatched)
        hunt.full = decision.reason or hunt.full
        hunt.absent += len(described.absent)
        hunt.gone += sum(fate.given_up for fate in fates.values())
        hunt.bytes += sum(batch.bytes for batch, _ in written)
        return True

    def _is_admissible(self, details: VideoDetails, now: datetime, claimed: Claim) -> bool:
        young = now - details.published_at <= timedelta(days=self._settings.admission_max_age_days)
        # A person asked for these, one by one or by a campaign into the past.
        return young or claimed.found_by[details.video_id].split(":")[0] in {"added", "past_search"}

    def _write(
        self, claimed: Claim, found: Sequence[Found], unwatched: frozenset[VideoId]
    ) -> list[tuple[WrittenBatch, pa.Table]]:
        """Registry before samples: a vid must be known before a sample uses it."""
        days: dict[date, list[Found]] = defaultdict(list)
        for details, arrived_at in found:
            days[arrived_at.astimezone(UTC).date()].append((details, arrived_at))
        tables = [(REGISTRY, day, registry_rows(rows, claimed, unwatched)) for day, rows in sorted(days.items())]
        tables += [(SAMPLES, day, table) for day, table in samples_by_day(first_samples(found, claimed.vids)).items()]
        mark_vault(self._database, self._vault)  # new vids come into the vault
        return [
            (write_batch(self._vault, dataset, day, table, lease_id=claimed.lease.lease_id, epoch=claimed.lease.epoch), table)
            for dataset, day, table in tables
        ]


def _portions(fresh: Iterable[VideoId], given: Mapping[VideoId, Found]) -> list[tuple[list[VideoId], bool]]:
    """What is claimed together, and whether it is described at once. Pure.

    What would not fill a call waits for company, which comes at the end of the hunt (`_take_over`): settling source by source
    must not cost a half-full call each.
    """
    asked = [video_id for video_id in fresh if video_id not in given]
    waiting = asked[len(asked) // IDS_PER_CALL * IDS_PER_CALL :]
    late = set(waiting)
    full = [video_id for video_id in fresh if video_id not in late]
    portions = [(full[start : start + _PORTION], True) for start in range(0, len(full), _PORTION)]
    return [*portions, (waiting, False)] if waiting else portions
