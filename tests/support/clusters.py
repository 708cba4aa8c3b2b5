"""The embedded server as tests handle it: copies of a folder that was made once, and processes of their own that use it.

Making a folder takes seconds (initdb), copying one a fraction of a second.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from pleiades_core.storage.embedded import embedded, embedded_url

#: Uses the server of a folder until its input ends. It takes SIGINT also where the tests run in the background of a shell.
_USE = (
    "import signal, sys; from pathlib import Path; from pleiades_core.storage.embedded import embedded\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "with embedded(Path(sys.argv[1])): print('up', flush=True); sys.stdin.read()"
)


@contextlib.contextmanager
def made_cluster() -> Iterator[Path]:
    """A folder whose server was started and stopped once, below a short path."""
    with short_folder() as root:
        with embedded(root / "pg"):
            pass
        yield root / "pg"


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """An empty folder below a path that fits into a socket's name, closed to other users."""
    root = Path(tempfile.mkdtemp(prefix="ple"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def copied(cluster: Path, to: Path) -> Path:
    """A copy of a folder whose server does not run, with its owners."""
    subprocess.run(["cp", "-a", str(cluster), str(to)], check=True)
    return to


def answers(folder: Path) -> bool:
    """Whether the server of `folder` answers, for the length of a block of its own."""
    with embedded(folder) as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
        return connection.execute("select 1").fetchone() == (1,)


def main_process(folder: Path) -> psutil.Process:
    """The server's main process, by its own file."""
    return psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))


def is_up(folder: Path) -> bool:
    """Whether a server runs: it removes its file when it ends in order."""
    return (folder / "postmaster.pid").exists()


@contextlib.contextmanager
def user_process(folder: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server; it leaves, if it still can, at the end of the block."""
    with starting_process(folder, **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n", process.stderr.read() if process.stderr else ""
        yield process


@contextlib.contextmanager
def starting_process(folder: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own that begins to use the server; nothing waits until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", _USE, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, **options,
    )  # fmt: skip
    with process:
        yield process


def until(state: Callable[[], bool], *, within_s: float = 120) -> None:
    """Wait for a state; the time only bounds a test that fails."""
    deadline = time.monotonic() + within_s
    while not state():
        assert time.monotonic() < deadline, "the state never came"
        time.sleep(0.001)
