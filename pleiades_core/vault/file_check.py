"""Whether a file may be read: each file is compared with its checksum, once for each process and version of the file.

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

#: The verdict on the newest version of each file, by its URI: some 20 kB for a closed day of 100 batches.
_checked: dict[str, tuple[Hashable, parquet.CheckedContent | str]] = {}
#: Footers of closed days, decoded, with the versions of the file and of its manifest.
_days: dict[str, tuple[Hashable, DayFooter]] = {}
#: How often to look at a closed day that is closed again at the same moment.
_ATTEMPTS = 5


def check_file(place: Objects, key: str) -> parquet.CheckedContent:
    """Compare a file with its own checksum, unless this process did so before.

    Raises:
        CorruptFile: the file is damaged.
        NotFound: there is no such file.
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
    """Forget every verdict, so that each file is read again. For a caller that looks for damage."""
    _checked.clear()
    _days.clear()


def check_closed_day(vault: Vault, dataset: Dataset, day: date, owner: Owner | None) -> DayFooter:
    """Check that the file of a closed day is whole, ours, and as new as its manifest.

    Args:
        vault: has the file.
        dataset: samples or registry.
        day: UTC day.
        owner: the installation that must have closed the day; None: any.

    Returns:
        The footer of the file.

    Raises:
        CorruptFile: the file is damaged, foreign, or older than its manifest.
        NotFound: the day is not closed.
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
            # A file that is newer than its manifest belongs to a closing that goes on, or that died before it was recorded.
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
    """Read the footer of a whole file as that of a closed day.

    A file of another installation is damage here: it lies where the day's own file should be.

    Args:
        checked: the file's content, found whole.
        dataset: samples or registry.
        day: UTC day whose place the file has.
        owner: the installation that must have closed the day; None: any.

    Returns:
        The footer.

    Raises:
        CorruptFile: it is another file.
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
    """Check that a file of requests or of an insight is whole and in its place.

    Args:
        place: the store of the file.
        key: where the file is.
        name: the dataset that it must hold.
        day: UTC day that it must hold.
        owner: the installation that must have written it; None: any.

    Raises:
        CorruptFile: the file is damaged, or belongs to another dataset, day or installation.
        NotFound: there is no such file.
    """
    metadata = check_file(place, key).metadata
    found = [metadata.get(f"pleiades.{word}".encode(), b"").decode() for word in ("dataset", "day", "installation")]
    if found[:2] != [name, day.isoformat()] or (owner and found[2] not in {"", str(owner.installation)}):
        raise CorruptFile(
            f"{key} is not the file of its place: it names dataset {found[0]!r}, day {found[1]!r}, installation {found[2]!r}",
            cure="move it out of the archive, then make the day again",
        )


def check_batch(place: Objects, dataset: Dataset, day: date, batch_id: uuid.UUID, owner: Owner | None) -> BatchFooter:
    """Check that the file of a batch is whole, ours and in its place.

    Args:
        place: the store of the file.
        dataset: samples or registry.
        day: UTC day of the batch.
        batch_id: names the batch.
        owner: the installation that must have written it; None: any.

    Returns:
        The footer of the file.

    Raises:
        CorruptFile: the file is damaged.
        ForeignFile: it is no batch, a batch of another installation, or a copy of a batch of another place.
        NotFound: there is no such file.
    """
    key = dataset.batch_key(day, batch_id)
    return batch_footer(check_file(place, key), dataset, day, batch_id, owner)


def batch_footer(
    checked: parquet.CheckedContent, dataset: Dataset, day: date, batch_id: uuid.UUID, owner: Owner | None
) -> BatchFooter:
    """Read the footer of a whole file as that of a batch.

    Args:
        checked: the file's content, found whole.
        dataset: samples or registry.
        day: UTC day whose place the file has.
        batch_id: the batch whose place the file has.
        owner: the installation that must have written it; None: any.

    Returns:
        The footer.

    Raises:
        ForeignFile: it is no batch, a batch of another installation, or a copy of a batch of another place.
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
