"""The simulator as a process: how it starts, refuses to start, and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess

PARENT = """
import sys, time
from pathlib import Path
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess
started = start_subprocess(SimulatorConfig(videos=50), log_path=Path(sys.argv[1]))
print(started.pid, flush=True)
time.sleep(600)
"""

FOREGROUND = """
from pleiades_core.simulator.server import SimulatorConfig, serve
serve(SimulatorConfig(videos=50))
"""


def gone(pid: int, within_s: float = 10.0) -> bool:
    """True once the process has ended (a zombie whose parent died counts as ended)."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child, 0.2)
        parent.kill()
    assert gone(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_it_says_where_it_is_and_stops_at_once(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", FOREGROUND], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        # An open keep-alive connection must not hold it back.
        host, port = ready["base_url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as idle:
            idle.sendall(b"GET /simulator/clock HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(1_000).startswith(b"HTTP/1.1 200")
            os.kill(process.pid, number)
            assert process.wait(60) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_command_ends_with_the_code_of_its_signal(number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "pleiades_dagster.cli", "simulator", "--videos", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.send_signal(number)
        assert process.wait(60) == code
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_taken_port_is_named_with_its_cure(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}") as caught:
            start_subprocess(SimulatorConfig(videos=50, port=port), log_path=tmp_path / "log")
    assert "another port" in caught.value.cure


def test_a_folder_that_is_no_world_is_named_and_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere") as caught:
        start_subprocess(SimulatorConfig(world_folder=str(tmp_path / "nowhere")), log_path=tmp_path / "log")
    assert "videos.parquet" in caught.value.cure


def test_a_running_clock_runs_and_can_be_driven(tmp_path: Path) -> None:
    with start_subprocess(SimulatorConfig(videos=50, rate=3_600.0), log_path=tmp_path / "log") as started:
        control = SimulatorControl(started.base_url)
        first = control.now()
        while control.now() - first <= timedelta(minutes=5):
            time.sleep(0.01)
        assert control.advance(timedelta(days=3)) - first > timedelta(days=3)


def test_control_of_nothing_says_how_to_start_one() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigurationError, match="no simulator answers") as caught:
            SimulatorControl(f"http://127.0.0.1:{unused.getsockname()[1]}", timeout_s=2).now()
    assert "pleiades simulator" in caught.value.cure
