"""Which session holds the lock that a statement of ours waited for in vain.

Belongs here: asking the server, on a connection of its own, and the error that names the session. Does not belong here: the
locks that Pleiades takes itself (locks.py).
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg

from pleiades_core.errors import DatabaseBusy
from pleiades_core.storage.queries import load_queries, records

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
        """As a person finds it in `pg_stat_activity`."""
        since = f" since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"pid {self.pid} ({self.application}, role {self.role}, {self.state}{since})"


def lock_error(url: str, place: str, waited: timedelta) -> DatabaseBusy:
    """The error for a lock at `url` that was waited for in vain. `place` is the database as it may be shown.

    Asked after the wait: `pg_blocking_pids` answers only for a session that still waits, so the sessions that hold locks on our
    tables are named, the oldest transaction first.
    """
    said = f"waited {waited.total_seconds():g} s for a lock in {place}"
    holders: list[LockHolder] = []
    # What cannot be asked is left out: the error stays the same.
    with (
        contextlib.suppress(psycopg.Error),
        psycopg.connect(url, connect_timeout=5, autocommit=True, options="-c statement_timeout=5000") as connection,
    ):
        holders = records(connection, LockHolder, _SQL.lock_holders)
    if not holders:
        return DatabaseBusy(f"{said}; the session that held it has ended since", cure="run the command again")
    return DatabaseBusy(
        f"{said}; held by {' or '.join(map(str, holders))}",
        cure=f"let that session end its transaction, or end it by force: select pg_terminate_backend({holders[0].pid});"
        " then run the command again",
    )
