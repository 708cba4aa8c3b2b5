"""The mark of a vault's owner: `vault.json`, as it stands there and as the database would write it.

Belongs here: reading the mark. Does not belong here: comparing and writing it (ownership.py), which files are foreign
(file_check.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from pleiades_core.errors import CorruptFile, NotFound
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.layout import OWNER_KEY
from pleiades_core.vault.vault import Vault

_SQL = load_queries("installation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The mark, as it stands in the vault or as the database would write it."""

    installation: uuid.UUID
    #: Every epoch of the installation. A batch names the epoch in which it was written.
    epochs: Sequence[uuid.UUID]
    #: The highest vid that was given out; 0 before the first.
    vid: int
    #: Counts the marks. 0: the database has never marked a vault.
    revision: int

    def encode(self) -> bytes:
        """As JSON."""
        mark = {
            "installation": str(self.installation), "epochs": sorted(map(str, self.epochs)), "vid": self.vid,
            "revision": self.revision,
        }  # fmt: skip
        return json.dumps(mark, indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> Owner:
        """The inverse of `encode`.

        Raises:
            CorruptFile: the mark is damaged.
        """
        try:
            mark = json.loads(content)
            return cls(
                installation=uuid.UUID(mark["installation"]), epochs=tuple(map(uuid.UUID, mark["epochs"])),
                vid=int(mark["vid"]), revision=int(mark["revision"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFile(
                f"{OWNER_KEY} is damaged: {error!r}",
                cure="restore it from a copy; or remove it: it is written again by the database that knows the vault's files",
            ) from None


def read_owner(vault: Vault) -> Owner | None:
    """The mark in the vault; None: there is none.

    Raises:
        CorruptFile: the mark is damaged.
    """
    try:
        return Owner.decode(vault.archive.read(OWNER_KEY))
    except NotFound:
        return None


def owner_of(connection: psycopg.Connection) -> Owner:
    """The mark that the database would write."""
    (owner,) = records(connection, Owner, _SQL.identity)
    return owner
