"""Slices: up to 5,000 due videos, claimed under one lease. The unit of leasing, of loss and of commit.

Belongs here: T1 (claim), T2 (commit) and giving a slice back. Does not belong here: calling YouTube and writing the file, which
come between T1 and T2 (track/tracker.py); which video is due (watchlist/cadence.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from pleiades_core.batches.commit import commit_batches
from pleiades_core.batches.leases import Lease, end_slice, hold_lease, take_lease
from pleiades_core.models import Bucket, QuotaPool, Tier, Vid, VideoId
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.journal import WrittenBatch
from pleiades_core.videoid import encode
from pleiades_core.watchlist.cadence import Cadence
from pleiades_core.youtube.api import IDS_PER_CALL
from pleiades_core.youtube.quota import Ledger, Reservation

_SQL = load_queries("watchlist")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueVideo:
    """A claimed video."""

    vid: Vid
    video_id: VideoId
    #: None: it has not been polled before.
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Claimed videos in the order of their vids, with the units that were debited in advance for their calls."""

    lease: Lease
    videos: tuple[DueVideo, ...]
    reservation: Reservation | None


def take_slice(
    database: Database, ledger: Ledger, cadence: Cadence, lease_id: uuid.UUID, *,
    now: datetime, tier: Tier | None, project: str | None, calls: int, lasting: timedelta,
) -> Slice | None:  # fmt: skip
    """T1: lease due videos and debit the units of their calls.

    The units are debited before anything is sent, and unused units are given back in T2. A slice that is never committed stays
    debited, so the ledger never says less than was sent.

    Args:
        database: holds the watchlist.
        ledger: holds the quota.
        cadence: decides which videos are due.
        lease_id: made up by the caller.
        now: the present instant.
        tier: the tier to poll; None: any.
        project: whose units are debited; None: nothing is debited in advance, and each call asks the ledger itself.
        calls: the most calls; each takes up to 50 videos.
        lasting: how long the lease lasts.

    Returns:
        The slice; None if nothing is due.
    """
    with database.transaction() as connection:
        lease = take_lease(connection, lease_id, "track", now=now, lasting=lasting)
        rows = connection.execute(
            _SQL.lease_due,
            {
                **cadence.parameters(), "now": now, "tier": tier.value if tier else None, "lease_id": lease.lease_id,
                "limit": calls * IDS_PER_CALL,
            },
        ).fetchall()  # fmt: skip
        if not rows:
            end_slice(connection, lease.lease_id)
            return None
        needed = -(-len(rows) // IDS_PER_CALL)
        reservation = ledger.reserve(connection, project, Bucket.STATS, QuotaPool.TRACKING, needed) if project else None
    # RETURNING keeps no order; the vault's batches compress best in the order of vid, lateness is decided already.
    videos = tuple(DueVideo(vid=Vid(vid), video_id=encode(id8), due_at=due_at) for vid, id8, due_at in sorted(rows))
    return Slice(lease=lease, videos=videos, reservation=reservation)


def commit_slice(
    database: Database, ledger: Ledger, taken: Slice, written: Sequence[tuple[WrittenBatch, pa.Table]], *, now: datetime
) -> None:
    """T2: record the files, move the schedule, give back unused units and end the lease, in one transaction.

    Args:
        database: holds the watchlist.
        ledger: holds the quota.
        taken: the slice of T1.
        written: the batch files and their rows.
        now: the present instant.

    Raises:
        LeaseLost: the lease is gone. The files stay and are adopted.
    """
    with database.transaction() as connection:
        hold_lease(connection, taken.lease)
        commit_batches(connection, written, now=now)
        end_slice(connection, taken.lease.lease_id)
        if taken.reservation:
            ledger.settle(connection, taken.reservation)


def give_back(database: Database, ledger: Ledger, lease_id: uuid.UUID, reservation: Reservation | None) -> None:
    """End a slice without a file: its videos are due again, and units that were used stay spent.

    Units are given back only together with the lease: an interrupt may arrive after T2 was committed and before this process
    learnt of it. Nothing happens to a slice that has ended.

    Args:
        database: holds the watchlist.
        ledger: holds the quota.
        lease_id: the lease of the slice.
        reservation: the units that were debited in advance, if any.
    """
    with database.transaction() as connection:
        if end_slice(connection, lease_id) and reservation:
            ledger.settle(connection, reservation)
