"""The vault as one object: its journal and its archive, and who they belong to.

Belongs here: opening it. Does not belong here: what is written (journal.py, archive.py) or read (query.py).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from pleiades_core.errors import DamagedAnswer, VaultError
from pleiades_core.storage.objects import LocalObjects, Objects

#: Several times what one hunt writes. Below it an hour's quota would be spent on what cannot be kept.
_ROOM_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Vault:
    """Two places, which may be the same folder: small immutable batches, and closed days for ever."""

    journal: Objects
    archive: Objects
    #: Damaged files that answers of this opening were made without, by their key, and what is wrong with each (query.py).
    damaged: dict[str, str] = field(default_factory=dict, compare=False)

    def require_whole_answers(self) -> None:
        """Refuse to go on with answers that lack something. Raises DamagedAnswer that names every damaged file."""
        if self.damaged:
            raise_damaged(self.damaged)


def raise_damaged(damaged: Mapping[str, str]) -> NoReturn:
    """Name damaged files, given as `Vault.damaged` has them. Raises DamagedAnswer."""
    raise DamagedAnswer(
        f"{len(damaged)} damaged file(s) are left out of what was read: {'; '.join(damaged.values())}", files=damaged
    )


def open_vault(root: Path, *, create: bool = True) -> Vault:
    """The vault in a local folder. `create`: it is made if it is missing. Raises VaultError when that cannot be done."""
    try:
        if create:
            root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VaultError(
            f"the vault {root} cannot be made: {error.strerror}", cure="set PLEIADES_VAULT_URL to a folder you may write to"
        ) from None
    local = LocalObjects(root)
    return Vault(journal=local, archive=local)


def require_room(root: Path) -> None:
    """Refuse to ask YouTube for what could not be kept.

    Raises VaultError when the vault cannot be written, or its disk is (all but) full.
    """
    try:
        # A name of its own: threads and processes do this at the same time.
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        raise VaultError(
            f"the vault {root} cannot be written: {error.strerror}; YouTube was not asked, no quota is spent",
            cure="set PLEIADES_VAULT_URL to a folder you may write to",
        ) from None
    if (free := free_bytes(root)) < _ROOM_BYTES:
        raise VaultError(
            f"the vault {root} has {free / 1e6:.1f} MB left: YouTube was not asked, no quota is spent",
            cure=f"free {_ROOM_BYTES / 1e6:.0f} MB there at least, or set PLEIADES_VAULT_URL to a folder of another disk",
        )


def free_bytes(folder: Path) -> int:
    """What may still be written below a folder, which need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def device_of(folder: Path) -> int:
    """The disk that a folder is on, or will be."""
    return _existing(folder).stat().st_dev


def _existing(folder: Path) -> Path:
    # Not `Path.exists`, which raises for a folder below one that may not be entered.
    return next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))


def sizes(root: Path) -> Iterator[tuple[str, int]]:
    """Top-level folder and bytes of every file of a local vault."""
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(root).parts[0], path.stat().st_size
