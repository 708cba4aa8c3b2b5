"""The first UTC day of an installation: the day on which Dagster's daily partitions begin.

SQL records the day once, at the first opening, by the clock of the installation; if that clock disagrees with the database's,
by the database's. A day before YouTube began comes from a wrong clock and never counts. A small file in HOME repeats the day,
because Dagster loads definitions where no database runs. Belongs here: recording the day and reading it again. Does not belong
here: partitions (pleiades_dagster/partitions.py).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from pleiades_core.clock import Clock
from pleiades_core.errors import ConfigurationError, VaultError
from pleiades_core.models import YOUTUBE_BEGAN
from pleiades_core.settings import Settings
from pleiades_core.storage.checked_clock import CheckedClock
from pleiades_core.storage.objects import Objects
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.layout import DATASETS, parse_key
from pleiades_core.vault.vault import open_vault

log = logging.getLogger(__name__)

#: The file in HOME: {"first_day": "2026-11-25"}.
INSTALLATION_FILE = "installation.json"

_SQL = load_queries("first_day")


def first_day_of(settings: Settings, *, today: date) -> date:
    """The first day of the installation that `settings` describe. Opens no connection and changes nothing.

    The setting `first_day` wins. Without it the result is the earlier of the day in HOME/installation.json and the oldest day
    in the vault, because a restored vault may be older than the database. `today` stands in where neither is known.
    """
    if settings.first_day is not None:
        return settings.first_day
    known = (_noted(settings.home), _oldest_day(settings.vault_root))
    return min((day for day in known if day is not None), default=today)


def record_first_day(settings: Settings, database: Database, clock: Clock) -> date | None:
    """Record today as the first day, unless a day is recorded; repeat it in HOME/installation.json.

    Nothing is recorded while the clock cannot be read, as when the simulator of the installation does not run, or while it
    shows a day before YouTube began. A later opening records the day then.

    Args:
        settings: name home and vault.
        database: records the day.
        clock: the installation's clock.

    Returns:
        The recorded day; None if nothing could be recorded.
    """
    with database.transaction() as connection:
        row = connection.execute(_SQL.recorded_first_day).fetchone()
    recorded = _plausible(row[0] if row else None)
    if recorded is None:
        try:
            today = _plausible(CheckedClock(clock, database).now().date())
        except ConfigurationError:
            return None
        if today is None:
            log.warning("no first day is recorded: the clock shows a day before YouTube began")
            return None
        day = min(filter(None, (today, _oldest_day(settings.vault_root))))
        with database.transaction() as connection:
            row = connection.execute(_SQL.record_first_day, {"day": day, "earliest": YOUTUBE_BEGAN}).fetchone()
        recorded = row[0] if row else day
    if settings.home.is_dir() and _noted(settings.home) != recorded:
        _note(settings.home, recorded)
    return recorded


def _noted(home: Path) -> date | None:
    """The day in HOME/installation.json; None where the file is missing or names no day on which YouTube existed."""
    try:
        return _plausible(date.fromisoformat(json.loads((home / INSTALLATION_FILE).read_text(encoding="utf-8"))["first_day"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(home: Path, day: date) -> None:
    """Replace HOME/installation.json. The file is a copy of what SQL says, so a home that is read-only is no error."""
    path = home / INSTALLATION_FILE
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(json.dumps({"first_day": day.isoformat()}) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        log.warning("%s cannot be written (%s); set PLEIADES_FIRST_DAY=%s where Dagster runs", path, error.strerror, day)


def _oldest_day(root: Path) -> date | None:
    """The oldest day of which a local vault has a file, closed or not; None: there is none. No file is opened.

    Strays are ignored.
    """
    vault = open_vault(root, create=False)
    places = [
        place
        for dataset in DATASETS.values()
        for place in ((vault.archive, dataset.archive_folder), (vault.journal, dataset.journal_folder))
    ]
    first_days = [next(_days_with_files(store, folder), None) for store, folder in places]
    return min((day for day in first_days if day is not None), default=None)


def _days_with_files(store: Objects, folder: str) -> Iterator[date]:
    """The days of a folder that have a file, in order.

    Each day is listed when it is asked for: every run of Dagster loads definitions, and needs the first day alone.
    """
    names: list[str] = []
    with contextlib.suppress(VaultError):
        names = store.folders(folder)
    for name in names:
        with contextlib.suppress(VaultError):
            parsed = [parse_key(key) for key in store.keys(f"{folder}/{name}")]
            yield from (day for place in parsed if place is not None and (day := _plausible(place.day)) is not None)


def _plausible(day: date | None) -> date | None:
    """`day`; None if YouTube did not exist on it."""
    return day if day is not None and day >= YOUTUBE_BEGAN else None
