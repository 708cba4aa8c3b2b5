"""Child processes: started, and surely stopped. They end with this process, however it ends.

Belongs here: process lifetimes, and the signals that must not cut a start or a stop short. Does not belong here: which programs
there are (ui/processes.py).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pleiades_core.cli.signals import handled_by
from pleiades_core.errors import ConfigurationError

#: From linux/prctl.h: the signal that a child gets when the thread that started it ends, by SIGKILL too.
_PR_SET_PDEATHSIG = 1
#: Seconds to wait after SIGTERM. A code server takes longer to notice it, and has no work that must be finished.
_GRACE_S = 5.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopped_once() -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM has its usual effect, and later ones have none.

    Otherwise a second Ctrl-C would interrupt the stop that the first one began. Main thread only.
    """
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPPING}

    def first(number: int, frame: FrameType | None) -> None:
        usual = before[number]
        try:
            if callable(usual):
                usual(number, frame)
        finally:
            # Last, because the usual handler raises, and may have installed another one.
            for each in _STOPPING:
                signal.signal(each, _do_nothing)

    with handled_by(first):
        yield


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """SIGINT and SIGTERM take effect at the end of the block: no code would stop a child that is half started.

    Main thread only.
    """
    arrived: list[int] = []
    try:
        with handled_by(lambda number, _: arrived.append(number)):
            yield
    finally:
        if arrived:
            signal.raise_signal(arrived[0])


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


@contextlib.contextmanager
def child(arguments: Sequence[str], *, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python arguments` for the length of a block. The child and its own children are gone afterwards.

    Args:
        arguments: of Python.
        environment: of the child.
        log: gets its output.

    Yields:
        The process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own programs
            [sys.executable, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A group of its own: Ctrl-C in the terminal reaches this process alone, which stops its children in order.
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  no thread of ours runs yet
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child and all processes of its group: by SIGTERM, then by SIGKILL."""
    for number, wait_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=wait_s)
            break
    # The leader has ended; the other processes of its group are not needed either.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], *, what: str, log: Path, within_s: float) -> None:
    """Wait for a child to be ready.

    Args:
        ready: returns True once it is.
        process: the child.
        what: names it in the error.
        log: has its output.
        within_s: seconds to wait.

    Raises:
        ConfigurationError: the child ended, or takes too long. The message has the end of its log.
    """
    deadline = time.monotonic() + within_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(encoding="utf-8", errors="replace")[-600:].strip() if log.exists() else ""
            state = (
                f"ended with {process.returncode}" if process.poll() is not None else f"was not ready after {within_s:.0f} s"
            )
            raise ConfigurationError(f"{what} {state}: {tail}", cure=f"the whole log is {log}")
        time.sleep(0.1)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
