"""Arrow tables to Parquet bytes and back, each file with its own checksum.

Belongs here: codecs and encodings, with the measurement behind each, and the checksum. Does not belong here: which columns
there are.

The checksum is the SHA-256 of the whole file, computed while its own 64 digits are zeros. It stands in the footer under
`pleiades.sha256`. So a file can be checked alone: without a database, after a copy, on any store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pleiades_core.errors import CorruptFile

#: zstd level 3 costs little while a person waits; level 9 is for files that are written once and read for ever.
JOURNAL_LEVEL = 3
ARCHIVE_LEVEL = 9
#: Readers skip whole row groups by their statistics: one video's days cost one small group each, not a file.
ROW_GROUP_ROWS = 64_000
#: Key of the checksum in the footer. Parquet writes a key, two bytes (a field's header and a length), and the value.
CHECKSUM = b"pleiades.sha256"
_DIGITS = 64
_ZEROS = b"0" * _DIGITS
_CURE = "restore the file from a copy; `pleiades doctor` names every damaged one"


def encode(table: pa.Table, *, delta: tuple[str, ...] = (), level: int = JOURNAL_LEVEL) -> bytes:
    """A table as the bytes of a Parquet file, with the metadata of its schema in the footer. One table always gives the same
    bytes.

    Differences break zstd's matching on counters, so only the columns that are named get them. BYTE_STREAM_SPLIT on integers
    would save a fifth, but DuckDB before 2.0 cannot read it.

    Args:
        table: the rows.
        delta: columns that are stored as differences (DELTA_BINARY_PACKED); the other columns are plain.
        level: zstd's level.

    Returns:
        The file, with its own checksum in the footer.
    """
    sink = pa.BufferOutputStream()
    strings = [field.name for field in table.schema if not pa.types.is_integer(field.type)]
    small = [field.name for field in table.schema if pa.types.is_int8(field.type)]
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=strings + small,
        column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
        write_page_index=True,
        version="2.6",
        data_page_version="2.0",
    ) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        writer.add_key_value_metadata({CHECKSUM.decode(): _ZEROS.decode()})
    content = bytearray(sink.getvalue())
    place = content.rindex(CHECKSUM) + len(CHECKSUM) + 2
    content[place : place + _DIGITS] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


@dataclass(frozen=True, slots=True)
class CheckedContent:
    """What the footer of a file says. The file's checksum was right."""

    #: Hex SHA-256 of the whole file, the checksum's digits included, as a manifest has it.
    sha256: str
    #: Bytes of the file.
    size: int
    #: The key-value metadata of the footer.
    metadata: Mapping[bytes, bytes]


def check(content: bytes, *, origin: str) -> CheckedContent:
    """Compare a file with its own checksum, and read its footer. Its rows are not decoded.

    Raises:
        CorruptFile: the checksum is missing or wrong, or there is no footer of Parquet. The message names `origin`.
    """
    found = content.rfind(CHECKSUM)
    place = found + len(CHECKSUM) + 2
    digits = content[place : place + _DIGITS]
    if found < 0 or not re.fullmatch(rb"[0-9a-f]{64}", digits):
        raise CorruptFile(f"{origin} has no checksum of Pleiades in its footer", cure=_CURE)
    view = memoryview(content)
    # The digits stand near the end, so the two sums share nearly all of their work.
    computed = hashlib.sha256(view[:place])
    whole = computed.copy()
    computed.update(_ZEROS)
    computed.update(view[place + _DIGITS :])
    if computed.hexdigest().encode() != digits:
        raise CorruptFile(f"{origin} is damaged: its SHA-256 is not the one in its footer", cure=_CURE)
    whole.update(view[place:])
    try:
        metadata = dict(pq.read_metadata(pa.BufferReader(content)).metadata or {})
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{origin} has no readable footer: {error}", cure=_CURE) from None
    return CheckedContent(sha256=whole.hexdigest(), size=len(content), metadata=metadata)


def highest(location: str, column: str) -> int | None:
    """The highest value of a column of integers, by the statistics in the footer of the file at `location`.

    None if there is no value, or if the file cannot be read as Parquet. Whether the file is whole is not checked here.
    """
    try:
        metadata = pq.read_metadata(location)
        place = metadata.schema.to_arrow_schema().get_field_index(column)
        groups = [metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups)]
        return max((int(group.max) for group in groups if group is not None and group.has_min_max), default=None)
    except (pa.ArrowException, OSError, ValueError, TypeError, IndexError):
        return None


def decode(content: bytes, *, schema: pa.Schema, origin: str) -> pa.Table:
    """Check a file and read its rows.

    Args:
        content: the bytes of the file.
        schema: the columns to return. A column that may be null and is not in the file is null: the file is older than the
            column.
        origin: names the file in errors.

    Returns:
        The rows, with the columns of `schema` and the metadata of the footer.

    Raises:
        CorruptFile: the checksum is wrong, the bytes are not Parquet, or a column that may not be null is missing.
    """
    check(content, origin=origin)
    return read_rows(content, schema=schema, origin=origin)


def read_rows(content: bytes, *, schema: pa.Schema, origin: str) -> pa.Table:
    """Read the rows of a file whose checksum was compared already.

    Args:
        content: the bytes of the file.
        schema: the columns to return, as for `decode`.
        origin: names the file in errors.

    Returns:
        The rows, as `decode` returns them.

    Raises:
        CorruptFile: the bytes are not Parquet, or a column that may not be null is missing.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        metadata = table.schema.metadata
        for field in schema:
            if field.nullable and field.name not in table.schema.names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(schema.names).cast(schema.with_metadata(metadata))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise CorruptFile(f"{origin} is not the Parquet file it should be: {error}", cure=_CURE) from None
