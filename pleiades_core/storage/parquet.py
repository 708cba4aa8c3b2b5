"""Arrow tables to Parquet bytes and back, each file with its own checksum.

Belongs here: codecs and encodings, with the measurement behind each, and the checksum. Does not belong here: which columns
there are.

The checksum is the SHA-256 of the whole file, computed while its own 64 digits are zeros, and stands in the footer under
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

#: Level 3 costs little while somebody waits; 9 is for files that are written once and read for ever.
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
    """`table` as a Parquet file, its schema's metadata in the footer; the same table gives the same bytes.

    `delta` columns are stored as differences (DELTA_BINARY_PACKED); the others plain: differences break zstd's matching on
    counters, and BYTE_STREAM_SPLIT on integers, smaller by a fifth, cannot be read by DuckDB before 2.0.
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
    """What a file says of itself, once its checksum was found right."""

    #: Of the whole file as it is, the checksum's digits included: what a manifest says.
    sha256: str
    #: Bytes of the file.
    size: int
    #: The key-value metadata of the footer.
    metadata: Mapping[bytes, bytes]


def check(content: bytes, *, origin: str) -> CheckedContent:
    """Compare a file with its own checksum, and read its footer. Its rows are not decoded.

    Raises CorruptFile, naming `origin`, when there is no checksum, or another one, or no footer of Parquet.
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

    None where there is none, or the file is no Parquet that can be read: whether a file is whole is not asked here.
    """
    try:
        metadata = pq.read_metadata(location)
        place = metadata.schema.to_arrow_schema().get_field_index(column)
        groups = [metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups)]
        return max((int(group.max) for group in groups if group is not None and group.has_min_max), default=None)
    except (pa.ArrowException, OSError, ValueError, TypeError, IndexError):
        return None


def decode(content: bytes, *, schema: pa.Schema, origin: str) -> pa.Table:
    """The table in `content`, its columns cast to `schema`, its footer metadata kept.

    A column that may be null and is not there is null throughout: the file is older than the column. Raises CorruptFile,
    naming `origin`, when the bytes do not match their checksum, are not Parquet or lack another column.
    """
    check(content, origin=origin)
    return read_rows(content, schema=schema, origin=origin)


def read_rows(content: bytes, *, schema: pa.Schema, origin: str) -> pa.Table:
    """What `decode` gives, for a file that was checked already. Raises CorruptFile."""
    try:
        table = pq.read_table(pa.BufferReader(content))
        metadata = table.schema.metadata
        for field in schema:
            if field.nullable and field.name not in table.schema.names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(schema.names).cast(schema.with_metadata(metadata))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise CorruptFile(f"{origin} is not the Parquet file it should be: {error}", cure=_CURE) from None
