"""The tables of the vault as Dagster's catalogue shows them: columns with types and meanings, address, freshness.

Belongs here: which table of Dagster is which dataset, and freshness policies. Does not belong here: what a column means
(pleiades_core/vault/codes.py), its type (pleiades_core/vault/layout.py, insights/publish.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from pleiades_core.insights.publish import SCHEMAS
from pleiades_core.vault import layout
from pleiades_core.vault.codes import CODES, COLUMNS
from pleiades_core.vault.layout import CHECKPOINT_SCHEMA, DISCOVERY_REQUEST_SCHEMA, REGISTRY, SAMPLES

#: A hunt runs every hour and a tick several times an hour. If quota is spent, both wait until midnight Pacific at the latest.
FRESH_HOURLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=6), fail_window=timedelta(hours=26))
#: A day is closed half an hour after it ends, and derived assets follow within minutes.
FRESH_DAILY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=27), fail_window=timedelta(hours=50))


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of Parquet file: a file for each UTC day under `folder` of the vault."""

    folder: str
    #: Its name in `COLUMNS`.
    dataset: str
    schema: pa.Schema = field(repr=False)

    def columns(self) -> list[dg.TableColumn]:
        """The columns, in the order of the file."""
        return [
            dg.TableColumn(field.name, str(field.type), description=_meaning(self.dataset, field.name)) for field in self.schema
        ]

    def metadata(self, vault_root: Path) -> dict[str, Any]:
        """Column schema and address, as metadata of an asset's definition."""
        return {
            "dagster/column_schema": dg.TableSchema(columns=self.columns()),
            "dagster/uri": (vault_root.absolute() / self.folder).as_uri(),
        }


def _meaning(dataset: str, column: str) -> str:
    """The meaning of a column; for a column of codes also the meaning of each code."""
    codes = [f"{code}: {word}" for code, word in CODES.get(column, {}).items()]
    return "; ".join([COLUMNS[dataset][column], *codes])


METRICS = Table(SAMPLES.archive_folder, SAMPLES.name, SAMPLES.schema)
VIDEOS = Table(REGISTRY.archive_folder, REGISTRY.name, REGISTRY.schema)
DISCOVERY_REQUESTS = Table(layout.DISCOVERY_REQUESTS, "discovery_requests", DISCOVERY_REQUEST_SCHEMA)
COHORTS = Table(layout.CHECKPOINTS, "checkpoints", CHECKPOINT_SCHEMA)
VELOCITY = Table(layout.insight_folder("velocity"), "velocity", SCHEMAS["velocity"])
RANKINGS = Table(layout.insight_folder("rankings"), "rankings", SCHEMAS["rankings"])
