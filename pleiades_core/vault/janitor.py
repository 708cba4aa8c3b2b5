"""Removing batch files whose rows a closed day has held for a day.

Belongs here: deletions in the vault. Does not belong here: retention of days (none: the vault keeps them for ever).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from pleiades_core.clock import Clock
from pleiades_core.errors import NotFound, VaultError
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.day_reader import read_day
from pleiades_core.vault.journal import files_of_day
from pleiades_core.vault.layout import DATASETS
from pleiades_core.vault.vault import Vault

log = logging.getLogger(__name__)

_SQL = load_queries("batches")

#: How long batches stay after their day was closed: a reader that planned its files before may still open them.
SWEEP_GRACE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep removed."""

    #: Days that lost a batch file.
    days: int
    files: int
    #: Temporary files of killed writers.
    unfinished: int
    #: Days whose file is not the recorded one; their batches stay.
    damaged: tuple[str, ...]


def sweep(database: Database, vault: Vault, clock: Clock) -> SweepReport:
    """Remove batches of days that were closed at least SWEEP_GRACE ago.

    The day's file is read back and compared with its checksum first: nothing is deleted because SQL alone says so. Rows go
    before files: a file without a row is named in the day's footer and counts nowhere, but a row without a file would be a
    loss. What
        a
    killed sweep left is found again, because the journal's files are listed, not the rows.

    Args:
        database: has the manifest.
        vault: has the files.
        clock: the present instant.

    Returns:
        What was removed.
    """
    swept = files = 0
    damaged: list[str] = []
    with database.transaction() as connection:
        closed = connection.execute(_SQL.sweepable_days, {"before": clock.now() - SWEEP_GRACE}).fetchall()
    for name, day, sha256 in closed:
        dataset = DATASETS[name]
        batches = files_of_day(vault, dataset, day)
        if not batches:
            continue
        try:
            held = read_day(vault, dataset, day, sha256=sha256).footer.batches
        except (VaultError, NotFound) as error:
            log.warning("batches of %s are kept: %s", dataset.day_key(day), error)
            damaged.append(dataset.day_key(day))
            continue
        with database.transaction() as connection:
            connection.execute(_SQL.forget_batches, {"dataset": name, "day": day, "batch_ids": list(held)})
        gone = [key for batch, key in batches.items() if batch in held]
        for key in gone:
            vault.journal.delete(key)
        files += len(gone)
        swept += bool(gone)
    unfinished = vault.journal.remove_unfinished(older_than_s=SWEEP_GRACE.total_seconds())
    return SweepReport(days=swept, files=files, unfinished=unfinished, damaged=tuple(damaged))
