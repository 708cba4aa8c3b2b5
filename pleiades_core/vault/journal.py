"""The journal: immutable batches, written before the transaction that makes them count.

Belongs here: writing one batch file, the row that records it, finding files that no row names. Does not belong here: what a
recorded batch changes in the watchlist or the videos (batches/commit.py), and closing a day (archive.py).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
import pyarrow as pa

from pleiades_core.errors import CorruptFile, MissingFile, NotFound
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.file_check import batch_footer
from pleiades_core.vault.footers import BatchFooter
from pleiades_core.vault.layout import Dataset, batch_id_of, parse_key
from pleiades_core.vault.owner import Owner
from pleiades_core.vault.vault import Vault

_SQL = load_queries("batches")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenBatch:
    """A batch file that is durable. It counts once it is recorded. If its writer dies before that, it is adopted."""

    dataset: Dataset
    day: date
    batch_id: uuid.UUID
    lease_id: uuid.UUID
    sha256: str
    rows: int
    bytes: int


def write_batch(
    vault: Vault, dataset: Dataset, day: date, table: pa.Table, *, lease_id: uuid.UUID, epoch: uuid.UUID
) -> WrittenBatch:
    """Write the rows of one lease for one UTC day, sorted by the dataset's key. Durable on return.

    Args:
        vault: has the journal.
        dataset: samples or registry.
        day: UTC day of the rows.
        table: the rows, with the columns of the dataset.
        lease_id: the lease under which they were made; it decides the batch's id.
        epoch: the installation's epoch when the lease was granted.

    Returns:
        What was written.

    Raises:
        AlreadyExists: the lease wrote other rows before.
        VaultError: the store refuses.
    """
    batch_id = batch_id_of(lease_id, dataset, day)
    footer = BatchFooter(dataset=dataset.name, day=day, batch_id=batch_id, lease_id=lease_id, epoch=epoch)
    ordered = table.sort_by([(column, "ascending") for column in dataset.key])
    content = parquet.encode(ordered.replace_schema_metadata(footer.encode()), delta=dataset.delta)
    vault.journal.put_if_absent(dataset.batch_key(day, batch_id), content)
    return WrittenBatch(
        dataset=dataset,
        day=day,
        batch_id=batch_id,
        lease_id=lease_id,
        sha256=sha256_of(content),
        rows=len(table),
        bytes=len(content),
    )


def record_batch(connection: psycopg.Connection, batch: WrittenBatch, *, now: datetime, adopted: bool = False) -> bool:
    """Make a written batch count, inside the caller's transaction.

    Args:
        connection: the caller's transaction.
        batch: what was written.
        now: the present instant.
        adopted: True if the reaper records it, False if the writer does.

    Returns:
        False if it was recorded before.
    """
    row = connection.execute(
        _SQL.record_batch,
        {
            "batch_id": batch.batch_id, "dataset": batch.dataset.name, "day": batch.day, "lease_id": batch.lease_id,
            "sha256": batch.sha256, "rows": batch.rows, "bytes": batch.bytes, "adopted": adopted, "now": now,
        },
    ).fetchone()  # fmt: skip
    return row is not None


def days_with_files(vault: Vault, dataset: Dataset) -> list[date]:
    """Every day that has a batch file in the journal, in order."""
    parsed = [parse_key(key) for key in vault.journal.keys(dataset.journal_folder)]
    return sorted({name.day for name in parsed if name is not None and name.day is not None})


def files_of_day(vault: Vault, dataset: Dataset, day: date) -> dict[uuid.UUID, str]:
    """Find every batch file of a day, recorded or not. Strays are left out.

    Args:
        vault: has the journal.
        dataset: samples or registry.
        day: UTC day.

    Returns:
        The keys by batch id.
    """
    parsed = {key: parse_key(key) for key in vault.journal.keys(dataset.batch_folder(day))}
    return {name.batch: key for key, name in parsed.items() if name is not None and name.batch is not None}


def read_batch(
    vault: Vault, dataset: Dataset, day: date, batch_id: uuid.UUID, *, sha256: str | None = None, owner: Owner | None = None
) -> tuple[WrittenBatch, pa.Table]:
    """Read a batch file and its rows.

    Args:
        vault: where the journal is.
        dataset: samples or registry.
        day: UTC day of the rows.
        batch_id: names the file.
        sha256: checksum that the manifest in SQL records; None: the batch is not recorded.
        owner: the installation that the file must belong to; None: any.

    Returns:
        What the file is, and its rows in the schema of the dataset.

    Raises:
        CorruptFile: the file is damaged, or is not the file of the manifest.
        ForeignFile: the file does not belong where it lies.
        MissingFile: the manifest records the file, and it is gone.
        NotFound: there is no file, and none is recorded.

    """
    key = dataset.batch_key(day, batch_id)
    try:
        content = vault.journal.read(key)
    except NotFound as error:
        if sha256 is None:
            raise
        raise MissingFile(str(error)) from None
    checked = parquet.check(content, origin=key)
    if sha256 is not None and checked.sha256 != sha256:
        raise CorruptFile(
            f"{key}: SHA-256 is {checked.sha256}, the manifest says {sha256}", cure="restore the file from a copy"
        )
    footer = batch_footer(checked, dataset, day, batch_id, owner)
    table = parquet.read_rows(content, schema=dataset.schema, origin=key)
    batch = WrittenBatch(
        dataset=dataset, day=day, batch_id=batch_id, lease_id=footer.lease_id, sha256=checked.sha256, rows=len(table),
        bytes=len(content),
    )  # fmt: skip
    return batch, table
