"""Quota ledger: how many units each (project, bucket, Pacific day) has left, kept in PostgreSQL.

Belongs here: buckets, costs, limits, and taking units before a call is sent. Does not belong here: how pools share a bucket
(shares.py), which key a call travels with (keyring.py), what to do when nothing is left (executor.py).

Costs and limits are data from the documentation: they were not tried against the live service, and the API may name other
limits.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import TupleRow

from pleiades_core.clock import Clock, pacific_day, quota_resets_at
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.youtube.shares import POOLS, Elapsed, QuotaAccount, free_for, weights

#: Units per project and Pacific day. developers.google.com/youtube/v3/determine_quota_cost and the revision history's entries
#: of 1 and 3 June 2026 (read 2026-11-22).
DEFAULT_LIMITS: Mapping[Bucket, int] = MappingProxyType({Bucket.SEARCH: 100, Bucket.STATS: 10_000, Bucket.GENERAL: 10_000})

#: The bucket that each method draws one unit from, per request, invalid ones included. Same source.
BUCKET_OF_METHOD: Mapping[str, Bucket] = MappingProxyType(
    {
        "search.list": Bucket.SEARCH,
        "videos.batchGetStats": Bucket.STATS,
        "videos.list": Bucket.GENERAL,
        "channels.list": Bucket.GENERAL,
        "playlistItems.list": Bucket.GENERAL,
        "videoCategories.list": Bucket.GENERAL,
    }
)

#: Quota days, the first included, for which a limit that the API named is believed. Then the default limit is tried again; if
#: nothing has changed, that costs one refused call. So a project without search quota pays one call a week.
TOLD_FOR_DAYS = 7

#: Rows older than this many days are not used any more.
LEDGER_KEPT_DAYS = 90

_SQL = load_queries("ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """What is left in one bucket of one project on one quota day, in units."""

    project: str
    bucket: Bucket
    quota_day: date
    #: Reserved units count as spent.
    spent: int
    limit: int
    left: int
    #: The part of `spent` that each pool took; a pool that took nothing may be absent.
    spent_by: Mapping[QuotaPool, int]
    #: True: the API called the bucket spent, whatever was counted here.
    exhausted: bool
    #: Aware UTC: when the day after `quota_day` begins in the Pacific zone.
    resets_at: datetime


class _BucketRow(NamedTuple):
    """A row of `quota_ledger` with those of its pools."""

    project: str
    bucket: str
    spent: int
    exhausted: bool
    spent_by: dict[QuotaPool, int]
    lapsed_by: dict[QuotaPool, int]


def _untouched(project: str, bucket: Bucket) -> _BucketRow:
    return _BucketRow(project, bucket, spent=0, exhausted=False, spent_by={}, lapsed_by={})


class Reservation:
    """Units that were taken from the ledger ahead of the calls that will use them. Safe to share between threads."""

    def __init__(self, project: str, bucket: Bucket, pool: QuotaPool, quota_day: date, units: int) -> None:
        self.project = project
        self.bucket = bucket
        self.pool = pool
        self.quota_day = quota_day
        self.units = units
        self._used = 0
        self._closed = False
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Use one unit. False when none is left or the reservation was settled."""
        with self._lock:
            if self._closed or self._used >= self.units:
                return False
            self._used += 1
            return True

    def put_back(self) -> bool:
        """Return one unit that was taken for a call that was never sent. False when the reservation was settled before."""
        with self._lock:
            if self._closed:
                return False
            self._used -= 1
            return True

    def close(self) -> int:
        """End the reservation. Returns the units that were never used."""
        with self._lock:
            self._closed = True
            return self.units - self._used

    @property
    def used(self) -> int:
        """Units that calls took."""
        with self._lock:
            return self._used

    @property
    def unused(self) -> int:
        """Units that no call took."""
        with self._lock:
            return self.units - self._used

    def __repr__(self) -> str:
        where = f"{self.project!r}, {self.bucket!r}, {self.pool!r}, {self.quota_day}"
        return f"Reservation({where}, {self.used} of {self.units} used)"


class Ledger:
    """The quota ledger. Every statement is atomic: workers on several machines cannot overspend together.

    `limits`: units of project and bucket, if Google granted others than DEFAULT_LIMITS. `pools_of`: the pools that the keys of
    each project serve; only these have a share of its buckets. A project that is not in the mapping serves all pools.

    A limit that the API names holds for its day, whatever `limits` says. If `limits` has none for the bucket, the named limit
    holds for the next days too (TOLD_FOR_DAYS).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        limits: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
        pools_of: Mapping[str, frozenset[QuotaPool]] = MappingProxyType({}),
    ) -> None:
        self._database = database
        self._clock = clock
        self._limits = {project: dict(units) for project, units in limits.items()}
        self._pools_of = dict(pools_of)

    def transaction(self) -> AbstractContextManager[psycopg.Connection[TupleRow]]:
        """A transaction of the ledger's database, for `reserve` and `settle` where nothing else belongs to it."""
        return self._database.transaction()

    def debit(self, project: str, bucket: Bucket, pool: QuotaPool, units: int = 1, *, now: datetime | None = None) -> bool:
        """Take units for a pool, all or none, in a transaction of its own.

        A thread that holds a `reserve` of the same bucket in an open transaction must not call this: it would wait for itself.

        Args:
            project: whose units.
            bucket: from which.
            pool: for which.
            units: how many.
            now: the instant whose quota day is charged; None: the clock's.

        Returns:
            False if that many are not free for the pool.
        """
        with self._database.transaction() as connection:
            return self._take(connection, project, bucket, pool, units, least=units, now=now or self._clock.now()) is not None

    def give_back(self, project: str, bucket: Bucket, pool: QuotaPool, *, now: datetime) -> None:
        """Undo a `debit` of one unit, in a transaction of its own: the call was never sent.

        Args:
            project: whose unit.
            bucket: from which.
            pool: for which.
            now: the instant of the debit.
        """
        parameters = {"project": project, "bucket": bucket, "pool": QuotaPool(pool), "day": pacific_day(now), "units": 1}
        with self._database.transaction() as connection:
            connection.execute(_SQL.give_back, parameters)

    def reserve(
        self, connection: psycopg.Connection[TupleRow], project: str, bucket: Bucket, pool: QuotaPool, units: int
    ) -> Reservation:
        """Take units for a pool in the caller's transaction; fewer, down to 0, if fewer are free.

        Args:
            connection: the caller's transaction.
            project: whose units.
            bucket: from which.
            pool: for which.
            units: the most.

        Returns:
            The units that were taken.
        """
        now = self._clock.now()
        granted = self._take(connection, project, bucket, pool, units, least=0, now=now)
        return Reservation(project, bucket, pool, pacific_day(now), granted or 0)

    def settle(self, connection: psycopg.Connection[TupleRow], reservation: Reservation) -> None:
        """Give back what was not used, to the day and pool it was taken from, in the caller's transaction. Once per commit.

        The reservation takes no more calls afterwards. When the transaction is rolled back, settle again in the next one.
        """
        pool = {"project": reservation.project, "bucket": reservation.bucket, "pool": reservation.pool}
        if unused := reservation.close():
            connection.execute(_SQL.give_back, {**pool, "day": reservation.quota_day, "units": unused})

    def mark_exhausted(self, project: str, bucket: Bucket, limit: int | None, *, now: datetime | None = None) -> None:
        """Record that the API called a bucket spent.

        Args:
            project: whose bucket.
            bucket: which.
            limit: the limit that the API named; None: it named none.
            now: when the call was sent; None: the clock's instant.
        """
        key = {"project": project, "bucket": bucket, "day": pacific_day(now or self._clock.now())}
        with self._database.transaction() as connection:
            connection.execute(_SQL.mark_exhausted, {**key, "told": limit})

    def left(self, project: str, bucket: Bucket, pool: QuotaPool | None = None) -> int:
        """Units left on the present quota day.

        Args:
            project: whose units.
            bucket: from which.
            pool: count what this pool may take now; None: the whole bucket.

        Returns:
            The units.
        """
        now = self._clock.now()
        day = pacific_day(now)
        with self._database.transaction() as connection:
            row = next(iter(self._buckets(connection, day, project, bucket)), _untouched(project, bucket))
            limit_of = self._limit_of(connection, [project], day)
        account = QuotaAccount(
            limit=limit_of(project, bucket),
            spent=row.spent,
            by_pool=row.spent_by,
            lapsed=row.lapsed_by,
            exhausted=row.exhausted,
        )
        if pool is None:
            return account.left
        return free_for(QuotaPool(pool), account, self._weights(project, bucket), Elapsed.at(now))

    def rows(self, projects: Iterable[str] = ()) -> list[LedgerRow]:
        """Every bucket of the present quota day that was touched, and all buckets of `projects`, by project and bucket."""
        now = self._clock.now()
        day, resets_at = pacific_day(now), quota_resets_at(now)
        with self._database.transaction() as connection:
            touched = {(row.project, Bucket(row.bucket)): row for row in self._buckets(connection, day)}
            for project, bucket in itertools.product(projects, Bucket):
                touched.setdefault((project, bucket), _untouched(project, bucket))
            limit_of = self._limit_of(connection, {project for project, _ in touched}, day)
        rows = []
        for (project, bucket), row in sorted(touched.items()):
            limit = limit_of(project, bucket)
            rows.append(
                LedgerRow(
                    project=project, bucket=bucket, quota_day=day, spent=row.spent, limit=limit,
                    left=0 if row.exhausted else max(0, limit - row.spent),
                    spent_by={QuotaPool(pool): units for pool, units in row.spent_by.items()},
                    exhausted=row.exhausted, resets_at=resets_at,
                )
            )  # fmt: skip
        return rows

    def limit(self, project: str, bucket: Bucket) -> int:
        """The limit of the present quota day in units, as far as it is known."""
        with self._database.transaction() as connection:
            return self._limit_of(connection, [project], pacific_day(self._clock.now()))(project, bucket)

    def resets_at(self) -> datetime:
        """When the present quota day ends, as aware UTC."""
        return quota_resets_at(self._clock.now())

    def prune(self, before: date) -> int:
        """Delete the quota days before `before`. Returns the number of rows."""
        with self._database.transaction() as connection:
            return connection.execute(_SQL.prune, {"before": before}).rowcount

    def _weights(self, project: str, bucket: Bucket) -> dict[QuotaPool, int]:
        return weights(bucket, self._pools_of.get(project, POOLS))

    def _granted(self, project: str, bucket: Bucket) -> int | None:
        return self._limits.get(project, {}).get(bucket)

    def _limit_of(
        self, connection: psycopg.Connection[TupleRow], projects: Collection[str], day: date
    ) -> Callable[[str, Bucket], int]:
        """A function from project and bucket to the limit of a day, by the rule that the statement `take` follows too."""
        parameters = {"projects": list(projects), "day": day, "since": _since(day)}
        told = {(project, bucket): row for project, bucket, *row in connection.execute(_SQL.told, parameters)}

        def limit_of(project: str, bucket: Bucket) -> int:
            granted = self._granted(project, bucket)
            limit, named_on = told.get((project, bucket), (None, None))
            if limit is not None and (granted is None or named_on == day):
                return int(limit)
            return DEFAULT_LIMITS[bucket] if granted is None else granted

        return limit_of

    def _take(
        self, connection: psycopg.Connection[TupleRow], project: str, bucket: Bucket, pool: QuotaPool, units: int, *,
        least: int, now: datetime,
    ) -> int | None:  # fmt: skip
        """Units granted; None when fewer than `least` are free."""
        if units < 0:
            raise ValueError(f"units cannot be negative: {units}")
        shares = self._weights(project, bucket)
        elapsed, day = Elapsed.at(now), pacific_day(now)
        parameters: dict[str, Any] = {
            "project": project, "bucket": bucket, "day": day, "pool": QuotaPool(pool), "least": least, "most": units,
            "granted": self._granted(project, bucket), "usual": DEFAULT_LIMITS[bucket], "since": _since(day),
            "elapsed": elapsed.seconds, "of": elapsed.of, "shares": max(1, sum(shares.values())),
            "pools": list(shares), "pool_shares": list(shares.values()),
        }  # fmt: skip
        locked = connection.execute(_SQL.lock_bucket, parameters).fetchone()
        if locked is None:
            # The first units of the day. The row exists afterwards, even if another worker writes it at this moment.
            connection.execute(_SQL.ensure, parameters)
            locked = connection.execute(_SQL.lock_bucket, parameters).fetchone()
        assert locked is not None, "`ensure` has written the row"  # noqa: S101  rows of today are never pruned
        taken = connection.execute(_SQL.take, {**parameters, "quota": locked[0]}).fetchone()
        return int(taken[0]) if taken else None

    @staticmethod
    def _buckets(
        connection: psycopg.Connection[TupleRow], day: date, project: str | None = None, bucket: Bucket | None = None
    ) -> list[_BucketRow]:
        return records(connection, _BucketRow, _SQL.buckets_of_day, {"day": day, "project": project, "bucket": bucket})


def _since(day: date) -> date:
    """The first day of those whose limits are still believed on `day`."""
    return day - timedelta(days=TOLD_FOR_DAYS - 1)
