"""Who owns a vault, and how far it has come: `vault.json`, compared with the database before anything is claimed.

Belongs here: writing and comparing the mark. Does not belong here: which files are foreign (file_check.py).

A vid is given out by the database and stands for a video in the files for ever. So a vault is used with one database: another
one, or an older copy of the same one, would give the same vids to other videos. The mark has the installation's id, every epoch
of it, the highest vid given out, and a revision. The database raises its revision first and the vault follows, so a vault that
is ahead was used by a newer copy of the database.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from pleiades_core.errors import CorruptFile, ForeignVault, NotFound, OlderDatabase, PublishConflict, VaultError
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.layout import DATASETS, OWNER_KEY, parse_key
from pleiades_core.vault.manifest import recorded_files
from pleiades_core.vault.vault import Vault

_SQL = load_queries("installation")
#: Of replacing the mark while other processes do; each loses at most to those that are faster.
_ATTEMPTS = 20
#: Files that are looked at to tell whether a database knows an unmarked vault.
_WITNESSES = 20
_ELSEWHERE = (
    "to begin anew beside it, set PLEIADES_VAULT to an empty folder; `pleiades top` and `pleiades sql` read a vault without a"
    " database"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The mark, as it stands in the vault or as the database would write it."""

    installation: uuid.UUID
    #: Every epoch of the installation: who wrote a batch.
    epochs: Sequence[uuid.UUID]
    #: The highest vid that was given out; 0 before the first.
    vid: int
    #: Counts the marks. 0: the database has never marked a vault.
    revision: int

    def encode(self) -> bytes:
        """As JSON."""
        words = {
            "installation": str(self.installation), "epochs": sorted(map(str, self.epochs)), "vid": self.vid,
            "revision": self.revision,
        }  # fmt: skip
        return json.dumps(words, indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> Owner:
        """The inverse. Raises CorruptFile."""
        try:
            words = json.loads(content)
            return cls(
                installation=uuid.UUID(words["installation"]), epochs=tuple(map(uuid.UUID, words["epochs"])),
                vid=int(words["vid"]), revision=int(words["revision"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFile(
                f"{OWNER_KEY} is damaged: {error!r}",
                cure="restore it from a copy; or remove it: it is written again by the database that knows the vault's files",
            ) from None


def read_owner(vault: Vault) -> Owner | None:
    """The mark in the vault. None: nobody has marked it. Raises CorruptFile."""
    try:
        return Owner.decode(vault.archive.read(OWNER_KEY))
    except NotFound:
        return None


def owner_of(connection: psycopg.Connection) -> Owner:
    """The mark that the database would write."""
    (ours,) = records(connection, Owner, _SQL.identity)
    return ours


def require_owned(database: Database, vault: Vault) -> None:
    """Refuse a vault that this database must not be used with. Nothing is written.

    Raises ForeignVault for the vault of another installation, OlderDatabase when the vault was used by a newer copy of this
    database, CorruptFile for a damaged mark, VaultError for an empty vault where this database has used one before.
    """
    # The vault first: the database raises its revision before the vault's, so it is never behind by chance.
    marked = read_owner(vault)
    with database.transaction() as connection:
        ours = owner_of(connection)
    if marked is None:
        _require_known(database, vault, ours)
    elif marked.installation != ours.installation:
        raise ForeignVault(
            f"the vault belongs to installation {marked.installation}, and the database is "
            + ("new" if ours.revision == 0 else f"installation {ours.installation}"),
            cure="connect the database that the vault belongs to (DATABASE_URL, --home); if that database is lost, `restore`"
            f" will rebuild it from the vault, which this version cannot do yet; {_ELSEWHERE}",
        )
    elif marked.revision > ours.revision or marked.vid > ours.vid:
        raise OlderDatabase(
            f"the database is older than the vault: its revision is {ours.revision}, its highest vid {ours.vid}; the vault has"
            f" {marked.revision} and {marked.vid}",
            cure="connect the newest copy of the database; if there is none, `restore` will rebuild it from the vault, which"
            f" this version cannot do yet; {_ELSEWHERE}",
        )


def mark_vault(database: Database, vault: Vault) -> None:
    """Write the mark: this database is used with this vault, and has given out vids up to here. Durable on return.

    Before anything is hunted or polled, and before new vids appear in a file.
    """
    with database.transaction() as connection:
        (ours,) = records(connection, Owner, _SQL.raise_revision)
    for _ in range(_ATTEMPTS):
        try:
            before: bytes | None = vault.archive.read(OWNER_KEY)
        except NotFound:
            before = None
        if before is not None and Owner.decode(before).revision >= ours.revision:
            return
        try:
            vault.archive.replace(OWNER_KEY, ours.encode(), expected=sha256_of(before) if before is not None else None)
        except PublishConflict:
            continue
        return
    raise PublishConflict(f"{OWNER_KEY} changed during every attempt to write it")


def _require_known(database: Database, vault: Vault, ours: Owner) -> None:
    """Refuse an unmarked vault with files that this database does not know. Raises ForeignVault."""
    present = {
        key
        for dataset in DATASETS.values()
        for place, folder in ((vault.archive, dataset.archive_folder), (vault.journal, f"journal/{dataset.name}"))
        for key in place.keys(folder)
        if parse_key(key) is not None
    }
    if not present and ours.revision == 0:
        return
    if not present:
        raise VaultError(
            "the vault is empty, and the database has been used with a vault",
            cure="mount the disk of the vault, or set PLEIADES_VAULT to its folder; if the vault is lost, begin anew with a new"
            " database too (--home, DATABASE_URL)",
        )
    recorded = [file for file in recorded_files(database) if file.key in present][:_WITNESSES]
    if any(sha256_of(file.place(vault).read(file.key)) == file.sha256 for file in recorded):
        return
    raise ForeignVault(
        f"the vault holds {len(present)} files and names no owner, and installation {ours.installation} knows none of them",
        cure=f"connect the database that wrote them (DATABASE_URL, --home); {_ELSEWHERE}",
    )
