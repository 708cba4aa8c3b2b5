"""The daily lesson: what was asked goes to the vault, terms are rewarded for what became of their finds, old rows leave SQL.

Belongs here: what has to happen once a day for discovery to keep learning and SQL to stay small, in its order. Does not belong
here: how each of it is done (vault/discovery_requests.py, rewards.py, youtube/quota.py), or when (`pleiades learn`, Dagster).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pleiades_core.clock import utc_midnight
from pleiades_core.discover.search_queue.rewards import Rescored, rescore
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.discovery_requests import ForgottenPulls, export_day, forget_pulls, unexported
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.quota import LEDGER_KEPT_DAYS, Ledger

#: Rows of pulls stay in SQL for so long after their day is in the vault: `pleiades roads` looks back a week.
PULLS_KEPT = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What one lesson did."""

    #: UTC days whose pulls went to the vault, and how many pulls.
    exported_days: tuple[date, ...]
    exported_pulls: int
    forgotten: ForgottenPulls
    rescored: Rescored
    #: Rows of the quota ledger that went.
    ledger_pruned: int


def learn(database: Database, vault: Vault, ledger: Ledger, now: datetime) -> Learned:
    """Export every day of pulls that is over, forget old pulls, reward the terms, prune the ledger. May be repeated.

    Nothing is asked of YouTube. The terms are rewarded without the rows of damaged files, which `vault.damaged` names.

    Raises:
        CorruptFile: the file of pulls of a day that SQL still has is damaged. Only the ledger is pruned by then.
        PublishConflict: another process exports the same day at this moment (repeat).

    """
    pruned = ledger.prune(now.date() - timedelta(days=LEDGER_KEPT_DAYS))
    exported = [export_day(database, vault, day) for day in unexported(database, vault, now)]
    forgotten = forget_pulls(database, vault, utc_midnight(now.date()) - PULLS_KEPT)
    return Learned(
        exported_days=tuple(one.day for one in exported), exported_pulls=sum(one.added for one in exported),
        forgotten=forgotten, rescored=rescore(database, vault, now), ledger_pruned=pruned,
    )  # fmt: skip
