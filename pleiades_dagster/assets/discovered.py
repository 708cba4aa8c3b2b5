"""`discovered_videos`: today's key hunts, a past key folds the registry of its day again.

Does not belong here: how candidates are found and admitted (pleiades_core/discover).
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from pleiades_core.batches.closing import finish_day
from pleiades_core.discover.budget import HUNT_EVERY
from pleiades_core.discover.hunt_report import HuntReport
from pleiades_core.discover.inbox import waiting
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import QuotaExhausted
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.vault.archive import may_close
from pleiades_core.vault.layout import REGISTRY
from pleiades_dagster.automation.closing import day_closer
from pleiades_dagster.automation.conditions import floor, spent_until
from pleiades_dagster.building import Building
from pleiades_dagster.day_check_runner import checks_of_files, results_of_videos
from pleiades_dagster.day_checks import OF_VIDEOS
from pleiades_dagster.failures import RETRY, as_failures, refusal
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of, note_skipped
from pleiades_dagster.resources import Opener
from pleiades_dagster.run_checks import hunt_results, hunt_specs
from pleiades_dagster.tables import FRESH_HOURLY, VIDEOS

KEY = dg.AssetKey("discovered_videos")

#: The least time between two hunts for notices. A notice waits ten minutes at least, so an upload is watched within half an
#: hour.
NOTICE_TICK = timedelta(minutes=20)
NOTICE_WAITS = timedelta(minutes=10)


class HuntConfig(dg.Config):
    """The sources to ask today; all of them if none is named."""

    sources: list[str] = Field(default_factory=lambda: list(SOURCES))


def _discovered_videos(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, partitioned by `days`, of which the last is today."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        group_name="discover",
        kinds={"youtube", "postgres", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        metadata=VIDEOS.metadata(vault_root),
        freshness_policy=FRESH_HOURLY,
        retry_policy=RETRY,
        # As in `daily_metrics`: a check's result is stored with its partition only if the run has one (dagster 1.13).
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        check_specs=hunt_specs(KEY, days),
        pool="youtube_api",
        output_required=False,
    )
    def discovered(
        context: dg.AssetExecutionContext, config: HuntConfig, installation: dg.ResourceParam[Opener]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        """Videos found on one UTC day, with their descriptions.

        Today's key hunts: every source, details, admission; run it as often as quota allows. A past key folds the day's batches
        into `videos/date=D/day.parquet` again and makes no call.
        """
        report: HuntReport | None = None
        resets_at = None
        metadata: dict[str, Any] | None = None
        if unknown := set(config.sources) - set(SOURCES):
            raise refusal(f"no such sources: {', '.join(sorted(unknown))}", cure=f"choose among {', '.join(SOURCES)}")
        with as_failures(), installation.open() as opened:
            now, day = opened.clock.now(), day_of(context.partition_key)
            if day == now.date():
                try:
                    report = opened.hunter().hunt(config.sources)
                except QuotaExhausted as spent:
                    resets_at = spent.resets_at
                    metadata = {"status": "partial", "resets_at": dg.MetadataValue.timestamp(resets_at)}
                else:
                    resets_at = report.resets_at
                    metadata = metadata_of(report) | {"status": "partial" if resets_at else "complete"}
            elif may_close(day, now):
                closed, _ = finish_day(opened.database, opened.vault, opened.clock, REGISTRY, day)
                metadata = metadata_of(closed) | {"dagster/row_count": closed.rows, "file": REGISTRY.day_key(day)}
            else:
                note_skipped(context, context.partition_key, now)
            results = hunt_results(opened, report, resets_at)
        if metadata is not None:
            yield dg.MaterializeResult(metadata=metadata)
        yield from results

    return discovered


def definitions(building: Building) -> dg.Definitions:
    """The asset, the jobs that hunt and that fold the registry of a past day, and their schedule and sensors."""
    checks = checks_of_files(KEY, building.days.begun, REGISTRY, OF_VIDEOS, results_of_videos)
    videos = dg.AssetSelection.assets(KEY)
    return dg.Definitions(
        assets=[_discovered_videos(building.days.begun, building.vault_root)],
        asset_checks=[checks],
        jobs=[
            dg.define_asset_job(
                "hunt",
                # Today's file is written tomorrow, so there is nothing to check after a hunt.
                selection=videos - dg.AssetSelection.checks(checks),
                description="Ask every source of discovery for videos, describe and watch the new ones: today's key.",
            ),
            dg.define_asset_job(
                "fold_registry",
                selection=videos,
                description="Fold the videos found on a day that is over into one file, and check it.",
            ),
        ],
        schedules=[_hunt_hourly(building)],
        sensors=[
            _inbox_sensor(building.sensor_status),
            # A sensor and a job for each dataset: a damaged file of one must not keep the days of the other open.
            day_closer("registry_closer", "fold_registry", REGISTRY, building.sensor_status),
        ],
    )


def _hunt_hourly(building: Building) -> dg.ScheduleDefinition:
    # Minutes after the hour, so that the hunts of many installations do not start in the same second.
    @dg.schedule(
        name="hunt_hourly",
        job_name="hunt",
        cron_schedule=f"7 */{HUNT_EVERY // timedelta(hours=1)} * * *",
        execution_timezone="UTC",
        default_status=building.schedule_status,
        description="Hunt for videos of today, by the installation's clock.",
    )
    def hunt_hourly(
        context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Opener]
    ) -> dg.RunRequest | dg.SkipReason:
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            # Sources without cost could go on, but their videos could not be described.
            if spent := spent_until(opened, (Bucket.SEARCH, Bucket.GENERAL), QuotaPool.HUNTING, QuotaPool.ARCHEOLOGY):
                return dg.SkipReason(f"all quota for hunting is spent until {spent:%Y-%m-%d %H:%M} UTC (exit code 42)")
        # The run key is the tick and not the day: today is hunted many times.
        tick = context.scheduled_execution_time
        return dg.RunRequest(run_key=f"hunt:{tick:%Y-%m-%dT%H:%M}", partition_key=now.date().isoformat())

    return hunt_hourly


def _inbox_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that requests a hunt when notices wait: pushed videos must not wait for the next hour."""

    @dg.sensor(
        name="inbox",
        job_name="hunt",
        minimum_interval_seconds=120,
        default_status=status,
        description="Describes and watches videos that the hub announced, and reads feeds, between two hunts.",
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
