"""Other programs of ours, started and surely stopped: they end with this process, however it ends.

Belongs here: process lifetimes, and the signals that must not cut a start or a stop short.
Does not belong here: which programs there are (ui/processes.py).
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
#: A code server takes long to notice SIGTERM (measured: more than seconds); nothing of it is worth waiting for.
_GRACE_S = 5.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopped_once() -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM does what it did before, and later ones do nothing.

    An impatient second Ctrl-C would otherwise cut the stop short that the first one began. Main thread only.
    """
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPPING}

    def first(number: int, frame: FrameType | None) -> None:
        usual = before[number]
        try:
            if callable(usual):
                usual(number, frame)
        finally:
            # Last, because the usual handler raises, and may have put another one in its place.
            for each in _STOPPING:
                signal.signal(each, _do_nothing)

    with handled_by(first):
        yield


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """SIGINT and SIGTERM take effect at the end of the block: a child that is half started is known to nobody and would stay.

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
    """Run `python arguments` for the length of a block, its output in `log`; it and its own children are gone afterwards."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own programs
            [sys.executable, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A group of its own: Ctrl-C in the terminal reaches us alone, and we stop the others in order.
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  no thread of ours runs yet
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child and everything in its group: politely, then surely."""
    for number, wait_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=wait_s)
            break
    # The leader is gone; what it left in its group is not needed either.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], *, what: str, log: Path, within_s: float) -> None:
    """Wait for a child to be ready. Raises ConfigurationError with the end of its log when it dies or takes too long."""
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
