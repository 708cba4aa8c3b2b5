"""How the pools share a project's bucket without starving one another. Pure arithmetic on whole units.

Belongs here: the pools' shares, and what a pool may take now. Does not belong here: where the counts are kept, and the
statement that takes units by this rule (quota.py and ledger.sql; a property test compares the two).

Each pool has a share of the day's units set aside. The part that it should have used by now, at an even pace, and has not used,
lapses: from then on every pool may take it. A pool may take what is left, less what is still set aside for other pools. From
this follow

* the units left are never fewer than all that is set aside, so a pool can take what is set aside for it at any moment;
* a pool that spends evenly keeps the whole rest of its share, whatever the other pools do;
* at the end of the day nothing is set aside, so no unit is kept from a pool that has a use for it.

Lapses are remembered. A rule that looks at counts and time alone cannot promise the first two: with three pools, one of which
borrowed, it refused the other two while 1,000 of 10,000 units were left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from pleiades_core.clock import aware_utc, pacific_day, pacific_midnight
from pleiades_core.models import Bucket, QuotaPool

#: The pools of a key that is given for everything.
POOLS = frozenset(QuotaPool)

#: Hundredths of each bucket. Our own choice: search serves new videos before old ones, samples have their bucket to themselves,
#: and the general bucket leaves tracking enough for a tenth of its calls should videos.batchGetStats be refused.
SHARES: Mapping[Bucket, Mapping[QuotaPool, int]] = MappingProxyType(
    {
        Bucket.SEARCH: MappingProxyType({QuotaPool.HUNTING: 80, QuotaPool.ARCHEOLOGY: 20}),
        Bucket.STATS: MappingProxyType({QuotaPool.TRACKING: 100}),
        Bucket.GENERAL: MappingProxyType({QuotaPool.HUNTING: 75, QuotaPool.TRACKING: 20, QuotaPool.ARCHEOLOGY: 5}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elapsed:
    """How much of a quota day is over, in whole seconds; the day has 23, 24 or 25 hours."""

    seconds: int
    of: int

    @classmethod
    def at(cls, now: datetime) -> Elapsed:
        """The elapsed part of the quota day that has `now`, an aware instant."""
        day = pacific_day(now)
        begin, end = pacific_midnight(day), pacific_midnight(day + timedelta(days=1))
        return cls(seconds=int((aware_utc(now) - begin).total_seconds()), of=int((end - begin).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaAccount:
    """One bucket of one project on one quota day, as far as the rule needs it. Units throughout."""

    limit: int
    #: Spent by all pools together, and by other programs as far as they were counted.
    spent: int
    #: Spent by each pool; a pool that is not in the mapping has spent nothing.
    by_pool: Mapping[QuotaPool, int]
    #: The part of each pool's share that had lapsed when the account was last written.
    lapsed: Mapping[QuotaPool, int]
    #: True: the API said that nothing is left.
    exhausted: bool = False

    @property
    def left(self) -> int:
        """Units that no pool has taken yet."""
        return 0 if self.exhausted else max(0, self.limit - self.spent)


def weights(bucket: Bucket, pools: Collection[QuotaPool]) -> dict[QuotaPool, int]:
    """The shares of the pools that have one in the bucket. A share counts relative to their sum, not to 100."""
    return {pool: share for pool, share in SHARES[bucket].items() if pool in pools}


def lapses(account: QuotaAccount, shares: Mapping[QuotaPool, int], elapsed: Elapsed) -> dict[QuotaPool, int]:
    """The part of each pool's share that has lapsed by now.

    Args:
        account: the bucket of the project.
        shares: as `weights` gives them.
        elapsed: how much of the quota day is over.

    Returns:
        Units by pool.
    """
    whole = max(1, sum(shares.values()))
    return {
        pool: max(
            account.lapsed.get(pool, 0),
            account.limit * share // whole * elapsed.seconds // elapsed.of - account.by_pool.get(pool, 0),
        )
        for pool, share in shares.items()
    }


def set_aside(account: QuotaAccount, shares: Mapping[QuotaPool, int], elapsed: Elapsed) -> dict[QuotaPool, int]:
    """The units that are still set aside for each pool that has a share.

    Args:
        account: the bucket of the project.
        shares: as `weights` gives them.
        elapsed: how much of the quota day is over.

    Returns:
        Units by pool.
    """
    whole = max(1, sum(shares.values()))
    return {
        pool: max(0, account.limit * shares[pool] // whole - account.by_pool.get(pool, 0) - lapsed)
        for pool, lapsed in lapses(account, shares, elapsed).items()
    }


def free_for(pool: QuotaPool, account: QuotaAccount, shares: Mapping[QuotaPool, int], elapsed: Elapsed) -> int:
    """The units that a pool may take now: what is left, less what is set aside for the other pools.

    Args:
        pool: the pool.
        account: the bucket of the project.
        shares: as `weights` gives them.
        elapsed: how much of the quota day is over.

    Returns:
        Units.
    """
    set_aside_elsewhere = sum(units for name, units in set_aside(account, shares, elapsed).items() if name != pool)
    return max(0, account.left - set_aside_elsewhere)
