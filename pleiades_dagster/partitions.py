"""How the assets are cut: by UTC day, and tracking by tier. Videos are rows, never partitions: Dagster advises at most 100,000.

Belongs here: partition definitions, a key's meaning, and how a day that is not over is skipped. Does not belong here: what a
partition does (assets/), when a day may be closed (pleiades_core/vault/archive.py), which day is the first
(pleiades_core/vault/first_day.py).
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

#: Every tick polls what is due now, so a tier has no past to materialise.
TIERS = dg.StaticPartitionsDefinition([tier.value for tier in Tier])

#: Days kept open beyond the first day where that day lies in the machine's future and the installation's clock is not known.
_DAYS_OF_A_FUTURE_WORLD = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The two sets of UTC days. Both begin with the first day of the installation."""

    #: Up to and with today: today's key is the one that hunting materialises.
    begun: dg.DailyPartitionsDefinition
    #: Up to and with yesterday: days that can be closed. In the first 25 minutes of a day yesterday cannot be closed yet; a run
    #: of it is skipped then.
    over: dg.DailyPartitionsDefinition


def utc_days(first_day: date, *, ahead: timedelta | None = timedelta(), machine_today: date | None = None) -> Days:
    """The days from `first_day` on. `ahead`: of the machine's clock, the clock of the installation; None: that is not known.

    Dagster reckons by the machine's clock, and a simulated world may lie days before or after it. The sets then end by whole
    days earlier or later. The difference is rounded up, so that a day is never missing when the installation's clock reaches
    it. Where nothing is known of a world that begins in the machine's future, its first two months are open.
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
    """How far the installation's clock is ahead of the machine's; negative: behind.

    Nothing is asked, except of a demo's simulator, whose clock runs as fast as the machine's while the UI is open. Of another
    simulator the difference is not known (None): its clock may be set at any time.
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
    """Say in the log and on the asset's page that a day is not made because it is not over; the key. Nothing fails."""
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
    """The outcome of a run of several days: the metadata of each day that was made, and a word on each that was skipped."""
    left_out = [note_skipped(context, key, now) for key in skipped]
    for key, metadata in made.items():
        if left_out:
            # The result of a run speaks for all its partitions; where some are skipped the others speak for themselves.
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata=metadata))
        else:
            context.add_asset_metadata(metadata, partition_key=key)
    if not left_out:
        yield dg.MaterializeResult()


def day_of(partition_key: str) -> date:
    """The UTC day that a key names."""
    return date.fromisoformat(partition_key)
