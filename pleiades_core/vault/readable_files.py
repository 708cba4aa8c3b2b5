"""Which files make up an answer: closed days and the open journal as one set of rows, each counted once.

Belongs here: the choice of files. Does not belong here: the verdict on one file (file_check.py), reading the rows (query.py).

The rule: a closed day's file, and every journal batch that its footer does not name, if they are undamaged and owned by this
installation. It needs no SQL database, and holds at every instant: while a day is being closed the batches are in the journal,
afterwards in the file that names them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.dataset as ds

from pleiades_core.errors import ForeignFile, NotFound, VaultError
from pleiades_core.vault.file_check import check_batch, check_closed_day, check_day_file
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.journal import days_with_files, files_of_day
from pleiades_core.vault.layout import DATASETS, OWNER_KEY, Dataset, days_by_key
from pleiades_core.vault.owner import Owner, read_owner
from pleiades_core.vault.relations import WholeFiles
from pleiades_core.vault.vault import Vault

log = logging.getLogger(__name__)


class ChangedMeanwhile(Exception):
    """Files came or went between planning and reading: ask again."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that make up a range of days of one dataset."""

    dataset: Dataset
    #: Every closed day with a file; `whole_files` tells which of the files are damaged.
    closed: tuple[date, ...]
    #: Locations of the batches that no closed day holds; each was found whole.
    open: tuple[str, ...]
    #: Day and generation of each closed day that still has batches in the journal.
    generations: tuple[tuple[date, int], ...]
    #: True when a closed day has batches that it does not hold yet.
    late: bool
    owner: Owner | None
    #: What is damaged besides the closed days, by key, and what is wrong with each.
    damaged: Mapping[str, str]


def files(vault: Vault, dataset: Dataset, *, first: date | None = None, last: date | None = None) -> Files:
    """Choose the files with rows of some days.

    Closed days are not read here, except those that still have batches in the journal: their footers say which batches count.
    Strays and files of another installation are left out; `pleiades doctor` lists them.

    Args:
        vault: has the files.
        dataset: samples or registry.
        first: the first UTC day; None: from the beginning.
        last: the last UTC day; None: to the end.

    Returns:
        The files.

    Raises:
        ChangedMeanwhile: a batch was swept between listing and reading.
    """

    def is_in_range(day: date) -> bool:
        return (first is None or day >= first) and (last is None or day <= last)

    damaged: dict[str, str] = {}
    owner = _owner(vault, damaged)
    # The order matters: if a day is closed between two of these steps, it counts as it was before.
    noted = set(filter(is_in_range, day_files(vault, dataset.manifest_folder)))
    closed = set(filter(is_in_range, day_files(vault, dataset.archive_folder)))
    busy = [day for day in days_with_files(vault, dataset) if is_in_range(day)]
    footers = _footers(vault, dataset, [day for day in busy if day in closed], owner)
    unfolded = _open_batches(vault, dataset, busy, owner, footers, damaged)
    for day in sorted(noted - closed):
        damaged[dataset.day_key(day)] = f"{dataset.day_key(day)} is missing: its manifest says that the day was closed"
    return Files(
        dataset=dataset,
        closed=tuple(sorted(closed)),
        open=tuple(vault.journal.uri(key) for key in unfolded),
        generations=tuple((day, footer.generation) for day, footer in footers.items()),
        late=any(day in footers for day in unfolded.values()),
        owner=owner,
        damaged=damaged,
    )


def whole_files(vault: Vault, planned: Files) -> WholeFiles:
    """The planned files that are whole. Each is compared with its checksum, once per process and version of the file."""
    locations: list[str] = []
    damaged = dict(planned.damaged)
    changed = False
    for day in planned.closed:
        key = planned.dataset.day_key(day)
        try:
            check_closed_day(vault, planned.dataset, day, planned.owner)
            locations.append(vault.archive.uri(key))
        except NotFound:
            changed = True
        except VaultError as error:
            damaged[key] = str(error)
    return WholeFiles(locations=[*locations, *planned.open], damaged=damaged, changed=changed)


def day_files(vault: Vault, folder: str) -> dict[date, str]:
    """Day and key of each file in an archive folder such as `discovery_requests` or `insights/velocity`. Strays are passed
    over.
    """
    return {day: key for key, day in days_by_key(vault.archive.keys(folder), folder).items()}


def future_days(vault: Vault, today: date) -> dict[str, list[date]]:
    """Days after `today` of which there are samples or descriptions, by folder; a clock that was wrong wrote these."""
    found: dict[str, list[date]] = {}
    for dataset in DATASETS.values():
        found[dataset.journal_folder] = days_with_files(vault, dataset)
        found[dataset.archive_folder] = sorted(day_files(vault, dataset.archive_folder))
    after = {folder: [day for day in days if day > today] for folder, days in found.items()}
    return {folder: days for folder, days in after.items() if days}


def whole_day_files(vault: Vault, folder: str, *, partitioned: bool = False) -> WholeFiles:
    """The whole files of an archive folder such as `discovery_requests`.

    Args:
        vault: has the files.
        folder: of the archive.
        partitioned: give each row the day of its file as column `day`.

    Returns:
        The whole files, and the damaged ones.
    """
    locations: dict[date, str] = {}
    damaged: dict[str, str] = {}
    changed = False
    owner = _owner(vault, damaged)
    for day, key in day_files(vault, folder).items():
        try:
            check_day_file(vault.archive, key, folder.rpartition("/")[2], day, owner)
            locations[day] = vault.archive.uri(key)
        except NotFound:
            changed = True
        except VaultError as error:
            damaged[key] = str(error)
    partitions = [ds.field("day") == pa.scalar(day) for day in locations] if partitioned else None
    return WholeFiles(locations=list(locations.values()), damaged=damaged, partitions=partitions, changed=changed)


def _owner(vault: Vault, damaged: dict[str, str]) -> Owner | None:
    """The vault's owner. Without one, or with a damaged mark, files of any installation are read."""
    try:
        return read_owner(vault)
    except VaultError as error:
        damaged[OWNER_KEY] = str(error)
        return None


def _footers(vault: Vault, dataset: Dataset, busy: Sequence[date], owner: Owner | None) -> dict[date, DayFooter]:
    """The footers of the days that have a whole file. A damaged day is named later, when it is read."""
    footers: dict[date, DayFooter] = {}
    for day in busy:
        with contextlib.suppress(NotFound, VaultError):
            footers[day] = check_closed_day(vault, dataset, day, owner)
    return footers


def _open_batches(
    vault: Vault, dataset: Dataset, busy: Sequence[date], owner: Owner | None, footers: Mapping[date, DayFooter],
    damaged: dict[str, str],
) -> dict[str, date]:  # fmt: skip
    """Key and day of every batch that no closed day holds."""
    unfolded: dict[str, date] = {}
    for day in busy:
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
