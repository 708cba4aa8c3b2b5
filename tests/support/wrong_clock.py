"""A clock that claims to show real time, and does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar


@dataclass
class WrongClock:
    """The machine's clock, set wrong by so much."""

    real: ClassVar[bool] = True

    ahead: timedelta

    def now(self) -> datetime:
        """What it shows."""
        return datetime.now(UTC) + self.ahead
