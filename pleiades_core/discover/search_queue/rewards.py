"""Rewards of terms, folded again from the views of the videos that their searches found.

Belongs here: the definition of viral, and from views to the bandit's sums. Does not belong here: the draw (bandit.py), the
score that people see (insights).

A video is viral here if it is in the top 2 % by views at 48 hours of age, of all videos that any source found in the window and
that were polled at that age, apart for each counting definition. The definition is relative on purpose: it means the same in a
quiet week, and there are always virals to learn from. It is no judgement of a video for people.

The fold reads the vault and table `discovery_requests` and overwrites the running sums, so it may be repeated, and its result
may be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pleiades_core.discover.search_queue import bandit
from pleiades_core.discover.search_queue.terms import queue_rows
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_duckdb_text, load_queries
from pleiades_core.vault import query
from pleiades_core.vault.vault import Vault

_SQL = load_queries("terms")
_RULES, _FOLD = (load_duckdb_text(name, "pleiades_core.discover.search_queue") for name in ("rules", "rewards"))

#: How far the fold looks back. A request that old counts 0.4; older requests do not count.
WINDOW = timedelta(days=30)
#: With fewer measured videos there is no mark: the top 2 % of them would be fewer than four.
ENOUGH = 200
#: The common share of virals counts as this many videos beside a term's, and a tag's, own.
SHARE_WEIGHT, TAG_WEIGHT = 100, 50
#: Bounds of the factor that one tag gives.
_LEAST_LIFT, _MOST_LIFT = 0.25, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """What the fold found."""

    #: Terms whose sums were written.
    terms: int
    #: Terms without searches whose expectation was computed from the videos with their tag.
    priors: int
    #: Videos that were measured, and the viral ones of them.
    judged: int
    viral: int
    #: Views at 48 hours that a viral video exceeds, by counting definition. Empty: too little is measured, all is expectation.
    marks: dict[int, float]


def rescore(database: Database, vault: Vault, now: datetime) -> Rescored:
    """Write requests, reward and expectation of every term, from the last 30 days. Equal vaults give equal sums.

    A term that is searched meanwhile keeps the sums of that search. The rows of damaged files are left out, and `vault.damaged`
    names these files.

    Args:
        database: has the terms and the requests.
        vault: has the samples.
        now: the present instant.

    Returns:
        What the fold found.
    """
    since = now - WINDOW
    with database.transaction() as connection:
        # The order matters: a search that is recorded in between has changed `scored_at`, and its term is left alone.
        queue = {row.term: row for row in queue_rows(connection)}
        known = connection.execute(_SQL.search_requests, {"since": since}).fetchall()
    rows = query.query(
        vault, _FOLD,
        {
            "now": int(now.timestamp()), "since": int(since.timestamp()), "kept": bandit.KEPT_A_DAY,
            "share": bandit.VIRAL_SHARE, "usual": bandit.USUAL_REWARD, "prior_requests": bandit.PRIOR_REQUESTS,
            "pool_terms": bandit.POOL_TERMS, "enough": ENOUGH, "share_weight": SHARE_WEIGHT, "tag_weight": TAG_WEIGHT,
            "least_lift": _LEAST_LIFT, "most_lift": _MOST_LIFT,
            "requested_at": [row[0] for row in known], "targets": [row[1] for row in known],
            "errors": [row[2] for row in known],
            "unsearched": sorted(term for term, row in queue.items() if not row.requests),
        },
        first=since.date(), last=now.date(), prelude=_RULES, whole=True,
    ).to_pylist()  # fmt: skip
    sums = {row["name"]: (row["requests"], row["reward"]) for row in rows if row["kind"] == "term"}
    priors = {row["name"]: row["prior"] for row in rows if row["kind"] == "tag"}
    marks = [row for row in rows if row["kind"] == "mark"]
    written = [term for term, row in queue.items() if row.requests or term in sums or term in priors]
    nothing = (0.0, 0.0)
    with database.transaction() as connection:
        lock_discovery(connection)
        changed = connection.execute(
            _SQL.rescore_terms,
            {
                "terms": written, "requests": [sums.get(term, nothing)[0] for term in written],
                "rewards": [sums.get(term, nothing)[1] for term in written],
                "priors": [priors.get(term) for term in written],
                "seen": [queue[term].scored_at for term in written], "now": now,
            },
        ).rowcount  # fmt: skip
    return Rescored(
        terms=changed, priors=len(priors), judged=marks[0]["judged"] if marks else 0,
        viral=marks[0]["virals"] if marks else 0, marks={int(row["name"]): row["reward"] for row in marks},
    )  # fmt: skip
