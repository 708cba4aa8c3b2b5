"""What SQL says of batches and closed days: the manifest.

Belongs here: reading its rows. Does not belong here: writing them (journal.py, archive.py), the manifests in the vault, which
are copies for those who have no database.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

import psycopg

from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.layout import Dataset

_SQL = load_queries("batches")


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """A batch that counts."""

    batch_id: uuid.UUID
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """The newest generation of a closed day."""

    generation: int
    sha256: str
    rows: int
    #: Folded in, in all.
    batches: int


def known_batches(connection: psycopg.Connection, dataset: Dataset, day: date) -> dict[uuid.UUID, RecordedBatch]:
    """What is recorded of one day. Batches whose files were swept are not in it any more."""
    found = records(connection, RecordedBatch, _SQL.known_batches, {"dataset": dataset.name, "day": day})
    return {batch.batch_id: batch for batch in found}


def recorded_day(connection: psycopg.Connection, dataset: Dataset, day: date) -> RecordedDay | None:
    """A closed day. None: it was never closed."""
    return next(iter(records(connection, RecordedDay, _SQL.day, {"dataset": dataset.name, "day": day})), None)
