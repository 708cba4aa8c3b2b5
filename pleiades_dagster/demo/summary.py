"""The summary of a demo: the promised JSON object; every figure is read back from storage.

Does not belong here: playing (play.py), printing (cli.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from pleiades_core.discover.admission.claims import described
from pleiades_core.insights.publish import end_of
from pleiades_core.insights.ranking import ranked
from pleiades_core.installation import Installation
from pleiades_core.reports.footprint import footprint
from pleiades_core.reports.quota import debited
from pleiades_core.vault.day_facts import inspect_day
from pleiades_core.vault.layout import SAMPLES
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts

#: Videos of the last day that the summary shows.
_TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSummary:
    """The JSON object that the demo prints; every figure is read back from storage."""

    discovered: int
    watched: int
    #: Rows of the closed days, misses included.
    samples: int
    misses: int
    #: Debited units, by bucket.
    calls: dict[str, int]
    sql_bytes: int
    vault_bytes: int
    days_closed: int
    top: list[dict[str, Any]]
    #: Runs stored in Dagster. For people; not part of the JSON.
    runs: int

    def promised(self) -> dict[str, Any]:
        """The JSON object."""
        facts = asdict(self)
        del facts["runs"]
        return facts


def _closed_days(opened: Installation, first: date, days: int) -> list[date]:
    """The days of the play that were closed; a day on which nothing was found has no file."""
    keys = set(opened.vault.archive.keys(SAMPLES.archive_folder))
    played = (first + timedelta(days=n) for n in range(days))
    return [day for day in played if SAMPLES.day_key(day) in keys]


def sum_up(opened: Installation, first: date, days: int, *, runs: int) -> DemoSummary:
    """Sum up a play from what is stored.

    Args:
        opened: the installation.
        first: first day of the play.
        days: number of days.
        runs: runs stored in Dagster.

    Returns:
        The summary.
    """
    closed = [inspect_day(opened.database, opened.vault, day) for day in _closed_days(opened, first, days)]
    with opened.database.transaction() as connection:
        known = described(connection)
        watched = sum(count.watched for count in due_counts(connection, TIERS, opened.clock.now()).values())
    best = ranked(opened.vault, end_of(first + timedelta(days=days - 1)), _TOP)
    return DemoSummary(
        discovered=known,
        watched=watched,
        samples=sum(day.rows for day in closed),
        misses=sum(day.misses for day in closed),
        calls=debited(opened.database),
        sql_bytes=footprint(opened.database).bytes,
        vault_bytes=sum(opened.vault.archive.sizes("").values()),
        days_closed=len(closed),
        top=[asdict(video) for video in best],
        runs=runs,
    )
