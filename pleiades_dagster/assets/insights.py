"""`daily_velocity`, `rankings`, `live_ranking`: computed from the vault alone, so they can be backfilled.

Does not belong here: the formulas (pleiades_core/insights).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from pleiades_core.clock import Clock
from pleiades_core.errors import DamagedAnswer
from pleiades_core.insights.ranking import live, rank_day
from pleiades_core.insights.velocity import velocity_day
from pleiades_core.vault.vault import Vault, raise_damaged
from pleiades_dagster import tables
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.assets.metrics import KEY as METRICS
from pleiades_dagster.assets.tracking import KEY as TRACKING
from pleiades_dagster.automation.closing import DAYS_PER_RUN, WHEN_CLOSED
from pleiades_dagster.building import Building
from pleiades_dagster.failures import as_failures
from pleiades_dagster.metadata import Materialized, metadata_of, table_of
from pleiades_dagster.partitions import day_of, materialised, split_by_end
from pleiades_dagster.resources import ClockResource, VaultResource

VELOCITY = dg.AssetKey("daily_velocity")
RANKINGS = dg.AssetKey("rankings")
LIVE = dg.AssetKey("live_ranking")

#: Videos in the live ranking.
_LIVE_ROWS = 10


def _daily_velocity(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, partitioned by `days`, which are over."""
    text = "Views an hour of every video on one day, from its samples."
    return _derived(VELOCITY, days, [], velocity_day, text, tables.VELOCITY.metadata(vault_root))


def _rankings(days: dg.DailyPartitionsDefinition, vault_root: Path) -> dg.AssetsDefinition:
    """The asset, partitioned by `days`, which are over."""
    text = "The fastest videos of one day, with their titles."
    return _derived(RANKINGS, days, [DISCOVERED], rank_day, text, tables.RANKINGS.metadata(vault_root))


def _derived(
    key: dg.AssetKey,
    days: dg.DailyPartitionsDefinition,
    deps: list[dg.AssetKey],
    compute: Callable[[Vault, date], Any],
    description: str,
    metadata: dict[str, Any],
) -> dg.AssetsDefinition:
    """An asset computed from a closed day and the day before: velocity looks 24 hours back from the first sample of the day."""
    mapping = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=0, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=key,
        description=description,
        partitions_def=days,
        deps=[dg.AssetDep(METRICS, partition_mapping=mapping), *deps],
        group_name="insights",
        kinds={"duckdb", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        metadata=metadata,
        freshness_policy=tables.FRESH_DAILY,
        automation_condition=WHEN_CLOSED,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_PER_RUN),
        output_required=False,
    )
    def derived(context: dg.AssetExecutionContext, vault: VaultResource, clock: ClockResource) -> Iterator[Materialized]:
        with as_failures():
            opened, now = vault.open(), clock.clock().now()
            over, not_over = split_by_end(context.partition_keys, now)
            made, damaged = _made(opened, over, compute)
            if opened.damaged or damaged:
                # Days that could be made are kept, and the run fails with the names of the damaged files.
                for day, text in made.items():
                    context.log_event(dg.AssetMaterialization(context.asset_key, partition=day, metadata=text))
                raise_damaged({**opened.damaged, **damaged})
        yield from materialised(context, made, skipped=not_over, now=now)

    return derived


def _made(
    vault: Vault, keys: Iterable[str], compute: Callable[[Vault, date], Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The metadata of each day that could be made, and the damaged files of the other days. A damaged day stops no other."""
    made: dict[str, dict[str, Any]] = {}
    damaged: dict[str, str] = {}
    for key in keys:
        try:
            made[key] = metadata_of(compute(vault, day_of(key)))
        except DamagedAnswer as error:
            damaged |= error.files
    return made, damaged


def _live_ranking() -> dg.AssetsDefinition:
    """The asset, without partitions."""

    @dg.asset(
        key=LIVE,
        deps=[
            dg.AssetDep(TRACKING, partition_mapping=dg.AllPartitionMapping()),
            dg.AssetDep(DISCOVERED, partition_mapping=dg.LastPartitionMapping()),
        ],
        group_name="insights",
        kinds={"duckdb"},
        owners=["team:pleiades"],
        code_version="1",
    )
    def present(context: dg.AssetExecutionContext, vault: VaultResource, clock: ClockResource) -> Materialized:
        """The fastest videos of the last 24 hours, from closed days and open batches."""
        with as_failures():
            core_clock: Clock = clock.clock()
            now = core_clock.now()
            opened = vault.open()
            top = live(opened, now, _LIVE_ROWS)
            text: dict[str, Any] = {
                "rows": len(top),
                "as_of": dg.MetadataValue.timestamp(now),
                "fastest_views_per_hour": float(top[0].views_per_hour) if top else 0.0,
                "top": table_of(top),
            }
            if opened.damaged:
                context.log_event(dg.AssetMaterialization(context.asset_key, metadata=text))
                opened.require_whole_answers()
        return dg.MaterializeResult(metadata=text)

    return present


def definitions(building: Building) -> dg.Definitions:
    """The assets, the jobs that derive a day and that rank the present, and their schedule and sensor."""
    days, vault_root = building.days.over, building.vault_root
    after_close = ("watchlist", VELOCITY.to_user_string(), RANKINGS.to_user_string())
    return dg.Definitions(
        assets=[_daily_velocity(days, vault_root), _rankings(days, vault_root), _live_ranking()],
        jobs=[
            # The assets follow by their automation condition; this job is for people and for the demo.
            dg.define_asset_job(
                "derive_day", selection=list(after_close), description="Compute everything that depends on a closed day."
            ),
            dg.define_asset_job(
                "rank_now", selection=[LIVE.to_user_string()], description="Rank the videos of the last 24 hours."
            ),
        ],
        schedules=[
            dg.ScheduleDefinition(
                name="rank_live",
                job_name="rank_now",
                cron_schedule="22 * * * *",
                execution_timezone="UTC",
                default_status=building.schedule_status,
                description="Rank the fastest videos once an hour.",
            )
        ],
        sensors=[
            # Dagster's own sensor for automation conditions is off.
            dg.AutomationConditionSensorDefinition(
                name="deriver",
                target=dg.AssetSelection.assets(*after_close),
                default_status=building.sensor_status,
                minimum_interval_seconds=120,
                description="Derives watchlist, velocity and ranking of a day after each closing of the day.",
            )
        ],
    )
