"""Rows of replies that could not be understood, kept for a person to look at.

Belongs here: the table `quarantine`. Does not belong here: which rows are bad and why (parse.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pleiades_core.clock import Clock
from pleiades_core.errors import StorageError
from pleiades_core.models import Rejected
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.sanitize import clean

#: Rows kept in the table. With the bounds on their texts they take 3 MB at most.
_ROWS = 1_000
_REASON_CHARS = 200
_ROW_CHARS = 500

#: Takes the name of the method, and the rows.
Quarantine = Callable[[str, Sequence[Rejected]], None]

_SQL = load_queries("quarantine")
log = logging.getLogger(__name__)


def quarantine_table(database: Database, clock: Clock) -> Quarantine:
    """A quarantine in the table of that name, which keeps the newest rows and never makes a good call fail."""

    def keep(method: str, rejected: Sequence[Rejected]) -> None:
        newest = rejected[-_ROWS:]
        parameters = {
            "now": clock.now(), "method": method, "reasons": [clean(row.reason, _REASON_CHARS) for row in newest],
            "contents": [clean(row.row, _ROW_CHARS) for row in newest], "rows": [row.rows for row in newest],
        }  # fmt: skip
        try:
            with database.transaction() as connection:
                connection.execute(_SQL.one_writer)
                connection.execute(_SQL.keep, parameters)
                connection.execute(_SQL.bound, {"keep": _ROWS})
        except StorageError as error:
            log.warning("%d rejected rows of %s could not be kept: %s", len(newest), method, type(error).__name__)

    return keep
