"""`tracking`: poll the videos of one tier that are due now. It has no past, so a backfill of it is refused with the reason.

Does not belong here: what is due (pleiades_core/watchlist), polling (pleiades_core/track).
"""

import dagster as dg

from pleiades_core.batches.reaper import reap
from pleiades_core.errors import QuotaExhausted
from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.watchlist.cadence import TIERS as CADENCE
from pleiades_core.watchlist.schedule import due_counts
from pleiades_dagster.assets.discovered import KEY as DISCOVERED
from pleiades_dagster.automation.conditions import floor, spent_until
from pleiades_dagster.building import Building
from pleiades_dagster.failures import RETRY, as_failures, refusal
from pleiades_dagster.metadata import Materialized, metadata_of
from pleiades_dagster.partitions import TIERS
from pleiades_dagster.resources import Opener
from pleiades_dagster.run_checks import lateness_result, lateness_spec, units_left_result, units_left_spec
from pleiades_dagster.tables import FRESH_HOURLY

KEY = dg.AssetKey("tracking")

#: Seconds between two evaluations of each sensor.
_LOOK_S = {Tier.HOURLY: 120, Tier.DAILY: 600, Tier.WEEKLY: 1800}
#: Set by Dagster on every run of a backfill.
_BACKFILL_TAG = "dagster/backfill"


def _tracking() -> dg.AssetsDefinition:
    """The asset, partitioned by tier."""

    @dg.asset(
        key=KEY,
        partitions_def=TIERS,
        deps=[dg.AssetDep(DISCOVERED, partition_mapping=dg.LastPartitionMapping())],
        group_name="track",
        kinds={"youtube", "postgres", "parquet"},
        owners=["team:pleiades"],
        code_version="1",
        freshness_policy=FRESH_HOURLY,
        retry_policy=RETRY,
        # One run for all tiers, so that a backfill is refused once.
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[lateness_spec(KEY, TIERS), units_left_spec(KEY, TIERS)],
        pool="youtube_api",
    )
    def poll(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Opener]) -> Materialized:
        """One tick of one tier: due videos are polled in slices, each a batch file and one transaction."""
        if len(context.partition_keys) > 1 or _BACKFILL_TAG in context.run.tags:
            raise refusal(
                "tracking cannot be backfilled: YouTube gives present counts only, the past cannot be polled",
                cure="materialise a single tier to poll its due videos now; past days can be closed again in daily_metrics",
            )
        tier = Tier(context.partition_key)
        with as_failures(), installation.open() as opened:
            try:
                report = opened.tracker().track(tier)
            except QuotaExhausted as spent:
                return dg.MaterializeResult(
                    metadata={"status": "partial", "resets_at": dg.MetadataValue.timestamp(spent.resets_at), "samples": 0},
                    check_results=[lateness_result(tier, None, None), units_left_result({}, spent.resets_at)],
                )
        return dg.MaterializeResult(
            metadata=metadata_of(report) | {"status": "partial" if report.resets_at else "complete"},
            check_results=[
                lateness_result(tier, report.lateness_median_s, report.lateness_max_s),
                units_left_result(report.units_left, report.resets_at),
            ],
        )

    return poll


def definitions(building: Building) -> dg.Definitions:
    """The asset, its job, and a sensor for each tier."""
    return dg.Definitions(
        assets=[_tracking()],
        jobs=[dg.define_asset_job("track", selection=[KEY.to_user_string()], description="Poll the due videos of one tier.")],
        sensors=[_tier_sensor(tier, building.sensor_status) for tier in Tier],
    )


def _tier_sensor(tier: Tier, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that requests a run of the tier when videos of it are due."""

    @dg.sensor(
        name=f"{tier.lower()}_tier",
        job_name="track",
        minimum_interval_seconds=_LOOK_S[tier],
        default_status=status,
        description=f"Polls the {tier} tier when videos are due and quota is left.",
    )
    def evaluate(installation: dg.ResourceParam[Opener]) -> dg.RunRequest | dg.SkipReason:
        with as_failures(), installation.open() as opened:
            # First end the leases of dead workers: then their videos are due again.
            reap(opened.database, opened.vault, opened.clock)
            now = opened.clock.now()
            with opened.database.transaction() as connection:
                count = due_counts(connection, CADENCE, now)[tier]
            if not count.due:
                return dg.SkipReason(f"nothing due: {count.watched:,} videos are {tier} at {now:%Y-%m-%d %H:%M} UTC")
            if spent := spent_until(opened, (Bucket.STATS, Bucket.GENERAL), QuotaPool.TRACKING):
                return dg.SkipReason(f"{count.due:,} due, all quota spent until {spent:%Y-%m-%d %H:%M} UTC (exit code 42)")
        tick = floor(now, CADENCE.tick(tier))
        return dg.RunRequest(
            run_key=f"{tier}:{tick:%Y-%m-%dT%H:%M}", partition_key=tier.value, tags={"pleiades/due": str(count.due)}
        )

    return evaluate
