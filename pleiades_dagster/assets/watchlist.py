"""`watchlist`: the videos discovered on one day and where they stand, folded from the vault.

Does not belong here: the fold (pleiades_core/watchlist/cohorts.py), what is asserted of it (checks.py).
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pleiades_core.vault.archive import may_close
from pleiades_core.watchlist.cohorts import rebuild_cohort
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.insights import WHEN_CLOSED
from pleiades_dagster.assets.metrics import KEY as METRICS
from pleiades_dagster.failures import as_failures
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of, note_skipped
from pleiades_dagster.resources import Opener
from pleiades_dagster.tables import COHORTS, FRESH_DAILY

KEY = dg.AssetKey("watchlist")


def watchlist(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, cut by `days` of discovery, which are over."""

    @dg.asset(
        key=KEY,
        partitions_def=days,
        deps=[DISCOVERED, METRICS],
        group_name="vault",
        kinds={"duckdb", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        metadata=COHORTS.metadata(vault_root),
        freshness_policy=FRESH_DAILY,
        automation_condition=WHEN_CLOSED,
        # As `daily_metrics`: a check's result is stored with its partition only where a run has one (dagster 1.13).
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        output_required=False,
    )
    def cohort(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Iterator[Materialized]:
        """The cohort of one day of discovery: last poll, counts and misses of each video, as a checkpoint in the journal.

        Pure: rebuilt from registry and samples up to the last closed day, without a call. Again: the same, or further.
        """
        day = day_of(context.partition_key)
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            if not may_close(day, now):
                note_skipped(context, context.partition_key, now)
                return
            report = rebuild_cohort(opened.database, opened.vault, day)
        yield dg.MaterializeResult(metadata=metadata_of(report) | {"dagster/row_count": report.videos})

    return cohort
