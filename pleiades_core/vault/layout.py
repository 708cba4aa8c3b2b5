"""The layout of the vault: the key of every file, and the columns of every row. Pure.

Belongs here: keys and column types. Does not belong here: the footers of files (footers.py), reading or writing (journal.py,
archive.py).

    vault.json                                 the owner (owner.py)
    journal/samples/date=D/<batch>.parquet     batches of samples, immutable      metrics/date=D/day.parquet    closed days
    journal/registry/date=D/<batch>.parquet    batches of discovered videos       videos/date=D/day.parquet     closed days
    journal/checkpoints/date=D/cohort.parquet  a cache (watchlist/cohorts.py)
    insights/<name>/date=D/day.parquet         recomputable                       manifests/…/date=D.json       checksums
    discovery_requests/date=D/day.parquet      what requests cost and brought
    losses/<id>.json                           what was given up (losses.py)      damaged/…                     files set aside

A glob over `metrics/` sees closed days, whole. Column types are a promise to people's queries: they only ever grow. A file
whose name fits none of these lines is a stray: readers ignore it, and `doctor` lists it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from pleiades_core.models import Sample

#: Folder of batches that are not in a closed day yet.
JOURNAL = "journal"
#: Folder of the checkpoints of cohorts.
CHECKPOINTS = f"{JOURNAL}/checkpoints"
#: Folder of the closed days of discovery requests.
DISCOVERY_REQUESTS = "discovery_requests"
#: Folder of the insights, one folder for each.
INSIGHTS = "insights"
#: Incremented when a reader of the old layout would misread the new one. 2: every file has its own checksum, vid is int64.
LAYOUT_VERSION = 2

#: One poll's knowledge of one video. `polled_at` is when the reply arrived, to the second. Counts are null where YouTube gave
#: none, and for a miss. Measured on 200,000 rows of hourly and daily polls, zstd 9: 4.6 B a row, whether the counts are int32
#: or int64 and the time int32 or a timestamp, so the types are those that people can use as they are. `vid` is int64: stored as
#: differences it costs no byte more than int32.
SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("vid", pa.int64(), nullable=False),
        pa.field("polled_at", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("status", pa.int8(), nullable=False),
        pa.field("definition", pa.int8(), nullable=False),
        pa.field("views", pa.int64()),
        pa.field("likes", pa.int64()),
        pa.field("comments", pa.int64()),
    ]
)


#: A video as it was described when it was found.
REGISTRY_SCHEMA = pa.schema(
    [
        pa.field("vid", pa.int64(), nullable=False),
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("channel_id", pa.string(), nullable=False),
        pa.field("channel_title", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
        pa.field("category_id", pa.int16()),
        pa.field("language", pa.string()),
        pa.field("duration_s", pa.int32()),
        pa.field("live", pa.string(), nullable=False),
        pa.field("published_at", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("discovered_at", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        # False: found when quota had no room for it; described and kept, and not polled. Null, in older files, is true.
        pa.field("watched", pa.bool_()),
    ]
)

#: One request to a source of discovery: what it cost and brought (discovery_requests.py). Sorted by its columns, in this order.
DISCOVERY_REQUEST_SCHEMA = pa.schema(
    [
        # To the microsecond, as SQL has it: rows are compared before SQL forgets them.
        pa.field("requested_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("request", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        # Target of the source: a term, a chart, a month. Empty if the source has one target only.
        pa.field("target", pa.string(), nullable=False),
        # The bucket that most of the units were taken from. Null: the request cost none.
        pa.field("bucket", pa.string()),
        # Units of all buckets.
        pa.field("units", pa.int32(), nullable=False),
        pa.field("candidates", pa.int32(), nullable=False),
        # Candidates that no source had found before.
        pa.field("new", pa.int32(), nullable=False),
        pa.field("error", pa.string()),
    ]
)

#: The state of a cohort's video at the end of a closed day (watchlist/cohort.duckdb.sql). DuckDB counts times in microseconds.
CHECKPOINT_SCHEMA = pa.schema(
    [
        SAMPLE_SCHEMA.field("vid"),
        pa.field("published_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("polled_at", pa.timestamp("us", tz="UTC")),
        pa.field("answered_at", pa.timestamp("us", tz="UTC")),
        pa.field("polls", pa.int32(), nullable=False),
        pa.field("misses", pa.int16(), nullable=False),
        *(SAMPLE_SCHEMA.field(name) for name in ("views", "likes", "comments")),
    ]
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A kind of rows with its two places and its key."""

    name: str
    archive_name: str
    schema: pa.Schema = field(repr=False)
    #: Rows are sorted by these columns, and a closed day holds each key once.
    key: tuple[str, ...]
    #: Order of rows that share a key; the first one stays.
    tie_break: tuple[str, ...]
    #: Columns whose values follow each other closely: stored as differences.
    delta: tuple[str, ...] = ()

    @property
    def journal_folder(self) -> str:
        """Folder of every batch."""
        return f"{JOURNAL}/{self.name}"

    def batch_folder(self, day: date) -> str:
        """Folder of the batches of a day."""
        return f"{self.journal_folder}/date={day.isoformat()}"

    def batch_key(self, day: date, batch_id: uuid.UUID) -> str:
        """Where a batch lies."""
        return f"{self.batch_folder(day)}/{batch_id}.parquet"

    @property
    def archive_folder(self) -> str:
        """Folder of every closed day."""
        return self.archive_name

    def day_key(self, day: date) -> str:
        """Where a closed day lies."""
        return f"{self.archive_name}/date={day.isoformat()}/day.parquet"

    @property
    def manifest_folder(self) -> str:
        """Folder of the checksums of every closed day."""
        return f"manifests/{self.archive_name}"

    def manifest_key(self, day: date) -> str:
        """Where the closed day's checksum lies."""
        return f"{self.manifest_folder}/date={day.isoformat()}.json"


SAMPLES = Dataset("samples", "metrics", SAMPLE_SCHEMA, ("vid", "polled_at"), ("status", "views", "likes", "comments"), ("vid",))
#: A video that was found when quota had no room, and that a person added on the same day, has two rows: one for each `watched`.
REGISTRY = Dataset("registry", "videos", REGISTRY_SCHEMA, ("vid", "watched"), ("discovered_at", "title"), ("vid",))
DATASETS = {dataset.name: dataset for dataset in (SAMPLES, REGISTRY)}


def samples_by_day(samples: Iterable[Sample]) -> dict[date, pa.Table]:
    """Rows of `SAMPLE_SCHEMA`, cut by the UTC day in which they were taken; the days in order."""
    days: dict[date, list[Sample]] = {}
    for sample in samples:
        days.setdefault(sample.polled_at.date(), []).append(sample)
    return {
        day: pa.table(
            [pa.array([getattr(row, field.name) for row in rows], field.type) for field in SAMPLE_SCHEMA], SAMPLE_SCHEMA
        )
        for day, rows in sorted(days.items())
    }


def discovery_requests_key(day: date) -> str:
    """Where the requests of a day lie."""
    return f"{DISCOVERY_REQUESTS}/date={day.isoformat()}/day.parquet"


def batch_id_of(lease_id: uuid.UUID, dataset: Dataset, day: date) -> uuid.UUID:
    """The id of the batch that a lease writes for one day. A lease that writes again meets its own file, never makes a second
    one.

    Args:
        lease_id: the lease.
        dataset: samples or registry.
        day: UTC day of the rows.

    Returns:
        The id.
    """
    return uuid.uuid5(lease_id, f"{dataset.name}/{day.isoformat()}")


def insight_folder(name: str) -> str:
    """Folder of every day of an insight."""
    return f"{INSIGHTS}/{name}"


def insight_key(name: str, day: date) -> str:
    """Where an insight of a day lies."""
    return f"{insight_folder(name)}/date={day.isoformat()}/day.parquet"


def checkpoint_key(day: date) -> str:
    """Where the checkpoint of the cohort of a day lies."""
    return f"{CHECKPOINTS}/date={day.isoformat()}/cohort.parquet"


def loss_key(loss_id: uuid.UUID) -> str:
    """Where the record of a loss lies."""
    return f"losses/{loss_id}.json"


#: Folder of damaged files that were set aside.
DAMAGED = "damaged"


def damaged_key(key: str, sha256: str) -> str:
    """Where a damaged file is set aside. Each content has a key of its own, so that a second damaged file has a place."""
    return f"{DAMAGED}/{sha256[:16]}/{key}"


#: The owner of the vault.
OWNER_KEY = "vault.json"

_DAY = r"date=(?P<day>\d{4}-\d{2}-\d{2})"
_BATCH = r"(?P<batch>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_KEYS = [
    re.compile(pattern)
    for pattern in (
        rf"journal/(?P<folder>samples|registry)/{_DAY}/{_BATCH}\.parquet",
        rf"journal/(?P<folder>checkpoints)/{_DAY}/cohort\.parquet",
        rf"(?P<folder>metrics|videos|discovery_requests|insights/\w+)/{_DAY}/day\.parquet",
        rf"(?P<folder>manifests/(?:metrics|videos))/{_DAY}\.json",
        rf"(?P<folder>losses)/{_BATCH}\.json",
        r"(?P<folder>damaged)/.+",
        r"(?P<folder>)vault\.json",
    )
]


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What the name of a file in the vault says."""

    #: Its folder without the day, such as `journal/samples`'s last part or `insights/velocity`; empty for `vault.json`.
    folder: str
    #: None where there is no day in the name.
    day: date | None
    #: The id of a batch, or of a loss.
    batch: uuid.UUID | None


def parse_key(key: str) -> ParsedKey | None:
    """What a key means; None for a stray, whose name Pleiades never gives. Pure."""
    for pattern in _KEYS:
        if match := pattern.fullmatch(key):
            groups = match.groupdict()
            try:
                day = date.fromisoformat(groups["day"]) if groups.get("day") else None
            except ValueError:
                return None
            return ParsedKey(groups["folder"], day, uuid.UUID(groups["batch"]) if groups.get("batch") else None)
    return None


def days_by_key(keys: Iterable[str], folder: str) -> dict[str, date]:
    """The days of the keys in `folder`, which holds a file for each day; strays are left out. Pure."""
    parsed = {key: parse_key(key) for key in keys}
    return {
        key: name.day for key, name in parsed.items() if name is not None and name.folder == folder and name.day is not None
    }
