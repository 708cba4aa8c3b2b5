"""The partitions of the assets: UTC days, and tiers for tracking. Videos are rows, never partitions: Dagster advises at most
100,000.

Belongs here: partition definitions, the meaning of a key, and skipping a day that is not over. Does not belong here: the assets
(assets/), when a day may be closed (pleiades_core/vault/archive.py), which day is the first (pleiades_core/vault/first_day.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from pleiades_core.errors import ConfigurationError
from pleiades_core.installation import clock_of
from pleiades_core.models import Tier
from pleiades_core.settings import Settings
from pleiades_core.vault.archive import closes_at, may_close
from pleiades_dagster.metadata import Materialized

#: Every tick polls videos that are due now, so a tier has no past to materialise.
TIERS = dg.StaticPartitionsDefinition([tier.value for tier in Tier])

#: Days kept open after the first day if that day is in the machine's future and the installation's clock is not known.
_DAYS_OF_A_FUTURE_WORLD = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The two sets of UTC days. Both begin with the first day of the installation."""

    #: Days up to today. Hunting materialises today's key.
    begun: dg.DailyPartitionsDefinition
    #: Days up to yesterday, which can be closed. In the first 25 minutes of a day yesterday cannot be closed yet; a run of it
    #: is skipped then.
    over: dg.DailyPartitionsDefinition


def utc_days(first_day: date, *, ahead: timedelta | None = timedelta(), machine_today: date | None = None) -> Days:
    """The days from the first day on.

    Dagster counts days by the machine's clock, and a simulated world may be days before or after it. The sets then end whole
    days earlier or later. The difference is rounded up, so that a day is never missing when the installation's clock reaches
    it. If the difference of a world in the machine's future is not known, its first two months are open.

    Args:
        first_day: of the installation.
        ahead: how far the installation's clock is ahead of the machine's; None: not known.
        machine_today: today by the machine's clock; None: read it.

    Returns:
        The two sets.
    """
    machine = machine_today or datetime.now(UTC).date()
    if ahead:
        days = math.ceil(ahead / timedelta(days=1))
    elif first_day > machine:
        days = (first_day - machine).days + _DAYS_OF_A_FUTURE_WORLD - 1
    else:
        days = 0
    return Days(begun=_daily(first_day, days + 1), over=_daily(first_day, days))


def _daily(first_day: date, end_offset: int) -> dg.DailyPartitionsDefinition:
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone="UTC", end_offset=end_offset)


def ahead_of_machine(settings: Settings) -> timedelta | None:
    """How far the installation's clock is ahead of the machine's; negative: behind; None: not known.

    Only a demo's simulator is asked, whose clock runs as fast as the machine's while the UI is open. The clock of another
    simulator may be set at any time, so its difference is not known.
    """
    if settings.clock == "system":
        return timedelta()
    if not settings.demo:
        return None
    try:
        return clock_of(settings).now() - datetime.now(UTC)
    except ConfigurationError:
        return None


def split_by_end(keys: Iterable[str], now: datetime) -> tuple[list[str], list[str]]:
    """The keys of days that can be closed at `now`, and the keys of days that cannot; each in the order of days."""
    ordered = sorted(keys)
    return [k for k in ordered if may_close(day_of(k), now)], [k for k in ordered if not may_close(day_of(k), now)]


def note_skipped(context: dg.AssetExecutionContext, key: str, now: datetime) -> str:
    """Record in the log and on the asset's page that a day is skipped because it is not over. Nothing fails.

    Args:
        context: of the run.
        key: of the day.
        now: the present instant.

    Returns:
        The key.
    """
    opens = closes_at(day_of(key))
    reason = (
        f"{key} is skipped: it is {now:%Y-%m-%d %H:%M} UTC for this installation, and the day can be closed from "
        f"{opens:%Y-%m-%d %H:%M} UTC on"
    )
    context.log.warning(reason)
    metadata: dict[str, Any] = {"status": "skipped", "possible_from": dg.MetadataValue.timestamp(opens)}
    context.log_event(dg.AssetObservation(context.asset_key, description=reason, partition=key, metadata=metadata))
    return key


def materialised(
    context: dg.AssetExecutionContext, made: Mapping[str, dict[str, Any]], *, skipped: Iterable[str], now: datetime
) -> Iterator[Materialized]:
    """The results of a run of several days.

    Args:
        context: of the run.
        made: the metadata of each day that was made.
        skipped: days that are not over.
        now: the present instant.

    Yields:
        The result for each day; skipped days are recorded in the log.
    """
    left_out = [note_skipped(context, key, now) for key in skipped]
    for key, metadata in made.items():
        if left_out:
            # A run's result covers all its partitions. If one was skipped, each of the rest gets an event of its own.
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata=metadata))
        else:
            context.add_asset_metadata(metadata, partition_key=key)
    if not left_out:
        yield dg.MaterializeResult()


def day_of(partition_key: str) -> date:
    """The UTC day that a key names."""
    return date.fromisoformat(partition_key)
