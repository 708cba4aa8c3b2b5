"""May this file be read? Each is compared with its checksum, once per process and version of the file.

Belongs here: the verdict on one file: whole, damaged or foreign. Does not belong here: which files make up an answer
(readable_files.py), what people are told (verify.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable
from datetime import date

from pleiades_core.errors import CorruptFile, ForeignFile, NotFound
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import Objects
from pleiades_core.vault.footers import BatchFooter, DayFooter
from pleiades_core.vault.layout import Dataset
from pleiades_core.vault.manifest import read_manifest
from pleiades_core.vault.owner import Owner
from pleiades_core.vault.vault import Vault

#: What was found in the newest version of each file, by its location: some 20 kB for a closed day of 100 batches.
_checked: dict[str, tuple[Hashable, parquet.CheckedContent | str]] = {}
#: Footers of closed days, decoded, with the versions of the file and of its manifest.
_days: dict[str, tuple[Hashable, DayFooter]] = {}
#: Of a closed day that is closed again in every moment in which it is looked at.
_ATTEMPTS = 5


def check_file(place: Objects, key: str) -> parquet.CheckedContent:
    """Read the file and compare it with its own checksum, unless this process did so before.

    Raises CorruptFile when it is damaged, NotFound when there is none.
    """
    location, version = place.uri(key), place.version(key)
    known = _checked.get(location)
    if known is None or known[0] != version:
        found: parquet.CheckedContent | str
        try:
            found = parquet.check(place.read(key), origin=key)
        except CorruptFile as error:
            found = str(error)
        known = _checked[location] = (version, found)
    if isinstance(known[1], str):
        raise CorruptFile(known[1])
    return known[1]


def forget_checked_files() -> None:
    """Have every file read again: for those who look for damage."""
    _checked.clear()
    _days.clear()


def check_closed_day(vault: Vault, dataset: Dataset, day: date, owner: Owner | None) -> DayFooter:
    """The footer of a closed day, once the file is found whole, ours, and as new as its manifest. `owner` None: of anyone.

    Raises CorruptFile or NotFound.
    """
    key = dataset.day_key(day)
    location = vault.archive.uri(key)
    for _ in range(_ATTEMPTS):
        versions = (vault.archive.version(key), _version(vault.archive, dataset.manifest_key(day)))
        known = _days.get(location)
        if known is not None and known[0] == versions:
            footer = known[1]
        else:
            checked = check_file(vault.archive, key)
            footer = day_footer(checked, dataset, day, None)
            noted = read_manifest(vault, dataset, day)
            newer = noted is not None and noted.generation > footer.generation
            is_other_file = noted is not None and noted.generation == footer.generation and noted.sha256 != checked.sha256
            # A file that is newer than its manifest is a closing that goes on, or died before it was noted.
            if (newer or is_other_file) and versions[0] != vault.archive.version(key):
                continue  # The day was closed again between the two looks.
            if noted is not None and (newer or is_other_file):
                raise CorruptFile(
                    f"{key} is not the file that was closed: it is generation {footer.generation}, and its manifest names"
                    f" generation {noted.generation} with another SHA-256",
                    cure="restore it from a copy",
                )
            _days[location] = (versions, footer)
        return _owned(key, footer, owner)
    raise CorruptFile(f"{key} changed during every attempt to read it", cure="run the command again")


def _version(place: Objects, key: str) -> Hashable:
    try:
        return place.version(key)
    except NotFound:
        return None


def day_footer(checked: parquet.CheckedContent, dataset: Dataset, day: date, owner: Owner | None) -> DayFooter:
    """What a whole file says as a closed day. `owner` None: of any installation. Raises CorruptFile when it is another file.

    A foreign file is damage here: it lies where the day's own file should be.
    """
    key = dataset.day_key(day)
    try:
        footer = DayFooter.decode(checked.metadata)
    except (KeyError, ValueError) as error:
        raise CorruptFile(f"{key} is not a closed day of Pleiades: {error!r}", cure=_MOVE) from None
    if (footer.dataset, footer.day) != (dataset.name, day):
        raise CorruptFile(f"{key} holds {footer.dataset} of {footer.day}", cure=_MOVE)
    return _owned(key, footer, owner)


_MOVE = "move it out of the archive, then close the day again"


def _owned(key: str, footer: DayFooter, owner: Owner | None) -> DayFooter:
    if owner and footer.installation != owner.installation:
        raise CorruptFile(f"{key} was closed by another installation, {footer.installation}", cure=_MOVE)
    return footer


def check_day_file(place: Objects, key: str, name: str, day: date, owner: Owner | None) -> None:
    """Compare a file of requests or of an insight with its checksum and its place. `owner` None: of any installation.

    Raises CorruptFile when it is damaged, or is the file of another dataset, day or installation; NotFound when there is none.
    """
    metadata = check_file(place, key).metadata
    found = [metadata.get(f"pleiades.{word}".encode(), b"").decode() for word in ("dataset", "day", "installation")]
    if found[:2] != [name, day.isoformat()] or (owner and found[2] not in {"", str(owner.installation)}):
        raise CorruptFile(
            f"{key} is not the file of its place: it names dataset {found[0]!r}, day {found[1]!r}, installation {found[2]!r}",
            cure="move it out of the archive, then make the day again",
        )


def check_batch(place: Objects, dataset: Dataset, day: date, batch_id: uuid.UUID, owner: Owner | None) -> BatchFooter:
    """The footer of a batch, once the file is found whole and ours. Raises CorruptFile, ForeignFile or NotFound."""
    key = dataset.batch_key(day, batch_id)
    return batch_footer(check_file(place, key), dataset, day, batch_id, owner)


def batch_footer(
    checked: parquet.CheckedContent, dataset: Dataset, day: date, batch_id: uuid.UUID, owner: Owner | None
) -> BatchFooter:
    """What a whole file says as a batch. `owner` None: of any epoch.

    Raises ForeignFile when it is no batch, a batch of another installation, or a copy that lies under another name or day.
    """
    key = dataset.batch_key(day, batch_id)
    try:
        footer = BatchFooter.decode(checked.metadata)
    except (KeyError, ValueError) as error:
        raise ForeignFile(f"{key} is not a batch of Pleiades: {error!r}") from None
    if (footer.dataset, footer.day, footer.batch_id) != (dataset.name, day, batch_id):
        raise ForeignFile(f"{key} is a copy of batch {footer.batch_id} of {footer.dataset}, {footer.day}")
    if owner and footer.epoch not in owner.epochs:
        raise ForeignFile(f"{key} was written by another installation: its epoch {footer.epoch} is unknown here")
    return footer
