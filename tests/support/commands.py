"""The command line in processes of its own, without the second that each would spend on importing.

One process a session has the program imported and forks for each command, which then starts as if it had just been typed:
its own arguments, environment, folder, streams and exit code. Where the start itself matters, tests run `python -m` instead.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ARGV0 = "pleiades"
_IMPORTED = (
    "pleiades_dagster.cli", "pleiades_core.ops.doctor", "pleiades_core.installation", "pleiades_core.planner.plan",
    "pleiades_core.reports.coverage", "pleiades_core.reports.sources", "pleiades_core.insights.publish",
)  # fmt: skip


class Commands:
    """Runs `pleiades` with arguments."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """One command with the environment of now, to its end; nothing to read."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory(prefix="plc") as folder:
            order = {"arguments": arguments, "cwd": str(cwd), "environment": dict(os.environ), "folder": folder}
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            said = [Path(folder, name).read_text() for name in ("out", "err")]
        return subprocess.CompletedProcess([_ARGV0, *arguments], code, *said)


@contextlib.contextmanager
def serving() -> Iterator[Commands]:
    """Commands for the length of a block."""
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield Commands(server)
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(30) == 0


def _become(order: dict[str, Any]) -> None:
    """In the child: be the program that was just started. Does not return."""
    for stream, (name, flags) in enumerate(
        (("/dev/null", os.O_RDONLY), ("out", os.O_CREAT | os.O_WRONLY), ("err", os.O_CREAT | os.O_WRONLY))
    ):
        os.dup2(os.open(os.path.join(order["folder"], name), flags, 0o600), stream)  # noqa: PTH118  an absolute name stays
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = [_ARGV0, *order["arguments"]]
    from pleiades_dagster.__main__ import main

    main()


def _serve() -> None:
    # Once, for all: what commands import when they run.
    for name in _IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(order)
            sys.exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
