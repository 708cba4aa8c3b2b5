"""What does the registry file of a closed day really hold? Facts for the data tests that people read.

Belongs here: counting rows, keys and ids of one closed day of discovered videos, and comparing them with SQL and the manifest.
Does not belong here: samples (inspect.py), and which facts are good or bad (pleiades_dagster/day_verdicts.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import files_of_day, read_batch
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.vault.manifest import RecordedBatch
from pleiades_core.vault.recorded_day import read_with_witnesses
from pleiades_core.vault.vault import Vault
from pleiades_core.videoid import is_video_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryInspection:
    """What the registry file of one closed day holds, and what was promised of it."""

    day: date
    rows: int
    #: Rows that the batches named in the footer must give: their sum, less rows that two of them share.
    expected_rows: int
    #: Batches in the footer that SQL does not name (any more): swept after the close, or the database was lost.
    unknown_batches: int
    #: Rows of the closed day by SQL; None where there is no row for it.
    recorded_rows: int | None
    #: Distinct pairs of video and `watched`.
    distinct_keys: int
    #: Rows whose video id is not 11 characters that spell 64 bits.
    invalid_ids: int
    #: Video ids that two different vids carry.
    shared_ids: int
    sha256: str
    #: What the manifest in the vault and the row in SQL say; None where there is none.
    manifest_sha256: str | None
    recorded_sha256: str | None


def inspect_registry(database: Database, vault: Vault, day: date) -> RegistryInspection:
    """Read the registry file of a closed day and everything that speaks of it. Raises NotFound (not closed) or CorruptFile."""
    found = read_with_witnesses(database, vault, REGISTRY, day)
    present, named, recorded, noted = found.file, found.named, found.recorded, found.noted
    expected = sum(batch.rows for batch in named)
    if expected != len(present.rows):
        expected = len(_keys(_batches(vault, day, named)))
    ids = present.rows.column("video_id").to_pylist()
    pairs = set(zip(present.rows.column("vid").to_pylist(), ids, strict=True))
    return RegistryInspection(
        day=day,
        rows=len(present.rows),
        expected_rows=expected,
        unknown_batches=len(present.footer.batches) - len(named),
        recorded_rows=recorded.rows if recorded else None,
        distinct_keys=len(_keys([present.rows])),
        invalid_ids=sum(not is_video_id(video_id) for video_id in ids),
        shared_ids=len(pairs) - len({video_id for _, video_id in pairs}),
        sha256=present.sha256,
        manifest_sha256=noted.sha256 if noted else None,
        recorded_sha256=recorded.sha256 if recorded else None,
    )


def _batches(vault: Vault, day: date, batches: Iterable[RecordedBatch]) -> list[pa.Table]:
    """The rows of these batches. A file that is gone gives none: the comparison then fails."""
    there = files_of_day(vault, REGISTRY, day)
    return [
        read_batch(vault, REGISTRY, day, batch.batch_id, sha256=batch.sha256)[1] for batch in batches if batch.batch_id in there
    ]


def _keys(tables: Iterable[pa.Table]) -> set[tuple[object, ...]]:
    """The distinct keys of all rows."""
    return {row for table in tables for row in zip(*(table.column(name).to_pylist() for name in REGISTRY.key), strict=True)}
