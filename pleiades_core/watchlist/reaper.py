"""The reaper: ends leases whose owner is dead, and adopts the files it left.

Belongs here: expired leases and orphaned batch files. Does not belong here: removing files (vault/janitor.py).

An orphan's quota is spent, so its rows are kept: it is recorded by the same transaction as a live batch, only without the test
of the lease. Its batch id is its name, so a writer that wakes up late finds its work done.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import date, timedelta

from pleiades_core.clock import Clock
from pleiades_core.errors import CorruptFile
from pleiades_core.storage import parquet
from pleiades_core.storage.postgres import Database
from pleiades_core.vault import journal
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset, DayFooter
from pleiades_core.vault.vault import Vault
from pleiades_core.watchlist.apply import apply
from pleiades_core.watchlist.leases import QUERIES, end_slice, lease_ids

log = logging.getLogger(__name__)

#: A description before the samples that need its row.
_ORDER: tuple[Dataset, ...] = (REGISTRY, SAMPLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReapReport:
    """What the reaper found."""

    #: Leases that had expired and are ended.
    expired: int
    #: Files adopted.
    adopted: int
    rows: int
    #: Files in the journal that cannot be read; they are left where they are.
    corrupt: tuple[str, ...]


def reap(database: Database, vault: Vault, clock: Clock) -> ReapReport:
    """Adopt what dead owners left, then let go of what they held.

    Files first: a video whose poll was written must not be polled again for want of a row.
    """
    with database.transaction() as connection:
        expired = connection.execute(QUERIES.expired_leases).fetchall()
        days = sorted({day for _, _, taken_at in expired for day in _days_from(taken_at.date())})
    adopted = [adopt_orphans(database, vault, clock, day, dead={lease for lease, _, _ in expired}) for day in days]
    with database.transaction() as connection:
        # Only those whose files were looked for: what has expired meanwhile may have left a file that nobody adopted yet.
        for lease_id, _, _ in expired:
            end_slice(connection, lease_id)
    return ReapReport(
        expired=len(expired),
        adopted=sum(report.adopted for report in adopted),
        rows=sum(report.rows for report in adopted),
        corrupt=tuple(key for report in adopted for key in report.corrupt),
    )


def adopt_orphans(
    database: Database, vault: Vault, clock: Clock, day: date, *, dead: set[uuid.UUID] | None = None
) -> ReapReport:
    """Record every batch file of a day that no row names, no closed day holds and no living lease may still commit."""
    adopted = rows = 0
    corrupt: list[str] = []
    for dataset in _ORDER:
        keys = journal.files_of_day(vault, dataset, day)
        with database.transaction() as connection:
            known = {row[0] for row in connection.execute(journal.QUERIES.known_batches, {"dataset": dataset.name, "day": day})}
            alive = lease_ids(connection) - (dead or set())
        try:
            held = _held(vault, dataset, day)
        except CorruptFile as error:
            # Without its footer nobody can say which batches the day holds; closing it will refuse, and say so.
            log.warning("no orphans of %s %s adopted: %s", dataset.name, day, error)
            corrupt.append(dataset.day_key(day))
            continue
        for batch_id in sorted(set(keys) - known - held):
            try:
                batch, table = journal.read_batch(vault, dataset, keys[batch_id])
            except CorruptFile as error:
                log.warning("not adopted: %s", error)
                corrupt.append(keys[batch_id])
                continue
            if batch.lease_id in alive:
                continue
            with database.transaction() as connection:
                connection.execute(QUERIES.in_turn)
                if journal.record_batch(connection, batch, now=clock.now(), adopted=True):
                    apply(connection, batch, table)
                    adopted += 1
                    rows += batch.rows
    return ReapReport(expired=0, adopted=adopted, rows=rows, corrupt=tuple(corrupt))


def _days_from(day: date) -> list[date]:
    """The days that a lease taken on `day` may have written to: a slice can cross midnight."""
    return [day, day + timedelta(days=1)]


def _held(vault: Vault, dataset: Dataset, day: date) -> frozenset[uuid.UUID]:
    """The batches that the day's file holds."""
    key = dataset.day_key(day)
    if key not in vault.archive.keys(f"{dataset.archive_folder}/date={day.isoformat()}"):
        return frozenset()
    metadata, _ = parquet.footer(vault.archive.location(key))
    try:
        return DayFooter.decode(metadata).batches
    except (KeyError, ValueError) as error:
        raise CorruptFile(f"{key} is not a closed day of Pleiades: {error!r}", cure="move it out of the archive") from None
