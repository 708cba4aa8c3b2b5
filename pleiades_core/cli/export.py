"""An answer as a file for R, pandas or a spreadsheet: CSV or Parquet, by the ending of the file's name.

Does not belong here: the query (cli/commands/sql.py), answers on the terminal (output.py).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pleiades_core.errors import UsageError


def check_target(file: Path, vault_root: Path) -> None:
    """Refuse a file that `write` would refuse or that must not be written, before the query runs.

    Raises:
        UsageError: the ending is neither .csv nor .parquet, or the file is in the vault.
    """
    if file.suffix.lower() not in _WRITERS:
        raise UsageError(f"{file} is neither CSV nor Parquet", cure="name a file that ends in .csv or .parquet")
    if file.resolve().is_relative_to(vault_root.resolve()):
        raise UsageError(f"{file} is in the vault {vault_root}", cure="name a file outside: the vault keeps what was measured")


def write(table: pa.Table, file: Path) -> int:
    """Put a table in place of a file, whole or not at all. Returns the bytes of the file.

    Raises:
        UsageError: the file cannot be written.
    """
    beside = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        try:
            _WRITERS[file.suffix.lower()](table, beside)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
        return file.stat().st_size
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"{file} cannot be written: {reason}", cure="name a file in a folder that you may write to") from None


def _write_csv(table: pa.Table, file: Path) -> None:
    """Write CSV with a heading. CSV has no lists: they become JSON. Null is an empty cell, an empty text is `""`."""
    for place, column in enumerate(table.schema):
        if pa.types.is_nested(column.type):
            cells = [None if value is None else orjson.dumps(value).decode() for value in table.column(place).to_pylist()]
            table = table.set_column(place, column.name, pa.array(cells, pa.string()))
    pyarrow.csv.write_csv(table, str(file))


def _write_parquet(table: pa.Table, file: Path) -> None:
    pq.write_table(table, str(file), compression="zstd")


_WRITERS: Mapping[str, Callable[[Any, Path], None]] = {".csv": _write_csv, ".parquet": _write_parquet}
