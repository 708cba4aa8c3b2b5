"""What SIGINT (Ctrl-C) and SIGTERM do to the program, from its first line to its last.

    before anything is open     one line on stderr, and the exit code, at once: there is nothing to give back
    inside `unwinding`          the first signal raises Stopped, so that open resources are closed; a second one ends at once
    while the program ends      as before anything is open; at the very end both signals are ignored

Belongs here: the handlers. Does not belong here: closing (the blocks that opened something), printing Stopped (main.py).
This module is the first one that the program imports, so it imports nothing that takes time, not even `typing`. What comes
before it is Python's own start (`site`).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_MESSAGES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_STDERR = 2


class Stopped(BaseException):
    """SIGINT or SIGTERM. Not a KeyboardInterrupt, which Typer swallows. The blocks that it leaves close what they opened."""

    def __init__(self, number: int, *, leases: bool) -> None:
        """`leases`: the program may hold leases, which are given back on the way out; its one line says so."""
        super().__init__(_MESSAGES[signal.Signals(number)] + ("; leases are given back" if leases else ""))
        #: As a shell reports a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM.
        self.exit_code = 128 + number


def leave_at_once() -> None:
    """From now on a signal ends the program with one line and its exit code, wherever it is."""
    _handle(_leave)
    _ignore_at_the_end()


@contextlib.contextmanager
def unwinding(*, leases: bool = False) -> Iterator[None]:
    """A block that opens resources: a signal raises Stopped in it. For the main thread, which gets the signals.

    Args:
        leases: the block may hold leases.

    Raises:
        Stopped: SIGINT or SIGTERM came.
    """
    with handled_by(functools.partial(_stop, leases=leases)):
        yield


@contextlib.contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """A block in which `handler` takes SIGINT and SIGTERM. Main thread only."""
    before = {number: signal.signal(number, handler) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


@functools.cache
def _ignore_at_the_end() -> None:
    """Ignore both signals while Python shuts down: it would restore the default handlers, which kill without a message.

    Registered first, and once, so that it runs last: a callback that hangs can still be interrupted.
    """
    atexit.register(_handle, signal.SIG_IGN)


def _handle(handler: Callable[[int, FrameType | None], NoReturn] | signal.Handlers) -> None:
    for number in _NUMBERS:
        signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # Not `sys.exit`: an exception during an import may be swallowed, or turned into another one.
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"{_MESSAGES[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)


def _stop(number: int, _frame: FrameType | None, *, leases: bool) -> NoReturn:
    _handle(_leave)
    _silence_database_driver()
    raise Stopped(number, leases=leases)


def _silence_database_driver() -> None:
    """Silence psycopg, which logs a warning for each transaction and connection that the interruption closes.

    `logging` is not imported here: the signal may have interrupted an import. If it is not loaded, nothing can be logged.
    """
    if logging := sys.modules.get("logging"):
        logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)
