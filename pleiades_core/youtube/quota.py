"""Quota ledger: how many units each (project, bucket, Pacific day) has left, kept in PostgreSQL.

Belongs here: buckets, costs, limits, and taking units before a call is sent. Does not belong here: which key a call travels
with (keyring.py), what to do when nothing is left (executor.py).

Costs and limits are data: nothing here was tried against the live service, and the API itself may name another limit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from pleiades_core.clock import Clock, pacific_day, quota_resets_at
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries

SEARCH = "search"
STATS = "stats"
GENERAL = "general"

#: Units per project and Pacific day. developers.google.com/youtube/v3/determine_quota_cost and the revision history's entries
#: of 1 and 3 June 2026 (read 2026-11-22).
DEFAULT_LIMITS: Mapping[str, int] = MappingProxyType({SEARCH: 100, STATS: 10_000, GENERAL: 10_000})

#: The bucket that each method draws one unit from, per request, invalid ones included. Same source.
BUCKET_OF_METHOD: Mapping[str, str] = MappingProxyType(
    {
        "search.list": SEARCH,
        "videos.batchGetStats": STATS,
        "videos.list": GENERAL,
        "channels.list": GENERAL,
        "playlistItems.list": GENERAL,
        "videoCategories.list": GENERAL,
    }
)

_SQL = load_queries("ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """What is left in one bucket of one project on one quota day, in units."""

    project: str
    bucket: str
    quota_day: date
    #: Reserved units count as spent.
    spent: int
    limit: int
    left: int
    #: True: the API said so, whatever was counted here.
    exhausted: bool
    #: Aware UTC: when the day after `quota_day` begins in the Pacific zone.
    resets_at: datetime


class Reservation:
    """Units that were taken from the ledger ahead of the calls that will use them. Safe to share between threads."""

    def __init__(self, project: str, bucket: str, quota_day: date, units: int) -> None:
        self.project = project
        self.bucket = bucket
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

    def close(self) -> int:
        """Let nobody take any more; the units that were never used."""
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
        return f"Reservation({self.project!r}, {self.bucket!r}, {self.quota_day}, {self.used} of {self.units} used)"


class Ledger:
    """The quota ledger. Every statement is atomic: workers on several machines cannot overspend together."""

    def __init__(self, database: Database, clock: Clock, limits: Mapping[str, int] = DEFAULT_LIMITS) -> None:
        self._database = database
        self._clock = clock
        self._limits = dict(limits)

    def transaction(self) -> AbstractContextManager[psycopg.Connection[TupleRow]]:
        """A transaction of the ledger's database, for `reserve` and `settle` where nothing else belongs to it."""
        return self._database.transaction()

    def debit(self, project: str, bucket: str, units: int = 1, *, now: datetime | None = None) -> bool:
        """Take `units`, all or none, in a transaction of its own. False when that many are not left.

        Must not be called by a thread that holds a `reserve` of the same bucket in an open transaction: it would wait for
        itself. `now`: the instant whose quota day is charged, the clock's unless given.
        """
        self._refuse_negative(units)
        with self._database.transaction() as connection:
            row = connection.execute(_SQL.debit, {**self._key(project, bucket, now), "units": units}).fetchone()
            return row is not None

    def reserve(self, connection: psycopg.Connection[TupleRow], project: str, bucket: str, units: int) -> Reservation:
        """Take up to `units` in the caller's transaction; fewer, down to 0, when fewer are left."""
        self._refuse_negative(units)
        key = self._key(project, bucket, None)
        connection.execute(_SQL.ensure, key)
        left = connection.execute(_SQL.lock, key).fetchone()
        granted = min(units, int(left[0])) if left else 0
        if granted:
            connection.execute(_SQL.take, {**key, "units": granted})
        return Reservation(project, bucket, key["day"], granted)

    def settle(self, connection: psycopg.Connection[TupleRow], reservation: Reservation) -> None:
        """Give back what was not used, to the day it was taken from, in the caller's transaction. Once per commit.

        The reservation takes no more calls afterwards. When the transaction is rolled back, settle again in the next one.
        """
        unused = reservation.close()
        if unused:
            connection.execute(
                _SQL.give_back,
                {
                    "project": reservation.project,
                    "bucket": reservation.bucket,
                    "day": reservation.quota_day,
                    "units": unused,
                },
            )

    def mark_exhausted(self, project: str, bucket: str, limit: int | None, *, now: datetime | None = None) -> None:
        """Note that the API says the bucket is spent, and the limit it named, if any. `now`: when the call was sent."""
        with self._database.transaction() as connection:
            connection.execute(_SQL.mark_exhausted, {**self._key(project, bucket, now), "told": limit})

    def left(self, project: str, bucket: str) -> int:
        """Units left on the present quota day."""
        key = self._key(project, bucket, None)
        with self._database.transaction() as connection:
            row = connection.execute(_SQL.one, key).fetchone()
        return self._limits.get(bucket, 0) if row is None else _left(row[0], self._limit(bucket, row[1]), exhausted=row[2])

    def rows(self, projects: Iterable[str] = ()) -> list[LedgerRow]:
        """Every bucket of the present quota day that was touched, and all buckets of `projects`, by project and bucket."""
        now = self._clock.now()
        day, resets_at = pacific_day(now), quota_resets_at(now)
        with self._database.transaction() as connection:
            touched = {(row[0], row[1]): row[3:] for row in connection.execute(_SQL.of_day, {"day": day})}
        for project in projects:
            for bucket in self._limits:
                touched.setdefault((project, bucket), (0, None, False))
        return [
            LedgerRow(
                project=project,
                bucket=bucket,
                quota_day=day,
                spent=spent,
                limit=self._limit(bucket, told),
                left=_left(spent, self._limit(bucket, told), exhausted=exhausted),
                exhausted=exhausted,
                resets_at=resets_at,
            )
            for (project, bucket), (spent, told, exhausted) in sorted(touched.items())
        ]

    def resets_at(self) -> datetime:
        """When the present quota day ends, as aware UTC."""
        return quota_resets_at(self._clock.now())

    def _limit(self, bucket: str, told: int | None) -> int:
        return self._limits.get(bucket, 0) if told is None else told

    def _key(self, project: str, bucket: str, now: datetime | None) -> dict[str, Any]:
        day = pacific_day(now or self._clock.now())
        return {"project": project, "bucket": bucket, "day": day, "usual": self._limits.get(bucket, 0)}

    @staticmethod
    def _refuse_negative(units: int) -> None:
        if units < 0:
            raise ValueError(f"units cannot be negative: {units}")


def _left(spent: int, limit: int, *, exhausted: bool) -> int:
    return 0 if exhausted else max(0, limit - spent)
