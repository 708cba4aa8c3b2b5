"""`discovered_videos`: today's key hunts, a past key folds the registry of its day again.

Does not belong here: how candidates are found and admitted (pleiades_core/discover).
"""

import dagster as dg
from pydantic import Field

from pleiades_core.discover.report import HuntReport
from pleiades_core.discover.sources.source import ROADS
from pleiades_core.errors import QuotaExhausted
from pleiades_core.vault.archive import closes_at, may_close
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.watchlist.closing import finish_day
from pleiades_dagster.checks import hunt_results, hunt_specs
from pleiades_dagster.failures import RETRY, as_failures, refusal
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of
from pleiades_dagster.resources import Opener

KEY = dg.AssetKey("discovered_videos")


class HuntConfig(dg.Config):
    """Which roads to take today; all of them unless some are named."""

    roads: list[str] = Field(default_factory=lambda: list(ROADS))


def discovered_videos(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset, cut by `days`."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        group_name="discover",
        kinds={"youtube", "postgres", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
        # As `daily_metrics`, with which it shares a job.
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        check_specs=hunt_specs(KEY, days),
        pool="youtube_api",
    )
    def discovered(
        context: dg.AssetExecutionContext, config: HuntConfig, installation: dg.ResourceParam[Opener]
    ) -> Materialized:
        """Videos found on one UTC day, and what is known of them.

        Today's key hunts: every road, details, admission; run it as often as quota allows. A past key folds the day's
        batches into `videos/date=D/day.parquet` again and calls nobody.
        """
        report: HuntReport | None = None
        resets_at = None
        if unknown := set(config.roads) - set(ROADS):
            raise refusal(f"no such roads: {', '.join(sorted(unknown))}", cure=f"choose among {', '.join(ROADS)}")
        with as_failures(), installation.open() as opened:
            today = opened.clock.now().date()
            for key in sorted(context.partition_keys):
                day = day_of(key)
                if day > today:
                    raise refusal(
                        f"{key} has not begun: it is {today} for this installation", cure="choose today or a past day"
                    )
                if day == today:
                    try:
                        report = opened.hunter().hunt(config.roads)
                    except QuotaExhausted as spent:
                        resets_at = spent.resets_at
                        context.add_asset_metadata({"status": "partial", "resets_at": _time(spent)}, partition_key=key)
                        continue
                    resets_at = report.resets_at
                    words = metadata_of(report) | {"status": "partial" if resets_at else "complete"}
                elif may_close(day, opened.clock.now()):
                    closed, _ = finish_day(opened.database, opened.vault, opened.clock, REGISTRY, day)
                    words = metadata_of(closed)
                else:
                    raise refusal(
                        f"{key} has only just ended: a hunt may still be writing to it",
                        cure=f"try again from {closes_at(day):%Y-%m-%d %H:%M} UTC on",
                    )
                context.add_asset_metadata(words, partition_key=key)
            results = hunt_results(opened, report, resets_at)
        return dg.MaterializeResult(check_results=results)

    return discovered


def _time(spent: QuotaExhausted) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(spent.resets_at)
