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
    #: What an asset returns. Dagster knows its class by identity and takes the generic form for a value of unknown type.
    Materialized = dg.MaterializeResult[None]
else:
    Materialized = dg.MaterializeResult

#: Rows of a preview: enough to see whether it makes sense.
PREVIEW_ROWS = 10
#: Characters of a title in a preview.
_TEXT = 100


def metadata_of(report: DataclassInstance) -> dict[str, Any]:
    """Every field of a report. Mappings of numbers are flattened (`calls` becomes `calls_search`, `calls_stats`), mappings
    of reports are tables; None is left out.
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(report):
        value = getattr(report, field.name)
        if isinstance(value, Mapping) and any(dataclasses.is_dataclass(one) for one in value.values()):
            found[field.name] = _table([{"name": name, **_cells(one)} for name, one in value.items()])
        elif isinstance(value, Mapping):
            found |= {f"{field.name}_{key}": _plain(number) for key, number in value.items()}
            if value and all(isinstance(number, int) for number in value.values()):
                found[f"{field.name}_total"] = sum(value.values())
        elif isinstance(value, (list, tuple)) and value and dataclasses.is_dataclass(value[0]):
            found[field.name] = table_of(value)
        elif value is not None and not isinstance(value, (list, tuple)):
            found[field.name] = _plain(value)
    return found


def table_of(rows: Iterable[Any], *, limit: int = PREVIEW_ROWS) -> dg.TableMetadataValue:
    """The first rows of a list of dataclasses as a table."""
    return _table([_cells(row) for row, _ in zip(rows, range(limit), strict=False)])


def _table(rows: list[dict[str, str | int | float | bool | None]]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        records=[dg.TableRecord(row) for row in rows], schema=None if rows else dg.TableSchema(columns=[])
    )


def _cells(row: Any) -> dict[str, str | int | float | bool | None]:
    return {field.name: _cell(getattr(row, field.name)) for field in dataclasses.fields(row)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return dg.MetadataValue.timestamp(value)
    if isinstance(value, bool | int | float):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, date | uuid.UUID):
        return str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {number}" for key, number in value.items())[:_TEXT]
    return str(value)[:_TEXT]
