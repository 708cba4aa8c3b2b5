"""A closed day as of one moment: its file, its row in SQL, and its manifest in the vault.

Belongs here: reading the three so that a closing that goes on does not make them disagree. Does not belong here: facts about
the rows (day_facts.py).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pleiades_core.storage.postgres import Database
from pleiades_core.vault.day_reader import DayFile, read_day
from pleiades_core.vault.layout import Dataset
from pleiades_core.vault.manifest import NotedDay, RecordedBatch, RecordedDay, known_batches, read_manifest, recorded_day
from pleiades_core.vault.owner import owner_of
from pleiades_core.vault.vault import Vault

#: How often to read. Between publishing a file and recording it a closing takes milliseconds, unless it dies there.
_ATTEMPTS = 5
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAndWitnesses:
    """The file of a closed day, its row in SQL and its manifest."""

    file: DayFile
    #: Batches of the day that SQL has; those of older closings were swept.
    known: Mapping[uuid.UUID, RecordedBatch]
    #: None where there is no row for it.
    recorded: RecordedDay | None
    #: None where there is no manifest that can be read.
    noted: NotedDay | None

    @property
    def named(self) -> list[RecordedBatch]:
        """The batches of the file's footer that SQL has."""
        return [self.known[batch] for batch in self.file.footer.batches if batch in self.known]


def read_with_witnesses(database: Database, vault: Vault, dataset: Dataset, day: date) -> DayAndWitnesses:
    """Read the file between two looks at SQL, again if the day was closed meanwhile.

    Args:
        database: has the manifest.
        vault: has the files.
        dataset: samples or registry.
        day: UTC day.

    Returns:
        File, row and manifest.

    Raises:
        NotFound: the day is not closed.
        CorruptFile: its file is damaged.
    """
    found = _read(database, vault, dataset, day)
    for _ in range(_ATTEMPTS):
        recorded = found.recorded
        closing = recorded is not None and found.file.footer.generation > recorded.generation
        with database.transaction() as connection:
            if not closing and recorded_day(connection, dataset, day) == recorded:
                break
        time.sleep(_WAIT_S)
        found = _read(database, vault, dataset, day)
    return found


def _read(database: Database, vault: Vault, dataset: Dataset, day: date) -> DayAndWitnesses:
    with database.transaction() as connection:
        known = known_batches(connection, dataset, day)
        recorded = recorded_day(connection, dataset, day)
        owner = owner_of(connection)
    file = read_day(vault, dataset, day, owner=owner)
    return DayAndWitnesses(file=file, known=known, recorded=recorded, noted=read_manifest(vault, dataset, day))
