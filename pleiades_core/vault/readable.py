"""Which files make up an answer: closed days and the open journal as one set of rows, each counted once.

Belongs here: the choice of files. Does not belong here: whether a file is whole and ours (file_check.py), reading the rows
(samples.py).

The rule: a closed day's file, and every journal batch that its footer does not name, as far as they are whole and ours. It
needs no SQL database, and holds at every instant: while a day is being closed the batches are in the journal, afterwards in the
file that names them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from pleiades_core.errors import ForeignFile, NotFound, VaultError
from pleiades_core.vault.file_check import check_batch, check_closed_day, check_file
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.journal import days_with_files, files_of_day
from pleiades_core.vault.layout import OWNER_KEY, Dataset, days_by_key
from pleiades_core.vault.owner import Owner, read_owner
from pleiades_core.vault.vault import Vault

log = logging.getLogger(__name__)


class ChangedMeanwhile(Exception):
    """Files came or went between planning and reading: ask again."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that make up a range of days of one dataset; each was found whole."""

    closed: tuple[str, ...]
    open: tuple[str, ...]
    #: Day and generation of each closed day.
    generations: tuple[tuple[date, int], ...]
    #: True when a closed day has batches that it does not hold yet.
    late: bool
    #: Files that are damaged, by their key, and what is wrong with each.
    damaged: Mapping[str, str]

    @property
    def locations(self) -> list[str]:
        """All of them."""
        return [*self.closed, *self.open]


def files(vault: Vault, dataset: Dataset, *, first: date | None = None, last: date | None = None) -> Files:
    """Locations of every file with rows of the days from `first` to `last`, both included.

    Each file is compared with its checksum, once per process and version of the file. Damaged files are left out and named.
    Strays and files of another installation are passed over; `pleiades doctor` lists them. Raises ChangedMeanwhile.
    """

    def wanted(day: date) -> bool:
        return (first is None or day >= first) and (last is None or day <= last)

    damaged: dict[str, str] = {}
    owner = _owner(vault, damaged)
    footers = _closed_days(vault, dataset, wanted, owner, damaged)
    # Batches are listed after the footers: one that is folded in between still counts, in the older generation's stead.
    unfolded = _open_batches(vault, dataset, wanted, owner, footers, damaged)
    return Files(
        closed=tuple(vault.archive.location(dataset.day_key(day)) for day in footers),
        open=tuple(vault.journal.location(key) for key in unfolded),
        generations=tuple((day, footer.generation) for day, footer in footers.items()),
        late=any(day in footers for day in unfolded.values()),
        damaged=damaged,
    )


@dataclass(frozen=True, slots=True)
class DayFiles:
    """The files of a folder that has one for each day; each was found whole."""

    locations: Mapping[date, str]
    #: Files that are damaged, by their key, and what is wrong with each.
    damaged: Mapping[str, str]


def day_files(vault: Vault, folder: str) -> DayFiles:
    """The files of an archive folder such as `pulls` or `insights/velocity`. Strays are passed over."""
    locations: dict[date, str] = {}
    damaged: dict[str, str] = {}
    for key, day in days_by_key(vault.archive.keys(folder), folder).items():
        try:
            check_file(vault.archive, key)
            locations[day] = vault.archive.location(key)
        except VaultError as error:
            damaged[key] = str(error)
    return DayFiles(locations, damaged)


def _owner(vault: Vault, damaged: dict[str, str]) -> Owner | None:
    """The vault's owner. Without one, or with a damaged mark, files of any installation are read."""
    try:
        return read_owner(vault)
    except VaultError as error:
        damaged[OWNER_KEY] = str(error)
        return None


def _closed_days(
    vault: Vault, dataset: Dataset, wanted: Callable[[date], bool], owner: Owner | None, damaged: dict[str, str]
) -> dict[date, DayFooter]:
    footers: dict[date, DayFooter] = {}
    for key, day in days_by_key(vault.archive.keys(dataset.archive_folder), dataset.archive_folder).items():
        if wanted(day):
            try:
                footers[day] = check_closed_day(vault, dataset, day, owner)
            except NotFound:
                raise ChangedMeanwhile from None
            except VaultError as error:
                damaged[key] = str(error)
    return footers


def _open_batches(
    vault: Vault, dataset: Dataset, wanted: Callable[[date], bool], owner: Owner | None, footers: Mapping[date, DayFooter],
    damaged: dict[str, str],
) -> dict[str, date]:  # fmt: skip
    """Key and day of every batch that no closed day holds."""
    unfolded: dict[str, date] = {}
    for day in filter(wanted, days_with_files(vault, dataset)):
        held = footers[day].batches if day in footers else frozenset()
        for batch, key in files_of_day(vault, dataset, day).items():
            try:
                if batch not in held:
                    check_batch(vault.journal, dataset, day, batch, owner)
                    unfolded[key] = day
            except ForeignFile as error:
                log.warning("not read: %s", error)
            except NotFound:
                raise ChangedMeanwhile from None
            except VaultError as error:
                damaged[key] = str(error)
    return unfolded
