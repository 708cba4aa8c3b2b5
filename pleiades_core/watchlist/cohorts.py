"""Cohorts: the videos discovered on one UTC day, and their state as a checkpoint that can always be folded again.

Belongs here: folding registry and samples into a checkpoint, and comparing it with the schedule in SQL. Does not belong here:
the schedule itself (track/slices.py). A checkpoint is a cache: losing it costs a rebuild, never data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import DamagedAnswer, NotFound
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import publish
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_duckdb_text, load_queries
from pleiades_core.vault import query
from pleiades_core.vault.layout import CHECKPOINT_SCHEMA, REGISTRY, SAMPLES, checkpoint_key, days_by_key
from pleiades_core.vault.manifest import recorded_files
from pleiades_core.vault.vault import Vault

_SQL = load_queries("watchlist")
_FOLD = load_duckdb_text("cohort", "pleiades_core.watchlist")


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortReport:
    """What a checkpoint says."""

    #: Of discovery.
    day: date
    #: The last closed day whose samples are in it.
    through: date
    videos: int
    polls: int
    #: Videos whose last polls were misses.
    missing: int
    #: Schedules in SQL that differ from the fold although nothing was polled since. Anything but 0 is a defect.
    disagreements: int
    #: Of the checkpoint that was written.
    bytes: int


def last_closed_day(vault: Vault) -> date | None:
    """The newest closed day of samples."""
    return max(days_by_key(vault.archive.keys(SAMPLES.archive_folder), SAMPLES.archive_folder).values(), default=None)


def fold_cohort(vault: Vault, day: date, through: date) -> pa.Table:
    """The state of every video of a cohort at the end of a closed day. Reads the vault alone.

    Args:
        vault: holds registry and samples.
        day: UTC day on which the videos were discovered.
        through: the last closed day to read.

    Returns:
        A row for each video, with the columns of CHECKPOINT_SCHEMA.
    """
    until = int(utc_midnight(through + timedelta(days=1)).timestamp())
    return query.query(vault, _FOLD, {"day": day, "until": until}, first=day, last=through, whole=True).cast(CHECKPOINT_SCHEMA)


def rebuild_cohort(database: Database, vault: Vault, day: date) -> CohortReport:
    """Fold a cohort again, replace its checkpoint, and compare it with SQL.

    Args:
        database: holds the schedule.
        vault: holds registry, samples and checkpoint.
        day: UTC day on which the videos were discovered.

    Returns:
        What the new checkpoint says.

    Raises:
        NotFound: no day was closed yet.
        DamagedAnswer: a file of the fold is missing or damaged.
    """
    table, through = _folded(database, vault, day)
    content = parquet.encode(table.replace_schema_metadata(None), delta=("vid",), level=parquet.ARCHIVE_LEVEL)
    publish(vault.journal, checkpoint_key(day), content)
    return _report(database, table, day, through, len(content))


def inspect_cohort(database: Database, vault: Vault, day: date) -> CohortReport:
    """Fold a cohort again and compare it with SQL, but write nothing.

    Args:
        database: holds the schedule.
        vault: holds registry and samples.
        day: UTC day on which the videos were discovered.

    Returns:
        What a checkpoint would say; its `bytes` is 0.

    Raises:
        NotFound: no day was closed yet.
        DamagedAnswer: a file of the fold is missing or damaged.
    """
    table, through = _folded(database, vault, day)
    return _report(database, table, day, through, 0)


def _folded(database: Database, vault: Vault, day: date) -> tuple[pa.Table, date]:
    """The cohort up to the last closed day, and that day. Raises NotFound and DamagedAnswer as `rebuild_cohort` does."""
    _require_files(database, vault, day)
    through = last_closed_day(vault)
    if through is None or through < day:
        raise NotFound(f"no day from {day} on is closed yet", cure=f"close it first: pleiades close-day {day}")
    return fold_cohort(vault, day, through), through


def _require_files(database: Database, vault: Vault, day: date) -> None:
    """Refuse a fold that lacks a closed day. Raises DamagedAnswer that names every file that is recorded and gone.

    A fold without that day would be older than the schedule in SQL, and look like a defect of SQL.
    """
    needed = {
        file.key
        for file in recorded_files(database)
        if file.batch_id is None and (file.day == day if file.dataset is REGISTRY else file.day >= day)
    }
    present = {key for dataset in (REGISTRY, SAMPLES) for key in vault.archive.keys(dataset.archive_folder)}
    if gone := {key: f"{key} is missing, although its day was closed" for key in sorted(needed - present)}:
        raise DamagedAnswer(
            "; ".join(gone.values()), files=gone,
            cure="restore it from a copy; if there is none, `pleiades give-up` with its day shows what is lost",
        )  # fmt: skip


def _report(database: Database, table: pa.Table, day: date, through: date, size: int) -> CohortReport:
    return CohortReport(
        day=day, through=through, videos=len(table), polls=sum(table.column("polls").to_pylist()),
        missing=sum(misses > 0 for misses in table.column("misses").to_pylist()),
        disagreements=_disagreements(database, table, through), bytes=size,
    )  # fmt: skip


def _disagreements(database: Database, table: pa.Table, through: date) -> int:
    """Videos whose schedule is not what their samples say. Those polled after `through` cannot be compared."""
    until = utc_midnight(through + timedelta(days=1))
    with database.transaction() as connection:
        rows = connection.execute(_SQL.schedules, {"vids": table.column("vid").to_pylist(), "until": until}).fetchall()
    folded = dict(
        zip(
            table.column("vid").to_pylist(),
            zip(table.column("polled_at").to_pylist(), table.column("misses").to_pylist(), strict=True),
            strict=True,
        )
    )
    return sum(folded[vid] != (polled_at, misses) for vid, polled_at, misses in rows)
