"""Arrow tables to Parquet bytes and back.

Belongs here: codecs and encodings, with the measurement behind each. Does not belong here: which columns there are.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pleiades_core.errors import CorruptFile, NotFound

#: Level 3 costs little while somebody waits; 9 is for files that are written once and read for ever.
JOURNAL_LEVEL = 3
ARCHIVE_LEVEL = 9
#: Readers skip whole row groups by their statistics: one video's days cost one small group each, not a file.
ROW_GROUP_ROWS = 64_000


def encode(table: pa.Table, *, delta: tuple[str, ...] = (), level: int = JOURNAL_LEVEL) -> bytes:
    """`table` as a Parquet file, its schema's metadata in the footer; the same table gives the same bytes.

    `delta` columns are stored as differences (DELTA_BINARY_PACKED); the others plain: differences break zstd's matching on
    counters, and BYTE_STREAM_SPLIT on integers, smaller by a fifth, cannot be read by DuckDB before 2.0.
    """
    sink = pa.BufferOutputStream()
    strings = [field.name for field in table.schema if not pa.types.is_integer(field.type)]
    small = [field.name for field in table.schema if pa.types.is_int8(field.type)]
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=level,
        use_dictionary=strings + small,
        column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
        write_page_index=True,
        version="2.6",
        data_page_version="2.0",
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode(content: bytes, *, schema: pa.Schema, origin: str) -> pa.Table:
    """The table in `content`, its columns cast to `schema`, its footer metadata kept.

    A column that may be null and is not there is null throughout: the file is older than the column. Raises CorruptFile,
    naming `origin`, when the bytes are not Parquet or lack another column.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        metadata = table.schema.metadata
        for field in schema:
            if field.nullable and field.name not in table.schema.names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(schema.names).cast(schema.with_metadata(metadata))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise CorruptFile(
            f"{origin} is not the Parquet file it should be: {error}",
            cure="restore the file from a copy; `pleiades doctor` names every one",
        ) from None


def check(location: str) -> None:
    """Read every page of the file at `location`. Raises CorruptFile when that cannot be done."""
    try:
        pq.read_table(location)
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{location} cannot be read: {error}", cure="restore the file from a copy") from None


def footer(location: str) -> dict[bytes, bytes]:
    """The key-value metadata of the file at `location`, without reading its data. Raises NotFound or CorruptFile."""
    try:
        return dict(pq.read_metadata(location).metadata or {})
    except FileNotFoundError:
        raise NotFound(f"there is no {location}") from None
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{location} has no readable footer: {error}", cure="restore the file from a copy") from None
