"""Facts about the file of a closed day, for the data tests that people read. They are measured on the file itself.

Belongs here: counting rows, keys, times and falls of one closed day, and comparing them with what SQL and the manifest say.
Does not belong here: closing (archive.py), and which facts are good or bad (pleiades_dagster/day_checks.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import files_of_day, read_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.vault.manifest import RecordedBatch
from pleiades_core.vault.recorded_day import read_with_witnesses
from pleiades_core.vault.vault import Vault
from pleiades_core.videoid import is_video_id

HOURS_OF_DAY = 24

_Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayInspection:
    """What the file of one closed day of samples holds, and what it should hold."""

    day: date
    rows: int
    #: Rows that the batches in the footer must give: their sum, less the rows that two of them share.
    expected_rows: int
    #: Batches in the footer that SQL does not have (any more): their files were swept after the close, or the database was
    #: lost.
    unknown_batches: int
    #: Rows of the closed day as SQL records them; None if SQL has no row for the day.
    recorded_rows: int | None
    distinct_keys: int
    distinct_videos: int
    #: Samples taken before the day began or after it ended.
    outside: int
    first_polled_at: datetime | None
    last_polled_at: datetime | None
    #: Pairs of consecutive samples of one video with views in both, and those whose views fell.
    pairs: int
    falls: int
    #: Samples of status missing.
    misses: int
    #: Hours of the day that have a sample.
    hours: int
    sha256: str
    #: The checksums in the vault's manifest and in SQL; None where there is none.
    manifest_sha256: str | None
    recorded_sha256: str | None

    @property
    def share_of_falls(self) -> float:
        """Falls per pair, 0 when there is no pair."""
        return self.falls / self.pairs if self.pairs else 0.0

    @property
    def coverage(self) -> float:
        """Share of the day's hours that have a sample."""
        return self.hours / HOURS_OF_DAY


def inspect_day(database: Database, vault: Vault, day: date) -> DayInspection:
    """Read the samples of a closed day, and everything that SQL and the manifest say of it.

    Args:
        database: has the manifest.
        vault: has the files.
        day: UTC day.

    Returns:
        The facts.

    Raises:
        NotFound: the day is not closed.
        CorruptFile: its file is damaged.
    """
    found = read_with_witnesses(database, vault, SAMPLES, day)
    table = found.file.rows
    vid, polled_at = _numbers(table, "vid"), _numbers(table, "polled_at")
    start = int(utc_midnight(day).timestamp())
    inside = polled_at[(polled_at >= start) & (polled_at < start + int(timedelta(days=1).total_seconds()))]
    pairs, falls = _falls(table, vid)
    expected = sum(batch.rows for batch in found.named)
    if expected != len(table):
        expected -= _shared(vault, day, found.named)
    return DayInspection(
        day=day,
        rows=len(table),
        expected_rows=expected,
        unknown_batches=len(found.file.footer.batches) - len(found.named),
        distinct_keys=_distinct(vid, polled_at),
        distinct_videos=len(np.unique(vid)),
        outside=len(polled_at) - len(inside),
        first_polled_at=_instant(polled_at.min()) if len(polled_at) else None,
        last_polled_at=_instant(polled_at.max()) if len(polled_at) else None,
        pairs=pairs,
        falls=falls,
        misses=int(np.count_nonzero(_numbers(table, "status"))),
        hours=len(np.unique((inside - start) // 3600)),
        sha256=found.file.sha256,
        manifest_sha256=found.noted.sha256 if found.noted else None,
        recorded_sha256=found.recorded.sha256 if found.recorded else None,
        recorded_rows=found.recorded.rows if found.recorded else None,
    )


def _numbers(table: pa.Table, column: str) -> _Numbers:
    """A column of integers, or of instants as Unix seconds."""
    values = table.column(column)
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("s", tz="UTC"))
    numbers: _Numbers = values.cast(pa.int64()).to_numpy()
    return numbers


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _falls(table: pa.Table, vid: _Numbers) -> tuple[int, int]:
    """Consecutive pairs (rows are sorted by video and time) of one video with views in both, and how many of them fell."""
    views = table.column("views").to_numpy(zero_copy_only=False).astype(np.float64)
    is_same = (vid[1:] == vid[:-1]) & ~np.isnan(views[1:]) & ~np.isnan(views[:-1])
    return int(is_same.sum()), int((is_same & (views[1:] < views[:-1])).sum())


def _shared(vault: Vault, day: date, batches: Iterable[RecordedBatch]) -> int:
    """Rows whose key is also in another of these batches. A missing file counts as empty: the comparison then fails."""
    keys = files_of_day(vault, SAMPLES, day)
    found = [
        read_batch(vault, SAMPLES, day, batch.batch_id, sha256=batch.sha256)[1].select(SAMPLES.key)
        for batch in batches
        if batch.batch_id in keys
    ]
    together = pa.concat_tables([table.replace_schema_metadata(None) for table in found]) if found else None
    return 0 if together is None else len(together) - _distinct(_numbers(together, "vid"), _numbers(together, "polled_at"))


def _distinct(vid: _Numbers, polled_at: _Numbers) -> int:
    """The number of different pairs of video and second."""
    if not len(vid):
        return 0
    order = np.lexsort((polled_at, vid))
    vid, polled_at = vid[order], polled_at[order]
    return 1 + int(np.count_nonzero((vid[1:] != vid[:-1]) | (polled_at[1:] != polled_at[:-1])))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryInspection:
    """What the registry file of one closed day holds, and what it should hold."""

    day: date
    rows: int
    #: Rows that the batches in the footer must give: their sum, less the rows that two of them share.
    expected_rows: int
    #: Batches in the footer that SQL does not have (any more): their files were swept after the close, or the database was
    #: lost.
    unknown_batches: int
    #: Rows of the closed day as SQL records them; None if SQL has no row for the day.
    recorded_rows: int | None
    #: Distinct pairs of video and `watched`.
    distinct_keys: int
    #: Rows whose video id is not 11 characters that spell 64 bits.
    invalid_ids: int
    #: Video ids that belong to two different vids.
    shared_ids: int
    sha256: str
    #: The checksums in the manifest of the vault and in SQL; None where there is none.
    manifest_sha256: str | None
    recorded_sha256: str | None


def inspect_registry(database: Database, vault: Vault, day: date) -> RegistryInspection:
    """Read the descriptions of a closed day, and everything that SQL and the manifest say of it.

    Args:
        database: has the manifest.
        vault: has the files.
        day: UTC day.

    Returns:
        The facts.

    Raises:
        NotFound: the day is not closed.
        CorruptFile: its file is damaged.
    """
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
    """The rows of these batches. A missing file counts as empty: the comparison then fails."""
    there = files_of_day(vault, REGISTRY, day)
    return [
        read_batch(vault, REGISTRY, day, batch.batch_id, sha256=batch.sha256)[1] for batch in batches if batch.batch_id in there
    ]


def _keys(tables: Iterable[pa.Table]) -> set[tuple[object, ...]]:
    """The distinct keys of all rows."""
    return {row for table in tables for row in zip(*(table.column(name).to_pylist() for name in REGISTRY.key), strict=True)}
