"""Advisory locks: which there are, what each guards, and in which order they are taken. And which session holds a lock that was
not granted.

Belongs here: every number by which one transaction of ours waits for another. Does not belong here: locks on rows, which
queries take.

    MIGRATING       the schema, while it is brought up to the program; alone in its transaction
    DISCOVERY       channels, videos and search_queue. A transaction writes many of their rows in any order, so two hunters
                    could wait for each other. Taken before any row of these tables is locked
    ADDING_TERMS    the terms that enter the queue, after DISCOVERY or alone; tried, never waited for (terms.sql)
    SOURCE          with the source's bit: the requests of one source, from its first to its last find; tried, never waited for

Each is held until its transaction ends, SOURCE until its block does. The numbers are part of the database: two releases that
share one must agree on them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg

from pleiades_core.errors import DatabaseBusy
from pleiades_core.storage.queries import load_queries, records

MIGRATING = 7_236_021
DISCOVERY = 7_236_022
#: The letters of "snow".
ADDING_TERMS = 0x736E6F77
#: A first key of two, which PostgreSQL keeps apart from those of one.
SOURCE = 7_236_023


def hold(connection: psycopg.Connection, lock: int) -> None:
    """Wait for a lock, and hold it until the caller's transaction ends.

    `Database.transaction` turns the error into a DatabaseBusy that names the holder.

    Raises:
        psycopg.errors.LockNotAvailable: the lock was not granted within `postgres.LOCK_WAIT`.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", [lock])


def lock_discovery(connection: psycopg.Connection) -> None:
    """Lock the tables of discovery for writing many of their rows, until the caller's transaction ends."""
    hold(connection, DISCOVERY)


@contextlib.contextmanager
def source_lock(session: psycopg.Connection, source: int) -> Iterator[bool]:
    """True within the block if this session got the lock of a source. `session`: see `Database.session`."""
    row = session.execute("select pg_try_advisory_lock(%s, %s)", [SOURCE, source]).fetchone()
    is_granted = row is not None and bool(row[0])
    try:
        yield is_granted
    finally:
        if is_granted:
            # A connection that broke has released the lock.
            with contextlib.suppress(psycopg.OperationalError):
                session.execute("select pg_advisory_unlock(%s, %s)", [SOURCE, source])


_SQL = load_queries("sessions")


class LockHolder(NamedTuple):
    """A session that holds locks of our database."""

    pid: int
    application: str
    role: str
    state: str
    #: Since when its transaction runs; None: the server does not say.
    since: datetime | None

    def __str__(self) -> str:
        """The session in the words of `pg_stat_activity`."""
        since = f" since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"pid {self.pid} ({self.application}, role {self.role}, {self.state}{since})"


def lock_error(url: str, place: str, waited: timedelta) -> DatabaseBusy:
    """The error for a lock that was not granted in time.

    `pg_blocking_pids` answers only while a session waits. After the wait, the sessions that hold locks on our tables are named
    instead, the oldest transaction first.

    Args:
        url: the database.
        place: the database as it may be shown, without a password.
        waited: how long the statement waited.

    Returns:
        The error, which names the holders if the server can be asked.
    """
    message = f"waited {waited.total_seconds():g} s for a lock in {place}"
    holders: list[LockHolder] = []
    # What cannot be asked is left out: the error stays the same.
    with (
        contextlib.suppress(psycopg.Error),
        psycopg.connect(url, connect_timeout=5, autocommit=True, options="-c statement_timeout=5000") as connection,
    ):
        holders = records(connection, LockHolder, _SQL.lock_holders)
    if not holders:
        return DatabaseBusy(f"{message}; the session that held it has ended since", cure="run the command again")
    return DatabaseBusy(
        f"{message}; held by {' or '.join(map(str, holders))}",
        cure=f"let that session end its transaction, or end it by force: select pg_terminate_backend({holders[0].pid});"
        " then run the command again",
    )
