"""The admission pipeline: from the finds of a source to admitted, watched videos.

    unseen  one query         ids that no source has found before
    T1      one transaction   they are claimed under a lease, get their vids, and keep the source that found them
    V       calls             details of 50 videos a unit; one registry batch and one batch of first samples a UTC day
    T2      one transaction   videos admitted and, as far as quota has room, watched; requests recorded; sources acknowledged

Belongs here: the order of these steps, and what happens to a claim when one of them fails. Does not belong here: the steps
themselves (claims.py, describe.py, capacity.py), the order of the sources (hunter.py).
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Protocol

import psycopg
import pyarrow as pa

from pleiades_core.batches.reaper import adopt_own
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
)
from pleiades_core.discover.admission.describe import NOTHING, DescribeResult, describe, retry_decisions
from pleiades_core.discover.admission.retry import refused
from pleiades_core.discover.channels.followed import take_off
from pleiades_core.discover.hunt_report import Progress
from pleiades_core.discover.search_queue import snowball, terms
from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.sources.base import Acknowledge, Find, Found
from pleiades_core.discover.usage import DETAILS, HuntUsage
from pleiades_core.errors import LeaseLost, QuotaExhausted, RateLimited, StorageError
from pleiades_core.models import VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import WrittenBatch, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, samples_by_day
from pleiades_core.vault.ownership import mark_vault
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube

log = logging.getLogger(__name__)

#: Videos described under one lease: 50 calls.
PORTION = 50 * IDS_PER_CALL
#: Portions of older claims that one hunt takes over: more than a day of 100,000 new videos leaves behind.
_MOST_TAKEN_OVER = 40


class _Claiming(Protocol):
    """T1, all but the lease."""

    def __call__(self, lease_id: uuid.UUID, *, now: datetime, lasting: timedelta) -> Claim | None: ...


class AdmissionPipeline:
    """Claims, describes, writes and commits the finds of one hunt, and counts what happens in its `Progress`."""

    def __init__(
        self, database: Database, vault: Vault, youtube: YouTube, clock: Clock, settings: Settings, hunt: Progress
    ) -> None:
        self._database = database
        self._vault = vault
        self._youtube = youtube
        self._clock = clock
        self._settings = settings
        self._hunt = hunt

    def settle(self, finds: Sequence[Find], usage: HuntUsage) -> None:
        """Admit what is new in the finds of a source, record their requests, and acknowledge them.

        A find is acknowledged once its candidates are claimed: a claim is durable, keeps its source, and is taken over by a
        later hunt. Claiming costs nothing, so it also happens when no quota is left to describe the videos.
        """
        named = itertools.chain.from_iterable(find.candidates for find in finds)
        new, again = unseen(self._database, named, now=self._clock.now())
        fresh = new | again
        usage.attribute(finds, new)
        found_by = {candidate.video_id: find.name for find in reversed(finds) for candidate in find.candidates}
        given = {details.video_id: (details, at) for find in finds for details, at in find.details}
        self._hunt.candidates |= set(found_by)
        self._hunt.answered |= {find.source for find in finds if not find.error}
        self._hunt.new += len(new)
        acknowledge: list[Acknowledge] = [*(find.acknowledge for find in finds), partial(_record, usage)]
        noted = False
        portions = _portions(fresh, given)
        for number, (ids, at_once) in enumerate(portions, start=1):
            claiming = partial(claim, self._database, found_by={fresh[video_id]: found_by[video_id] for video_id in ids})
            notes = acknowledge if number == len(portions) else []
            settled = self._claim_and_admit(claiming, given, notes, usage, describing=at_once)
            noted = settled and bool(notes)
        if not noted and (finds or usage.requests):
            note(self._database, acknowledge, now=self._clock.now())
        self._hunt.usage.add(usage)

    def take_over_claims(self, *, only_added: bool) -> None:
        """Describe videos that earlier hunts claimed and did not describe: they died, quota ended, or a retry was not due yet.

        Stops when a portion settles no claim, so that a request that failed is not sent again in the same hunt.

        Args:
            only_added: leave out the videos that people did not add.

        """
        for _ in range(_MOST_TAKEN_OVER):
            if isinstance(self._hunt.errors.get(DETAILS), QuotaExhausted | RateLimited):
                return
            usage, settled = HuntUsage(), self._hunt.settled
            claiming = partial(take_over, self._database, limit=PORTION, only_added=only_added)
            self._claim_and_admit(claiming, {}, [], usage)
            if usage.requests:
                note(self._database, [usage.record], now=self._clock.now())
                self._hunt.usage.add(usage)
            if self._hunt.settled == settled:
                return

    def _claim_and_admit(
        self, claiming: _Claiming, given: Mapping[VideoId, Found], acknowledge: Sequence[Acknowledge], usage: HuntUsage, *,
        describing: bool = True,
    ) -> bool:  # fmt: skip
        """From T1 to T2. False: there was nothing to claim, or the lease was lost."""
        lease_id = uuid.uuid4()
        try:
            claimed = claiming(lease_id, now=self._clock.now(), lasting=self._settings.tracking.lease)
            if claimed is None:
                return False
            described = self._describe(claimed, given, usage) if describing else NOTHING
            return self._admit(claimed, described, acknowledge, usage)
        except BaseException:
            # After Ctrl-C too: the next hunt takes the claims over. The first error is the one to report.
            with contextlib.suppress(StorageError):
                give_up(self._database, lease_id)
            raise

    def _describe(self, claimed: Claim, given: Mapping[VideoId, Found], usage: HuntUsage) -> DescribeResult:
        asking = self._youtube.part()
        described = describe(asking, self._clock, self._settings, claimed, given)
        for error in described.errors:
            self._hunt.note(DETAILS, error)
        first_error = str(described.errors[0]) if described.errors else ""
        usage.add_calls(DETAILS, asking.calls(), first_error, candidates=len(claimed.vids))
        return described

    def _admit(self, claimed: Claim, described: DescribeResult, acknowledge: Sequence[Acknowledge], usage: HuntUsage) -> bool:
        hunt, ring, now = self._hunt, self._youtube.ring, self._clock.now()
        admissible = [found for found in described.found if self._is_admissible(found[0], found[1], claimed)]
        decisions = retry_decisions(claimed, described, now, up=hunt.api_answered)
        admitted = {details.video_id for details, _ in admissible}
        for details, _ in described.found:
            if details.video_id not in admitted:
                decisions[details.video_id] = refused(claimed.tries[details.video_id])
        unwatched, decision = left_out(self._database, ring, self._settings, claimed, admissible, now)
        usage.add_admitted(len(admissible))
        written = self._write(claimed, admissible, unwatched)

        def grow_queue(connection: psycopg.Connection, now: datetime) -> None:
            videos = [details for details, _ in admissible]
            take_off(connection, videos)
            snowball.feed(connection, videos, now, cap=self._settings.discovery.queue_terms, sources=claimed.found_by)

        notes = [*acknowledge, grow_queue]
        try:
            admit(self._database, claimed, written, decisions=decisions, acknowledge=notes, now=self._clock.now())
        except LeaseLost:
            adopt_own(self._database, self._vault, self._clock, claimed.lease, written)
            return False
        if unwatched:
            log.warning("%d of %d new videos are not watched: %s", len(unwatched), len(admissible), decision.reason)
        hunt.admitted += len(admissible)
        hunt.unwatched += len(unwatched)
        hunt.full = decision.reason or hunt.full
        hunt.absent += len(described.absent)
        hunt.gone += sum(decision.given_up for decision in decisions.values())
        hunt.bytes += sum(batch.bytes for batch, _ in written)
        return True

    def _is_admissible(self, details: VideoDetails, now: datetime, claimed: Claim) -> bool:
        young = now - details.published_at <= timedelta(days=self._settings.discovery.admission_max_age_days)
        return young or SOURCES[claimed.found_by[details.video_id].split(":")[0]].admits_any_age

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


def _record(usage: HuntUsage, connection: psycopg.Connection, now: datetime) -> None:
    usage.record(connection, now)
    for term, new in usage.new_of("search").items():
        terms.note_search(connection, term, new=new, now=now)


def _portions(fresh: Iterable[VideoId], given: Mapping[VideoId, Found]) -> list[tuple[list[VideoId], bool]]:
    """Ids that are claimed together, and whether they are described at once. Pure.

    Ids that would not fill a call wait until the end of the hunt (`take_over_claims`), so that the finds of each source do not
    cost a half-full call.
    """
    to_ask = [video_id for video_id in fresh if video_id not in given]
    waiting = to_ask[len(to_ask) // IDS_PER_CALL * IDS_PER_CALL :]
    late = set(waiting)
    full = [video_id for video_id in fresh if video_id not in late]
    portions = [(full[start : start + PORTION], True) for start in range(0, len(full), PORTION)]
    return [*portions, (waiting, False)] if waiting else portions
