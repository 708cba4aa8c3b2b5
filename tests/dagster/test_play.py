"""The demo as people run it: the command, its one JSON object, and what is left of it when it is interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.playing import PlayedDemo, demo_command, pleiades_command, processes_of, read_until, start

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import ConfigurationError, UsageError
from pleiades_core.settings import Settings, load_settings
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.storage.postgres import open_database
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts
from pleiades_dagster.demo.home import Played
from pleiades_dagster.demo.options import DemoOptions
from pleiades_dagster.demo.play import Interrupted, Step, play, usual_start
from pleiades_dagster.ui.home_lock import RECORD


def _begin_of(settings: Settings) -> datetime:
    """The first instant of the played world."""
    assert settings.first_day is not None
    return utc_midnight(settings.first_day)


@pytest.fixture
def home(short_tmp: Path) -> Path:
    """A home that is not there yet."""
    return short_tmp / "demo"


def test_one_day_gives_one_json_object_and_leaves_no_process(played_demo: PlayedDemo) -> None:
    assert played_demo.exit_code == 0, played_demo.stderr
    said: dict[str, Any] = json.loads(played_demo.stdout)
    assert list(said) == [
        "discovered", "watched", "samples", "misses", "calls", "sql_bytes", "vault_bytes", "days_closed", "top",
    ]  # fmt: skip
    assert said["days_closed"] == 1
    assert 0 < said["watched"] <= said["discovered"]
    assert said["samples"] >= said["discovered"]
    assert said["calls"]["search"] <= 200, "a UTC day touches two Pacific days"
    assert len(said["top"]) == 10
    assert [video["rank"] for video in said["top"]] == list(range(1, 11))
    assert processes_of(played_demo.home) == []
    assert not (played_demo.home / RECORD).exists()


def test_a_log_is_told_where_the_play_is(played_demo: PlayedDemo) -> None:
    """Standard error was no terminal: the bar would have been silent to the end."""
    for words in ("starting the simulator", "starting PostgreSQL", "starting Dagster", "hour 0 of 26", "hour 24 of 26"):
        assert words in played_demo.stderr
    assert f"{Played.read(played_demo.home).start} 00:00" in played_demo.stderr


@pytest.fixture(scope="module")
def played_home(played_demo: PlayedDemo) -> Iterator[Path]:
    """A copy of the played home, to be read only."""
    folder = Path(tempfile.mkdtemp(prefix="pld"))
    yield played_demo.copy_to(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_history_is_stored_and_no_lease_is_left(played_demo: PlayedDemo, played_home: Path) -> None:
    """Dagster's history and ours are in the two databases of the home's own server."""
    home = played_home
    played = Played.read(home)
    assert usual_start(played_demo.began_at, 1) <= played.start <= usual_start(datetime.now(UTC), 1)
    today = played.start + timedelta(days=1)
    with embedded(home / "postgres") as server:
        with psycopg.connect(embedded_url(server, "pleiades")) as ours:
            assert ours.execute("select count(*) from leases").fetchone() == (0,)
            assert ours.execute("select count(*) from days").fetchone() == (2,)
        with psycopg.connect(embedded_url(server, "pleiades_dagster")) as history:
            runs = history.execute("select status, count(*) from runs group by status").fetchall()
            checks = history.execute("select asset_key, check_name, partition, execution_status from asset_check_executions")
            statuses = {(key, check, partition): status for key, check, partition, status in checks}
            materialized = history.execute(
                "select asset_key, array_agg(distinct partition) from event_logs"
                " where dagster_event_type = 'ASSET_MATERIALIZATION' and partition is not null group by 1"
            ).fetchall()
    assert [status for status, _ in runs] == ["SUCCESS"]
    assert sum((key, partition) == ('["daily_metrics"]', str(played.start)) for key, _, partition in statuses) == 6
    assert set(statuses.values()) == {"SUCCEEDED"}, statuses
    partitions = {json.loads(key)[0]: sorted(found) for key, found in materialized}
    # The hunts after midnight belong to today, which is the newest partition; every tier was polled.
    assert partitions["discovered_videos"] == [str(played.start), str(today)]
    assert partitions["tracking"] == ["DAILY", "HOURLY", "WEEKLY"]
    assert partitions["daily_metrics"] == partitions["rankings"] == partitions["watchlist"] == [str(played.start)]


def test_nothing_is_owed_when_the_play_ends(played_home: Path) -> None:
    """The first tick after it would otherwise poll late, and the first check that people see would warn."""
    settings = load_settings(played_home)
    ended_at = utc_midnight(Played.read(settings.home).start + timedelta(days=1)) + timedelta(hours=1)
    assert settings.simulator_stopped_at == ended_at
    with open_database(settings) as database, database.transaction() as connection:
        counts = due_counts(connection, TIERS, ended_at)
    assert sum(count.watched for count in counts.values()) > 0
    assert [count.due for count in counts.values()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (datetime(2026, 3, 10, 1, tzinfo=UTC), date(2026, 3, 7)),
        (datetime(2026, 3, 10, 23, 59, tzinfo=UTC), date(2026, 3, 7)),
        (datetime(2026, 3, 10, 0, 59, tzinfo=UTC), date(2026, 3, 6)),
    ],
)
def test_a_play_ends_today_and_not_ahead_of_the_machine(now: datetime, start: date) -> None:
    assert usual_start(now, 3) == start
    assert utc_midnight(start + timedelta(days=3)) + timedelta(hours=1) <= now


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, "starting the simulator"), (signal.SIGTERM, "starting Dagster"), (signal.SIGINT, "hour 0 of")],
)
def test_an_interrupted_demo_leaves_nothing_behind(home: Path, number: signal.Signals, words: str) -> None:
    """While it starts, and in the middle of its hours: a shell's exit code, no process, no lease."""
    process = start(demo_command(home, "--days", "2"))
    read_until(process.stderr, words)
    if "hour" in words:
        # Until the clock of the second hour is noted: then runs of the first one are stored.
        while (settings := load_settings(home)).simulator_stopped_at == _begin_of(settings):
            assert process.poll() is None
            time.sleep(0.05)
    _stop(process, number)
    assert processes_of(home) == []
    assert not (home / RECORD).exists()
    if (home / "postgres" / "PG_VERSION").exists():
        with embedded(home / "postgres") as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
            names = {row[0] for row in connection.execute("select datname from pg_database")}
            if "pleiades" in names:
                with psycopg.connect(embedded_url(server, "pleiades")) as ours:
                    known = ours.execute("select to_regclass('leases') is not null").fetchone()
                    assert known == (False,) or ours.execute("select count(*) from leases").fetchone() == (0,)


def _stop(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As a terminal does it: to everything that the demo started in its group. The answer is one line."""
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number, said
    assert said.splitlines()[-1].startswith("Stopped."), said


def _said(home: Path) -> list[str]:
    """The settings of a home, without the clock, which goes on while the demo plays."""
    lines = (home / "pleiades.toml").read_text().splitlines()
    return [line for line in lines if not line.startswith("simulator_stopped_at")]


def test_a_second_demo_or_ui_on_one_home_is_refused_at_once(home: Path) -> None:
    """Both used to go on, the first with the settings of the second."""
    first = start(demo_command(home, "--days", "2"))
    try:
        read_until(first.stderr, "starting Dagster")
        settings = _said(home)
        for command in (demo_command(home, "--days", "1"), pleiades_command("--home", str(home), "ui")):
            second = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
            assert second.returncode == 10, second.stderr
            assert f"process {first.pid} plays a demo in {home}" in second.stderr.replace("\n", "")
            assert "starting" not in second.stderr
        assert _said(home) == settings
        read_until(first.stderr, "hour 0 of")
    finally:
        _stop(first, signal.SIGTERM)


def test_stopping_works_from_within(home: Path) -> None:
    """`play` itself: the event is looked at between any two runs."""
    stop = threading.Event()
    seen: list[Step] = []

    def show(step: Step) -> None:
        seen.append(step)
        if step.hours:
            stop.set()

    with pytest.raises(Interrupted):
        play(DemoOptions(home=home, days=1, videos=500), show=show, stop=stop)
    assert seen[-1].hours == 1
    assert processes_of(home) == []
    # What was measured in that hour is not in the future for a reader now.
    settings = load_settings(home)
    assert settings.simulator_stopped_at == _begin_of(settings) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--days", "0"], 2, "greater than or equal to 1"),
        (["--days", "1000"], 2, "less than or equal to 31"),
        (["--videos", "0"], 2, "greater than or equal to 1"),
        (["--start", "yesterday"], 2, "2026-03-01"),
        (["--start", "1999-01-01"], 2, "2005-04-23"),
        (["--world", "/nowhere/at/all"], 10, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_starts(home: Path, options: list[str], code: int, word: str) -> None:
    done = subprocess.run(demo_command(home, *options, "--json"), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == code, done.stderr
    assert word in done.stderr.replace("\n", "")
    assert "starting" not in done.stderr.lower()
    assert done.stdout == ""
    assert not home.exists()


def test_a_world_is_refused_before_dagster_is_imported() -> None:
    """That costs two CPU-seconds, and minutes on a busy machine."""
    told = (
        "import sys\nfrom pathlib import Path\nfrom pleiades_core.errors import ConfigurationError\n"
        "from pleiades_dagster.demo.options import DemoOptions\nimport pleiades_dagster.cli, pleiades_dagster.demo.play\n"
        "try: DemoOptions(world=Path('/nowhere/at/all'))\nexcept ConfigurationError: print('dagster' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("missing", ["videos.parquet", "readings.parquet"])
def test_a_world_that_lacks_a_file_is_refused(tmp_path: Path, missing: str) -> None:
    for name in {"videos.parquet", "readings.parquet"} - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(ConfigurationError, match=missing):
        DemoOptions(world=tmp_path)


def test_a_world_that_cannot_be_read_leaves_no_home_behind(home: Path, tmp_path: Path) -> None:
    for name in ("videos.parquet", "readings.parquet"):
        (tmp_path / name).write_text("no Parquet")
    options = DemoOptions(home=home, world=tmp_path, start=date(2026, 3, 1))
    with pytest.raises(ConfigurationError, match="not a readable Parquet file"):
        play(options, show=lambda _: None, stop=threading.Event())
    assert not home.exists()


def test_a_number_of_days_that_cannot_be_played_is_refused(home: Path) -> None:
    with pytest.raises(UsageError):
        DemoOptions(home=home, days=0)
