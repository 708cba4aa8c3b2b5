"""Insights as files: one for each kind and day, replaced whole whenever it is computed again.

Belongs here: where they lie, their columns, how they are replaced and read. Does not belong here: what is computed
(velocity.py, ranking.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.storage import objects, parquet
from pleiades_core.storage.queries import load_duckdb_text
from pleiades_core.vault import query
from pleiades_core.vault.codes import columns_metadata
from pleiades_core.vault.footers import day_file_words
from pleiades_core.vault.layout import SAMPLE_SCHEMA, insight_folder, insight_key
from pleiades_core.vault.owner import read_owner
from pleiades_core.vault.readable_files import whole_day_files
from pleiades_core.vault.relations import Relation, relation
from pleiades_core.vault.vault import Vault

_PACKAGE = "pleiades_core.insights"
#: Macros over the vault's views, for `pleiades sql` too.
INSIGHT_VIEWS = load_duckdb_text("views", _PACKAGE)
_PUBLISHED_VIEWS = load_duckdb_text("published", _PACKAGE)
#: How far velocity looks back.
WINDOW = timedelta(hours=24)

_COMMON = (
    pa.field("samples", pa.int64(), nullable=False),
    pa.field("definition_changed", pa.bool_(), nullable=False),
)
#: Columns of each published insight. The day is in the name of the folder.
SCHEMAS: Mapping[str, pa.Schema] = {
    "velocity": pa.schema(
        [
            SAMPLE_SCHEMA.field("vid"),
            pa.field("views", pa.int64(), nullable=False),
            pa.field("likes", pa.int64()),
            pa.field("comments", pa.int64()),
            pa.field("views_gained", pa.int64(), nullable=False),
            pa.field("span_hours", pa.float64(), nullable=False),
            pa.field("views_per_hour", pa.float64(), nullable=False),
            pa.field("acceleration", pa.float64()),
            *_COMMON,
            pa.field("polled_at", pa.timestamp("us", tz="UTC"), nullable=False),
        ]
    ),
    "rankings": pa.schema(
        [
            pa.field("rank", pa.int64(), nullable=False),
            pa.field("video_id", pa.string(), nullable=False),
            pa.field("title", pa.string(), nullable=False),
            pa.field("channel_title", pa.string(), nullable=False),
            pa.field("channel_id", pa.string(), nullable=False),
            pa.field("age_hours", pa.float64(), nullable=False),
            pa.field("views", pa.int64(), nullable=False),
            pa.field("likes", pa.int64()),
            pa.field("comments", pa.int64()),
            pa.field("views_gained", pa.int64(), nullable=False),
            pa.field("views_per_hour", pa.float64(), nullable=False),
            pa.field("acceleration", pa.float64()),
            pa.field("span_hours", pa.float64(), nullable=False),
            *_COMMON,
            pa.field("viral_score", pa.float64()),
        ]
    ),
}


def publish(vault: Vault, name: str, day: date, table: pa.Table) -> int:
    """Replace the file of an insight of a day. An equal table leaves the file as it is.

    Args:
        vault: where the file is.
        name: a key of SCHEMAS.
        day: UTC day of the insight.
        table: the rows, with the columns of `SCHEMAS[name]`.

    Returns:
        Bytes of the file.

    Raises:
        PublishConflict: another process replaced the file at this moment.
    """
    owner = read_owner(vault)
    footer = day_file_words(name, day, owner.installation if owner else None)
    rows = table.cast(SCHEMAS[name].with_metadata(footer | columns_metadata(name)))
    content = parquet.encode(rows, level=parquet.ARCHIVE_LEVEL)
    objects.publish(vault.archive, insight_key(name, day), content)
    return len(content)


def compute(vault: Vault, name: str, until: datetime, *, whole: bool = False, **parameters: object) -> pa.Table:
    """Run the query `<name>.duckdb.sql` over the vault for one window.

    Args:
        vault: holds the samples.
        name: names the query.
        until: end of the window, which is `WINDOW` long.
        whole: refuse an answer that lacks a damaged file (vault/query.py).
        **parameters: values that the query names.

    Returns:
        The answer.
    """
    return query.query(
        vault,
        load_duckdb_text(name, _PACKAGE),
        {"until": int(until.timestamp()), "hours": int(WINDOW.total_seconds() // 3600), **parameters},
        first=(until - 2 * WINDOW).date(),
        last=until.date(),
        prelude=INSIGHT_VIEWS,
        whole=whole,
    )


def ask(vault: Vault, sql: str, limits: query.QueryLimits) -> pa.Table:
    """Answer a person's SQL: over the vault's views, the macros of views.duckdb.sql and what is published.

    Args:
        vault: holds the files.
        sql: one query.
        limits: memory and threads of the query.

    Returns:
        The answer.

    Raises:
        PleiadesError: as `vault.query.query` raises it.
    """
    published = {f"raw_{name}": _published(vault, name) for name in SCHEMAS}
    return query.query(vault, sql, prelude=INSIGHT_VIEWS + _PUBLISHED_VIEWS, tables=published, limits=limits)


def _published(vault: Vault, name: str) -> Relation:
    """Every published day of an insight, with the day of its folder as column `day`."""
    schema = SCHEMAS[name].append(pa.field("day", pa.date32()))
    return relation(schema, lambda: whole_day_files(vault, insight_folder(name), partitioned=True))


def end_of(day: date) -> datetime:
    """The instant at which a day's insights look back."""
    return utc_midnight(day + timedelta(days=1))
