"""The demo as people run it: the command, its one JSON object, and what is left of it when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from pleiades_core.errors import ConfigurationError, UsageError
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_dagster.demo_home import Played
from pleiades_dagster.options import DemoOptions
from pleiades_dagster.play import Interrupted, Step, play


def _command(home: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "pleiades_dagster.cli", "demo", "--home", str(home), "--videos", "1500", *options]


def _processes(home: Path) -> list[str]:
    """Living processes that mention the home."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(home) in line and process.info["pid"] != os.getpid():
            found.append(line)
    return found


@pytest.fixture
def home(short_tmp: Path) -> Path:
    """A home that is not there yet."""
    return short_tmp / "demo"


def test_one_day_gives_one_json_object_and_leaves_no_process(home: Path) -> None:
    done = subprocess.run(_command(home, "--days", "1", "--json"), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert list(said) == [
        "discovered", "watched", "samples", "misses", "calls", "sql_bytes", "vault_bytes", "days_closed", "top",
    ]  # fmt: skip
    assert said["days_closed"] == 1
    assert 0 < said["watched"] <= said["discovered"]
    assert said["samples"] >= said["discovered"]
    assert said["calls"]["search"] <= 200, "a UTC day touches two Pacific days"
    assert len(said["top"]) == 10
    assert [video["rank"] for video in said["top"]] == list(range(1, 11))
    assert _processes(home) == []
    _is_stored(home)


def _is_stored(home: Path) -> None:
    """Dagster's history and ours are in the two databases of the home's own server, and no lease is left."""
    played = Played.read(home)
    assert played.start == datetime.now(UTC).date() - timedelta(days=2)
    with embedded(home / "postgres") as server:
        with psycopg.connect(embedded_url(server, "pleiades")) as ours:
            assert ours.execute("select count(*) from leases").fetchone() == (0,)
            assert ours.execute("select count(*) from days").fetchone() == (2,)
        with psycopg.connect(embedded_url(server, "pleiades_dagster")) as history:
            runs = history.execute("select status, count(*) from runs group by status").fetchall()
            checks = history.execute(
                "select check_name, partition, execution_status from asset_check_executions"
                " where asset_key = '[\"daily_metrics\"]' order by 1"
            ).fetchall()
    assert [status for status, _ in runs] == ["SUCCESS"]
    assert len(checks) == 6
    assert {(partition, status) for _, partition, status in checks} == {(str(played.start), "SUCCEEDED")}


@pytest.mark.parametrize(("number", "after_s"), [(signal.SIGINT, 4.0), (signal.SIGTERM, 12.0)])
def test_an_interrupted_demo_leaves_nothing_behind(home: Path, number: signal.Signals, after_s: float) -> None:
    """While it starts, and in the middle of its ticks: a shell's exit code, no process, no lease; the next one starts anew."""
    command = _command(home, "--days", "3")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(after_s)
    assert process.poll() is None
    # As a terminal does it: to everything that the demo started in its group.
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    # While Dagster is imported nothing is open yet, and nothing is to be said of it.
    assert "Stopped." in said or said.endswith(("\ninterrupted\n", "\nterminated\n"))
    assert _processes(home) == []
    if (home / "postgres" / "PG_VERSION").exists():
        with embedded(home / "postgres") as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
            names = {row[0] for row in connection.execute("select datname from pg_database")}
            if "pleiades" in names:
                with psycopg.connect(embedded_url(server, "pleiades")) as ours:
                    known = ours.execute("select to_regclass('leases') is not null").fetchone()
                    assert known == (False,) or ours.execute("select count(*) from leases").fetchone() == (0,)


def test_stopping_works_from_within(home: Path) -> None:
    """`play` itself: the event is looked at between any two runs."""
    stop = threading.Event()
    seen: list[Step] = []

    def show(step: Step) -> None:
        seen.append(step)
        if step.hours >= 1:
            stop.set()

    with pytest.raises(Interrupted):
        play(DemoOptions(home=home, days=1, videos=500), show=show, stop=stop)
    assert seen[-1].hours == 1
    assert _processes(home) == []


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--days", "0"], 2, "greater than or equal to 1"),
        (["--days", "1000"], 2, "less than or equal to 31"),
        (["--start", "yesterday"], 2, "2026-03-01"),
        (["--world", "/nowhere/at/all"], 10, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_cure(home: Path, options: list[str], code: int, word: str) -> None:
    done = subprocess.run(_command(home, *options, "--json"), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == code, done.stderr
    assert word in done.stderr.replace("\n", "")
    assert done.stdout == ""
    assert _processes(home) == []


def test_a_refused_world_leaves_no_home_behind(home: Path) -> None:
    with pytest.raises(ConfigurationError):
        play(
            DemoOptions(home=home, world=Path("/nowhere/at/all"), start=date(2026, 3, 1)),
            show=lambda _: None,
            stop=threading.Event(),
        )
    with pytest.raises(UsageError):
        play(DemoOptions(home=home, days=0), show=lambda _: None, stop=threading.Event())
    assert not home.exists()
