"""The vault as one object: its journal and its archive, and who they belong to.

Belongs here: opening it. Does not belong here: what is written (journal.py, archive.py) or read (samples.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pleiades_core.errors import VaultError
from pleiades_core.storage.objects import LocalObjects, Objects


@dataclass(frozen=True, slots=True)
class Vault:
    """Two places, which may be the same folder: small immutable batches, and closed days for ever."""

    journal: Objects
    archive: Objects


def open_vault(root: Path) -> Vault:
    """The vault in a local folder, made if it is missing. Raises VaultError when the folder cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise VaultError(
            f"the vault {root} cannot be written: {error.strerror}", cure="set PLEIADES_VAULT to a folder you may write to"
        ) from None
    local = LocalObjects(root)
    return Vault(journal=local, archive=local)


def sizes(root: Path) -> Iterator[tuple[str, int]]:
    """Top-level folder and bytes of every file of a local vault."""
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(root).parts[0], path.stat().st_size
