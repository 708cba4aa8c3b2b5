"""The installation's clock, compared with the database's: a clock that is wrong for one tick must not write false times.

Belongs here: the comparison, for clocks that claim to show real time. A simulated clock may run days ahead of the database or
behind it, and is not compared. Does not belong here: rows that an earlier wrong clock dated into the future
(watchlist/cadence.py, discover/wrong_clock.py).
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import ClassVar

from pleiades_core.clock import Clock
from pleiades_core.errors import ConfigurationError
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries

#: Machines that synchronise their clocks differ by milliseconds. A difference of minutes means that a clock is not
#: synchronised.
MOST_APART = timedelta(minutes=5)

_SQL = load_queries("sessions")
log = logging.getLogger(__name__)


class CheckedClock:
    """A clock that stays within `MOST_APART` of the database's, if it claims to show real time. Safe between threads."""

    real: ClassVar[bool] = False

    def __init__(self, clock: Clock, database: Database) -> None:
        self._clock = clock
        self._database = database
        #: The database's time at an instant of the monotonic clock; None: the database was not asked yet.
        self._anchor: tuple[datetime, float] | None = None

    def check(self) -> None:
        """Compare the two clocks now.

        Raises:
            ConfigurationError: the clocks are more than `MOST_APART` apart; the message names both.
        """
        if not self._clock.real:
            return
        program, database = self._clock.now(), self._ask()
        if agree(program, database):
            return
        raise ConfigurationError(
            f"the clock of this machine shows {_shown(program)}, that of the database {_shown(database)}; no call was made",
            cure="set the wrong clock right, best by NTP (timedatectl set-ntp true), then run the command again",
        )

    def now(self) -> datetime:
        """The clock's instant; the database's instead, if the clock was set wrong since it was last compared."""
        program = self._clock.now()
        if not self._clock.real or (self._anchor and agree(program, _run_on(self._anchor))):
            return program
        database = self._ask()
        if agree(program, database):
            return program
        log.warning("the clock of this machine jumped to %s; %s, the database's, is used", _shown(program), _shown(database))
        return database

    def _ask(self) -> datetime:
        with self._database.transaction() as connection:
            row = connection.execute(_SQL.clock).fetchone()
        assert row is not None, "a function has one value"  # noqa: S101
        self._anchor = (row[0], time.monotonic())
        database: datetime = row[0]
        return database


def agree(first: datetime, second: datetime) -> bool:
    """True when two clocks may both be right."""
    return abs(first - second) <= MOST_APART


def _run_on(anchor: tuple[datetime, float]) -> datetime:
    instant, at = anchor
    return instant + timedelta(seconds=time.monotonic() - at)


def _shown(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
