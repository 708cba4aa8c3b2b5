"""A vault is used with one database: before anything is claimed, the mark in the vault is compared with the database.

Belongs here: comparing and writing the mark. Does not belong here: the content of the mark (owner.py), which files are foreign
(file_check.py).

The database gives out a vid, which stands for one video in the files for ever. Another database, or an older copy of this one,
would give vids that are in use to other videos. The mark has the installation's id, its epochs, the highest vid given out, and
a revision. The database raises its revision first and the vault follows, so a vault that is ahead was used by a newer copy of
the database.
"""

from __future__ import annotations

import contextlib

from pleiades_core.errors import ForeignVault, NotFound, OlderDatabase, PublishConflict, VaultError
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.file_check import check_batch, check_closed_day
from pleiades_core.vault.journal import days_with_files, files_of_day
from pleiades_core.vault.layout import DATASETS, OWNER_KEY, REGISTRY, days_by_key, parse_key
from pleiades_core.vault.manifest import recorded_files
from pleiades_core.vault.owner import Owner, owner_of, read_owner
from pleiades_core.vault.vault import Vault

_SQL = load_queries("installation")
#: How often to try to replace the mark while other processes replace it too.
_ATTEMPTS = 20
#: Files that are looked at to tell whether a database knows an unmarked vault.
_WITNESSES = 20
#: Closed days of the registry that are looked at for the highest vid. A claim waits a few days at most for its description.
_NEWEST_DAYS = 10
_ARCHIVE = REGISTRY.archive_folder
_ELSEWHERE = (
    "to begin anew beside it, set PLEIADES_VAULT_URL to an empty folder; `pleiades top` and `pleiades sql` read a vault"
    " without a database"
)


def require_owned(database: Database, vault: Vault) -> None:
    """Refuse a vault that this database must not be used with. Nothing is written.

    Raises:
        ForeignVault: the vault belongs to another installation.
        OlderDatabase: a newer copy of this database has used the vault.
        CorruptFile: the mark is damaged.
        VaultError: the vault is empty, and this database has used a vault before.
    """
    # The vault is read first: the database raises its revision before the vault's, so it is never behind by chance.
    marked = read_owner(vault)
    with database.transaction() as connection:
        own = owner_of(connection)
    if marked is None:
        _require_known(database, vault, own)
        _require_highest(vault, own)
    elif marked.installation != own.installation:
        raise ForeignVault(
            f"the vault belongs to installation {marked.installation}, and the database is "
            + ("new" if own.revision == 0 else f"installation {own.installation}"),
            cure="connect the database that the vault belongs to (DATABASE_URL, --home); if that database is lost, `restore`"
            f" will rebuild it from the vault, which this version cannot do yet; {_ELSEWHERE}",
        )
    elif marked.revision > own.revision or marked.vid > own.vid:
        raise OlderDatabase(
            f"the database is older than the vault: its revision is {own.revision}, its highest vid {own.vid}; the vault has"
            f" {marked.revision} and {marked.vid}",
            cure="connect the newest copy of the database; if there is none, `restore` will rebuild it from the vault, which"
            f" this version cannot do yet; {_ELSEWHERE}",
        )


def begin_work(database: Database, vault: Vault) -> None:
    """Before a hunt or a tick: compare the newest files with the database, and write the mark.

    The mark alone is not enough: it may be an older copy that was restored together with an older database.

    Raises:
        VaultError: as `require_owned` raises it.
    """
    require_owned(database, vault)
    with database.transaction() as connection:
        own = owner_of(connection)
    _require_highest(vault, own)
    mark_vault(database, vault)


def mark_vault(database: Database, vault: Vault) -> None:
    """Write the mark: this database is used with this vault, and has given out vids up to here. Durable on return.

    It is written before a hunt or a poll, and before new vids appear in a file.

    Raises:
        ForeignVault: another installation has just taken the vault.
        PublishConflict: other processes replaced the mark during every attempt.
    """
    with database.transaction() as connection:
        (own,) = records(connection, Owner, _SQL.raise_revision)
    for _ in range(_ATTEMPTS):
        try:
            before: bytes | None = vault.archive.read(OWNER_KEY)
        except NotFound:
            before = None
        if before is not None:
            marked = Owner.decode(before)
            if marked.installation != own.installation:
                raise ForeignVault(
                    f"installation {marked.installation} has just taken the vault, and the database is {own.installation}",
                    cure=f"use a vault with one database only; {_ELSEWHERE}",
                )
            if marked.revision >= own.revision:
                return
        try:
            vault.archive.replace(OWNER_KEY, own.encode(), expected=sha256_of(before) if before is not None else None)
        except PublishConflict:
            continue
        return
    raise PublishConflict(f"{OWNER_KEY} changed during every attempt to write it")


def _require_highest(vault: Vault, own: Owner) -> None:
    """Refuse a database that would give out vids which stand for videos in the registry. Raises OlderDatabase."""
    highest = _highest_vid(vault, own)
    if highest > own.vid:
        raise OlderDatabase(
            f"the database is older than the vault: its highest vid is {own.vid}, and the registry has {highest}",
            cure="connect the newest copy of the database; if there is none, `restore` will rebuild it from the vault, which"
            f" this version cannot do yet; {_ELSEWHERE}",
        )


def _highest_vid(vault: Vault, own: Owner) -> int:
    """The highest vid of our own registry files, by the statistics in their footers; 0 where there are none.

    Vids rise, so it is in the newest files: in the journal, or in one of the last closed days.
    """
    found: list[str] = []
    for day in sorted(day_of for day_of in days_by_key(vault.archive.keys(_ARCHIVE), _ARCHIVE).values())[-_NEWEST_DAYS:]:
        with contextlib.suppress(VaultError, NotFound):
            check_closed_day(vault, REGISTRY, day, own)
            found.append(vault.archive.uri(REGISTRY.day_key(day)))
    for day in days_with_files(vault, REGISTRY):
        for batch, key in files_of_day(vault, REGISTRY, day).items():
            with contextlib.suppress(VaultError, NotFound):
                check_batch(vault.journal, REGISTRY, day, batch, own)
                found.append(vault.journal.uri(key))
    return max((parquet.highest(location, "vid") or 0 for location in found), default=0)


def _require_known(database: Database, vault: Vault, own: Owner) -> None:
    """Refuse an unmarked vault with files that this database does not know. Raises ForeignVault."""
    present = {
        key
        for dataset in DATASETS.values()
        for place, folder in ((vault.archive, dataset.archive_folder), (vault.journal, dataset.journal_folder))
        for key in place.keys(folder)
        if parse_key(key) is not None
    }
    # The first mark is written before the first vid is given out; a crash may have come between database and vault.
    if not present and own.vid == 0:
        return
    if not present:
        raise VaultError(
            "the vault is empty, and the database has been used with a vault",
            cure="mount the disk of the vault, or set PLEIADES_VAULT_URL to its folder; if the vault is lost, begin anew with a"
            " new database too (--home, DATABASE_URL)",
        )
    recorded = [file for file in recorded_files(database) if file.key in present][:_WITNESSES]
    if any(sha256_of(file.place(vault).read(file.key)) == file.sha256 for file in recorded):
        return
    raise ForeignVault(
        f"the vault holds {len(present)} files and names no owner, and installation {own.installation} knows none of them",
        cure=f"connect the database that wrote them (DATABASE_URL, --home); {_ELSEWHERE}",
    )
