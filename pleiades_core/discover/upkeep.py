"""The daily lesson: what was asked goes to the vault, terms are rewarded for what became of their finds, old rows leave SQL.

Belongs here: what has to happen once a day for discovery to keep learning and SQL to stay small, in its order. Does not belong
here: how each of it is done (vault/discovery_requests.py, search_queue/rewards.py, youtube/quota.py), or when (`pleiades
upkeep`, Dagster).
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

#: Rows of requests stay in SQL for so long after their day is in the vault: `pleiades sources` looks back a week.
REQUESTS_KEPT = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """What one lesson did."""

    #: UTC days whose requests went to the vault, and how many requests.
    exported_days: tuple[date, ...]
    exported_requests: int
    forgotten: ForgottenRequests
    rescored: Rescored
    #: Rows of the quota ledger that went.
    ledger_pruned: int


def run_upkeep(database: Database, vault: Vault, ledger: Ledger, now: datetime) -> UpkeepReport:
    """Export every day of requests that is over, forget old requests, reward the terms, prune the ledger. May be repeated.

    Nothing is asked of YouTube. The terms are rewarded without the rows of damaged files, which `vault.damaged` names.

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
