"""Driving an installation that lives on the simulator: its faults, its time, what is in its database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pleiades_core.installation import Installation
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan


def control(pleiades: Installation) -> SimulatorControl:
    """Of its simulator."""
    return SimulatorControl(pleiades.settings.youtube.url)


def set_faults(pleiades: Installation, *faults: Fault) -> None:
    """These, in place of those before; none ends all."""
    control(pleiades).set_faults(FaultPlan(faults=faults))


def advance(pleiades: Installation, by: timedelta) -> None:
    """Move its clock, which is the simulator's."""
    pleiades.clock.advance(by)  # type: ignore[attr-defined]


def rows(pleiades: Installation, sql: str, *words: object) -> list[tuple[Any, ...]]:
    """What a statement answers; nothing for one that answers nothing."""
    with pleiades.database.transaction() as connection:
        cursor = connection.execute(sql, words)
        return cursor.fetchall() if cursor.description else []
