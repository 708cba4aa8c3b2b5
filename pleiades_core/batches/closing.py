"""Ending a day: adopt the batch files that no transaction recorded, then fold every batch into the day's file.

Belongs here: the order of the two. Does not belong here: adopting (reaper.py), folding (vault/archive.py).
"""

from __future__ import annotations

from datetime import date

from pleiades_core.batches.reaper import adopt_orphans, reap
from pleiades_core.clock import Clock
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.archive import ClosedDay, close_day
from pleiades_core.vault.layout import Dataset
from pleiades_core.vault.vault import Vault


def finish_day(database: Database, vault: Vault, clock: Clock, dataset: Dataset, day: date) -> tuple[ClosedDay, int]:
    """Close a day completely.

    The whole day is searched for orphans: a writer that woke up after its lease was reaped may have left a file that no expired
    lease leads to.

    Args:
        database: records the files.
        vault: holds the files.
        clock: the present instant.
        dataset: samples or registry.
        day: UTC day to close.

    Returns:
        What closing did, and how many files were adopted before.

    Raises:
        PleiadesError: as `close_day` raises it.
    """
    adopted = reap(database, vault, clock).adopted + adopt_orphans(database, vault, clock, day).adopted
    return close_day(database, vault, clock, dataset, day), adopted
