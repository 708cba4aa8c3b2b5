"""Removing what is surely elsewhere: batch files whose rows a closed day has held for a day.

Belongs here: deletions in the vault. Does not belong here: retention of days (none: the vault keeps them for ever).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pleiades_core.clock import Clock
from pleiades_core.errors import CorruptFile
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import QUERIES, files_of_day
from pleiades_core.vault.layout import DATASETS, DayFooter
from pleiades_core.vault.vault import Vault

#: A reader that planned its files before the day was closed may still open them; so long it may take.
SWEEP_GRACE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep removed."""

    days: int
    files: int


def sweep(database: Database, vault: Vault, clock: Clock) -> SweepReport:
    """Remove folded batches of days closed at least a day ago.

    The day's file is read back and compared with its checksum first: nothing is deleted on the word of SQL alone. Rows go
    before files: a file without a row is named in the day's footer and counts nowhere, a row without a file would be a loss.
    Raises CorruptFile when a day's file is not what was closed; its batches stay.
    """
    days = files = 0
    before = clock.now() - SWEEP_GRACE
    with database.transaction() as connection:
        candidates = connection.execute(QUERIES.sweepable_days, {"before": before}).fetchall()
    for name, day in candidates:
        dataset = DATASETS[name]
        with database.transaction() as connection:
            known = connection.execute(QUERIES.day, {"dataset": name, "day": day}).fetchone()
        content = vault.archive.read(dataset.day_key(day))
        if known is None or sha256_of(content) != known[1]:
            raise CorruptFile(
                f"{dataset.day_key(day)} is not the file that was closed",
                cure=f"its batches are kept; move the file away and run `pleiades close-day {day}`",
            )
        held = DayFooter.decode(parquet.decode(content, schema=dataset.schema, origin=name).schema.metadata).batches
        with database.transaction() as connection:
            connection.execute(QUERIES.forget_batches, {"dataset": name, "day": day, "batch_ids": list(held)})
        for batch, key in files_of_day(vault, dataset, day).items():
            if batch in held:
                vault.journal.delete(key)
                files += 1
        days += 1
    return SweepReport(days=days, files=files)
