"""The first UTC day of an installation: the day on which Dagster's daily partitions begin.

SQL records the day once, at the first opening, by the clock of the installation. A small file in HOME repeats it, because
Dagster loads definitions where no database runs. Belongs here: recording the day and reading it again. Does not belong here:
partitions (pleiades_dagster/partitions.py).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from datetime import date
from pathlib import Path

from pleiades_core.clock import Clock
from pleiades_core.errors import ConfigurationError
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.layout import DATASETS

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
    """Record today as the first day, unless a day is recorded; repeat it in HOME/installation.json. Returns the recorded day.

    Returns None and records nothing while the clock cannot be read, as when the simulator of the installation does not run.
    """
    with database.transaction() as connection:
        row = connection.execute(_SQL.recorded_first_day).fetchone()
    recorded: date | None = row[0] if row else None
    if recorded is None:
        try:
            today = clock.now().date()
        except ConfigurationError:
            return None
        day = min(filter(None, (today, _oldest_day(settings.vault_root))))
        with database.transaction() as connection:
            row = connection.execute(_SQL.record_first_day, {"day": day}).fetchone()
        recorded = row[0] if row else day
    if settings.home.is_dir() and _noted(settings.home) != recorded:
        _note(settings.home, recorded)
    return recorded


def _noted(home: Path) -> date | None:
    """The day in HOME/installation.json; None where the file is missing or says nothing that can be read."""
    try:
        return date.fromisoformat(json.loads((home / INSTALLATION_FILE).read_text(encoding="utf-8"))["first_day"])
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
    """The oldest day that has a folder in a local vault, closed or not. Other files and folders are ignored."""
    folders = [root / dataset.archive_folder for dataset in DATASETS.values()]
    folders += [root / "journal" / dataset.name for dataset in DATASETS.values()]
    days = []
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            days += [day for entry in entries if (day := _day_of(entry.name)) is not None]
    return min(days, default=None)


def _day_of(name: str) -> date | None:
    """The day of a folder `date=D`; None for any other name."""
    with contextlib.suppress(ValueError):
        return date.fromisoformat(name.removeprefix("date=")) if name.startswith("date=") else None
    return None
