"""A worker that kills itself (SIGKILL) just before its Nth effect: file system calls, SQL statements, commits, API calls.

Run in a forked child by test_kill.py. "Before effect N" for every N is also "after effect N - 1", so every step is covered.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import psycopg

from pleiades_core.batches.closing import finish_day
from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation, open_installation
from pleiades_core.settings import Settings
from pleiades_core.vault.archive import closable
from pleiades_core.vault.janitor import sweep
from pleiades_core.youtube.client import Transport

_EFFECTS: list[tuple[Any, str]] = [
    (os, "open"), (os, "write"), (os, "fsync"), (os, "link"), (os, "rename"), (os, "unlink"),
    (psycopg.Connection, "execute"), (psycopg.Connection, "commit"), (Transport, "send"),
]  # fmt: skip


class _Countdown:
    def __init__(self, effects: int) -> None:
        self._left = effects
        self._lock = threading.Lock()

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counted


def _close(pleiades: Installation) -> None:
    """Close every day that may be closed, and sweep."""
    for dataset, day in closable(pleiades.database, pleiades.clock.now()):
        finish_day(pleiades.database, pleiades.vault, pleiades.clock, dataset, day)
    sweep(pleiades.database, pleiades.vault, pleiades.clock)


def work(settings: Settings, now: datetime, what: str, effects: int) -> None:
    """Hunt, track or close, and die before the Nth effect. Comes back, and ends with exit code 0, when there are fewer."""
    with open_installation(settings, clock=ManualClock(now)) as pleiades:
        actions: dict[str, Callable[[], object]] = {
            "hunt": pleiades.hunter().hunt,
            "track": pleiades.tracker().track,
            "close": partial(_close, pleiades),
        }
        countdown = _Countdown(effects)
        for owner, name in _EFFECTS:
            setattr(owner, name, countdown.wrap(getattr(owner, name)))
        actions[what]()
    os._exit(0)
