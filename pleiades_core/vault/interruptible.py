"""Work in a thread of its own, so that a signal ends the wait for it even if the work hangs in a read.

Belongs here: the thread, and giving it up. Does not belong here: the work itself (query.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

_T = TypeVar("_T")

_INTERRUPT_EVERY_S = 0.05
#: Seconds that the work has to end after a signal. DuckDB ends within milliseconds; a read of a FIFO or a hung mount never
#: does.
_GIVE_UP_AFTER_S = 10.0

_given_up: list[threading.Thread] = []


def has_hanging_thread() -> bool:
    """True if a thread was given up and still hangs. Python's own exit may wait for it: leave with `os._exit`."""
    return any(thread.is_alive() for thread in _given_up)


def interruptible(work: Callable[[], _T], interrupt: Callable[[], None]) -> _T:
    """The result of `work`, run in a thread: DuckDB would not return for a signal, or hide it.

    Args:
        work: it owns what it uses, and closes it: after a signal that it does not heed, this function returns without it.
        interrupt: asks the work to end; called again and again, from this thread, until the work is over.

    Raises:
        BaseException: the error of `work`; or the error of a signal handler, once the work is over or given up.

    """
    # No executor: a signal while it starts its thread would leave a thread that nothing stops.
    result: Future[_T] = Future()
    ready = threading.Event()

    def run() -> None:
        ready.wait()
        if result.set_running_or_notify_cancel():
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001  it is raised where the result is waited for
                result.set_exception(error)

    thread = threading.Thread(target=run, name="duckdb", daemon=True)
    try:
        thread.start()
        ready.set()
        return result.result()
    finally:
        # Work that has not begun is never begun.
        result.cancel()
        ready.set()
        _end(result, interrupt, time.monotonic() + _GIVE_UP_AFTER_S)
        if not result.done():
            _given_up.append(thread)
        elif thread.ident is not None:
            thread.join()


def _end(result: Future[_T], interrupt: Callable[[], None], until: float) -> None:
    """Stop the work if it is not over, or give it up. Raises what further signals raise, but only then."""
    try:
        # Repeated, because DuckDB forgets an interrupt that comes between two steps of a query.
        while not result.done() and time.monotonic() < until:
            interrupt()
            wait([result], timeout=_INTERRUPT_EVERY_S)
    finally:
        if not result.done() and time.monotonic() < until:
            _end(result, interrupt, until)
