"""The file of a closed day, read as it is: whole, or its footer alone.

Belongs here: reading one file, and telling ours from a foreign or damaged one. Does not belong here: closing a day
(archive.py), which files make up an answer (samples.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pleiades_core.errors import CorruptFile
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.vault.layout import Dataset, DayFooter
from pleiades_core.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFile:
    """The file of a day."""

    footer: DayFooter
    rows: pa.Table
    sha256: str
    bytes: int


def read_day(vault: Vault, dataset: Dataset, day: date, *, sha256: str | None = None) -> DayFile:
    """The day's file, which must be the one that `sha256` names, if given.

    Raises NotFound when there is none, CorruptFile when it is another or not a closed day of ours.
    """
    key = dataset.day_key(day)
    content = vault.archive.read(key)
    found = sha256_of(content)
    if sha256 is not None and found != sha256:
        raise CorruptFile(f"{key} is not the file that was closed", cure="restore it from a copy")
    table = parquet.decode(content, schema=dataset.schema, origin=key)
    return DayFile(footer=_footer(key, table.schema.metadata), rows=table, sha256=found, bytes=len(content))


def footer_of(vault: Vault, dataset: Dataset, day: date) -> DayFooter:
    """What the day's file says of itself, without reading its rows. Raises as `read_day` does."""
    key = dataset.day_key(day)
    return _footer(key, parquet.footer(vault.archive.location(key)))


def _footer(key: str, metadata: dict[bytes, bytes] | None) -> DayFooter:
    try:
        return DayFooter.decode(metadata)
    except (KeyError, ValueError) as error:
        raise CorruptFile(
            f"{key} is not a closed day of Pleiades: {error!r}", cure="move it out of the archive, then close the day again"
        ) from None
