"""Verifying a vault: every file that should be there is there and whole, and there is nothing else.

Belongs here: the comparison. Does not belong here: mending (restore from a copy, or losses.py) or removing (janitor.py).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from pleiades_core.errors import CorruptFile, ForeignFile, NotFound, VaultError
from pleiades_core.storage import parquet
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.file_check import check_batch, check_closed_day, check_day_file, check_file, forget_checked_files
from pleiades_core.vault.layout import DAMAGED, DATASETS, DISCOVERY_REQUESTS, INSIGHTS, JOURNAL, OWNER_KEY, ParsedKey, parse_key
from pleiades_core.vault.manifest import RecordedFile, read_manifest, recorded_files
from pleiades_core.vault.owner import Owner, owner_of, read_owner
from pleiades_core.vault.vault import Vault

_MANIFESTS = {dataset.manifest_folder: dataset for dataset in DATASETS.values()}
_BY_FOLDER = {dataset.archive_folder: dataset for dataset in DATASETS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was compared, and what is wrong."""

    files: int
    bytes: int
    #: Damaged and missing files, a sentence each. Readers leave their rows out.
    problems: tuple[str, ...]
    #: Whole batch files whose footer names another place, a sentence each. They are never read.
    foreign: tuple[str, ...]
    #: Keys of files, links and folders that Pleiades never made. They are never read.
    strays: tuple[str, ...]


def verify(database: Database, vault: Vault) -> Verification:
    """Compare every file of the vault with its checksum, and every file that SQL counts on with the checksum in SQL.

    Finds at least what readers leave out. Reads the whole vault.
    """
    forget_checked_files()
    with database.transaction() as connection:
        owner = owner_of(connection)
    before = recorded_files(database)
    keys = dict.fromkeys(vault.archive.keys(""), vault.archive) | dict.fromkeys(vault.journal.keys(JOURNAL), vault.journal)
    parsed = {key: parse_key(key) for key in keys}
    checked: dict[str, parquet.CheckedContent] = {}
    problems: dict[str, str] = {}
    foreign: dict[str, str] = {}
    expected = {key: name for key, name in parsed.items() if name is not None and name.folder != DAMAGED}
    for key, name in expected.items():
        try:
            _check(vault, key, name, owner)
            if key.endswith(".parquet"):
                checked[key] = check_file(keys[key], key)
        except ForeignFile as error:
            foreign[key] = str(error)
        except NotFound:
            continue  # It was swept meanwhile.
        except VaultError as error:
            problems[key] = str(error)
    # Only files that SQL recorded before and after: a day may be closed again, and a batch swept, while the vault is read.
    after = {(file.key, file.sha256) for file in recorded_files(database)}
    for file in (file for file in before if (file.key, file.sha256) in after):
        if file.key not in keys and file.batch_id in _held(vault, file, owner):
            continue  # A whole closed day has its rows.
        if file.key not in keys:
            problems[file.key] = f"{file.key} is missing"
        elif file.key in checked and checked[file.key].sha256 != file.sha256:
            problems[file.key] = f"{file.key} is not the recorded file: its SHA-256 is another one"
    return Verification(
        files=len(checked),
        bytes=sum(file.size for file in checked.values()),
        problems=tuple(problems.values()),
        foreign=tuple(foreign.values()),
        strays=(*(key for key, name in parsed.items() if name is None), *vault.archive.irregular("")),
    )


def _held(vault: Vault, file: RecordedFile, owner: Owner) -> frozenset[uuid.UUID]:
    """The batches that the closed day of a recorded file holds."""
    try:
        return check_closed_day(vault, file.dataset, file.day, owner).batches
    except (VaultError, NotFound):
        return frozenset()


def _check(vault: Vault, key: str, name: ParsedKey, owner: Owner) -> None:
    """Check a file as readers do before they read it. Raises VaultError or NotFound."""
    if name.folder in DATASETS and name.day and name.batch:
        check_batch(vault.journal, DATASETS[name.folder], name.day, name.batch, owner)
    elif name.folder in _BY_FOLDER and name.day:
        check_closed_day(vault, _BY_FOLDER[name.folder], name.day, owner)
    elif (name.folder == DISCOVERY_REQUESTS or name.folder.startswith(f"{INSIGHTS}/")) and name.day:
        check_day_file(vault.archive, key, name.folder.rpartition("/")[2], name.day, owner)
    elif name.folder in _MANIFESTS and name.day and read_manifest(vault, _MANIFESTS[name.folder], name.day) is None:
        raise CorruptFile(f"{key} is no manifest", cure="close its day again: the manifest is written anew")
    elif key == OWNER_KEY:
        read_owner(vault)
