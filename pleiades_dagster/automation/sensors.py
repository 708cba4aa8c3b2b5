"""What runs by state: a tier when it owes polls and quota is left, a hunt when notices wait, a day when it can be closed.

So far as there is something to do: a tier runs at most once in each of its ticks, the inbox once in each of its own, a day's
closing once an hour. Does not belong here: what is due and what a tick is (pleiades_core/watchlist), when a day closes
(vault/archive.py).
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from pleiades_core.batches.reaper import reap
from pleiades_core.discover.inbox import waiting
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.vault.archive import closable
from pleiades_core.vault.layout import Dataset
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts
from pleiades_dagster.assets.discovered import HuntConfig
from pleiades_dagster.failures import as_failures
from pleiades_dagster.resources import Opener

#: Between two hunts for notices. With notices that wait ten minutes at least, an upload is watched within half an hour.
NOTICE_TICK = timedelta(minutes=20)
NOTICE_WAITS = timedelta(minutes=10)
#: Seconds between two looks.
_LOOK_S = {Tier.HOURLY: 120, Tier.DAILY: 600, Tier.WEEKLY: 1800}


def tier_sensor(tier: Tier, *, automation: bool) -> dg.SensorDefinition:
    """Asks for a run of the tier when videos of it are due."""

    @dg.sensor(
        name=f"{tier.lower()}_tier",
        job_name="track",
        minimum_interval_seconds=_LOOK_S[tier],
        default_status=_status(automation),
        description=f"Polls the {tier} tier when it owes polls and quota is left.",
    )
    def evaluate(installation: dg.ResourceParam[Opener]) -> dg.RunRequest | dg.SkipReason:
        with as_failures(), installation.open() as opened:
            # A dead worker's videos are due again once its lease is gone, so look after that.
            reap(opened.database, opened.vault, opened.clock)
            now = opened.clock.now()
            with opened.database.transaction() as connection:
                count = due_counts(connection, TIERS, now)[tier]
            if not count.due:
                return dg.SkipReason(f"nothing due: {count.watched:,} videos are {tier} at {now:%Y-%m-%d %H:%M} UTC")
            if spent := spent_until(opened, (Bucket.STATS, Bucket.GENERAL), QuotaPool.TRACKING):
                return dg.SkipReason(f"{count.due:,} due, all quota spent until {spent:%Y-%m-%d %H:%M} UTC (exit code 42)")
        tick = floor(now, TIERS.tick(tier))
        return dg.RunRequest(
            run_key=f"{tier}:{tick:%Y-%m-%dT%H:%M}", partition_key=tier.value, tags={"pleiades/due": str(count.due)}
        )

    return evaluate


def inbox_sensor(*, automation: bool) -> dg.SensorDefinition:
    """Asks for a hunt when notices wait: what push brings must not wait for the hour to be over."""

    @dg.sensor(
        name="inbox",
        job_name="hunt",
        minimum_interval_seconds=120,
        default_status=_status(automation),
        description="Describes and watches what the hub announced, and reads feeds, between two hunts.",
    )
    def evaluate(installation: dg.ResourceParam[Opener]) -> dg.RunRequest | dg.SkipReason:
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            with opened.database.transaction() as connection:
                count = waiting(connection, now - NOTICE_WAITS)
            if not count:
                return dg.SkipReason(f"nothing has waited in the inbox for {NOTICE_WAITS.total_seconds() / 60:.0f} minutes")
            if spent := spent_until(opened, (Bucket.GENERAL,), QuotaPool.HUNTING):
                return dg.SkipReason(f"{count:,} wait, quota is spent until {spent:%Y-%m-%d %H:%M} UTC (exit code 42)")
        return dg.RunRequest(
            run_key=f"inbox:{floor(now, NOTICE_TICK):%Y-%m-%dT%H:%M}",
            partition_key=now.date().isoformat(),
            run_config=dg.RunConfig({"discovered_videos": HuntConfig(sources=["added", "push", "feeds"])}),
        )

    return evaluate


def day_closer(name: str, job_name: str, dataset: Dataset, *, automation: bool) -> dg.SensorDefinition:
    """Asks for one run for every day that is over and has batches of `dataset` which no file holds yet.

    A sensor for each dataset: a damaged day of one must not keep the days of the other open.
    """

    @dg.sensor(
        name=name,
        job_name=job_name,
        minimum_interval_seconds=600,
        default_status=_status(automation),
        description=f"Closes days of {dataset.name} that are over, and days that late batches reached.",
    )
    def evaluate(installation: dg.ResourceParam[Opener]) -> dg.SensorResult:
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            waiting = [day for kind, day in closable(opened.database, now) if kind is dataset]
        if not waiting:
            return dg.SensorResult(
                skip_reason=f"every day before {now:%Y-%m-%d %H:%M} UTC is closed, and no late batch has come"
            )
        # The hour makes a later batch of the same day a new request, and a run that fails asked for again.
        hour = floor(now, timedelta(hours=1))
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=f"{job_name}:{day}:{hour:%Y-%m-%dT%H}", partition_key=day.isoformat())
                for day in sorted(waiting)
            ]
        )

    return evaluate


def deriver(*, automation: bool) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the automation conditions of what is derived from closed days; Dagster's own sensor for it is off."""
    return dg.AutomationConditionSensorDefinition(
        name="deriver",
        target=dg.AssetSelection.assets("watchlist", "daily_velocity", "rankings"),
        default_status=_status(automation),
        minimum_interval_seconds=120,
        description="Folds the watchlist and computes velocity and ranking of a day whenever it was closed, or closed again.",
    )


def _status(automation: bool) -> dg.DefaultSensorStatus:
    """`automation`: a sensor runs once a daemon does; otherwise it waits until it is switched on in the UI."""
    return dg.DefaultSensorStatus.RUNNING if automation else dg.DefaultSensorStatus.STOPPED


def floor(instant: datetime, tick: timedelta) -> datetime:
    """The beginning of the tick that `instant` lies in; ticks begin at midnight UTC."""
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    return instant - (instant - epoch) % tick


def spent_until(opened: Installation, buckets: tuple[str, ...], *pools: QuotaPool) -> datetime | None:
    """When quota is new again, if none of these buckets has a unit left in any project whose live keys serve one of `pools`.

    None otherwise, and where no key is live: what runs then says so.
    """
    ring = opened.key_ring()
    serving = ring.serving(*pools)
    rows = [row for row in ring.ledger.rows(serving) if row.bucket in buckets and row.project in serving]
    return min(row.resets_at for row in rows) if rows and not any(row.left for row in rows) else None
