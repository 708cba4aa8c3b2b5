"""Everything that Dagster is told, put together. The only place where assets meet resources.

Belongs here: wiring. Does not belong here: any decision. Building definitions reads the settings and opens nothing; importing
this module does not even read the settings.
"""

from __future__ import annotations

import warnings
from datetime import date
from typing import Any

import dagster as dg

from pleiades_core.models import Tier
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_dagster.assets.discovered import discovered_videos
from pleiades_dagster.assets.discovery import coverage, quota_plan, road_pulls, search_terms
from pleiades_dagster.assets.insights import daily_velocity, live_ranking, rankings
from pleiades_dagster.assets.maintenance import janitor, reaper
from pleiades_dagster.assets.metrics import daily_metrics
from pleiades_dagster.assets.tracking import tracking
from pleiades_dagster.assets.watchlist import watchlist
from pleiades_dagster.automation.schedules import schedules
from pleiades_dagster.automation.sensors import day_closer, deriver, inbox_sensor, tier_sensor
from pleiades_dagster.checks import metrics_checks
from pleiades_dagster.partitions import utc_days
from pleiades_dagster.resources import (
    ClockResource,
    InstallationResource,
    KeyRingResource,
    VaultResource,
    home_of_environment,
    settings_at,
)


def build_defs(*, home: str | None = None, first_day: date | None = None, **resources: Any) -> dg.Definitions:
    """Fresh definitions of the installation at `home` (None: what the environment says).

    `first_day` and any resource by its name (`installation`, `vault`, `clock`, ...) take the place of what the settings give.
    Raises ConfigurationError when the settings are malformed.
    """
    with warnings.catch_warnings():
        # Backfill policies are "beta" and partitioned checks "preview" in the locked version; the tests run what they promise.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _wired(home, first_day, resources)


def _wired(home: str | None, first_day: date | None, resources: dict[str, Any]) -> dg.Definitions:
    where = home if home is not None else home_of_environment()
    days = utc_days(first_day or settings_at(where).first_day)
    metrics = daily_metrics(days)
    hunt = dg.define_asset_job("hunt", selection=["discovered_videos"])
    track = dg.define_asset_job("track", selection=["tracking"])
    live = dg.define_asset_job("rank_now", selection=["live_ranking"])
    maintain = dg.define_asset_job("maintain", selection=["reaper", "janitor"])
    learn = dg.define_asset_job("learn", selection=["road_pulls", "search_terms", "coverage", "quota_plan"])
    # Velocity and ranking follow by their own automation condition: a job would force its smallest backfill policy on all.
    # Two jobs: a damaged file of one dataset must not keep the day of the other open.
    close = dg.define_asset_job("close_day", selection=["daily_metrics"])
    fold = dg.define_asset_job("fold_registry", selection=["discovered_videos"])
    derive = dg.define_asset_job("derive_day", selection=["watchlist", "daily_velocity", "rankings"])
    closers = [day_closer("registry_closer", "fold_registry", REGISTRY), day_closer("day_closer", "close_day", SAMPLES)]
    return dg.Definitions(
        assets=[
            discovered_videos(days), tracking(), watchlist(days), metrics, daily_velocity(days), rankings(days), live_ranking(),
            reaper(), janitor(), road_pulls(days), search_terms(), coverage(), quota_plan(),
        ],
        asset_checks=[metrics_checks(metrics.key, days)],
        jobs=[hunt, track, close, fold, derive, live, learn, maintain],
        schedules=schedules(),
        sensors=[*(tier_sensor(tier) for tier in Tier), inbox_sensor(), *closers, deriver()],
        resources={
            "installation": InstallationResource(home=where),
            "clock": ClockResource(home=where),
            "vault": VaultResource(home=where),
            "key_ring": KeyRingResource(home=where),
            **resources,
        },
        executor=dg.in_process_executor,
    )  # fmt: skip


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster`, `dg` and the code server load."""
    return build_defs()
