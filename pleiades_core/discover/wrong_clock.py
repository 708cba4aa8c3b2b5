"""Instants in the future that a wrong clock wrote into the tables of discovery.

Belongs here: counting such instants, and removing them before it is decided what is due. Does not belong here: polls in the
future (watchlist/cadence.py), a clock that is wrong now (storage/checked_clock.py).

Feeds, checks, lists, subscriptions, terms, campaigns and back catalogues are due some time after the last request. A request
that was dated a year ahead would not be due for a year. Each hunt looks for such instants first and removes them. So the
queries and rules that decide what is due need not know of them.
"""

from __future__ import annotations

import logging
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg

from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.hub import LONGEST_LEASE

_SQL = load_queries("wrong_clock")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureRows:
    """Rows with an instant in the future, by table. The next hunt mends them."""

    channels: int
    terms: int
    campaigns: int
    back_catalogues: int

    def __bool__(self) -> bool:
        return any(astuple(self))


class FutureHistory(NamedTuple):
    """Rows that record something as done in the future. They stay, and queries that look back ignore them."""

    claims: int
    requests: int


def latest(now: datetime) -> datetime:
    """The latest instant that a right clock can have written by now; the clocks of two machines may differ a little."""
    return now + TIERS.ahead


def future_rows(connection: psycopg.Connection, now: datetime) -> FutureRows:
    """How many rows have an instant in the future."""
    (found,) = records(connection, FutureRows, _SQL.future, _parameters(now))
    return found


def future_history(connection: psycopg.Connection, now: datetime) -> FutureHistory:
    """How many claims and requests were dated into the future."""
    row = connection.execute(_SQL.future_history, _parameters(now)).fetchone()
    return FutureHistory(*row) if row else FutureHistory(0, 0)


def mend(database: Database, now: datetime) -> FutureRows:
    """Remove every instant in the future, so that its row is due as if nothing had been recorded. Returns what was removed.

    If there is no such instant, nothing is locked and nothing written.
    """
    with database.transaction() as connection:
        found = future_rows(connection, now)
        if found:
            lock_discovery(connection)
            for query in (_SQL.mend_channels, _SQL.mend_terms, _SQL.mend_campaigns, _SQL.mend_back_catalogues):
                connection.execute(query, _parameters(now))
            log.warning("a clock was wrong: %s had instants in the future, which were taken back", found)
    return found


def _parameters(now: datetime) -> dict[str, object]:
    return {"now": now, "latest": latest(now), "longest_lease": LONGEST_LEASE}
