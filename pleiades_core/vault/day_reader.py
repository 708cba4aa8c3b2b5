"""The file of a closed day, read whole.

Belongs here: reading one file with its rows. Does not belong here: its footer alone and whether it is ours (file_check.py),
closing a day (archive.py), which files make up an answer (query.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pleiades_core.errors import CorruptFile
from pleiades_core.storage import parquet
from pleiades_core.vault.file_check import day_footer
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.layout import Dataset
from pleiades_core.vault.owner import Owner
from pleiades_core.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFile:
    """The file of a day."""

    footer: DayFooter
    rows: pa.Table
    sha256: str
    bytes: int


def read_day(vault: Vault, dataset: Dataset, day: date, *, sha256: str | None = None, owner: Owner | None = None) -> DayFile:
    """Read the file of a closed day.

    Args:
        vault: has the file.
        dataset: samples or registry.
        day: UTC day.
        sha256: the checksum that the manifest has; None: any.
        owner: the installation that must have closed the day; None: any.

    Returns:
        The file's rows and footer.

    Raises:
        NotFound: the day is not closed.
        CorruptFile: the file is damaged, is another file, or is not a closed day of ours.
    """
    key = dataset.day_key(day)
    content = vault.archive.read(key)
    checked = parquet.check(content, origin=key)
    if sha256 is not None and checked.sha256 != sha256:
        raise CorruptFile(f"{key} is not the file that was closed", cure="restore it from a copy")
    footer = day_footer(checked, dataset, day, owner)
    table = parquet.read_rows(content, schema=dataset.schema, origin=key)
    return DayFile(footer=footer, rows=table, sha256=checked.sha256, bytes=len(content))
