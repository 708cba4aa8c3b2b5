"""`discovery_requests`, `search_terms`, `coverage`, `quota_plan`: cost and yield of discovery, and what follows from them.

Does not belong here: hunting (discovered.py), and any of the arithmetic (pleiades_core/{discover,insights,planner}).
"""

from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path

import dagster as dg

from pleiades_core.discover.upkeep import run_upkeep
from pleiades_core.planner.plan import plan
from pleiades_core.reports.coverage import coverage as estimate
from pleiades_core.vault.archive import may_close
from pleiades_core.vault.discovery_requests import export_day
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.metrics import KEY as METRICS
from pleiades_dagster.assets.tracking import KEY as TRACKING
from pleiades_dagster.building import Building
from pleiades_dagster.failures import RETRY, as_failures
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import day_of, note_skipped
from pleiades_dagster.resources import ClockResource, Opener
from pleiades_dagster.run_checks import plan_fits_result, plan_fits_spec
from pleiades_dagster.tables import DISCOVERY_REQUESTS, FRESH_DAILY

PLAN = dg.AssetKey("quota_plan")
#: UTC time of the upkeep: after the registry of the day before is closed, and before people look.
UPKEEP_AT = time(1, 20)


def _discovery_requests(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, partitioned by `days`, which are over."""

    @dg.asset(
        key=dg.AssetKey("discovery_requests"),
        partitions_def=days,
        deps=[DISCOVERED],
        group_name="discover",
        kinds={"parquet"},
        owners=["team:pleiades"],
        code_version="1",
        metadata=DISCOVERY_REQUESTS.metadata(vault_root),
        freshness_policy=FRESH_DAILY,
        retry_policy=RETRY,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        output_required=False,
    )
    def exported(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Iterator[Materialized]:
        """Cost and yield of every request of one UTC day: `discovery_requests/date=D/day.parquet`."""
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            day = day_of(context.partition_key)
            if not may_close(day, now):
                note_skipped(context, context.partition_key, now)
                return
            report = export_day(opened.database, opened.vault, day)
        yield dg.MaterializeResult(metadata=metadata_of(report) | {"dagster/row_count": report.rows})

    return exported


def _search_terms() -> dg.AssetsDefinition:
    """The asset, without partitions."""

    @dg.asset(
        key=dg.AssetKey("search_terms"),
        deps=[DISCOVERED, METRICS],
        group_name="upkeep",
        kinds={"postgres", "duckdb"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
    )
    def scored(installation: dg.ResourceParam[Opener]) -> Materialized:
        """The rewards of the search terms: requests, and new videos that turned out viral; folded again each time.

        Days of requests that are not in the vault yet are exported first, and exported rows are deleted from SQL.
        """
        with as_failures(), installation.open() as opened:
            report = run_upkeep(opened.database, opened.vault, opened.key_ring().ledger, opened.clock.now())
        metadata = metadata_of(report.rescored) | {
            "exported_requests": report.exported_requests,
            "forgotten": report.forgotten.rows,
        }
        return dg.MaterializeResult(metadata=metadata | {"ledger_rows_pruned": report.ledger_pruned})

    return scored


def _coverage() -> dg.AssetsDefinition:
    """The asset, without partitions."""

    @dg.asset(
        key=dg.AssetKey("coverage"),
        deps=[DISCOVERED],
        group_name="insights",
        kinds={"duckdb"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
    )
    def estimated(installation: dg.ResourceParam[Opener]) -> Materialized:
        """The share of published videos that the sources find: their overlap, an estimate of unseen videos, and their bias."""
        with as_failures(), installation.open() as opened:
            report = estimate(opened.database, opened.vault, opened.clock.now())
        return dg.MaterializeResult(metadata=metadata_of(report))

    return estimated


def _quota_plan() -> dg.AssetsDefinition:
    """The asset, without partitions."""

    @dg.asset(
        key=PLAN,
        deps=[DISCOVERED, TRACKING],
        group_name="upkeep",
        kinds={"postgres"},
        owners=["team:pleiades"],
        code_version="1",
        retry_policy=RETRY,
        check_specs=[plan_fits_spec(PLAN)],
    )
    def planned(installation: dg.ResourceParam[Opener]) -> Materialized:
        """Units that today and the next 30 days need, by project and bucket, and consumers that would get too few."""
        with as_failures(), installation.open() as opened:
            ring = opened.key_ring()
            report = plan(opened.database, ring.ledger, opened.settings, opened.clock.now(), projects=ring.living())
        return dg.MaterializeResult(metadata=metadata_of(report), check_results=[plan_fits_result(report)])

    return planned


def definitions(building: Building) -> dg.Definitions:
    """The four assets, their job, and its schedule."""
    return dg.Definitions(
        assets=[_discovery_requests(building.days.over, building.vault_root), _search_terms(), _coverage(), _quota_plan()],
        jobs=[
            dg.define_asset_job(
                "upkeep",
                selection=["discovery_requests", "search_terms", "coverage", "quota_plan"],
                description="Export, score, estimate and plan, once a day.",
            )
        ],
        schedules=[_upkeep_daily(building)],
    )


def _upkeep_daily(building: Building) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="upkeep_daily",
        job_name="upkeep",
        cron_schedule=f"{UPKEEP_AT.minute} {UPKEEP_AT.hour} * * *",
        execution_timezone="UTC",
        default_status=building.schedule_status,
        description="Export yesterday's requests, score the search terms, estimate the coverage, and plan the quota.",
    )
    def upkeep_daily(clock: ClockResource) -> dg.RunRequest:
        yesterday = clock.clock().now().date() - timedelta(days=1)
        return dg.RunRequest(run_key=f"upkeep:{yesterday}", partition_key=yesterday.isoformat())

    return upkeep_daily
