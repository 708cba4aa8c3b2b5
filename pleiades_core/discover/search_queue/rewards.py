"""What searches were worth: rewards of terms, folded again from what became of the videos they found.

Belongs here: the definition of viral, and from outcomes to the bandit's sums. Does not belong here: the draw (bandit.py), the
score that people see (insights).

Viral is, of all videos that any source found in the window and that were polled at 48 hours of age, the top 2 % by views at
that age, apart for each counting definition. It is relative on purpose: it means the same in a quiet week, and there is always
something to learn from. It says nothing about a video that people should read.

The fold reads the vault and table `discovery_requests` and overwrites what was summed up on the way, so it may be repeated and
lost.
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

#: A request of then counts 0.4 at the end of it; beyond it, what was known of a term is forgotten at once.
WINDOW = timedelta(days=30)
#: Fewer measured videos make no mark: the top 2 % of them would be less than four.
ENOUGH = 200
#: A term's, and a tag's, own share of virals counts beside the common one as that many videos do.
SHARE_WEIGHT, TAG_WEIGHT = 100, 50
#: Bounds of what one tag is held to add.
_LEAST_LIFT, _MOST_LIFT = 0.25, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """What the fold found."""

    #: Whose sums were written.
    terms: int
    #: Terms without searches whose expectation was worked out from the outcomes of their tag.
    priors: int
    #: Videos with an outcome, and of these the viral ones.
    judged: int
    viral: int
    #: Views at 48 hours that a viral video exceeds, by counting definition. Empty: too little is measured, all is expectation.
    marks: dict[int, float]


def rescore(database: Database, vault: Vault, now: datetime) -> Rescored:
    """Write requests, reward and expectation of every term from what the last 30 days say. The same vault gives the same sums.

    A term that is searched meanwhile keeps what its search wrote. The rows of damaged files are left out, and `vault.damaged`
    names these files.
    """
    since = now - WINDOW
    with database.transaction() as connection:
        # In this order: a search that is noted in between has changed `scored_at`, and its term is left alone.
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
