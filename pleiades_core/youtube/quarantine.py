"""Rows of replies that could not be understood, kept for a person to look at.

Belongs here: the table `quarantine`. Does not belong here: which rows are bad and why (parse.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import psycopg

from pleiades_core.clock import Clock
from pleiades_core.errors import StorageError
from pleiades_core.models import Rejected
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.plain import clean

#: Rows kept in the table.
_ROWS = 1_000
_REASON_CHARS = 200
_ROW_CHARS = 500

#: Takes the name of what was asked, and the rows.
Quarantine = Callable[[str, Sequence[Rejected]], None]

_SQL = load_queries("quarantine")
log = logging.getLogger(__name__)


def quarantine_table(database: Database, clock: Clock) -> Quarantine:
    """A quarantine in the table of that name, which keeps the newest rows and never makes a good call fail."""

    def keep(source: str, rejected: Sequence[Rejected]) -> None:
        now = clock.now()
        rows = [(now, source, clean(row.reason, _REASON_CHARS), clean(row.row, _ROW_CHARS)) for row in rejected]
        try:
            with database.transaction() as connection:
                with connection.cursor() as cursor:
                    cursor.executemany(_SQL.keep, rows)
                connection.execute(_SQL.bound, {"keep": _ROWS})
        except (psycopg.Error, StorageError) as error:
            log.warning("%d rejected rows of %s could not be kept: %s", len(rows), source, type(error).__name__)

    return keep
