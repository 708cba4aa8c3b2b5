"""Columns of a Parquet file as plain values, checked once at the edge.

Belongs here: opening a file and reading a column of it, with errors that name file, column and cure. Does not belong here: what
the columns mean (recorded.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pleiades_core.errors import ConfigurationError

Ints = npt.NDArray[np.int64]

#: Later than every instant, in milliseconds since the epoch.
NEVER = np.iinfo(np.int64).max
#: Later instants are not readings of YouTube but damage.
_LATEST_MS = 4_102_444_800_000  # 2100-01-01
_PATH = b"pleiades.path"
_CURE = (
    "videos.parquet needs video_id, channel_id, title (text), published_at (ISO 8601 text with a zone or UTC timestamps); "
    "readings.parquet needs video_id (text), observed_at (timestamps in UTC), views, likes, comments (whole numbers or null)"
)
_ISO_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?")


def read(path: Path, required: Sequence[str]) -> pa.Table:
    """The whole file.

    Raises:
        ConfigurationError: it is missing, not Parquet, or lacks a required column.
    """
    if not path.is_file():
        raise ConfigurationError(f"the world has no file {path}", cure="name a folder with videos.parquet and readings.parquet")
    try:
        # ParquetFile, not read_table: the latter takes a folder's name such as `date=...` for a column.
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(
            f"{path} is not a readable Parquet file: {error}", cure="copy the file again from its source"
        ) from None
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise ConfigurationError(f"{path} lacks the columns {', '.join(missing)}", cure=_CURE)
    # The name is kept with the table, so that an error about a column can name the file.
    return table.replace_schema_metadata({_PATH: str(path).encode()})


def _file_of(table: pa.Table) -> str:
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    return metadata.get(_PATH, b"the world").decode()


def plain(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A text column without dictionary encoding.

    Raises:
        ConfigurationError: the column is no text.
    """
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise ConfigurationError(f"column {name} of {_file_of(table)} is {kind}, not text", cure=_CURE)
    return column.cast(pa.large_string())


def texts(table: pa.Table, name: str) -> list[str | None]:
    """A text column; all None if it is absent. Bytes that spell lone surrogates become lone surrogates."""
    if name not in table.column_names:
        return [None] * len(table)
    return [None if raw is None else _decoded(raw) for raw in plain(table, name).cast(pa.large_binary()).to_pylist()]


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def tag_lists(table: pa.Table, name: str) -> list[tuple[str, ...]]:
    """A column of lists of text; () for null and for an absent column.

    Raises:
        ConfigurationError: the column is something else.
    """
    if name not in table.column_names or pa.types.is_null(table.column(name).type):
        return [()] * len(table)
    column = table.column(name)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise ConfigurationError(f"column {name} of {_file_of(table)} is {column.type}, not a list of text", cure=_CURE)
    lists = column.cast(pa.large_list(pa.large_binary())).to_pylist()
    return [tuple(_decoded(raw) for raw in tags or () if raw is not None) for tags in lists]


def counts(table: pa.Table, name: str, path: Path) -> Ints:
    """A column of counts.

    Args:
        table: has the column.
        name: of the column.
        path: of the file, for errors.

    Returns:
        The counts; -1 for null and for a value that is no count.

    Raises:
        ConfigurationError: the column has no whole numbers.
    """
    column = table.column(name)
    if pa.types.is_floating(column.type):
        # pandas writes whole numbers with gaps as floats, sometimes with NaN for the gap.
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        whole = pc.fill_null(column.cast(pa.int64()), -1).to_numpy()
    except pa.ArrowException as error:
        raise ConfigurationError(f"column {name} of {path} is {column.type}, not whole numbers: {error}", cure=_CURE) from None
    return np.maximum(np.asarray(whole, dtype=np.int64), -1)


def instants_ms(table: pa.Table, name: str, path: Path) -> Ints:
    """A column of instants, as timestamps with a zone or as ISO 8601 text with an offset.

    Args:
        table: has the column.
        name: of the column.
        path: of the file, for errors.

    Returns:
        Milliseconds since the epoch; -1 for null.

    Raises:
        ConfigurationError: an instant has no zone: its meaning would depend on the reader.
    """
    column = table.column(name)
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise ConfigurationError(f"column {name} of {path} has no time zone", cure="store it as timestamps in UTC")
        milliseconds = column.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
        found = np.asarray(pc.fill_null(milliseconds, -1).to_numpy(), dtype=np.int64)
    else:
        found = np.array([_instant_ms(value, name, path) for value in texts(table, name)], dtype=np.int64)
    return np.where(found > _LATEST_MS, -1, found)


def _instant_ms(value: str | None, name: str, path: Path) -> int:
    if not value:
        return -1
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ConfigurationError(f"column {name} of {path} holds {value[:40]!r}, which is no instant", cure=_CURE) from None
    if at.tzinfo is None:
        raise ConfigurationError(
            f"column {name} of {path} holds {value[:40]!r}, without a zone", cure="write it in UTC, with Z"
        )
    return max(-1, round(at.astimezone(UTC).timestamp() * 1_000))


def durations_s(table: pa.Table, name: str) -> Ints:
    """A column of seconds or ISO 8601 durations; -1 for null, for an absent column and for what cannot be read."""
    if name not in table.column_names or pa.types.is_null(table.column(name).type):
        return np.full(len(table), -1, dtype=np.int64)
    column = table.column(name)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(pc.fill_null(column.cast(pa.int64(), safe=False), -1).to_numpy(), dtype=np.int64)
    return np.array([_duration_s(value) for value in texts(table, name)], dtype=np.int64)


def _duration_s(value: str | None) -> int:
    match = _ISO_DURATION.fullmatch(value or "")
    if match is None or not any(match.groups()):
        return -1
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
