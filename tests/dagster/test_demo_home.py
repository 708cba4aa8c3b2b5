"""The home of a demo: removed only when it is one, unable to reach the real YouTube, its clock kept between sessions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.errors import UsageError
from pleiades_core.installation import clock_of
from pleiades_core.settings import SETTINGS_FILE, load_settings
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.storage.embedded import embedded
from pleiades_dagster.cli import looking_at, print_summary
from pleiades_dagster.demo.home import (
    Played,
    holds_older_demo,
    is_demo,
    note_clock,
    refuse_used,
    remove,
    running_simulator,
    toml_string,
    with_setting,
    write_settings,
)
from pleiades_dagster.demo.options import USUAL
from pleiades_dagster.demo.summary import DemoSummary
from pleiades_dagster.ui.home_lock import RECORD


def _write(home: Path) -> None:
    write_settings(home, youtube_url="http://127.0.0.1:9", first_day=date(2026, 3, 1), terms=('a "b"\\', "日本 🎉", "news"))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    _write(tmp_path)
    settings = load_settings(tmp_path)
    assert settings.demo
    assert settings.clock == "simulator"
    assert settings.first_day == date(2026, 3, 1)
    assert settings.discovery.seed_terms == ('a "b"\\', "日本 🎉", "news")


def test_writers_of_the_settings_do_not_disturb_each_other(tmp_path: Path) -> None:
    """They shared the name of their unfinished files: the second rename found none, or half a file became the settings."""
    _write(tmp_path)
    before = len((tmp_path / SETTINGS_FILE).read_text().splitlines())
    instants = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(24)] * 10
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(note_clock, tmp_path), instants))
    text = (tmp_path / SETTINGS_FILE).read_text()
    assert len(text.splitlines()) == before
    assert load_settings(tmp_path).simulator_stopped_at in instants
    assert [path.name for path in tmp_path.iterdir()] == [SETTINGS_FILE]


@given(st.text(st.characters()))
def test_any_text_survives_toml(text: str) -> None:
    """Terms come from a recorded world, which may hold anything; only lone surrogates, which no file can hold, are lost."""
    kept = text.encode("utf-8", "ignore").decode()
    assert tomllib.loads(f"a = {toml_string(text)}") == {"a": kept}


def test_an_older_demo_is_removed_and_nothing_else(tmp_path: Path) -> None:
    home, precious = tmp_path / "demo", tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    _write(home)
    (home / "vault").mkdir()
    (home / "vault" / "a.parquet").write_text("x")
    (home / "link").symlink_to(precious)
    # Of the process that removes the older demo, which has the home open.
    (home / RECORD).write_text("{}")
    assert holds_older_demo(home)
    remove(home)
    assert list(home.iterdir()) == [home / RECORD]
    assert not holds_older_demo(home)
    assert (precious / "file").read_text() == "keep"


@pytest.mark.parametrize("content", ["", "demo = false\n", 'demo = "true"\n', "demo = 1\n", "not toml ["])
def test_another_folder_is_refused_untouched(tmp_path: Path, content: str) -> None:
    (tmp_path / "pleiades.toml").write_text(content)
    (tmp_path / "thesis.txt").write_text("years of work")
    assert not is_demo(tmp_path)
    with pytest.raises(UsageError, match="nothing was touched") as raised:
        holds_older_demo(tmp_path)
    assert "--home" in raised.value.cure
    assert (tmp_path / "thesis.txt").exists()


def test_a_missing_or_empty_folder_needs_no_clearing(tmp_path: Path) -> None:
    assert not holds_older_demo(tmp_path)
    assert not holds_older_demo(tmp_path / "new")


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(UsageError):
        holds_older_demo(tmp_path / "home")


def test_a_demo_whose_database_is_used_is_not_replaced(tmp_path: Path) -> None:
    _write(tmp_path)
    with embedded(tmp_path / "postgres"), pytest.raises(UsageError, match=f"in use by process {os.getpid()}"):
        refuse_used(tmp_path)
    assert is_demo(tmp_path)


def test_a_demo_ignores_real_keys_and_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may well be in the environment of somebody who tries the demo."""
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["A-REAL-KEY-OF-SOMEBODY"]')
    monkeypatch.setenv("DATABASE_URL", "postgresql://prod.example/real")
    monkeypatch.setenv("PLEIADES_YOUTUBE_URL", "https://youtube.googleapis.com")
    monkeypatch.setenv("PLEIADES_VAULT_URL", "/srv/real")
    monkeypatch.setenv("PLEIADES_CLOCK", "system")
    _write(tmp_path)
    settings = load_settings(tmp_path)
    assert settings.youtube.url == "http://127.0.0.1:9"
    assert settings.clock == "simulator"
    assert settings.database.url is None
    assert settings.vault_root == tmp_path / "vault"
    assert settings.keys.pool is not None
    assert "REAL" not in settings.keys.pool.get_secret_value()


def test_a_real_home_is_left_to_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://prod.example/real")
    assert load_settings(tmp_path).database.url == "postgresql://prod.example/real"


def test_what_to_type_to_look_at_a_demo_leads_to_that_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert looking_at(USUAL.home) == "pleiades ui --home .pleiades/demo", "there is no Makefile here"
    (tmp_path / "Makefile").touch()
    assert looking_at(USUAL.home) == "make ui    (or: pleiades ui --home .pleiades/demo)"
    assert looking_at(tmp_path / "my demo") == f"pleiades ui --home '{tmp_path}/my demo'"


@given(st.text(st.characters(codec="utf-8")))
def test_one_setting_is_changed_and_the_others_stay(value: str) -> None:
    text = '# a comment\ndemo = true\nyoutube_url = "http://old"\nyoutube_urls = 1\n'
    changed = with_setting(text, "youtube_url", toml_string(value))
    assert tomllib.loads(changed) == {"demo": True, "youtube_url": value, "youtube_urls": 1}
    assert changed.startswith("# a comment\n")
    added = with_setting(text, "name", toml_string(value))
    assert tomllib.loads(added) == {**tomllib.loads(text), "name": value}


def test_a_note_of_the_clock_leaves_what_a_person_wrote(tmp_path: Path) -> None:
    _write(tmp_path)
    path = tmp_path / SETTINGS_FILE
    path.write_text(path.read_text().replace("feeds_per_hunt = 50", "feeds_per_hunt = 7  # mine"))
    note_clock(tmp_path, datetime(2026, 3, 2, 1, tzinfo=UTC))
    settings = load_settings(tmp_path)
    assert (settings.discovery.feeds_per_hunt, settings.simulator_stopped_at) == (7, datetime(2026, 3, 2, 1, tzinfo=UTC))
    assert "# mine" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """A home of a demo whose play ended at 01:00 of 2 March."""
    _write(tmp_path)
    Played(world=None, videos=300, seed=1, start=date(2026, 3, 1), days=1).write(tmp_path)
    note_clock(tmp_path, datetime(2026, 3, 2, 1, tzinfo=UTC))
    return tmp_path


def test_the_clock_goes_on_from_session_to_session(played: Path) -> None:
    """Between them "now" is where the last one stopped: what it measured is not of the future."""
    with running_simulator(load_settings(played)):
        # By its address in the settings: that of the play may be another program's by now.
        control = SimulatorControl(load_settings(played).youtube.url)
        first = control.now()
        assert first >= datetime(2026, 3, 2, 1, tzinfo=UTC)
        driven = control.advance(timedelta(hours=3))
    between = clock_of(load_settings(played)).now()
    assert driven <= between
    with running_simulator(load_settings(played)):
        settings = load_settings(played)
        assert SimulatorControl(settings.youtube.url).now() >= between
        assert clock_of(settings).now() >= between


def test_the_clock_of_a_killed_session_is_not_behind_what_it_measured(played: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom pleiades_core.settings import load_settings\n"
        "from pleiades_dagster.demo.home import running_simulator\n"
        "with running_simulator(load_settings(Path(sys.argv[1]))):\n    print('runs', flush=True)\n    time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(played)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "runs\n"
        control = SimulatorControl(load_settings(played).youtube.url)
        measured_at = control.advance(timedelta(hours=3))
        # The note is renewed now and then; that it is, and not when, is what matters here.
        while not _noted(played) >= measured_at:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert clock_of(load_settings(played)).now() >= measured_at


def _noted(home: Path) -> datetime:
    noted = load_settings(home).simulator_stopped_at
    assert noted is not None
    return noted


@pytest.mark.parametrize("columns", ["", "60"])
def test_the_closing_table_of_a_demo_keeps_the_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    """In a pipe titles are whole; in a narrow terminal ids are."""
    monkeypatch.setenv("COLUMNS", columns)
    title = "A title of more than eighty letters, " * 3
    video = {
        "rank": 1, "video_id": "dQw4w9WgXcQ", "title": title, "channel_title": "A channel", "age_hours": 3.2,
        "views": 1_234_567, "views_per_hour": 9_876.5,
    }  # fmt: skip
    print_summary(
        DemoSummary(
            discovered=10, watched=9, samples=8, misses=1, calls={"search": 7}, sql_bytes=1, vault_bytes=1, days_closed=1,
            top=[video], runs=3,
        ),
        tmp_path,
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "dQw4w9WgXcQ" in said
    assert "9,876.5" in said
    assert (title.strip() in said) == (not columns)
