"""The input of asset modules when definitions are built, and the form of their result.

An asset module has one function, `definitions(building)`, which returns its assets with their jobs, schedules, sensors and
checks. `definitions.py` finds the modules of `assets/`: a new asset is a new file (CONTRIBUTING.md). Does not belong
here: any asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from pleiades_dagster.partitions import Days


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """The installation that definitions are built for. Nothing of it is open."""

    #: First UTC day of the partitioned assets.
    first_day: date
    #: The partitions of assets that are partitioned by day.
    days: Days
    #: Folder of the vault, for the addresses in metadata.
    vault_root: Path
    #: True: schedules and sensors run once a daemon does. False: each waits until it is switched on in the UI.
    automation: bool

    @property
    def schedule_status(self) -> dg.DefaultScheduleStatus:
        """The default status of a schedule."""
        return dg.DefaultScheduleStatus.RUNNING if self.automation else dg.DefaultScheduleStatus.STOPPED

    @property
    def sensor_status(self) -> dg.DefaultSensorStatus:
        """The default status of a sensor."""
        return dg.DefaultSensorStatus.RUNNING if self.automation else dg.DefaultSensorStatus.STOPPED
