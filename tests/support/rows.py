"""What tests read back: every row of a dataset, from closed days and journal together."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pleiades_core.storage import parquet
from pleiades_core.vault.layout import Dataset
from pleiades_core.vault.readable_files import files, whole_files
from pleiades_core.vault.vault import Vault


def read_rows(vault: Vault, dataset: Dataset) -> pa.Table:
    """In no order; each committed or adopted batch once."""
    found = whole_files(vault, files(vault, dataset)).locations
    tables = [parquet.decode(Path(location).read_bytes(), schema=dataset.schema, origin=location) for location in found]
    plain = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(plain) if plain else dataset.schema.empty_table()
