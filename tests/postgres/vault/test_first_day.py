"""The first day of an installation: recorded once, repeated in the home, and known where no database runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support.wrong_clock import WrongClock

from pleiades_core.clock import ManualClock, SimulatorClock
from pleiades_core.installation import open_installation
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.first_day import INSTALLATION_FILE, first_day_of, record_first_day

TODAY = date(2026, 11, 26)
CLOCK = ManualClock(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> DemoSettings:
    """Not `Settings`: a variable in the environment of the tests must not decide anything."""
    return DemoSettings(home=tmp_path / "home").changed(database__url=database_url)


def _recorded(database: Database) -> object:
    with database.transaction() as connection:
        return connection.execute("select first_day from installation").fetchone()


def test_the_first_opening_records_its_day_and_no_later_one_changes_it(settings: DemoSettings, database: Database) -> None:
    with open_installation(settings, create=True, clock=CLOCK):
        pass
    with open_installation(settings, create=True, clock=ManualClock(CLOCK.now() + timedelta(days=30))):
        pass
    assert _recorded(database) == (date(2026, 3, 1),)
    assert json.loads((settings.home / INSTALLATION_FILE).read_text()) == {"first_day": "2026-03-01"}
    assert first_day_of(settings, today=TODAY) == date(2026, 3, 1)


def test_a_home_that_was_lost_learns_the_day_from_the_database(settings: DemoSettings) -> None:
    with open_installation(settings, create=True, clock=CLOCK):
        pass
    (settings.home / INSTALLATION_FILE).write_text("{half of it")
    assert first_day_of(settings, today=TODAY) == TODAY
    with open_installation(settings, create=True, clock=ManualClock(CLOCK.now() + timedelta(days=1))):
        pass
    assert first_day_of(settings, today=TODAY) == date(2026, 3, 1)


def _touch(root: Path, key: str) -> None:
    (root / key).parent.mkdir(parents=True, exist_ok=True)
    (root / key).touch()


def _pipe(root: Path) -> None:
    (root / "metrics/date=2007-01-01").mkdir(parents=True)
    os.mkfifo(root / "metrics/date=2007-01-01/day.parquet")


#: None has data of its day: an empty folder, names that Pleiades never gives, a link, a pipe, and a day before YouTube.
STRAYS: dict[str, Callable[[Path], None]] = {
    "an empty folder": lambda root: (root / "metrics/date=2007-01-01").mkdir(parents=True),
    "a name that is no day": lambda root: _touch(root, "metrics/date=not-a-day/day.parquet"),
    "a name without dashes": lambda root: _touch(root, "metrics/date=20070101/day.parquet"),
    "another file of a day": lambda root: _touch(root, "metrics/date=2007-01-01/notes.txt"),
    "another file of the journal": lambda root: _touch(root, "journal/samples/date=2007-01-01/day.parquet"),
    "an unfinished file": lambda root: _touch(root, "metrics/date=2007-01-01/.tmp-1"),
    "a file deeper down": lambda root: _touch(root, "metrics/date=2007-01-01/copy/day.parquet"),
    "another folder": lambda root: _touch(root, "metrics/backup/date=2007-01-01/day.parquet"),
    "a file among the folders": lambda root: _touch(root, "metrics/date=2007-01-01"),
    "a folder that is a link": lambda root: (root / "metrics/date=2007-01-01").symlink_to(root / "metrics"),
    "a file that is a pipe": _pipe,
    "a day before YouTube": lambda root: _touch(root, "metrics/date=1970-01-01/day.parquet"),
}
BATCH = "0d5a2f0e-6f5b-4a52-9a5e-3f7f4b9c0001.parquet"


@pytest.mark.parametrize(
    "key",
    [
        "metrics/date=2025-12-24/day.parquet",
        "videos/date=2025-12-24/day.parquet",
        f"journal/samples/date=2025-12-24/{BATCH}",
        f"journal/registry/date=2025-12-24/{BATCH}",
    ],
)
def test_no_day_that_has_data_is_before_the_first_day(settings: DemoSettings, database: Database, key: str) -> None:
    """A vault that was there before the database, as after a restore."""
    _touch(settings.vault_root, key)
    _touch(settings.vault_root, "metrics/date=2026-01-01/day.parquet")
    assert first_day_of(settings, today=TODAY) == date(2025, 12, 24)
    assert record_first_day(settings, database, CLOCK) == date(2025, 12, 24)
    assert _recorded(database) == (date(2025, 12, 24),)
    _touch(settings.vault_root, "metrics/date=2024-02-29/day.parquet")
    assert first_day_of(settings, today=TODAY) == date(2024, 2, 29), "data that came later"


@pytest.mark.parametrize("stray", STRAYS)
def test_what_is_no_file_of_a_day_is_ignored(settings: DemoSettings, database: Database, stray: str) -> None:
    _touch(settings.vault_root, "metrics/date=2025-12-24/day.parquet")
    STRAYS[stray](settings.vault_root)
    assert first_day_of(settings, today=TODAY) == date(2025, 12, 24)
    assert record_first_day(settings, database, CLOCK) == date(2025, 12, 24)
    assert _recorded(database) == (date(2025, 12, 24),)


def test_the_day_of_a_wrong_clock_is_not_recorded_but_that_of_the_database(settings: DemoSettings, database: Database) -> None:
    """A machine without a battery begins in 1970: it had 20,783 partitions for good."""
    before = datetime.now(UTC).date()
    for ahead in (datetime(1970, 1, 1, tzinfo=UTC) - datetime.now(UTC), timedelta(days=-400)):
        with database.transaction() as connection:
            connection.execute("update installation set first_day = null")
        recorded = record_first_day(settings, database, WrongClock(ahead))
        assert recorded is not None
        assert before <= recorded <= datetime.now(UTC).date()
        assert _recorded(database) == (recorded,)


def test_a_day_before_youtube_is_not_recorded_and_one_that_was_heals(settings: DemoSettings, database: Database) -> None:
    """The embedded database runs on the same machine: where its clock is wrong, both agree."""
    settings.home.mkdir()
    note = settings.home / INSTALLATION_FILE
    both_wrong = ManualClock(datetime(1970, 1, 1, 0, 5, tzinfo=UTC))
    assert record_first_day(settings, database, both_wrong) is None
    assert _recorded(database) == (None,)
    assert not note.exists()
    with database.transaction() as connection:
        connection.execute("update installation set first_day = '1970-01-01'")
    note.write_text('{"first_day": "1970-01-01"}')
    assert first_day_of(settings, today=TODAY) == TODAY
    assert record_first_day(settings, database, CLOCK) == date(2026, 3, 1)
    assert _recorded(database) == (date(2026, 3, 1),)
    assert json.loads(note.read_text()) == {"first_day": "2026-03-01"}


def test_the_setting_wins(settings: DemoSettings) -> None:
    with open_installation(settings, create=True, clock=CLOCK):
        pass
    _touch(settings.vault_root, "metrics/date=2024-02-29/day.parquet")
    chosen = settings.changed(first_day=date(2026, 2, 1))
    assert first_day_of(chosen, today=TODAY) == date(2026, 2, 1)


def test_where_nothing_is_known_today_stands_in_and_nothing_is_made(settings: DemoSettings) -> None:
    assert first_day_of(settings, today=TODAY) == TODAY
    assert not settings.home.exists()


def test_a_clock_that_cannot_be_read_records_nothing_yet(settings: DemoSettings, database: Database) -> None:
    assert record_first_day(settings, database, SimulatorClock("http://127.0.0.1:9")) is None
    assert _recorded(database) == (None,)
    assert record_first_day(settings, database, CLOCK) == date(2026, 3, 1)


def test_a_home_that_cannot_be_written_is_no_error(
    settings: DemoSettings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """SQL has the day; the log says what to set instead of the file."""
    settings.home.mkdir()
    # A folder in the place of the file: root, who runs the tests in a container, may write anywhere.
    (settings.home / INSTALLATION_FILE).mkdir()
    assert record_first_day(settings, database, CLOCK) == date(2026, 3, 1)
    assert "PLEIADES_FIRST_DAY=2026-03-01" in caplog.text


def test_init_db_records_the_day(settings: DemoSettings, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from pleiades_core.cli.app import app
    from pleiades_core.cli.main import run  # noqa: F401  registers the commands

    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DAGSTER_PG_URL", database.url)
    before = datetime.now(UTC).date()
    done = CliRunner().invoke(app, ["init-db", "--json", "--home", str(settings.home)])
    assert done.exit_code == 0, done.output
    assert before <= _recorded(database)[0] <= datetime.now(UTC).date()  # type: ignore[index]
