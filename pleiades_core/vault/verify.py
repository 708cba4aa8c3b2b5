"""Is everything there that should be? Compares every recorded file with its checksum.

Belongs here: the comparison. Does not belong here: mending (restore from a copy) or removing (janitor.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pleiades_core.errors import NotFound
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.layout import DATASETS
from pleiades_core.vault.vault import Vault

_SQL = load_queries("batches")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was compared, and what is wrong."""

    files: int
    bytes: int
    problems: tuple[str, ...]


def verify(database: Database, vault: Vault) -> Verification:
    """Read every recorded batch and closed day and compare it with the manifest in SQL. Reads the whole vault."""
    with database.transaction() as connection:
        batches = connection.execute(_SQL.all_batches).fetchall()
        days = connection.execute(_SQL.all_days).fetchall()
    wanted = [(vault.journal, DATASETS[name].batch_key(day, batch_id), sha256) for name, day, batch_id, sha256 in batches]
    wanted += [(vault.archive, DATASETS[name].day_key(day), sha256) for name, day, sha256 in days]
    files = size = 0
    problems: list[str] = []
    for place, key, sha256 in wanted:
        try:
            content = place.read(key)
        except NotFound:
            problems.append(f"{key} is missing")
            continue
        files += 1
        size += len(content)
        if sha256_of(content) != sha256:
            problems.append(f"{key} is damaged: its SHA-256 is not the recorded one")
    return Verification(files=files, bytes=size, problems=tuple(problems))
