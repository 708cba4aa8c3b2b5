"""How `pleiades ui` ends: Ctrl-C at any moment stops everything, with one line and without an error of make's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.playing import PlayedDemo, pleiades_command, processes_of, read_until, start

from pleiades_core.installation import clock_of
from pleiades_core.settings import load_settings
from pleiades_dagster.child_processes import signals_wait, stopped_once
from pleiades_dagster.demo.home import Played
from pleiades_dagster.ui.home_lock import RECORD


@pytest.fixture
def home(played_demo: PlayedDemo, short_tmp: Path) -> Path:
    """A played demo of one's own."""
    return played_demo.copy_to(short_tmp)


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_ctrl_c_under_make_is_no_error(home: Path, short_tmp: Path, port: int) -> None:
    """The recipe of `make ui` itself, on a demo where make looks for it."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    (short_tmp / ".pleiades").mkdir()
    (short_tmp / ".pleiades" / "demo").symlink_to(home)
    began_at = load_settings(home).simulator_stopped_at
    bin_folder = Path(sys.executable).parent
    command = ["make", "-f", str(ROOT / "Makefile"), "-o", ".venv", "ui", f"BIN={bin_folder}", f"PORT={port}"]
    process = start(command, cwd=short_tmp)
    read_until(process.stderr, f"http://127.0.0.1:{port}")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert "***" not in said
    assert "Error" not in said
    assert said.count("leases are given back") == 1
    assert processes_of(home) == []
    assert not (home / RECORD).exists()
    stopped_at = load_settings(home).simulator_stopped_at
    assert began_at is not None
    assert stopped_at is not None
    assert stopped_at > began_at


def test_a_ui_that_is_stopped_while_it_starts_leaves_nothing_behind(home: Path, port: int) -> None:
    """Signals come while PostgreSQL, the simulator and the code server are being started, and again while they are stopped."""
    process = start(pleiades_command("--home", str(home), "ui", "--port", str(port)))
    while not (home / "simulator.log").exists():
        assert process.poll() is None
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert said.endswith("leases are given back\n")
    assert said.count("\n") == 1
    assert processes_of(home) == []
    assert not (home / RECORD).exists()
    assert Played.read(home).days == 1


def test_a_killed_ui_leaves_the_home_free_and_its_clock_where_it_was(home: Path, port: int) -> None:
    """Its lock is the kernel's, its simulator's port is not asked for again, its children end with it."""
    command = pleiades_command("--home", str(home), "ui", "--no-daemon", "--port", str(port))
    killed = start(command)
    read_until(killed.stderr, f"http://127.0.0.1:{port}")
    measured_at = clock_of(load_settings(home)).now()
    killed.kill()
    killed.communicate(timeout=120)
    assert (home / RECORD).exists()
    following = start(command)
    read_until(following.stderr, f"http://127.0.0.1:{port}")
    assert clock_of(load_settings(home)).now() >= measured_at
    following.terminate()
    _, said = following.communicate(timeout=120)
    assert following.returncode == 143, said
    assert not (home / RECORD).exists()


def test_signals_wait_for_the_end_of_a_start_and_only_the_first_one_counts() -> None:
    heard: list[str] = []

    def usual(number: int, _frame: object) -> None:
        # As the program's own handler does: another one for the next signal.
        signal.signal(signal.SIGINT, usual)
        heard.append(signal.Signals(number).name)

    before = {number: signal.signal(number, usual) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with stopped_once():
            with signals_wait():
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
                assert heard == []
            assert heard == ["SIGTERM"]
            signal.raise_signal(signal.SIGINT)
            assert heard == ["SIGTERM"]
        signal.raise_signal(signal.SIGINT)
        assert heard == ["SIGTERM", "SIGINT"]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
