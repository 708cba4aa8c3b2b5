"""`daily_metrics`: one file for every closed UTC day of samples.

Does not belong here: how a day is folded (pleiades_core/vault/archive.py), what is asserted of it (checks.py).
"""

import dagster as dg

from pleiades_core.vault.archive import closes_at, may_close
from pleiades_core.vault.layout import SAMPLES
from pleiades_core.watchlist.closing import finish_day
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.tracking import KEY as TRACKING
from pleiades_dagster.failures import RETRY, as_failures, refusal
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of
from pleiades_dagster.resources import Opener

KEY = dg.AssetKey("daily_metrics")


def daily_metrics(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset, cut by `days`."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        deps=[DISCOVERED, dg.AssetDep(TRACKING, partition_mapping=dg.AllPartitionMapping())],
        group_name="vault",
        kinds={"postgres", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
        # One day a run: a check's result is stored with its partition only then (dagster 1.13), and a range that dies half-way
        # would leave no day done.
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def close(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Materialized:
        """Every sample of one UTC day in one file, each (video, second) once. Again: folds late batches in; it never polls."""
        day = day_of(context.partition_key)
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            if not may_close(day, now):
                raise refusal(
                    f"{day} cannot be closed yet: it is {now:%Y-%m-%d %H:%M} UTC for this installation",
                    cure=f"it can be from {closes_at(day):%Y-%m-%d %H:%M} UTC on, when no lease of it can be alive",
                )
            # Files whose writer died hold samples that were paid for: they belong to the day.
            closed, adopted = finish_day(opened.database, opened.vault, opened.clock, SAMPLES, day)
        return dg.MaterializeResult(
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
