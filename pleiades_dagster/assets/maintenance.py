"""`reaper` and `janitor`: adopting files of dead workers, removing batches that closed days hold, measuring SQL.

Does not belong here: adopting (pleiades_core/batches/reaper.py), removing (pleiades_core/vault/janitor.py).
"""

import dagster as dg

from pleiades_core.batches.reaper import reap
from pleiades_core.vault.janitor import sweep
from pleiades_dagster.building import Building
from pleiades_dagster.failures import RETRY, as_failures
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.resources import Opener
from pleiades_dagster.run_checks import (
    dead_share_result,
    dead_share_spec,
    footprint_result,
    footprint_spec,
    no_future_polls_result,
    no_future_polls_spec,
)

KEY = dg.AssetKey("reaper")


def reaper() -> dg.AssetsDefinition:
    """The asset, without partitions."""

    @dg.asset(
        key=KEY,
        group_name="upkeep",
        kinds={"postgres"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
        check_specs=[footprint_spec(KEY), dead_share_spec(KEY), no_future_polls_spec(KEY)],
    )
    def reaped(installation: dg.ResourceParam[Opener]) -> Materialized:
        """Ends expired leases, and adopts the files of dead workers: their quota was spent, so their rows count."""
        with as_failures(), installation.open() as opened:
            report = reap(opened.database, opened.vault, opened.clock)
            checks = [
                footprint_result(opened.database),
                dead_share_result(opened.database),
                no_future_polls_result(opened.database, opened.clock.now()),
            ]
        return dg.MaterializeResult(metadata=metadata_of(report), check_results=checks)

    return reaped


def janitor() -> dg.AssetsDefinition:
    """The asset, without partitions."""

    @dg.asset(
        key=dg.AssetKey("janitor"),
        group_name="upkeep",
        kinds={"parquet"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
    )
    def swept(installation: dg.ResourceParam[Opener]) -> Materialized:
        """Removes batches that a closed day has held for a day, after the day's file was read back and compared."""
        with as_failures(), installation.open() as opened:
            report = sweep(opened.database, opened.vault, opened.clock)
        return dg.MaterializeResult(metadata=metadata_of(report))

    return swept


def definitions(building: Building) -> dg.Definitions:
    """The two assets, their job, and its schedule."""
    return dg.Definitions(
        assets=[reaper(), janitor()],
        jobs=[
            dg.define_asset_job(
                "maintain",
                selection=["reaper", "janitor"],
                description="Adopt files of dead workers, remove batches that closed days hold, measure SQL.",
            )
        ],
        schedules=[
            dg.ScheduleDefinition(
                name="maintain_daily",
                job_name="maintain",
                cron_schedule="40 3 * * *",
                execution_timezone="UTC",
                default_status=building.schedule_status,
                description="Measure SQL and the share of missing videos, adopt orphans, remove batches that closed days hold.",
            )
        ],
    )
