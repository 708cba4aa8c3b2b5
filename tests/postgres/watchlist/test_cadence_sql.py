"""The claim in SQL decides exactly as the pure cadence does."""

from __future__ import annotations

import uuid
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pleiades_core.batches.leases import lease_ids
from pleiades_core.clock import ManualClock
from pleiades_core.models import Bucket, Tier
from pleiades_core.storage.postgres import Database
from pleiades_core.track.slices import take_slice
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts
from pleiades_core.youtube.quota import Ledger

#: Around every boundary, to the second, and anywhere.
_SECONDS = st.one_of(
    st.integers(-40 * 86400, 40 * 86400),
    st.builds(
        lambda edge, shift: edge + shift,
        st.sampled_from([-900, 0, 3600, 3300, 86400, 86400 - 300, 7 * 86400, 7 * 86400 - 300]),
        st.integers(-2, 2),
    ),
)
_ENTRIES = st.lists(st.tuples(_SECONDS, st.none() | _SECONDS, st.integers(0, 4)), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(entries=_ENTRIES)
def test_sql_claims_what_the_cadence_calls_due(
    database: Database, clock: ManualClock, entries: list[tuple[int, int | None, int]]
) -> None:
    """Every tier, ages and polls to the second around the boundaries, and polls that a wrong clock put into the future."""
    now = clock.now()
    expected: dict[Tier, set[int]] = {tier: set() for tier in Tier}
    with database.transaction() as connection:
        connection.execute("truncate watchlist, leases")
        for vid, (age, since, misses) in enumerate(entries, start=1):
            polled_at = None if since is None else now - timedelta(seconds=since)
            published_at = now - timedelta(seconds=age)
            connection.execute(
                "insert into watchlist (vid, id8, published_at, polled_at, misses) values (%s, %s, %s, %s, %s)",
                [vid, vid, published_at, polled_at, misses],
            )
            if TIERS.is_due(published_at, polled_at, now, misses):
                expected[TIERS.tier((TIERS.counted(polled_at, now) or now) - published_at, misses)].add(vid)
        counts = due_counts(connection, TIERS, now)
    assert {tier: count.due for tier, count in counts.items()} == {tier: len(vids) for tier, vids in expected.items()}
    ledger = Ledger(database, clock)
    for tier in Tier:
        taken = take_slice(
            database, ledger, TIERS, uuid.uuid4(), now=now, tier=tier, project=None, calls=100, lasting=timedelta(minutes=10)
        )
        assert {due.vid for due in taken.videos} == expected[tier] if taken else expected[tier] == set()


def test_nothing_is_claimed_twice(database: Database, clock: ManualClock) -> None:
    """Two slices at once share no video, and the longest overdue go first."""
    now = clock.now()
    with database.transaction() as connection:
        for vid in range(1, 151):
            connection.execute(
                "insert into watchlist (vid, id8, published_at, polled_at) values (%s, %s, %s, %s)",
                [vid, vid, now - timedelta(hours=20), now - timedelta(hours=2, seconds=vid)],
            )
    ledger = Ledger(database, clock)
    first, second = (
        take_slice(
            database, ledger, TIERS, uuid.uuid4(), now=now, tier=None, project="p", calls=2, lasting=timedelta(minutes=10)
        )
        for _ in range(2)
    )
    assert first is not None
    assert second is not None
    assert {due.vid for due in first.videos} == set(range(51, 151))
    assert {due.vid for due in second.videos} == set(range(1, 51))
    assert first.reservation is not None
    assert (first.reservation.units, ledger.left("p", Bucket.STATS)) == (2, 10_000 - 3)
    with database.transaction() as connection:
        assert len(lease_ids(connection)) == 2
