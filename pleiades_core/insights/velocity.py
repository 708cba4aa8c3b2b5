"""Views per hour and acceleration of every video, day by day.

Does not belong here: the formulas (views.duckdb.sql), ranking by them (ranking.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow.compute as pc

from pleiades_core.insights.publish import compute, end_of, publish
from pleiades_core.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class VelocityReport:
    """The result of measuring a day's velocities."""

    day: date
    #: Videos with two measured samples or more.
    rows: int
    bytes: int
    #: Of these, with fewer views at the end than at the start: YouTube takes views back.
    falls: int
    #: Views per hour; None without rows.
    fastest: float | None


def velocity_day(vault: Vault, day: date) -> VelocityReport:
    """Compute and publish `insights/velocity/date=D/day.parquet` over the 24 hours that end with the day."""
    table = compute(vault, "velocity", end_of(day), whole=True)
    speeds = table.column("views_per_hour")
    return VelocityReport(
        day=day,
        rows=len(table),
        bytes=publish(vault, "velocity", day, table),
        falls=pc.sum(pc.less(speeds, 0)).as_py() or 0,
        fastest=pc.max(speeds).as_py(),
    )
