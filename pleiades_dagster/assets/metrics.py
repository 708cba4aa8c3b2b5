"""`daily_metrics`: one file for every closed UTC day of samples.

Does not belong here: folding a day (pleiades_core/vault/archive.py), tests of its file (day_checks.py).
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pleiades_core.batches.closing import finish_day
from pleiades_core.vault.archive import may_close
from pleiades_core.vault.layout import SAMPLES
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.tracking import KEY as TRACKING
from pleiades_dagster.automation.closing import day_closer
from pleiades_dagster.building import Building
from pleiades_dagster.day_check_runner import checks_of_files, results_of_metrics
from pleiades_dagster.day_checks import OF_METRICS
from pleiades_dagster.failures import RETRY, as_failures
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of, note_skipped
from pleiades_dagster.resources import Opener
from pleiades_dagster.tables import FRESH_DAILY, METRICS

KEY = dg.AssetKey("daily_metrics")


def _daily_metrics(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, partitioned by `days`, which are over."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        deps=[DISCOVERED, dg.AssetDep(TRACKING, partition_mapping=dg.AllPartitionMapping())],
        group_name="vault",
        kinds={"postgres", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        metadata=METRICS.metadata(vault_root),
        freshness_policy=FRESH_DAILY,
        retry_policy=RETRY,
        # One day for each run: only then is a check's result stored with its partition (dagster 1.13), and a run of several
        # days that dies half-way would leave no day done.
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        output_required=False,
    )
    def close(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Iterator[Materialized]:
        """Every sample of one UTC day in one file; each pair of video and second occurs once.

        Materialising a day again adds the batches that arrived late. It never polls.
        """
        day = day_of(context.partition_key)
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            if not may_close(day, now):
                note_skipped(context, context.partition_key, now)
                return
            # Files of dead writers have samples that were paid for: they belong to the day.
            closed, adopted = finish_day(opened.database, opened.vault, opened.clock, SAMPLES, day)
        yield dg.MaterializeResult(
            metadata=metadata_of(closed)
            | {
                "dagster/row_count": closed.rows,
                "bytes_per_row": round(closed.bytes / closed.rows, 3) if closed.rows else 0.0,
                "adopted_batches": adopted,
                "file": SAMPLES.day_key(day),
            },
            data_version=dg.DataVersion(closed.sha256),
        )

    return close


def definitions(building: Building) -> dg.Definitions:
    """The asset with the checks of its files, the job that closes a day, and the sensor that requests it."""
    return dg.Definitions(
        assets=[_daily_metrics(building.days.over, building.vault_root)],
        asset_checks=[checks_of_files(KEY, building.days.over, SAMPLES, OF_METRICS, results_of_metrics)],
        jobs=[
            dg.define_asset_job(
                "close_day",
                selection=[KEY.to_user_string()],
                description="Fold the samples of a day that is over into one file, and check it.",
            )
        ],
        sensors=[day_closer("day_closer", "close_day", SAMPLES, building.sensor_status)],
    )
