"""When a video is due again, and how often it is polled. Pure arithmetic. Does not belong here: leasing (track/slices.py).

This is the cadence `tiers`: hourly in the first day, daily in the first week, then weekly. The age that counts is the age at
the last poll, so the interval of a video is fixed until it is polled again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pleiades_core.models import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """The boundaries of the tiers, and how early a poll may come."""

    #: Younger than this: HOURLY. Exactly this old: DAILY.
    hourly_below: timedelta = timedelta(hours=24)
    #: Younger than this: DAILY. Exactly this old: WEEKLY.
    daily_below: timedelta = timedelta(days=7)
    hourly: timedelta = timedelta(hours=1)
    daily: timedelta = timedelta(days=1)
    weekly: timedelta = timedelta(days=7)
    #: So many misses in a row make a video WEEKLY whatever its age: deleted videos cost calls, and some come back.
    misses_until_weekly: int = 3
    #: A poll may come this much early. Without it an hourly tick that starts a second sooner than the last one finds nothing
    #: due, and hourly becomes two-hourly.
    early: timedelta = timedelta(minutes=5)
    #: A poll further ahead of now than this was written by a wrong clock, and does not count. It is more than twice the
    #: difference that two clocks may have (storage/checked_clock.py): no machine polls again what another one just polled.
    ahead: timedelta = timedelta(minutes=15)
    #: From one run of the tier to the next: videos that are due by then share calls, and a run of Dagster costs 5 CPU-seconds
    #: before any work. Ticks begin at midnight UTC.
    hourly_tick: timedelta = timedelta(minutes=15)
    daily_tick: timedelta = timedelta(hours=1)
    weekly_tick: timedelta = timedelta(hours=6)

    def tier(self, age: timedelta, misses: int = 0) -> Tier:
        """The tier of a video of this age at its last poll."""
        if misses >= self.misses_until_weekly or age >= self.daily_below:
            return Tier.WEEKLY
        return Tier.HOURLY if age < self.hourly_below else Tier.DAILY

    def interval(self, tier: Tier) -> timedelta:
        """From one poll to the next."""
        return {Tier.HOURLY: self.hourly, Tier.DAILY: self.daily, Tier.WEEKLY: self.weekly}[tier]

    def tick(self, tier: Tier) -> timedelta:
        """From one run of the tier to the next, while any of it is due."""
        return {Tier.HOURLY: self.hourly_tick, Tier.DAILY: self.daily_tick, Tier.WEEKLY: self.weekly_tick}[tier]

    @property
    def ticks_a_day(self) -> int:
        """Ticks of all tiers in a day; the last call of each may not be full."""
        return sum(timedelta(days=1) // self.tick(tier) for tier in Tier)

    def due_at(self, published_at: datetime, polled_at: datetime | None, misses: int = 0) -> datetime | None:
        """When the next poll is due.

        Args:
            published_at: when the video was published.
            polled_at: the last poll; None: there was none.
            misses: misses in a row, up to the last poll.

        Returns:
            The instant; None: the video has not been polled and is due now.
        """
        if polled_at is None:
            return None
        return polled_at + self.interval(self.tier(polled_at - published_at, misses))

    def counted(self, polled_at: datetime | None, now: datetime) -> datetime | None:
        """The last poll; None: there was none, or it lies in the future and cannot be true."""
        return None if polled_at is None or polled_at > now + self.ahead else polled_at

    def is_due(self, published_at: datetime, polled_at: datetime | None, now: datetime, misses: int = 0) -> bool:
        """True when a poll at `now` is worth its share of a call.

        Args:
            published_at: when the video was published.
            polled_at: the last poll; None: there was none.
            now: the present instant.
            misses: misses in a row, up to the last poll.

        Returns:
            Whether the video is due.
        """
        due_at = self.due_at(published_at, self.counted(polled_at, now), misses)
        return due_at is None or now >= due_at - self.early

    def parameters(self) -> dict[str, object]:
        """The numbers for `watchlist.sql`, which must decide alike (tests/postgres/watchlist/test_cadence_sql.py)."""
        return {
            "hourly_below": self.hourly_below, "daily_below": self.daily_below, "hourly": self.hourly, "daily": self.daily,
            "weekly": self.weekly, "misses_until_weekly": self.misses_until_weekly, "early": self.early, "ahead": self.ahead,
        }  # fmt: skip


#: The tiers of the seed.
TIERS = Cadence()
