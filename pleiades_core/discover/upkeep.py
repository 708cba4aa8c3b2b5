"""Daily upkeep: requests are exported to the vault, terms get their rewards, old rows are deleted from SQL.

Belongs here: the order of these steps. Does not belong here: the steps (vault/discovery_requests.py, search_queue/rewards.py,
youtube/quota.py), or when they run (`pleiades upkeep`, Dagster).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pleiades_core.clock import utc_midnight
from pleiades_core.discover.search_queue.rewards import Rescored, rescore
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.discovery_requests import ForgottenRequests, export_day, forget_requests, unexported
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.quota import LEDGER_KEPT_DAYS, Ledger

#: How long rows of requests stay in SQL after their day: `pleiades sources` looks back a week.
REQUESTS_KEPT = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """What one run of the upkeep did."""

    #: UTC days whose requests were exported to the vault, and how many requests.
    exported_days: tuple[date, ...]
    exported_requests: int
    forgotten: ForgottenRequests
    rescored: Rescored
    #: Rows of the quota ledger that were deleted.
    ledger_pruned: int


def run_upkeep(database: Database, vault: Vault, ledger: Ledger, now: datetime) -> UpkeepReport:
    """Export every day of requests that is over, delete old requests, reward the terms, prune the ledger. May be repeated.

    YouTube is not called. The rows of damaged files are left out of the rewards, and `vault.damaged` names these files.

    Args:
        database: has the requests and the terms.
        vault: gets the requests.
        ledger: is pruned.
        now: the present instant.

    Returns:
        What was done.

    Raises:
        CorruptFile: the file of requests of a day that SQL still has is damaged. Only the ledger is pruned by then.
        PublishConflict: another process exports the same day at this moment (repeat).
    """
    pruned = ledger.prune(now.date() - timedelta(days=LEDGER_KEPT_DAYS))
    exported = [export_day(database, vault, day) for day in unexported(database, vault, now)]
    forgotten = forget_requests(database, vault, utc_midnight(now.date()) - REQUESTS_KEPT)
    return UpkeepReport(
        exported_days=tuple(day.day for day in exported), exported_requests=sum(day.added for day in exported),
        forgotten=forgotten, rescored=rescore(database, vault, now), ledger_pruned=pruned,
    )  # fmt: skip
