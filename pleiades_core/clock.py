"""Clocks: the one source of "now" for every decision that ends up in data.

Belongs here: clocks that return aware UTC datetimes, and the Pacific quota day. Does not belong here: when a video is due
(watchlist/cadence.py), and lease expiry, which uses the database's own clock because two machines may disagree about theirs.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar, Protocol
from zoneinfo import ZoneInfo

from pleiades_core.errors import ConfigurationError

#: Quota days run from midnight to midnight in this zone, so they have 23 or 25 hours twice a year.
#: developers.google.com/youtube/v3/getting-started#quota (read 2026-11-22)
PACIFIC = ZoneInfo("America/Los_Angeles")


class Clock(Protocol):
    """A clock."""

    #: True if it claims to show real time, so that it may be compared with other clocks (storage/checked_clock.py).
    real: ClassVar[bool]

    def now(self) -> datetime:
        """The present instant, as an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's clock."""

    real: ClassVar[bool] = True

    def now(self) -> datetime:
        """The present instant, as an aware UTC datetime."""
        return datetime.now(UTC)


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is set. Tests and the simulator's own world use it."""

    real: ClassVar[bool] = False

    instant: datetime

    def __post_init__(self) -> None:
        self.set(self.instant)

    def now(self) -> datetime:
        """The instant it was last set to."""
        return self.instant

    def set(self, instant: datetime) -> None:
        """Move to `instant`, which must be aware; it is kept in UTC."""
        self.instant = aware_utc(instant)

    def advance(self, by: timedelta) -> None:
        """Move forward (or, with a negative value, back)."""
        self.instant += by


@dataclass(frozen=True, slots=True)
class SimulatorClock:
    """The clock of a running simulator, read over HTTP each time: weeks pass in minutes, and every process agrees."""

    real: ClassVar[bool] = False

    base_url: str
    #: The instant that stands for "now" after the simulator was stopped; None: there is none.
    stopped_at: datetime | None = None

    def now(self) -> datetime:
        """The simulator's present instant.

        Raises:
            ConfigurationError: no simulator answers at `base_url`, and there is no `stopped_at`.
        """
        url = f"{self.base_url.rstrip('/')}/simulator/clock"
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310  the address is the operator's setting
                return aware_utc(datetime.fromisoformat(json.load(reply)["now"]))
        except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
            if self.stopped_at is not None:
                return self.stopped_at
            raise ConfigurationError(
                f"no simulator answers at {self.base_url}: {error}",
                cure="start it with `pleiades simulator`, or unset PLEIADES_CLOCK to use the machine's clock",
            ) from None


def aware_utc(instant: datetime) -> datetime:
    """An instant in UTC.

    Raises:
        ValueError: the datetime is naive: its meaning would depend on the server's zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: say which zone it is in")
    return instant.astimezone(UTC)


def pacific_day(instant: datetime) -> date:
    """The quota day that `instant` falls in."""
    return aware_utc(instant).astimezone(PACIFIC).date()


def quota_resets_at(instant: datetime) -> datetime:
    """The first instant after `instant` at which quota is new again: the next midnight in the Pacific zone, as UTC."""
    return pacific_midnight(pacific_day(instant) + timedelta(days=1))


def pacific_midnight(day: date) -> datetime:
    """The first instant of a quota day, as UTC."""
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def utc_midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time(), UTC)
