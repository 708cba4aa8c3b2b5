"""Units spent and left today, by project, bucket and pool, and the keys in use.

Belongs here: one report of ledger and keys for people. Does not belong here: taking units (youtube/quota.py), the days to come
(planner/).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.key_pool import pools_of
from pleiades_core.youtube.keyring import KeyRing
from pleiades_core.youtube.shares import POOLS, weights

_SQL = load_queries("ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketState:
    """One bucket of one project on the present quota day, in units."""

    project: str
    bucket: Bucket
    quota_day: date
    #: Reserved units count as spent.
    spent: int
    limit: int
    left: int
    #: True: the API called the bucket spent, whatever was counted here.
    exhausted: bool
    resets_at: datetime
    #: Units of the day that are kept for each pool with a share; units that it does not use in time are lent.
    shares: dict[QuotaPool, int]
    #: The part of `spent` of each pool.
    spent_by: dict[QuotaPool, int]
    #: Units that each pool may take now; none if no live key of the project serves it.
    free_for: dict[QuotaPool, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One key, as people read it."""

    #: First 8 hexadecimal digits of its SHA-256; the key itself shows nowhere.
    fingerprint: str
    project: str
    pools: str
    #: `live`, `refused: why`, or `ignored: compliance mode`.
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaReport:
    """The ledger and the keys."""

    ledger: tuple[BucketState, ...]
    keys: tuple[KeyLine, ...]
    #: Projects whose buckets several pools share, with those pools.
    shared: dict[str, tuple[QuotaPool, ...]]


def debited(database: Database) -> dict[str, int]:
    """All units that were ever taken, by bucket."""
    with database.transaction() as connection:
        return dict(connection.execute(_SQL.debited).fetchall())


def quota(ring: KeyRing) -> QuotaReport:
    """The state of the present quota day. Sends nothing."""
    pools, living = pools_of(ring.keys), ring.living()
    ledger = []
    for row in ring.ledger.rows(ring.projects):
        shares = weights(row.bucket, pools.get(row.project, POOLS))
        whole = max(1, sum(shares.values()))
        ledger.append(
            BucketState(
                project=row.project, bucket=row.bucket, quota_day=row.quota_day, spent=row.spent, limit=row.limit,
                left=row.left, exhausted=row.exhausted, resets_at=row.resets_at,
                shares={pool: row.limit * share // whole for pool, share in shares.items()},
                spent_by={pool: units for pool in QuotaPool if (units := row.spent_by.get(pool, 0)) or pool in shares},
                free_for={
                    pool: ring.ledger.left(row.project, row.bucket, pool) if pool in living.get(row.project, ()) else 0
                    for pool in shares
                },
            )
        )  # fmt: skip
    keys = (
        KeyLine(fingerprint=key.fingerprint, project=key.project, pools=" ".join(key.pools), state=key.description)
        for key in ring.states()
    )
    return QuotaReport(ledger=tuple(ledger), keys=tuple(keys), shared=ring.shared())
