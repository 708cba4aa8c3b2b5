"""The vault as one object: its journal and its archive.

Belongs here: opening it. Does not belong here: what is written (journal.py, archive.py) or read (query.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from pleiades_core.errors import ConfigurationError, DamagedAnswer, VaultError
from pleiades_core.storage.objects import LocalObjects, Objects

#: Several times the bytes that one hunt writes. With less room, an hour's quota would be spent on data that cannot be kept.
_ROOM_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Vault:
    """Two places, which may be the same folder: small immutable batches, and closed days for ever."""

    journal: Objects
    archive: Objects
    #: Damaged files that the answers of this process left out, by their key, and what is wrong with each (query.py).
    damaged: dict[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Refuse a journal where each small write would be slow or not durable."""
        if not self.journal.capabilities.holds_a_journal:
            raise ConfigurationError(
                f"{self.journal.address} cannot hold a journal",
                cure="set PLEIADES_VAULT_URL to a store of small files",
            )

    def require_whole_answers(self) -> None:
        """Refuse to go on with answers that left out damaged files.

        Raises:
            DamagedAnswer: at least one file was left out; the error names all of them.
        """
        if self.damaged:
            raise_damaged(self.damaged)


def raise_damaged(damaged: Mapping[str, str]) -> NoReturn:
    """Name damaged files, given as `Vault.damaged` has them.

    Raises:
        DamagedAnswer: always.
    """
    raise DamagedAnswer(
        f"{len(damaged)} damaged file(s) are left out of what was read: {'; '.join(damaged.values())}", files=damaged
    )


def open_vault(root: Path, *, create: bool = True) -> Vault:
    """The vault in a local folder.

    Args:
        root: the folder.
        create: make the folder if it is missing.

    Raises:
        VaultError: the folder cannot be made.
    """
    try:
        if create:
            root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VaultError(
            f"the vault {root} cannot be made: {error.strerror}", cure="set PLEIADES_VAULT_URL to a folder you may write to"
        ) from None
    local = LocalObjects(root)
    return Vault(journal=local, archive=local)


def require_room(vault: Vault) -> None:
    """Refuse to call YouTube for what could not be kept.

    Raises:
        VaultError: the vault cannot be written, or its disk is (all but) full.
    """
    unspent = "YouTube was not called, no quota is spent"
    for store in (vault.journal, vault.archive):
        try:
            store.require_writable()
        except VaultError as error:
            raise VaultError(f"{error}; {unspent}", cure=error.cure) from None
        free = store.free_bytes()
        if free is not None and free < _ROOM_BYTES:
            raise VaultError(
                f"the vault {store.address} has {free / 1e6:.1f} MB left: {unspent}",
                cure=f"free {_ROOM_BYTES / 1e6:.0f} MB there at least, or set PLEIADES_VAULT_URL to a folder of another disk",
            )
