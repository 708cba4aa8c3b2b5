"""Discovery requests in the vault: what every request to a source cost and brought, one file for each UTC day.

Belongs here: exporting table `discovery_requests` to `discovery_requests/date=D/day.parquet`, and deleting the rows that a file
holds. Does not belong here: writing the table (discover/usage.py), reading it for people (reports/sources.py).

Requests are few and come from one table, so they need no journal: the day's file is replaced whole, by compare-and-swap. A row
stays in the file even if SQL has deleted it, so exporting again, or after a restore, loses nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import CorruptFile, NotFound
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.codes import columns_metadata
from pleiades_core.vault.footers import day_file_words
from pleiades_core.vault.layout import DISCOVERY_REQUEST_SCHEMA, discovery_requests_key
from pleiades_core.vault.owner import owner_of
from pleiades_core.vault.vault import Vault

log = logging.getLogger(__name__)

_SQL = load_queries("discovery_requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRequests:
    """What the file of a day holds."""

    day: date
    #: Rows of the file, with those that SQL has deleted.
    rows: int
    #: Rows that were not in the file before.
    added: int
    bytes: int
    sha256: str
    #: False: the file was up to date already.
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenRequests:
    """What was deleted from SQL."""

    days: int
    rows: int
    #: Days whose rows stay, because their file is missing, damaged, or lacks some of them.
    kept: tuple[date, ...]


def export_day(database: Database, vault: Vault, day: date) -> ExportedRequests:
    """Bring the file of a UTC day up to table `discovery_requests`. May be repeated: equal rows give equal bytes.

    A day without requests gets an empty file: "nothing was requested" and "not exported" are different things.

    Args:
        database: has the table.
        vault: has the file.
        day: UTC day.

    Returns:
        What the file holds.

    Raises:
        CorruptFile: the present file cannot be read.
        PublishConflict: another process replaced the file meanwhile (repeat).
    """
    rows = _of_day(database, day)
    key = discovery_requests_key(day)
    try:
        before: bytes | None = vault.archive.read(key)
    except NotFound:
        before = None
    held = _decoded(before, day) if before is not None else DISCOVERY_REQUEST_SCHEMA.empty_table()
    merged = _merged(held, rows)
    with database.transaction() as connection:
        installation = owner_of(connection).installation
    footer = day_file_words("discovery_requests", day, installation) | columns_metadata("discovery_requests")
    content = parquet.encode(merged.replace_schema_metadata(footer), delta=("request",), level=parquet.ARCHIVE_LEVEL)
    changed = content != before
    if changed:
        vault.archive.replace(key, content, expected=sha256_of(before) if before is not None else None)
    return ExportedRequests(
        day=day, rows=len(merged), added=len(merged) - len(held), bytes=len(content), sha256=sha256_of(content), changed=changed
    )


def unexported(database: Database, vault: Vault, now: datetime) -> list[date]:
    """Find the days whose requests are not all in their file.

    Args:
        database: has the table.
        vault: has the files.
        now: the present instant; a day that is not over is left out.

    Returns:
        The days, oldest first.

    Raises:
        CorruptFile: a file cannot be read.
    """
    return [day for day in _days(database, utc_midnight(now.date())) if _missing(database, vault, day)]


def forget_requests(database: Database, vault: Vault, before: datetime) -> ForgottenRequests:
    """Delete requests from SQL, whole UTC days at a time, if the day's file holds every one of them.

    The file is read back and compared row by row: nothing is deleted because SQL alone says that it was exported.

    Args:
        database: has the table.
        vault: has the files.
        before: only days that ended before this instant.

    Returns:
        What was deleted, and which days stay.
    """
    days = rows = 0
    kept: list[date] = []
    for day in _days(database, utc_midnight(before.date())):
        first, until = _bounds(day)
        present = _of_day(database, day)
        try:
            held = _decoded(vault.archive.read(discovery_requests_key(day)), day)
        except (NotFound, CorruptFile) as error:
            log.warning("requests of %s stay in SQL: %s", day, error)
            kept.append(day)
            continue
        if len(_merged(held, present)) != len(held):
            log.warning("requests of %s stay in SQL: their file lacks some; export the day again", day)
            kept.append(day)
            continue
        with database.transaction() as connection:
            gone = connection.execute(
                _SQL.forget_requests, {"requests": present.column("request").to_pylist(), "first": first, "until": until}
            )
            rows += gone.rowcount
        days += 1
    return ForgottenRequests(days=days, rows=rows, kept=tuple(kept))


def _missing(database: Database, vault: Vault, day: date) -> bool:
    try:
        held = _decoded(vault.archive.read(discovery_requests_key(day)), day)
    except NotFound:
        return True
    return len(_merged(held, _of_day(database, day))) != len(held)


def _days(database: Database, before: datetime) -> list[date]:
    with database.transaction() as connection:
        return [row[0] for row in connection.execute(_SQL.request_days, {"before": before}).fetchall()]


def _bounds(day: date) -> tuple[datetime, datetime]:
    return utc_midnight(day), utc_midnight(day + timedelta(days=1))


def _of_day(database: Database, day: date) -> pa.Table:
    first, until = _bounds(day)
    with database.transaction() as connection:
        rows = records(connection, dict, _SQL.requests_of_day, {"first": first, "until": until})
    return pa.Table.from_pylist(rows, DISCOVERY_REQUEST_SCHEMA)


def _merged(held: pa.Table, rows: pa.Table) -> pa.Table:
    """All rows in the order of their requests; of equal rows one.

    The whole row is the key: after a restore `request` begins anew, and two requests may share their number.
    """
    both = pa.concat_tables([held, rows])
    once = (
        both.group_by(DISCOVERY_REQUEST_SCHEMA.names)
        .aggregate([])
        .select(DISCOVERY_REQUEST_SCHEMA.names)
        .cast(DISCOVERY_REQUEST_SCHEMA)
    )
    return once.sort_by([(name, "ascending") for name in DISCOVERY_REQUEST_SCHEMA.names])


def _decoded(content: bytes, day: date) -> pa.Table:
    """The rows of a day's file. Raises CorruptFile when it is not one."""
    key = discovery_requests_key(day)
    table = parquet.decode(content, schema=DISCOVERY_REQUEST_SCHEMA, origin=key)
    if (table.schema.metadata or {}).get(b"pleiades.day") != day.isoformat().encode():
        raise CorruptFile(f"{key} does not hold the requests of its day", cure="move it out of the archive, then export again")
    return table.replace_schema_metadata(None)
