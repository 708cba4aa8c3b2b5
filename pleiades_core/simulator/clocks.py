"""The simulator's clocks: they can be read and set, and can run faster than real time.

Belongs here: clocks. Does not belong here: the endpoints that drive them (endpoints.py).
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from pleiades_core.clock import Clock, ManualClock, aware_utc


class DrivenClock(Clock, Protocol):
    """A clock that can be set."""

    def set(self, instant: datetime) -> None:
        """Move to `instant` (aware)."""
        ...

    def advance(self, by: timedelta) -> None:
        """Move by a span."""
        ...


class RunningClock:
    """A clock that runs at `rate` simulated seconds a second from `start`, and can be set too."""

    real: ClassVar[bool] = False

    def __init__(self, start: datetime, rate: float) -> None:
        self._base = aware_utc(start)
        self._rate = rate
        self._since = time.monotonic()

    def now(self) -> datetime:
        """The simulated instant."""
        return self._base + timedelta(seconds=(time.monotonic() - self._since) * self._rate)

    def set(self, instant: datetime) -> None:
        """Move to `instant` and run on from there."""
        self._base, self._since = aware_utc(instant), time.monotonic()

    def advance(self, by: timedelta) -> None:
        """Move by a span and run on from there."""
        self.set(self.now() + by)


def clock_for(start: datetime, rate: float) -> DrivenClock:
    """A clock that stands still until it is set (`rate` 0), or runs."""
    return RunningClock(start, rate) if rate else ManualClock(start)
