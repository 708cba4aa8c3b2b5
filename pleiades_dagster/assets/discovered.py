"""`discovered_videos`: today's key hunts, a past key folds the registry of its day again.

Does not belong here: how candidates are found and admitted (pleiades_core/discover).
"""

import dagster as dg

from pleiades_core.errors import QuotaExhausted
from pleiades_core.vault.archive import may_close
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.watchlist.closing import finish_day
from pleiades_dagster.checks import units_left_result, units_left_spec
from pleiades_dagster.failures import RETRY, as_failures, refusal
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of
from pleiades_dagster.resources import Opener

KEY = dg.AssetKey("discovered_videos")


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
        check_specs=[units_left_spec(KEY, days)],
        pool="youtube_api",
    )
    def discovered(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Materialized:
        """Videos found on one UTC day, and what is known of them.

        Today's key hunts: search, uploads, details, admission; run it as often as quota allows. A past key folds the day's
        batches into `videos/date=D/day.parquet` again and calls nobody.
        """
        left: dict[str, int] = {}
        resets_at = None
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
                        report = opened.hunter().hunt()
                    except QuotaExhausted as spent:
                        resets_at = spent.resets_at
                        context.add_asset_metadata({"status": "partial", "resets_at": _time(spent)}, partition_key=key)
                        continue
                    left, resets_at = dict(report.units_left), report.resets_at
                    words = metadata_of(report) | {"status": "partial" if resets_at else "complete"}
                elif may_close(day, opened.clock.now()):
                    closed, _ = finish_day(opened.database, opened.vault, opened.clock, REGISTRY, day)
                    words = metadata_of(closed)
                else:
                    raise refusal(
                        f"{key} has only just ended: a hunt may still be writing to it",
                        cure="try again 25 minutes after midnight",
                    )
                context.add_asset_metadata(words, partition_key=key)
        return dg.MaterializeResult(check_results=[units_left_result(left, resets_at)])

    return discovered


def _time(spent: QuotaExhausted) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(spent.resets_at)
