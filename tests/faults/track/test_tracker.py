"""The Tracker when things go wrong: dead ids, spent quota, lost leases, Ctrl-C."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from support.rows import read_rows

from pleiades_core.batches.reaper import reap
from pleiades_core.errors import LeaseLost
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, QuotaPool, SampleStatus, Tier
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.track.slices import commit_slice, take_slice
from pleiades_core.track.tracker import Tracker
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts


def _spend(pleiades: Installation, bucket: Bucket, leaving: int) -> None:
    """Leave so many units of a bucket in our own ledger."""
    ledger = pleiades.key_ring().ledger
    for pool in QuotaPool:
        # What is guaranteed to the others, then the rest: at the end nothing is guaranteed to anybody any more.
        units = min(ledger.left("demo", bucket, pool), ledger.left("demo", bucket) - leaving)
        assert ledger.debit("demo", bucket, pool, units)
    assert ledger.left("demo", bucket) == leaving


def _due(pleiades: Installation) -> int:
    with pleiades.database.transaction() as connection:
        return sum(count.due for count in due_counts(connection, TIERS, pleiades.clock.now()).values())


def _leases(pleiades: Installation) -> int:
    with pleiades.database.transaction() as connection:
        return connection.execute("select lease_id from leases").rowcount


def test_fifty_dead_ids_never_block_a_live_one(pleiades: Installation) -> None:
    """They are the longest overdue, so they are asked for first; they become misses and wait their turn like the others."""
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    now = pleiades.clock.now()
    with pleiades.database.transaction() as connection:
        connection.execute(
            "insert into watchlist (vid, id8, published_at, polled_at)"
            " select 1000000 + n, 4611686018427387904 + n, %s, %s from generate_series(1, 50) n",
            [now - timedelta(hours=30), now - timedelta(days=3)],
        )
    due = _due(pleiades)
    report = pleiades.tracker().track()
    assert (report.due, report.samples) == (due, due)
    assert report.misses >= 50
    assert _due(pleiades) == 0
    rows = read_rows(pleiades.vault, SAMPLES).to_pylist()
    dead = [row for row in rows if row["vid"] > 1_000_000]
    assert len(dead) == 50
    assert all(row["status"] == SampleStatus.MISSING and row["views"] is None for row in dead)


def test_quota_running_out_commits_what_came_and_leaves_the_rest_due(pleiades: Installation) -> None:
    for _ in range(4):
        pleiades.hunter().hunt()
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    pleiades.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    due = _due(pleiades)
    assert due > 100
    _spend(pleiades, Bucket.STATS, leaving=1)
    _spend(pleiades, Bucket.GENERAL, leaving=0)
    report = pleiades.tracker().track()
    assert report.resets_at is not None
    assert report.samples == 50
    assert report.calls == {"stats": 1}
    assert _due(pleiades) == due - 50
    assert _leases(pleiades) == 0
    pleiades.clock.set(report.resets_at)  # type: ignore[attr-defined]
    assert pleiades.tracker().track().resets_at is None
    assert _due(pleiades) == 0


def test_a_spent_stats_bucket_is_stood_in_for_by_the_general_one(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    _spend(pleiades, Bucket.STATS, leaving=0)
    report = pleiades.tracker().track()
    assert set(report.calls) == {"general"}
    assert report.resets_at is None
    assert _due(pleiades) == 0


def test_a_call_that_fails_for_good_leaves_its_videos_due_and_keeps_the_others(pleiades: Installation) -> None:
    """The first call and its three retries are answered with 503; the rest of the slice counts."""
    for _ in range(4):
        pleiades.hunter().hunt()
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    pleiades.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    due = _due(pleiades)
    assert due > 50
    control = SimulatorControl(pleiades.settings.youtube.url)
    control.set_faults(FaultPlan(faults=(Fault(method="videos.batchGetStats", last=4, status=503, body="{}"),)))
    pleiades.settings = pleiades.settings.changed(youtube__parallel_calls=1)
    report = pleiades.tracker().track()
    assert (report.failed_calls, report.samples) == (1, due - 50)
    assert _due(pleiades) == 50
    assert _leases(pleiades) == 0


def test_a_late_owner_commits_nothing_and_its_file_is_adopted(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    now, ledger = pleiades.clock.now(), pleiades.key_ring().ledger
    taken = take_slice(
        pleiades.database,
        ledger,
        TIERS,
        uuid.uuid4(),
        now=now,
        tier=None,
        project="demo",
        calls=100,
        lasting=timedelta(minutes=10),
    )
    assert taken is not None
    with pleiades.database.transaction() as connection:
        connection.execute("update leases set expires_at = clock_timestamp()")
    reap(pleiades.database, pleiades.vault, pleiades.clock)
    assert _due(pleiades) == len(taken.videos)
    rows = read_rows(pleiades.vault, SAMPLES).slice(0, 3)
    table = pa.Table.from_pylist([{**row, "polled_at": now} for row in rows.to_pylist()], SAMPLES.schema)
    lease = taken.lease
    batch = write_batch(pleiades.vault, SAMPLES, now.date(), table, lease_id=lease.lease_id, epoch=lease.epoch)
    with pytest.raises(LeaseLost):
        commit_slice(pleiades.database, ledger, taken, [(batch, table)], now=now)
    assert _due(pleiades) == len(taken.videos)


def test_a_lease_of_another_epoch_is_refused(pleiades: Installation) -> None:
    """After a restore the workers of the old database must not commit into the new one."""
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    taken = take_slice(
        pleiades.database, pleiades.key_ring().ledger, TIERS, uuid.uuid4(), now=pleiades.clock.now(), tier=None,
        project="demo", calls=1, lasting=timedelta(minutes=10),
    )  # fmt: skip
    assert taken is not None
    with pleiades.database.transaction() as connection:
        connection.execute("update installation set epoch = gen_random_uuid()")
    with pytest.raises(LeaseLost):
        commit_slice(pleiades.database, pleiades.key_ring().ledger, taken, [], now=pleiades.clock.now())


class _Impatient:
    """A clock that somebody presses Ctrl-C at."""

    real: ClassVar[bool] = False

    def __init__(self, pleiades: Installation, calls: int) -> None:
        self._clock = pleiades.clock
        self._left = calls

    def now(self) -> datetime:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return self._clock.now()


@pytest.mark.parametrize("calls", range(1, 12))
def test_ctrl_c_in_a_tick_leaves_no_lease(pleiades: Installation, calls: int) -> None:
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    due = _due(pleiades)
    tracker = Tracker(pleiades.database, pleiades.vault, pleiades.youtube(), _Impatient(pleiades, calls), pleiades.settings)
    try:
        tracker.track()
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    assert _leases(pleiades) == 0
    assert _due(pleiades) in {due, 0}
    assert interrupted or _due(pleiades) == 0


def test_two_hunters_at_once_give_each_video_one_vid(pleiades: Installation, tmp_path: Path) -> None:
    assert tmp_path
    hunters = [pleiades.hunter() for _ in range(3)]
    threads = [threading.Thread(target=hunter.hunt) for hunter in hunters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = read_rows(pleiades.vault, REGISTRY).to_pylist()
    assert rows
    assert len({row["video_id"] for row in rows}) == len({row["vid"] for row in rows}) == len(rows)
    with pleiades.database.transaction() as connection:
        watched = connection.execute("select vid from watchlist").rowcount
    assert watched == len(rows)
    assert _leases(pleiades) == 0


def test_the_tracker_of_a_tier_leaves_the_others_alone(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(days=1, hours=2))  # type: ignore[attr-defined]
    with pleiades.database.transaction() as connection:
        before = due_counts(connection, TIERS, pleiades.clock.now())
    report = pleiades.tracker().track(Tier.DAILY)
    assert report.samples == before[Tier.DAILY].due > 0
    with pleiades.database.transaction() as connection:
        after = due_counts(connection, TIERS, pleiades.clock.now())
    assert after[Tier.DAILY].due == 0
    assert after[Tier.WEEKLY].due == before[Tier.WEEKLY].due
