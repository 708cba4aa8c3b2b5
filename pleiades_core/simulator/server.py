"""The simulator as a process: serving in the foreground, and starting it as a child.

Belongs here: processes. Does not belong here: sockets and signals (web/serve.py), HTTP (app.py), what is simulated (config.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.api.quota import DEMO_KEYS
from pleiades_core.simulator.app import build_app
from pleiades_core.simulator.config import DEFAULT_START, SimulatorConfig
from pleiades_core.simulator.faults.spoiling import TRANSPORT
from pleiades_core.web.serve import base_url_of, bind, serve_until_signal, server_of

__all__ = ["DEFAULT_START", "SimulatorConfig", "SimulatorProcess", "serve", "start_subprocess"]

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 10.0


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also gives its transport to the fault plan: ASGI has no message for hanging up."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[TRANSPORT] = self.transport


def serve(config: SimulatorConfig, *, until_stdin_closes: bool = False) -> int | None:
    """Serve in the foreground until SIGTERM or SIGINT. Returns the number of the signal.

    Prints one JSON line, {"base_url", "pid", "keys"}, on standard output once requests are answered.

    Raises:
        ConfigurationError: the world cannot be read, or the port is taken. Nothing listens then.
    """
    app = build_app(config)
    cure = "choose another port, or 0 for any free one; `ss -ltnp` shows who holds it"
    listener = bind(config.host, config.port, program="the simulator", cure=cure)
    # On another address than loopback it may be reached by other names.
    names = () if config.host in {"127.0.0.1", "::1", "localhost"} else None
    server = server_of(app, names=names, grace_s=1, http=_Protocol, date_header=False)
    if until_stdin_closes:
        threading.Thread(target=_stop_at_eof, daemon=True).start()
    ready = {"base_url": base_url_of(listener), "pid": os.getpid(), **_demo_keys(config)}
    print(json.dumps(ready), flush=True)  # noqa: T201  the promised line
    return serve_until_signal(server, listener)


def _demo_keys(config: SimulatorConfig) -> dict[str, list[str]]:
    """The accepted keys, if they are the well-known demo keys: a person who starts a simulator needs one."""
    return {"keys": [key.key for key in DEMO_KEYS]} if config.keys == DEMO_KEYS else {}


def _stop_at_eof() -> None:
    """End the process when its parent ends, which holds the other end of standard input."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4_096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


class SimulatorProcess:
    """A simulator in a child process. Ends with the `with` block, with `stop()`, or when this process dies."""

    def __init__(self, process: subprocess.Popen[bytes], base_url: str) -> None:
        self._process = process
        self.base_url = base_url

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def stop(self) -> None:
        """End the child and wait for it. Safe to repeat."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def start_subprocess(config: SimulatorConfig, *, log_path: Path) -> SimulatorProcess:
    """Start a simulator and wait until it answers. The child's standard error goes to `log_path`.

    Raises:
        ConfigurationError: it cannot start; the message is the child's. Nothing is left running.
    """
    command = [sys.executable, "-m", "pleiades_core.simulator"]
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C in a terminal goes to the whole group. The simulator must outlive the last calls of its parent, which would
            # otherwise be retried for minutes. It ends when `stop` is called or standard input closes.
            start_new_session=True,
        )
    started = SimulatorProcess(process, "")
    watchdog = threading.Timer(_START_TIMEOUT_S, process.kill)
    watchdog.start()
    try:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  asked for above
        # Through the pipe and not as an argument: keys do not belong into the list of processes.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(config.to_json().encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        message = _spoken(line)
    except BaseException:
        started.stop()
        raise
    finally:
        watchdog.cancel()
    if "base_url" not in message:
        started.stop()
        raise ConfigurationError(
            str(message.get("error") or f"the simulator did not start: {_tail(log_path)}"),
            cure=str(message.get("cure") or "run `pleiades simulator` with the same options to see more"),
        )
    started.base_url = str(message["base_url"])
    return started


def _tail(log_path: Path) -> str:
    """The end of the log."""
    lines = log_path.read_text(errors="replace").strip().splitlines() if log_path.exists() else []
    return lines[-1][:500] if lines else "it said nothing"


def _spoken(line: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}


@contextlib.contextmanager
def speaking_errors() -> Iterator[None]:
    """In the child: turn a ConfigurationError into one JSON line for the parent and exit code 10.

    Raises:
        SystemExit: with the code.
    """
    try:
        yield
    except ConfigurationError as error:
        print(json.dumps({"error": str(error), "cure": error.cure}), flush=True)  # noqa: T201  the parent reads it
        raise SystemExit(error.exit_code) from None


def main() -> None:
    """`python -m pleiades_core.simulator`: the child of `start_subprocess`, which sends the configuration as one line."""
    with speaking_errors():
        serve(SimulatorConfig.from_json(sys.stdin.readline()), until_stdin_closes=True)
