"""`watchlist`: the videos discovered on one day and where they stand, folded from the vault.

Does not belong here: the fold (pleiades_core/watchlist/cohorts.py).
"""

import dagster as dg

from pleiades_core.watchlist.cohorts import rebuild_cohort
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.insights import DAYS_PER_RUN, WHEN_CLOSED
from pleiades_dagster.assets.metrics import KEY as METRICS
from pleiades_dagster.failures import as_failures
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of
from pleiades_dagster.resources import Opener

KEY = dg.AssetKey("watchlist")


def watchlist(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset, cut by `days` of discovery."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        deps=[DISCOVERED, METRICS],
        group_name="track",
        kinds={"duckdb", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        automation_condition=WHEN_CLOSED,
        # Of a range the check's one result is stored without a partition (dagster 1.13); a closed day is a run of its own.
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_PER_RUN),
        check_specs=[
            dg.AssetCheckSpec(
                "schedule_is_the_fold",
                asset=KEY,
                partitions_def=days,
                description="Where SQL says a video stands is what its samples say.",
            )
        ],
    )
    def cohort(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Materialized:
        """The cohort of one day of discovery: last poll, counts and misses of each video, as a checkpoint in the journal.

        Pure: rebuilt from registry and samples up to the last closed day, without a call. Again: the same, or further.
        """
        disagreements = 0
        with as_failures(), installation.open() as opened:
            for key in sorted(context.partition_keys):
                report = rebuild_cohort(opened.database, opened.vault, day_of(key))
                disagreements += report.disagreements
                words = metadata_of(report) | {"dagster/row_count": report.videos}
                context.add_asset_metadata(words, partition_key=key)
        return dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(
                    check_name="schedule_is_the_fold",
                    passed=disagreements == 0,
                    severity=dg.AssetCheckSeverity.ERROR,
                    metadata={"disagreements": disagreements, "days": len(context.partition_keys)},
                )
            ],
        )

    return cohort
