"""Everything that Dagster is told, put together. The only place where assets meet resources.

Belongs here: wiring. Does not belong here: any decision. Building definitions reads the settings and opens nothing; importing
this module does not even read the settings.
"""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from pleiades_core.models import Tier
from pleiades_core.settings import Settings
from pleiades_core.vault.first_day import first_day_of
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_dagster.assets.discovered import KEY as VIDEOS
from pleiades_dagster.assets.discovered import discovered_videos
from pleiades_dagster.assets.discovery import coverage, discovery_requests, quota_plan, search_terms
from pleiades_dagster.assets.insights import daily_velocity, live_ranking, rankings
from pleiades_dagster.assets.maintenance import janitor, reaper
from pleiades_dagster.assets.metrics import KEY as METRICS
from pleiades_dagster.assets.metrics import daily_metrics
from pleiades_dagster.assets.tracking import tracking
from pleiades_dagster.assets.watchlist import KEY as WATCHLIST
from pleiades_dagster.assets.watchlist import watchlist
from pleiades_dagster.automation.schedules import schedules
from pleiades_dagster.automation.sensors import day_closer, deriver, inbox_sensor, tier_sensor
from pleiades_dagster.day_checks import day_checks
from pleiades_dagster.partitions import Days, ahead_of_machine, utc_days
from pleiades_dagster.resources import (
    ClockResource,
    InstallationResource,
    KeyRingResource,
    VaultResource,
    home_of_environment,
    settings_at,
)


def build_defs(
    *,
    home: str | None = None,
    first_day: date | None = None,
    ahead: timedelta | None = None,
    automation: bool | None = None,
    **resources: Any,
) -> dg.Definitions:
    """Fresh definitions of the installation at `home` (None: what the environment says).

    What is given takes the place of what the settings give: `first_day`, `ahead` (of the machine's clock, the installation's),
    `automation` (schedules and sensors run without being switched on), and any resource by its name (`installation`, `vault`,
    `clock`, ...). Raises ConfigurationError when the settings are malformed.
    """
    where = home if home is not None else home_of_environment()
    settings = settings_at(where)
    first = first_day or first_day_of(settings, today=datetime.now(UTC).date())
    days = utc_days(first, ahead=ahead_of_machine(settings) if ahead is None else ahead)
    with warnings.catch_warnings():
        # Backfill policies are "beta" and partitioned checks "preview" in the locked version; the tests run what they promise.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _wired(where, first, days, settings, settings.automation if automation is None else automation, resources)


def _wired(
    home: str, first_day: date, days: Days, settings: Settings, automation: bool, resources: dict[str, Any]
) -> dg.Definitions:
    vault = settings.vault_root
    checks = day_checks(METRICS, VIDEOS, WATCHLIST, begun=days.begun, over=days.over)
    return dg.Definitions(
        assets=[
            discovered_videos(days.begun, vault), tracking(), watchlist(days.over, vault), daily_metrics(days.over, vault),
            daily_velocity(days.over, vault), rankings(days.over, vault), live_ranking(), reaper(), janitor(),
            discovery_requests(days.over, vault), search_terms(), coverage(), quota_plan(),
        ],
        asset_checks=checks,
        jobs=_jobs(checks),
        schedules=schedules(first_day, automation=automation),
        sensors=[
            *(tier_sensor(tier, automation=automation) for tier in Tier),
            inbox_sensor(automation=automation),
            # Two sensors and two jobs: a damaged file of one dataset must not keep the day of the other open.
            day_closer("registry_closer", "fold_registry", REGISTRY, automation=automation),
            day_closer("day_closer", "close_day", SAMPLES, automation=automation),
            deriver(automation=automation),
        ],
        resources={
            "installation": InstallationResource(home=home),
            "clock": ClockResource(home=home),
            "vault": VaultResource(home=home),
            "key_ring": KeyRingResource(home=home),
            **resources,
        },
        executor=dg.in_process_executor,
    )  # fmt: skip


def _jobs(checks: list[dg.AssetChecksDefinition]) -> list[Any]:
    """What schedules, sensors and people start."""
    videos = dg.AssetSelection.assets("discovered_videos")
    # Today's file is written tomorrow, so there is nothing to check after a hunt.
    of_files = dg.AssetSelection.checks(*(check for check in checks if VIDEOS in {key.asset_key for key in check.check_keys}))
    described: list[tuple[str, dg.AssetSelection | list[str], str]] = [
        (
            "hunt",
            videos - of_files,
            "Ask every source of discovery for videos, describe what is new, and watch it: today's key.",
        ),
        ("track", ["tracking"], "Poll what one tier owes now."),
        ("fold_registry", videos, "Fold the videos found on a day that is over into one file, and check it."),
        ("close_day", ["daily_metrics"], "Fold the samples of a day that is over into one file, and check it."),
        # Velocity and ranking follow by their own automation condition; this job is for people and for the demo.
        ("derive_day", ["watchlist", "daily_velocity", "rankings"], "Compute all that follows from a closed day."),
        (
            "verify",
            dg.AssetSelection.checks(*checks),
            "Check the files of the day that the tag dagster/partition names; without it, of the newest closed day.",
        ),
        ("rank_now", ["live_ranking"], "Rank the videos of the last 24 hours."),
        (
            "upkeep",
            ["discovery_requests", "search_terms", "coverage", "quota_plan"],
            "Export, score, estimate and plan, once a day.",
        ),
        ("maintain", ["reaper", "janitor"], "Adopt what dead workers left, remove what closed days hold, measure SQL."),
    ]
    return [dg.define_asset_job(name, selection=selection, description=words) for name, selection, words in described]


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster`, `dg` and the code server load."""
    return build_defs()
