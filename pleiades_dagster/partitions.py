"""How the assets are cut: by UTC day, and tracking by tier. Videos are rows, never partitions: Dagster advises at most 100,000.

Belongs here: partition definitions, and a key's meaning. Does not belong here: what a partition does (assets/).
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg

from pleiades_core.models import Tier

#: Every tick polls what is due now, so a tier has no past to materialise.
TIERS = dg.StaticPartitionsDefinition([tier.value for tier in Tier])

#: Days kept open beyond the first one when that day lies in the machine's future, as a recorded world's may.
_DAYS_OF_A_FUTURE_WORLD = 62


def utc_days(first_day: date, *, today: date | None = None) -> dg.DailyPartitionsDefinition:
    """UTC days from `first_day` up to and with today: today's key is the one that hunting materialises.

    Dagster counts by the machine's clock, and a simulated world may lie ahead of it; then the keys reach into the future.
    """
    ahead = (first_day - (today or datetime.now(UTC).date())).days
    offset = 1 if ahead < 0 else ahead + _DAYS_OF_A_FUTURE_WORLD
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone="UTC", end_offset=offset)


def day_of(partition_key: str) -> date:
    """The UTC day that a key names."""
    return date.fromisoformat(partition_key)
