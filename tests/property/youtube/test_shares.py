"""The rule by which pools share a bucket, by its promises: what is set aside is there, and nothing is left over at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.youtube.shares import POOLS, SHARES, Elapsed, QuotaAccount, free_for, lapses, set_aside, weights

DAY_S = 86_400
ORDINARY = datetime(2026, 3, 1, 8, tzinfo=UTC)

#: A pool, what it wants, and how many seconds pass afterwards.
WISHES = st.lists(st.tuples(st.sampled_from(QuotaPool), st.integers(0, 120), st.integers(0, 20_000)), max_size=40)


def fresh(limit: int) -> QuotaAccount:
    """A bucket at the beginning of a day."""
    return QuotaAccount(limit=limit, spent=0, by_pool={}, lapsed={})


def take(account: QuotaAccount, pool: QuotaPool, units: int, shares: Mapping[QuotaPool, int], elapsed: Elapsed) -> QuotaAccount:
    """The account after a pool took units."""
    return replace(
        account,
        spent=account.spent + units,
        by_pool={**account.by_pool, pool: account.by_pool.get(pool, 0) + units},
        lapsed=lapses(account, shares, elapsed),
    )


@given(st.integers(0, 500), st.sampled_from(sorted(SHARES)), st.sets(st.sampled_from(QuotaPool), min_size=1), WISHES)
def test_what_is_set_aside_is_always_there(
    limit: int, bucket: Bucket, pools: set[QuotaPool], wishes: list[tuple[QuotaPool, int, int]]
) -> None:
    """Whatever everybody wanted before: no overspending, and each pool can take its part at once."""
    shares = weights(bucket, pools)
    account, seconds = fresh(limit), 0
    for pool, wanted, wait in wishes:
        now = Elapsed(seconds=seconds, of=DAY_S)
        kept = set_aside(account, shares, now)
        assert sum(kept.values()) <= account.left
        assert all(free_for(one, account, shares, now) >= units for one, units in kept.items())
        account = take(account, pool, min(wanted, free_for(pool, account, shares, now)), shares, now)
        assert account.spent <= limit
        # What one takes beyond its own part is never another's.
        assert all(units >= kept[one] for one, units in set_aside(account, shares, now).items() if one != pool)
        seconds = min(DAY_S, seconds + wait)


@given(st.integers(0, 500), st.sampled_from(sorted(SHARES)), WISHES)
def test_at_the_end_of_the_day_nothing_is_kept_from_anybody(
    limit: int, bucket: Bucket, wishes: list[tuple[QuotaPool, int, int]]
) -> None:
    shares = weights(bucket, POOLS)
    account, seconds = fresh(limit), 0
    for pool, wanted, wait in wishes:
        now = Elapsed(seconds=seconds, of=DAY_S)
        account = take(account, pool, min(wanted, free_for(pool, account, shares, now)), shares, now)
        seconds = min(DAY_S, seconds + wait)
    end = Elapsed(seconds=DAY_S, of=DAY_S)
    assert [free_for(pool, account, shares, end) for pool in QuotaPool] == [account.left] * 3


@given(st.integers(20, 2_000), st.integers(1, 96))
def test_who_spends_evenly_gets_the_whole_share_against_the_greediest(limit: int, steps: int) -> None:
    """The others take all they can at every step; hunting still has its share, to a unit, at the end of the day."""
    shares = weights(Bucket.GENERAL, POOLS)
    account, share = fresh(limit), limit * 75 // 100
    for step in range(steps):
        now = Elapsed(seconds=DAY_S * step // steps, of=DAY_S)
        due = share * (step + 1) // steps - account.by_pool.get(QuotaPool.HUNTING, 0)
        assert free_for(QuotaPool.HUNTING, account, shares, now) >= due
        account = take(account, QuotaPool.HUNTING, due, shares, now)
        for greedy in (QuotaPool.TRACKING, QuotaPool.ARCHEOLOGY):
            account = take(account, greedy, free_for(greedy, account, shares, now), shares, now)
    assert account.by_pool[QuotaPool.HUNTING] == share


def test_what_was_not_used_by_noon_is_half_lent() -> None:
    """In figures: search has 100, of which 80 are hunting's."""
    shares, noon = weights(Bucket.SEARCH, POOLS), Elapsed(seconds=DAY_S // 2, of=DAY_S)
    assert free_for(QuotaPool.ARCHEOLOGY, fresh(100), shares, Elapsed(seconds=0, of=DAY_S)) == 20
    assert free_for(QuotaPool.ARCHEOLOGY, fresh(100), shares, noon) == 60
    borrowed = take(fresh(100), QuotaPool.ARCHEOLOGY, 60, shares, noon)
    assert free_for(QuotaPool.HUNTING, borrowed, shares, noon) == 40
    assert free_for(QuotaPool.ARCHEOLOGY, borrowed, shares, noon) == 0


def test_a_borrower_does_not_set_two_others_against_each_other() -> None:
    """With the promise derived from counts and time alone, hunting and tracking were both refused here with 1,000 left."""
    shares, noon = weights(Bucket.GENERAL, POOLS), Elapsed(seconds=DAY_S // 2, of=DAY_S)
    account = fresh(10_000)
    for pool, units in ((QuotaPool.ARCHEOLOGY, 5_250), (QuotaPool.HUNTING, 3_750)):
        assert free_for(pool, account, shares, noon) == units
        account = take(account, pool, units, shares, noon)
    assert (
        account.left,
        free_for(QuotaPool.TRACKING, account, shares, noon),
        free_for(QuotaPool.HUNTING, account, shares, noon),
    ) == (
        1_000,
        1_000,
        0,
    )


@pytest.mark.parametrize("pool", QuotaPool)
def test_a_project_of_one_pool_keeps_nothing_from_it(pool: QuotaPool) -> None:
    """And nothing at all where its pool has no share, as hunting has none of the stats bucket."""
    begin = Elapsed(seconds=0, of=DAY_S)
    for bucket in SHARES:
        assert free_for(pool, fresh(100), weights(bucket, {pool}), begin) == 100


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [(ORDINARY, 24), (datetime(2026, 3, 8, 8, tzinfo=UTC), 23), (datetime(2026, 11, 1, 7, tzinfo=UTC), 25)],
)
def test_the_day_has_the_hours_that_it_has(midnight: datetime, hours: int) -> None:
    """On the two days a year on which California's clocks change too."""
    assert Elapsed.at(midnight) == Elapsed(seconds=0, of=hours * 3600)
    assert Elapsed.at(midnight + timedelta(hours=hours, seconds=-1)) == Elapsed(seconds=hours * 3600 - 1, of=hours * 3600)


def test_a_verdict_of_the_api_outweighs_every_share() -> None:
    spent = replace(fresh(100), exhausted=True)
    assert [free_for(pool, spent, weights(Bucket.SEARCH, POOLS), Elapsed(seconds=0, of=DAY_S)) for pool in QuotaPool] == [
        0,
        0,
        0,
    ]
