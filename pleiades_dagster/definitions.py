"""The definitions that Dagster loads: the modules of assets/, and the resources that they use.

Belongs here: finding the modules and wiring them. Does not belong here: any asset, job, schedule or sensor. Building
definitions reads the settings and opens nothing; importing this module does not even read the settings.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from pleiades_core.vault.first_day import first_day_of
from pleiades_dagster import assets
from pleiades_dagster.automation.verification import verification
from pleiades_dagster.building import Building
from pleiades_dagster.partitions import ahead_of_machine, utc_days
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
    """Build fresh definitions of an installation. Arguments replace values of the settings.

    Args:
        home: folder of the installation; None: the one that the environment names.
        first_day: first UTC day of the partitioned assets.
        ahead: how far the installation's clock is ahead of the machine's.
        automation: schedules and sensors run without being switched on.
        resources: any resource by its name (`installation`, `vault`, `clock`, `key_ring`).

    Returns:
        The definitions; nothing is open.

    Raises:
        ConfigurationError: the settings are malformed.

    """
    where = home if home is not None else home_of_environment()
    settings = settings_at(where)
    first = first_day or first_day_of(settings, today=datetime.now(UTC).date())
    building = Building(
        first_day=first,
        days=utc_days(first, ahead=ahead_of_machine(settings) if ahead is None else ahead),
        vault_root=settings.vault_root,
        automation=settings.automation if automation is None else automation,
    )
    with warnings.catch_warnings():
        # Backfill policies are "beta" and partitioned checks "preview" in the locked version; our tests run both.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        parts = [importlib.import_module(f"{assets.__name__}.{name}").definitions(building) for name in _asset_modules()]
        checks = [check for part in parts for check in part.asset_checks or ()]
        return dg.Definitions.merge(*parts, verification(building, checks), _wiring(where, resources))


def _asset_modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(assets.__path__))


def _wiring(home: str, resources: dict[str, Any]) -> dg.Definitions:
    return dg.Definitions(
        resources={
            "installation": InstallationResource(home=home),
            "clock": ClockResource(home=home),
            "vault": VaultResource(home=home),
            "key_ring": KeyRingResource(home=home),
            **resources,
        },
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions that `dagster`, `dg` and the code server load."""
    return build_defs()
