"""The first day of an installation: recorded once, repeated in the home, and known where no database runs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

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
    return DemoSettings(home=tmp_path / "home", database_url=database_url)


def _recorded(database: Database) -> object:
    with database.transaction() as connection:
        return connection.execute("select first_day from installation").fetchone()


def test_the_first_opening_records_its_day_and_no_later_one_changes_it(settings: DemoSettings, database: Database) -> None:
    with open_installation(settings, clock=CLOCK):
        pass
    with open_installation(settings, clock=ManualClock(CLOCK.now() + timedelta(days=30))):
        pass
    assert _recorded(database) == (date(2026, 3, 1),)
    assert json.loads((settings.home / INSTALLATION_FILE).read_text()) == {"first_day": "2026-03-01"}
    assert first_day_of(settings, today=TODAY) == date(2026, 3, 1)


def test_a_home_that_was_lost_learns_the_day_from_the_database(settings: DemoSettings) -> None:
    with open_installation(settings, clock=CLOCK):
        pass
    (settings.home / INSTALLATION_FILE).write_text("{half of it")
    assert first_day_of(settings, today=TODAY) == TODAY
    with open_installation(settings, clock=ManualClock(CLOCK.now() + timedelta(days=1))):
        pass
    assert first_day_of(settings, today=TODAY) == date(2026, 3, 1)


@pytest.mark.parametrize(
    "folder",
    [
        "metrics/date=2025-12-24",
        "videos/date=2025-12-24",
        "journal/samples/date=2025-12-24",
        "journal/registry/date=2025-12-24",
    ],
)
def test_no_day_that_has_data_is_before_the_first_day(settings: DemoSettings, database: Database, folder: str) -> None:
    """A vault that was there before the database, as after a restore. What is no folder of a day is ignored."""
    for name in (folder, "metrics/date=not-a-day", "metrics/backup"):
        (settings.vault_root / name).mkdir(parents=True)
    (settings.vault_root / "metrics/README.txt").write_text("a note")
    assert first_day_of(settings, today=TODAY) == date(2025, 12, 24)
    with open_installation(settings, clock=CLOCK):
        pass
    assert _recorded(database) == (date(2025, 12, 24),)
    (settings.vault_root / "metrics/date=2024-02-29").mkdir()
    assert first_day_of(settings, today=TODAY) == date(2024, 2, 29), "data that came later"


def test_the_setting_wins(settings: DemoSettings) -> None:
    with open_installation(settings, clock=CLOCK):
        pass
    (settings.vault_root / "metrics/date=2024-02-29").mkdir(parents=True)
    chosen = settings.model_copy(update={"first_day": date(2026, 2, 1)})
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
