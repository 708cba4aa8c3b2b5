"""`watchlist`: the videos discovered on one day and their state, folded from the vault.

Does not belong here: the fold (pleiades_core/watchlist/cohorts.py), tests of it (day_checks.py).
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pleiades_core.vault.layout import SAMPLES
from pleiades_core.watchlist.cohorts import rebuild_cohort
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.metrics import KEY as METRICS
from pleiades_dagster.automation.closing import DAYS_PER_RUN, WHEN_CLOSED
from pleiades_dagster.building import Building
from pleiades_dagster.day_check_runner import checks_of_files, results_of_cohort
from pleiades_dagster.day_checks import OF_COHORT
from pleiades_dagster.failures import as_failures
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of, materialised, split_by_end
from pleiades_dagster.resources import Opener
from pleiades_dagster.tables import COHORTS, FRESH_DAILY

KEY = dg.AssetKey("watchlist")


def _watchlist(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, partitioned by `days` of discovery, which are over."""

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
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_PER_RUN),
        output_required=False,
    )
    def cohort(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Iterator[Materialized]:
        """The cohort of one day of discovery: last poll, counts and misses of each video, as a checkpoint in the journal.

        It is computed from registry and samples up to the last closed day, and calls no API. Materialising it again gives the
        same result, or a newer one if more days were closed.
        """
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            over, not_over = split_by_end(context.partition_keys, now)
            reports = {key: rebuild_cohort(opened.database, opened.vault, day_of(key)) for key in over}
        made = {key: metadata_of(report) | {"dagster/row_count": report.videos} for key, report in reports.items()}
        yield from materialised(context, made, skipped=not_over, now=now)

    return cohort


def definitions(building: Building) -> dg.Definitions:
    """The asset with the checks of its files; its automation condition starts it (insights.py has the sensor)."""
    return dg.Definitions(
        assets=[_watchlist(building.days.over, building.vault_root)],
        asset_checks=[checks_of_files(KEY, building.days.over, SAMPLES, OF_COHORT, results_of_cohort)],
    )
