"""The reaper: ends leases of dead writers, and adopts the files that they left.

Belongs here: expired leases and orphaned batch files. Does not belong here: removing files (vault/janitor.py).

An orphan's quota is spent, so its rows are kept: it is recorded by the same transaction as a live batch, only without the test
of the lease. Its batch id is its name, so a writer that wakes up late finds its work done.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from pleiades_core.batches.commit import commit_batches
from pleiades_core.batches.leases import Lease, end_slice, expired, lease_ids
from pleiades_core.clock import Clock
from pleiades_core.errors import ForeignFile, NotFound, VaultError
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.file_check import check_closed_day
from pleiades_core.vault.journal import WrittenBatch, files_of_day, read_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset
from pleiades_core.vault.manifest import known_batches
from pleiades_core.vault.owner import owner_of
from pleiades_core.vault.vault import Vault

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
    #: Whole files in the journal whose footer names another place; they are left there, and never read.
    foreign: tuple[str, ...]


def reap(database: Database, vault: Vault, clock: Clock) -> ReapReport:
    """Adopt the files that dead writers left, then end their leases.

    The files come first: a video whose poll was written must not be polled again because a row is missing.

    Args:
        database: holds leases and records of files.
        vault: holds the files.
        clock: the present instant.

    Returns:
        What was found and done.
    """
    with database.transaction() as connection:
        late = expired(connection)
        days = sorted({day for lease in late for day in _days_from(lease.taken_at.date())})
    adopted = [adopt_orphans(database, vault, clock, day, dead={lease.lease_id for lease in late}) for day in days]
    with database.transaction() as connection:
        # Only leases whose files were looked for: a lease that expired meanwhile may have left a file that is not adopted yet.
        for lease in late:
            end_slice(connection, lease.lease_id)
    return ReapReport(
        expired=len(late),
        adopted=sum(report.adopted for report in adopted),
        rows=sum(report.rows for report in adopted),
        corrupt=tuple(key for report in adopted for key in report.corrupt),
        foreign=tuple(key for report in adopted for key in report.foreign),
    )


def adopt_own(
    database: Database, vault: Vault, clock: Clock, lease: Lease, written: Iterable[tuple[WrittenBatch, pa.Table]]
) -> None:
    """Adopt at once what a writer wrote whose lease ran out before T2.

    Args:
        database: holds leases and records of files.
        vault: holds the files.
        clock: the present instant.
        lease: the lease that ran out.
        written: the batches that the writer wrote, with their rows.
    """
    log.warning("lease %s ran out; adopting what it wrote", lease.lease_id)
    for day in sorted({batch.day for batch, _ in written}):
        adopt_orphans(database, vault, clock, day, dead={lease.lease_id})


def adopt_orphans(
    database: Database, vault: Vault, clock: Clock, day: date, *, dead: set[uuid.UUID] | None = None
) -> ReapReport:
    """Record every batch file of a day that no row names, no closed day holds and no living lease may still commit.

    Args:
        database: holds leases and records of files.
        vault: holds the files.
        clock: the present instant.
        day: UTC day to look at.
        dead: leases whose files are adopted; None: every lease that is not alive.

    Returns:
        What was adopted, and which files could not be.
    """
    adopted = rows = 0
    corrupt: list[str] = []
    foreign: list[str] = []
    for dataset in _ORDER:
        keys = files_of_day(vault, dataset, day)
        with database.transaction() as connection:
            known = set(known_batches(connection, dataset, day))
            alive = lease_ids(connection) - (dead or set())
            owner = owner_of(connection)
        try:
            held = check_closed_day(vault, dataset, day, owner).batches
        except NotFound:
            held = frozenset()
        except VaultError as error:
            # Without the footer it is unknown which batches the day holds. Closing the day will refuse, with the reason.
            log.warning("no orphans of %s %s adopted: %s", dataset.name, day, error)
            corrupt.append(dataset.day_key(day))
            continue
        for batch_id in sorted(set(keys) - known - held):
            try:
                batch, table = read_batch(vault, dataset, day, batch_id, owner=owner)
            except ForeignFile as error:
                log.warning("not adopted: %s", error)
                foreign.append(keys[batch_id])
                continue
            except VaultError as error:
                log.warning("not adopted: %s", error)
                corrupt.append(keys[batch_id])
                continue
            if batch.lease_id in alive:
                continue
            with database.transaction() as connection:
                lock_discovery(connection)
                fresh = commit_batches(connection, [(batch, table)], now=clock.now(), adopted=True)
            adopted += len(fresh)
            rows += sum(batch.rows for batch in fresh)
    return ReapReport(expired=0, adopted=adopted, rows=rows, corrupt=tuple(corrupt), foreign=tuple(foreign))


def _days_from(day: date) -> list[date]:
    """The days that a lease taken on `day` may have written to: a slice can cross midnight."""
    return [day, day + timedelta(days=1)]
