"""The core's reports as metadata: numbers stay numbers, so that the UI plots them over time.

Belongs here: turning frozen dataclasses into metadata and small tables. Does not belong here: which reports there are.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

if TYPE_CHECKING:
    #: The result of an asset. Dagster knows its class by identity, and takes the generic form for a value of unknown type.
    Materialized = dg.MaterializeResult[None]
else:
    Materialized = dg.MaterializeResult

_Cell = str | int | float | bool | None
#: Column types of Dagster's tables. A bool is an int in Python, so it comes first.
_TYPES = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"))
#: Rows of a preview.
PREVIEW_ROWS = 10
#: Characters of a title in a preview.
_TEXT = 100


def metadata_of(report: DataclassInstance) -> dict[str, Any]:
    """Every field of a report. None is left out.

    Nested reports and mappings of numbers are flattened (`calls` becomes `calls_search`, `calls_stats`), mappings and sequences
    of reports are tables, and other sequences are text, one line for each element.
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(report):
        name, value = field.name, getattr(report, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found |= {f"{name}_{inner}": inner_value for inner, inner_value in metadata_of(value).items()}
        elif isinstance(value, Mapping) and any(dataclasses.is_dataclass(item) for item in value.values()):
            found[name] = _table([{"name": key, **_cells(item)} for key, item in value.items()])
        elif isinstance(value, Mapping):
            found |= {f"{name}_{key}": _plain(number) for key, number in value.items()}
            if value and all(isinstance(number, int) for number in value.values()):
                found[f"{name}_total"] = sum(value.values())
        elif isinstance(value, (list, tuple)):
            if value:
                found[name] = table_of(value) if dataclasses.is_dataclass(value[0]) else "\n".join(map(str, value))
        elif value is not None:
            found[name] = _plain(value)
    return found


def table_of(rows: Iterable[Any], *, limit: int = PREVIEW_ROWS) -> dg.TableMetadataValue:
    """The first rows of a list of dataclasses as a table; the fields of a nested dataclass are columns of their own."""
    return _table([_cells(row) for row, _ in zip(rows, range(limit), strict=False)])


def _table(rows: list[dict[str, _Cell]]) -> dg.TableMetadataValue:
    """A table whose rows all have the same columns. A nested report that a row lacks is null in each of its columns."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    unknown = [name for name in columns if all(row.get(name) is None for row in rows)]
    nested = {name for name in unknown if any(column.startswith(f"{name}_") for column in columns)}
    kept = [name for name in columns if name not in nested]
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: row.get(name) for name in kept}) for row in rows],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, _type_of(name, rows)) for name in kept]),
    )


def _type_of(name: str, rows: list[dict[str, _Cell]]) -> str:
    """The type of a column, by its first value that is not null."""
    first = next((row[name] for row in rows if row.get(name) is not None), "")
    return next(word for kind, word in _TYPES if isinstance(first, kind))


def _cells(row: Any) -> dict[str, _Cell]:
    found: dict[str, _Cell] = {}
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if dataclasses.is_dataclass(value):
            found |= {f"{field.name}_{inner}": cell for inner, cell in _cells(value).items()}
        else:
            found[field.name] = _cell(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return dg.MetadataValue.timestamp(value)
    if isinstance(value, bool | int | float):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _cell(value: Any) -> _Cell:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, date | uuid.UUID):
        return str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(number)}" for key, number in value.items())[:_TEXT]
    return str(value)[:_TEXT]
