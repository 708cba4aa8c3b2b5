"""What an error of PostgreSQL means: which of our errors it becomes, and what a person can do about it. Pure.

Belongs here: the table of causes. Does not belong here: catching errors (postgres.py), and asking the server for the holder of
a lock (locks.py).

An error that only a defect of Pleiades explains (a wrong statement, a value that does not fit, a broken constraint) is not in
the table: it stays a psycopg.Error, and ends with a traceback.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from pleiades_core.errors import DatabaseBusy, DatabaseUnreachable, StorageError

_KEPT = "what was committed stands, everything else is due again"


class _Meaning(NamedTuple):
    kind: type[StorageError]
    #: What happened, after the name of the database.
    event: str
    cure: str


_LOST = _Meaning(
    DatabaseUnreachable, "ended the connection", f"check that the server runs, then run the command again: {_KEPT}"
)
_FAILED = _Meaning(
    StorageError, "failed", f"read the log of the PostgreSQL server, mend it, then run the command again: {_KEPT}"
)

#: By SQLSTATE, or by its class (the first two characters). A full code goes before its class.
#: postgresql.org/docs/current/errcodes-appendix.html (read 2026-11-26)
_MEANINGS = {
    "08": _LOST,
    "25006": _Meaning(
        StorageError, "takes no writes: it is read-only",
        "connect to the primary server, or turn default_transaction_read_only off for this database and role",
    ),
    "25P03": _Meaning(
        DatabaseBusy, "ended a transaction that waited for Pleiades too long",
        f"raise idle_in_transaction_session_timeout for the role of Pleiades; or run the command again: {_KEPT}",
    ),
    "25P04": _Meaning(
        DatabaseBusy, "ended a transaction that took too long",
        f"raise transaction_timeout for the role of Pleiades; or run the command again: {_KEPT}",
    ),
    "28": _Meaning(
        DatabaseUnreachable, "refused the login", "correct user and password in DATABASE_URL, or pg_hba.conf of the server"
    ),
    "3D": _Meaning(DatabaseUnreachable, "is not there", "create the database with `pleiades init-db`, or correct DATABASE_URL"),
    "40": _Meaning(
        DatabaseBusy, "ended a transaction that stood in the way of another one", f"run the command again: {_KEPT}"
    ),
    "42501": _Meaning(
        StorageError, "refused a right", "make the role of Pleiades the owner of the database, its schema and its tables"
    ),
    "53": _Meaning(
        StorageError, "lacks a resource", f"give the PostgreSQL server what it lacks, then run the command again: {_KEPT}"
    ),
    "53100": _Meaning(
        StorageError, "has no room on its disk", f"free space on the disk of the server, then run the command again: {_KEPT}"
    ),
    "53300": _Meaning(
        DatabaseUnreachable, "has no free connection",
        "end sessions that nobody needs (select * from pg_stat_activity), or raise max_connections; then run the command again",
    ),
    "55P03": _Meaning(
        DatabaseBusy, "did not give a lock in time", f"end the session that holds the lock, then run the command again: {_KEPT}"
    ),
    "57014": _Meaning(
        DatabaseBusy, "ended a statement that took too long, or that somebody cancelled",
        f"raise statement_timeout for the role of Pleiades; or run the command again: {_KEPT}",
    ),
    "57P": _LOST,
    "58": _FAILED,
    "F0": _FAILED,
    "XX": _FAILED,
}  # fmt: skip


def meaning_of(error: psycopg.Error, place: str) -> StorageError | None:
    """Our error for an error that the server or the network caused; None for a defect of Pleiades.

    `error` comes from a statement, a commit or a connect. `place` names the database without its password.
    """
    state = error.sqlstate or ""
    found = next((_MEANINGS[state[:length]] for length in (5, 3, 2) if state[:length] in _MEANINGS), None)
    if found is None and isinstance(error, psycopg.OperationalError):
        # libpq gives no code when the connection broke.
        found = _FAILED if state else _LOST
    if found is None:
        return None
    return found.kind(f"PostgreSQL at {place} {found.event}: {reason_of(error)}", cure=found.cure)


def reason_of(error: psycopg.Error) -> str:
    """The message of the server, or of libpq, in one line."""
    return " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
