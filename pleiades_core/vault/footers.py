"""The footer of a file of the vault: what the file holds, as Parquet key-value metadata. Pure.

Belongs here: the metadata of batches and closed days. Does not belong here: the explanation of codes and columns (codes.py),
the checksum (storage/parquet.py), whether the metadata fit the file's place (file_check.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pleiades_core.vault.codes import codes_metadata, columns_metadata
from pleiades_core.vault.layout import DATASETS, LAYOUT_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFooter:
    """The metadata of a batch. The manifest can be rebuilt from them if PostgreSQL is lost."""

    dataset: str
    day: date
    batch_id: uuid.UUID
    lease_id: uuid.UUID
    epoch: uuid.UUID

    def encode(self) -> dict[str, str]:
        """As Parquet key-value metadata."""
        return {
            "pleiades.layout": str(LAYOUT_VERSION),
            "pleiades.dataset": self.dataset,
            "pleiades.day": self.day.isoformat(),
            "pleiades.batch": str(self.batch_id),
            "pleiades.lease": str(self.lease_id),
            "pleiades.epoch": str(self.epoch),
            **codes_metadata(DATASETS[self.dataset].schema.names),
        }

    @classmethod
    def decode(cls, metadata: Mapping[bytes, bytes] | None) -> BatchFooter:
        """The inverse of `encode`.

        Raises:
            KeyError: a part is missing.
            ValueError: a part is wrong, or the file has another layout.
        """
        values = _metadata_of(metadata)
        return cls(
            dataset=values["pleiades.dataset"],
            day=date.fromisoformat(values["pleiades.day"]),
            batch_id=uuid.UUID(values["pleiades.batch"]),
            lease_id=uuid.UUID(values["pleiades.lease"]),
            epoch=uuid.UUID(values["pleiades.epoch"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFooter:
    """The metadata of a closed day: content and manifest are one object."""

    #: The installation that closed the day.
    installation: uuid.UUID
    dataset: str
    day: date
    #: Counts the times the day was closed, from 1.
    generation: int
    #: The batches folded in; a reader skips them in the journal.
    batches: frozenset[uuid.UUID]

    def encode(self) -> dict[str, str]:
        """As Parquet key-value metadata. The same batches give the same bytes."""
        return {
            "pleiades.layout": str(LAYOUT_VERSION),
            "pleiades.installation": str(self.installation),
            "pleiades.dataset": self.dataset,
            "pleiades.day": self.day.isoformat(),
            "pleiades.generation": str(self.generation),
            "pleiades.batches": json.dumps(sorted(map(str, self.batches))),
            **codes_metadata(DATASETS[self.dataset].schema.names),
            **columns_metadata(self.dataset),
        }

    @classmethod
    def decode(cls, metadata: Mapping[bytes, bytes] | None) -> DayFooter:
        """The inverse of `encode`.

        Raises:
            KeyError: a part is missing.
            ValueError: a part is wrong, or the file has another layout.
        """
        values = _metadata_of(metadata)
        return cls(
            installation=uuid.UUID(values["pleiades.installation"]),
            dataset=values["pleiades.dataset"],
            day=date.fromisoformat(values["pleiades.day"]),
            generation=int(values["pleiades.generation"]),
            batches=frozenset(map(uuid.UUID, json.loads(values["pleiades.batches"]))),
        )


def day_file_words(name: str, day: date, installation: uuid.UUID | None) -> dict[str, str]:
    """The metadata of a day's file of requests or of an insight.

    Args:
        name: the dataset.
        day: UTC day of the rows.
        installation: the owner of the vault; None: it has none yet.

    Returns:
        Parquet key-value metadata.
    """
    return {
        "pleiades.layout": str(LAYOUT_VERSION),
        "pleiades.dataset": name,
        "pleiades.day": day.isoformat(),
        "pleiades.installation": str(installation or ""),
    }


def _metadata_of(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """The metadata as text. Raises KeyError or ValueError if they are of another layout."""
    values = {key.decode(): value.decode() for key, value in (metadata or {}).items() if key.startswith(b"pleiades.")}
    if values["pleiades.layout"] != str(LAYOUT_VERSION):
        raise ValueError(f"its layout is {values['pleiades.layout']}, and this program reads {LAYOUT_VERSION}")
    return values
