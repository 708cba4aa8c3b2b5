"""One demo, played once by the command itself, for all tests that look at what a demo leaves; and hands on processes like it.

Playing takes most of a minute. The workers of one run of pytest share the result and work on copies: a home is open once.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil
import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedDemo:
    """A demo of one day, and what the command said."""

    #: Never opened by a test: see `copy_to`.
    home: Path
    began_at: datetime
    exit_code: int
    stdout: str
    stderr: str

    def copy_to(self, folder: Path) -> Path:
        """A home of one's own in `folder`, owners and modes kept: PostgreSQL insists on them."""
        assert self.exit_code == 0, self.stderr
        subprocess.run(["cp", "-a", str(self.home), str(folder / "demo")], check=True)
        return folder / "demo"


def played_once(factory: pytest.TempPathFactory) -> PlayedDemo:
    """The demo of this run of pytest: played by the first worker that asks, awaited by the others."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "played"
    shared.mkdir(exist_ok=True)
    home, said = shared / "demo", shared / "said.json"
    with (shared / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            began_at = datetime.now(UTC)
            done = subprocess.run(
                demo_command(home, "--days", "1", "--json"), capture_output=True, text=True, timeout=280, check=False
            )
            words = [began_at.isoformat(), done.returncode, done.stdout, done.stderr]
            said.write_text(json.dumps(words), encoding="utf-8")
        began, code, stdout, stderr = json.loads(said.read_text(encoding="utf-8"))
    return PlayedDemo(home=home, began_at=datetime.fromisoformat(began), exit_code=code, stdout=stdout, stderr=stderr)


def pleiades_command(*arguments: str) -> list[str]:
    """The program, started as if from a shell."""
    return [sys.executable, "-m", "pleiades_dagster.cli", *arguments]


def demo_command(home: Path, *options: str) -> list[str]:
    """`pleiades demo` of a small world."""
    return pleiades_command("demo", "--home", str(home), "--videos", "1500", *options)


def start(command: Sequence[str], **options: object) -> subprocess.Popen[str]:
    """A command with a process group of its own, as a terminal gives it, and its standard error to be read."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def read_until(stream: IO[str] | None, words: str) -> list[str]:
    """Read lines up to and with the first that holds `words`. Fails with what was said when the stream ends before."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if words in line:
            return lines
    pytest.fail(f"{words!r} was never said: {''.join(lines)}")


def processes_of(home: Path) -> list[str]:
    """Living processes that mention the home. Left out: this one, and the copies that `PlayedDemo` makes in other workers."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(home) in line and process.info["pid"] != os.getpid() and not line.startswith("cp -a "):
            found.append(line)
    return found
