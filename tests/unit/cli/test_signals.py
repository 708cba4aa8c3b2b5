"""Ctrl-C and SIGTERM at any moment: one line, and the exit code. The program signals itself at a state, never at a time.

`sitecustomize` runs before the program: an audit hook sees every import, and sends the signal at the one that the environment
names, while that import is going on.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from pleiades_core.storage.postgres import Database

_HOOK = """
import atexit, os, signal, sys, threading

seen, wanted, number = [], os.environ.get("TEST_AT", ""), int(os.environ.get("TEST_SIGNAL", "2"))

def strike(*_):
    os.kill(os.getpid(), number)

def last():
    # Registered before anything of the program, so it runs after everything of the program.
    if wanted == "the last callback":
        strike()

def late():
    # A thread that outlives the main function.
    threading.main_thread().join()
    strike()

def watch(event, details):
    if event == "os.mkdir" and wanted == "mkdir" and str(details[0]).endswith("/vault"):
        strike()
    if event == "os.rename" and wanted == "rename" and "/.answer." in str(details[0]):
        strike()
    if event == "os.scandir" and wanted == "query" and str(details[0]).endswith("/vault/metrics"):
        strike()
    if event != "import" or details[0] in seen:
        return
    name = details[0]
    seen.append(name)
    if name == "pleiades_core.cli.app":
        if wanted == "a callback":
            atexit.register(strike)
        if wanted == "a thread":
            threading.Thread(target=late).start()
    if name == wanted:
        strike()
    if "TEST_LIST" in os.environ:
        with open(os.environ["TEST_LIST"], "a") as file:
            print(name, file=file)

atexit.register(last)
sys.addaudithook(watch)
"""
_LINES = {signal.SIGINT: "interrupted\n", signal.SIGTERM: "terminated\n"}

Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start(tmp_path: Path, short_tmp: Path) -> Start:
    """Runs the program with the hook; `at`: the import or the state at which it is signalled."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(_HOOK)
    (short_tmp / "vault").mkdir()
    spill = short_tmp / "spill"
    spill.mkdir()

    def run(
        *arguments: str, at: str = "", number: int = signal.SIGINT, listed: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        dropped = ("DATABASE_URL", "PLEIADES_HOME", "YOUTUBE_API_KEY_POOL_JSON")
        environment = {name: value for name, value in os.environ.items() if name not in dropped}
        environment |= {"PYTHONPATH": str(tmp_path / "hook"), "TEST_AT": at, "TEST_SIGNAL": str(int(number))}
        environment |= {"TMPDIR": str(spill)}
        environment |= {"TEST_LIST": str(listed)} if listed else {}
        return subprocess.run(
            [sys.executable, "-m", "pleiades_dagster", "--home", str(short_tmp), *arguments],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run


def spread(names: list[str], count: int) -> list[str]:
    """So many of them, evenly, the first and the last included."""
    return [names[place * (len(names) - 1) // (count - 1)] for place in range(count)]


@pytest.mark.parametrize("arguments", [["sql", "select 1"], ["hunt"]])
def test_a_signal_during_any_import_is_one_line(start: Start, tmp_path: Path, arguments: list[str]) -> None:
    """From the first import after the handlers stand to the last one of the command."""
    listed = tmp_path / "imports.txt"
    done = start(*arguments, listed=listed)
    assert done.returncode in {0, 10}, done.stderr
    names = listed.read_text().split()
    ours = names[names.index("typer") :]
    assert len(ours) > 300
    for place, at in enumerate(spread(ours, 12)):
        number = (signal.SIGINT, signal.SIGTERM)[place % 2]
        done = start(*arguments, at=at, number=number)
        assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", _LINES[number]), at


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["a callback", "a thread"])
def test_a_signal_while_the_program_ends_is_one_line(start: Start, at: str, number: signal.Signals) -> None:
    done = start("--help", at=at, number=number)
    assert (done.returncode, done.stderr) == (128 + number, _LINES[number])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_last_moment_changes_nothing(start: Start, number: signal.Signals) -> None:
    """What was asked for is done, and its exit code stands."""
    done = start("--help", at="the last callback", number=number)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_open_is_closed_and_then_it_is_one_line(start: Start, short_tmp: Path, number: signal.Signals) -> None:
    """While `init-db` makes the vault the database is open: PostgreSQL is down afterwards, and the next command goes on."""
    (short_tmp / "vault").rmdir()
    done = start("init-db", at="mkdir", number=number)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == _LINES[number], "init-db holds no lease"
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [words for words in commands if str(short_tmp) in words] == []
    assert start("init-db").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_answer_that_is_not_whole_leaves_no_file(start: Start, short_tmp: Path, number: signal.Signals, suffix: str) -> None:
    """Signalled when the rows are written beside the file, and before they take its place."""
    folder = short_tmp / "answers"
    folder.mkdir()
    arguments = ("sql", "select * from samples", "--output", str(folder / f"answer.{suffix}"))
    done = start(*arguments, at="rename", number=number)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", _LINES[number])
    assert list(folder.iterdir()) == []
    assert start(*arguments).returncode == 0
    assert [file.name for file in folder.iterdir()] == [f"answer.{suffix}"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [["top"], ["sql", "select * from samples"]])
def test_a_query_that_is_stopped_leaves_no_folder(
    start: Start, short_tmp: Path, number: signal.Signals, arguments: list[str]
) -> None:
    """Signalled while the query runs. DuckDB's folder for what does not fit into memory stands then, for `top`."""
    done = start(*arguments, at="query", number=number)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", _LINES[number])
    assert list((short_tmp / "spill").iterdir()) == []


def test_a_second_signal_does_not_wait_for_the_first(tmp_path: Path) -> None:
    """A block that is being closed, and hangs."""
    program = """
import os, signal
from pleiades_core.cli import signals
signals.leave_at_once()
with signals.unwinding():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_interface_makes_an_installation_says_so_and_stops_in_one_line(short_tmp: Path, number: signal.Signals) -> None:
    """Signalled as soon as it has said where the installation is: it is starting Dagster's servers then."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    dropped = ("DATABASE_URL", "PLEIADES_HOME", "YOUTUBE_API_KEY_POOL_JSON")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    command = [sys.executable, "-m", "pleiades_dagster", "--home", str(short_tmp / "h"), "ui", "--port", str(port)]
    with subprocess.Popen(command, cwd=short_tmp, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"made a new installation in {short_tmp}/h\n"
        process.send_signal(number)
        rest = process.stderr.read()
    assert (process.returncode, rest) == (128 + number, f"{_LINES[number].strip()}; leases are given back\n")
    assert (short_tmp / "h" / "vault").is_dir()


def test_a_signal_before_main_is_called_is_one_line(tmp_path: Path) -> None:
    """The console script imports the module first: from then on a signal is one line."""
    program = "import os, signal; from pleiades_dagster.__main__ import main; os.kill(os.getpid(), signal.SIGINT); main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_little_is_imported_before_the_handlers_stand(tmp_path: Path) -> None:
    """The longer it takes, the longer Ctrl-C is a traceback: `typing` alone takes some milliseconds."""
    program = "import sys; before = {*sys.modules}; from pleiades_core.cli import signals; print(*{*sys.modules} - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=120, cwd=tmp_path
    )
    imported = {name for name in done.stdout.split() if not name.startswith("pleiades_")}
    small = {"__future__", "atexit", "contextlib", "functools", "os", "signal", "enum", "types", "operator", "collections"}
    assert {name for name in imported if not name.startswith(("_", "collections."))} <= small | {"keyword", "reprlib"}


@pytest.mark.parametrize("command", [["terms", "list"], ["terms", "add", "lofi"]])
def test_a_signal_while_a_statement_runs_is_one_line(
    database: Database, short_tmp: Path, tmp_path: Path, command: list[str]
) -> None:
    """Psycopg warns of each transaction that it closes on the way out; nobody reads that as news."""
    (short_tmp / "vault").mkdir()
    environment = {**os.environ, "DATABASE_URL": database.url}
    with psycopg.connect(database.url) as holder, psycopg.connect(database.url, autocommit=True) as watcher:
        holder.execute("lock table search_queue in access exclusive mode")
        program = subprocess.Popen(
            [sys.executable, "-m", "pleiades_dagster", "--home", str(short_tmp), *command],
            env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while program.poll() is None and not watcher.execute(waiting).fetchone()[0]:  # type: ignore[index]
            time.sleep(0.02)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=120)
    assert (program.returncode, out, err) == (130, "", "interrupted\n")
