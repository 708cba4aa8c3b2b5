"""The Hunter: asks every road, and brings what is new through the door.

Belongs here: the order of a hunt. Does not belong here: which roads there are and what they may spend (roads.py), what a road
asks (sources/), what admission writes (admission.py).

    roads   calls             candidates, and for each road a note of where to go on
    T1      one transaction   ids not seen before are claimed under a lease and get their vids
    V       calls             details of 50 videos a unit; one registry batch and one batch of first samples a UTC day
    T2      one transaction   videos admitted and, as far as quota has room, watched; roads noted, pulls recorded
"""

from __future__ import annotations

import itertools
import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Protocol

import psycopg
import pyarrow as pa

from pleiades_core.clock import Clock
from pleiades_core.discover import snowball, terms
from pleiades_core.discover.admission import (
    QUERIES,
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
from pleiades_core.discover.capacity import Decision, decide, in_hourly, is_chosen, room
from pleiades_core.discover.channels import account, forget
from pleiades_core.discover.describe import describe
from pleiades_core.discover.report import HuntReport, by_road
from pleiades_core.discover.roads import Roads
from pleiades_core.discover.sources.source import ROADS, Acknowledge, Find, Found
from pleiades_core.discover.tally import DETAILS, Tally
from pleiades_core.errors import ApiError, ConfigurationError, LeaseLost, PleiadesError, QuotaExhausted
from pleiades_core.models import Candidate, VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import WrittenBatch, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.vault.vault import Vault
from pleiades_core.videoid import decode
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.reaper import adopt_orphans, reap
from pleiades_core.watchlist.slices import due_counts
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.quota import STATS

log = logging.getLogger(__name__)

#: Videos described under one lease: 50 calls, which is what one kill may waste.
_PORTION = 50 * IDS_PER_CALL


class _Claiming(Protocol):
    """T1, all but the lease."""

    def __call__(self, lease_id: uuid.UUID, *, now: datetime, lasting: timedelta) -> Claim | None: ...


@dataclass(slots=True)
class _Hunt:
    """One hunt in progress."""

    finds: list[Find] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    errors: dict[str, PleiadesError] = field(default_factory=dict)
    new: int = 0
    admitted: int = 0
    unwatched: int = 0
    full: str = ""
    gone: int = 0
    bytes: int = 0

    def note(self, what: str, error: PleiadesError) -> None:
        """Keep an error; spent quota is the one that counts."""
        if not isinstance(self.errors.get(what), QuotaExhausted):
            self.errors[what] = error

    @property
    def exhausted(self) -> QuotaExhausted | None:
        return next((error for error in self.errors.values() if isinstance(error, QuotaExhausted)), None)

    @property
    def candidates(self) -> Iterator[VideoId]:
        return (candidate.video_id for find in self.finds for candidate in find.candidates)


class Hunter:
    """Finds videos. Any number of hunters may run at once: an id belongs to one of them."""

    def __init__(
        self, database: Database, vault: Vault, youtube: YouTube, feeds: Feeds, clock: Clock, settings: Settings
    ) -> None:
        self._database = database
        self._vault = vault
        self._youtube = youtube
        self._clock = clock
        self._settings = settings
        self._roads = Roads(database=database, youtube=youtube, feeds=feeds, clock=clock, settings=settings)

    def hunt(self, only: Collection[str] = tuple(ROADS)) -> HuntReport:
        """Ask each road of `only` once and admit what is new.

        Quota running out ends it early: what was found before is admitted, roads whose finds are not durable are asked again.
        Raises an ApiError when every road that asks YouTube's API failed for another reason, and nothing was admitted.
        """
        reap(self._database, self._vault, self._clock)
        calls_before = self._youtube.calls()
        with self._database.transaction() as connection:
            terms.seed(connection, self._settings.seed_terms)
        hunt = _Hunt()
        for name, road in self._roads.take(only, lambda: self._fresh(hunt)):
            self._follow(name, road, hunt)
        self._admit_all(hunt)
        note(self._database, [partial(forget, most=self._settings.followed_channels)], now=self._clock.now())
        if hunt.errors and hunt.exhausted is None and not hunt.admitted and hunt.tally.asked_of_youtube() <= set(hunt.errors):
            raise next(iter(hunt.errors.values()))
        return HuntReport(
            roads=by_road(hunt.tally.pulls), candidates=len(set(hunt.candidates)), new=hunt.new, admitted=hunt.admitted,
            unwatched=hunt.unwatched, full=hunt.full, gone=hunt.gone, samples=hunt.admitted, bytes=hunt.bytes,
            calls=dict(self._youtube.calls() - calls_before),
            units_left={bucket: self._youtube.units_left(bucket) for bucket in ("search", "general")},
            failures={name: str(error) for name, error in hunt.errors.items() if not isinstance(error, QuotaExhausted)},
            resets_at=hunt.exhausted.resets_at if hunt.exhausted else None,
        )  # fmt: skip

    def _fresh(self, hunt: _Hunt) -> list[Candidate]:
        found = {candidate.video_id: candidate for find in hunt.finds for candidate in find.candidates}
        return [found[video_id] for video_id in unseen(self._database, found.values())]

    def _follow(self, name: str, road: Iterator[Find], hunt: _Hunt) -> None:
        """Collect a road's finds and what each cost. One road's failure does not stop the others: their buckets differ."""
        before = self._youtube.calls()
        try:
            for find in road:
                hunt.finds.append(find)
                after = self._youtube.calls()
                hunt.tally.asked(find, after - before)
                before = after
        except (ApiError, ConfigurationError) as error:
            if isinstance(error, ConfigurationError) and name != "archeology":
                raise
            log.warning("road %s: %s", name, error)
            hunt.note(name, error)
            hunt.tally.spent(name, self._youtube.calls() - before, str(error))

    def _admit_all(self, hunt: _Hunt) -> None:
        """Claim and admit in portions. A road is noted once its finds are claimed: a claim is durable, and is taken over."""
        roads = {candidate.video_id: find.name for find in reversed(hunt.finds) for candidate in find.candidates}
        given = {details.video_id: (details, at) for find in hunt.finds for details, at in find.details}
        self._claim_and_admit(partial(take_over, self._database, limit=_PORTION), roads, given, [], hunt)
        fresh = unseen(self._database, itertools.chain.from_iterable(find.candidates for find in hunt.finds))
        hunt.new = len(fresh)
        hunt.tally.attribute(hunt.finds, fresh)
        id8s, unclaimed = list(fresh.values()), set(fresh)
        noted = False
        for start in range(0, len(id8s), _PORTION):
            if isinstance(hunt.errors.get("details"), QuotaExhausted):
                break
            portion = id8s[start : start + _PORTION]
            unclaimed -= set(list(fresh)[start : start + _PORTION])
            acknowledge: list[Acknowledge] = []
            if not unclaimed:
                acknowledge = [*(find.acknowledge for find in hunt.finds), partial(self._record, hunt)]
            committed = self._claim_and_admit(partial(claim, self._database, id8s=portion), roads, given, acknowledge, hunt)
            noted = committed and not unclaimed
        if not noted:
            durable = [f.acknowledge for f in hunt.finds if not any(c.video_id in unclaimed for c in f.candidates)]
            note(self._database, [*durable, partial(self._record, hunt)], now=self._clock.now())

    @staticmethod
    def _record(hunt: _Hunt, connection: psycopg.Connection, now: datetime) -> None:
        hunt.tally.record(connection, now)
        for term, new in hunt.tally.new_of("search").items():
            terms.pulled(connection, term, new=new, now=now)

    def _claim_and_admit(
        self, claiming: _Claiming, roads: Mapping[VideoId, str], given: Mapping[VideoId, Found],
        acknowledge: Sequence[Acknowledge], hunt: _Hunt,
    ) -> bool:  # fmt: skip
        """From T1 to T2. False: there was nothing to claim, or the lease was lost."""
        lease_id = uuid.uuid4()
        try:
            claimed = claiming(lease_id, now=self._clock.now(), lasting=self._settings.lease)
            return claimed is not None and self._admit(claimed, roads, given, acknowledge, hunt)
        except BaseException:
            # Ctrl-C at any moment included: the next hunt takes the claims over.
            give_up(self._database, lease_id)
            raise

    def _admit(
        self, claimed: Claim, roads: Mapping[VideoId, str], given: Mapping[VideoId, Found],
        acknowledge: Sequence[Acknowledge], hunt: _Hunt,
    ) -> bool:  # fmt: skip
        before = self._youtube.calls()
        described = describe(self._youtube, self._clock, self._settings, claimed, given)
        for error in described.errors:
            hunt.note("details", error)
        said = str(described.errors[0]) if described.errors else ""
        hunt.tally.spent(DETAILS, self._youtube.calls() - before, said, candidates=len(claimed.vids))
        wanted = [(one, at) for one, at in described.found if self._is_admissible(one, at, roads)]
        refused = [one.video_id for one, at in described.found if not self._is_admissible(one, at, roads)]
        gone = [*described.absent, *refused]
        # In an outage nobody is at fault; when other calls were answered, the videos of those that failed may be.
        answered = described.found or described.absent or any(hunt.candidates)
        failed = described.failed if answered else ()
        decision = self._decide(wanted)
        # A person's wish has precedence over the sample.
        unwatched = frozenset(
            one.video_id for one, _ in wanted
            if roads.get(one.video_id) != "manual" and not is_chosen(decode(one.video_id), decision.share)
        )  # fmt: skip
        hunt.tally.admitted(len(wanted))
        written = self._write(claimed, wanted, roads, unwatched)

        def feed(connection: psycopg.Connection, now: datetime) -> None:
            details = [one for one, _ in wanted]
            account(connection, details)
            snowball.feed(connection, details, now, cap=self._settings.queue_terms, roads=roads)

        try:
            admit(
                self._database, claimed, written, gone=gone, failed=failed, acknowledge=[*acknowledge, feed],
                now=self._clock.now(),
            )  # fmt: skip
        except LeaseLost:
            log.warning("lease %s ran out; adopting what it wrote", claimed.lease.lease_id)
            for batch, _ in written:
                adopt_orphans(self._database, self._vault, self._clock, batch.day, dead={claimed.lease.lease_id})
            return False
        if unwatched:
            log.warning("%d of %d new videos are not watched: %s", len(unwatched), len(wanted), decision.reason)
        hunt.admitted += len(wanted)
        hunt.unwatched += len(unwatched)
        hunt.full = decision.reason or hunt.full
        hunt.gone += len(gone)
        hunt.bytes += sum(batch.bytes for batch, _ in written)
        return True

    def _is_admissible(self, details: VideoDetails, now: datetime, roads: Mapping[VideoId, str]) -> bool:
        young = now - details.published_at <= timedelta(days=self._settings.admission_max_age_days)
        # A person asked for these, one by one or by a campaign into the past.
        return young or roads.get(details.video_id, "").split(":")[0] in {"manual", "archeology"}

    def _decide(self, wanted: Sequence[Found]) -> Decision:
        """What share of the described can be polled besides what is watched already."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            counts = due_counts(connection, TIERS, now)
            young = connection.execute(QUERIES.young_since, {"since": now - timedelta(days=1)}).fetchone()
        watched = {tier: count.watched for tier, count in counts.items()}
        ring = self._youtube.executor.ring
        serving = {key.project for key in ring.keys if "tracking" in key.pools}
        units = sum(row.limit for row in ring.ledger.rows(serving) if row.bucket == STATS and row.project in serving)
        new = Counter(TIERS.tier(now - one.published_at, 0) for one, _ in wanted)
        return decide(
            in_hourly(new), room(watched, units), self._settings.when_full,
            hourly=watched[TIERS.tier(timedelta(), 0)], a_day=float(young[0]) if young else None,
        )  # fmt: skip

    def _write(
        self, claimed: Claim, found: Sequence[Found], roads: Mapping[VideoId, str], unwatched: frozenset[VideoId]
    ) -> list[tuple[WrittenBatch, pa.Table]]:
        """Registry before samples: a vid must be known before a sample uses it."""
        days: dict[date, list[Found]] = defaultdict(list)
        for details, arrived_at in found:
            days[arrived_at.astimezone(UTC).date()].append((details, arrived_at))
        tables = [(REGISTRY, day, registry_rows(rows, claimed.vids, roads, unwatched)) for day, rows in sorted(days.items())]
        tables += [(SAMPLES, day, first_samples(rows, claimed.vids)) for day, rows in sorted(days.items())]
        lease = claimed.lease
        return [
            (write_batch(self._vault, dataset, day, table, lease_id=lease.lease_id, epoch=lease.epoch), table)
            for dataset, day, table in tables
        ]
