"""The manifest: batches and closed days as SQL records them, and closed days as `manifests/` in the vault records them.

Belongs here: reading both. Does not belong here: writing them (journal.py, archive.py). The manifests in the vault serve
readers that have no database.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import psycopg

from pleiades_core.errors import NotFound
from pleiades_core.storage.objects import Objects
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.layout import DATASETS, Dataset
from pleiades_core.vault.vault import Vault

_SQL = load_queries("batches")


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """A batch that counts."""

    batch_id: uuid.UUID
    sha256: str
    rows: int
    #: True if the file of its closed day holds it.
    folded: bool


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """The newest generation of a closed day."""

    generation: int
    sha256: str
    rows: int
    #: All batches that the file holds.
    batches: int


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file that SQL counts on."""

    dataset: Dataset
    day: date
    #: None for the file of a closed day.
    batch_id: uuid.UUID | None
    sha256: str
    rows: int

    @property
    def key(self) -> str:
        """Where it lies."""
        return self.dataset.day_key(self.day) if self.batch_id is None else self.dataset.batch_key(self.day, self.batch_id)

    def place(self, vault: Vault) -> Objects:
        """The store it lies in."""
        return vault.archive if self.batch_id is None else vault.journal


def recorded_files(database: Database) -> list[RecordedFile]:
    """Every closed day and every batch of the manifest, days first, in the order of days."""
    with database.transaction() as connection:
        days = connection.execute(_SQL.all_days).fetchall()
        batches = connection.execute(_SQL.all_batches).fetchall()
    found = [RecordedFile(DATASETS[name], day, None, sha256, rows) for name, day, sha256, rows in days]
    return found + [RecordedFile(DATASETS[name], day, batch, sha256, rows) for name, day, batch, sha256, rows in batches]


@dataclass(frozen=True, slots=True)
class NotedDay:
    """A closed day in the manifest of the vault."""

    generation: int
    sha256: str


def read_manifest(vault: Vault, dataset: Dataset, day: date) -> NotedDay | None:
    """Read the manifest of a closed day in the vault.

    Args:
        vault: has the manifest.
        dataset: samples or registry.
        day: UTC day.

    Returns:
        The manifest; None if there is none that can be read. Closing the day writes it again.
    """
    try:
        content = json.loads(vault.archive.read(dataset.manifest_key(day)))
        return NotedDay(int(content["generation"]), str(content["sha256"]))
    except (NotFound, ValueError, KeyError, TypeError):
        return None


def known_batches(connection: psycopg.Connection, dataset: Dataset, day: date) -> dict[uuid.UUID, RecordedBatch]:
    """The batches of a day that SQL records. Batches whose files were swept are not recorded any more.

    Args:
        connection: to the database.
        dataset: samples or registry.
        day: UTC day.

    Returns:
        The batches by id.
    """
    found = records(connection, RecordedBatch, _SQL.known_batches, {"dataset": dataset.name, "day": day})
    return {batch.batch_id: batch for batch in found}


def can_be_closed_again(recorded: RecordedDay, known: Iterable[RecordedBatch]) -> bool:
    """True when every batch that a lost closed day held is still recorded, so that the journal gives the day again. Pure."""
    return sum(batch.folded for batch in known) >= recorded.batches


def recorded_day(connection: psycopg.Connection, dataset: Dataset, day: date) -> RecordedDay | None:
    """A closed day as SQL records it.

    Args:
        connection: to the database.
        dataset: samples or registry.
        day: UTC day.

    Returns:
        The newest generation; None if the day was never closed.
    """
    return next(iter(records(connection, RecordedDay, _SQL.day, {"dataset": dataset.name, "day": day})), None)
