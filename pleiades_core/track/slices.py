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
class Due:
    """A claimed video."""

    vid: Vid
    video_id: VideoId
    #: None: it has not been polled before.
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Claimed videos in the order of their vids, with the units that their calls were debited in advance."""

    lease: Lease
    videos: tuple[Due, ...]
    reservation: Reservation | None


def take_slice(
    database: Database, ledger: Ledger, cadence: Cadence, lease_id: uuid.UUID, *,
    now: datetime, tier: Tier | None, project: str | None, calls: int, lasting: timedelta,
) -> Slice | None:  # fmt: skip
    """T1: lease due videos of one tier (None: of any) and debit their calls. None when nothing is due.

    The units are debited here, before anything is sent, and what is not used is given back in T2; a slice that is never
    committed stays debited, so the ledger never says less than was sent. `project` None: nothing is debited in advance, each
    call asks the ledger itself.
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
    videos = tuple(Due(vid=Vid(vid), video_id=encode(id8), due_at=due_at) for vid, id8, due_at in sorted(rows))
    return Slice(lease=lease, videos=videos, reservation=reservation)


def commit_slice(
    database: Database, ledger: Ledger, taken: Slice, written: Sequence[tuple[WrittenBatch, pa.Table]], *, now: datetime
) -> None:
    """T2: record the files, move the schedule of what they hold, give back unused units, end the lease; all or nothing.

    Raises LeaseLost when the lease is gone; the files stay and get adopted.
    """
    with database.transaction() as connection:
        hold_lease(connection, taken.lease)
        commit_batches(connection, written, now=now)
        end_slice(connection, taken.lease.lease_id)
        if taken.reservation:
            ledger.settle(connection, taken.reservation)


def give_back(database: Database, ledger: Ledger, lease_id: uuid.UUID, reservation: Reservation | None) -> None:
    """End a slice without a file: its videos are due again, units that were used stay spent. Nothing happens to an ended one.

    Units are given back only together with the lease: an interrupt may arrive when T2 has committed and nobody was told.
    """
    with database.transaction() as connection:
        if end_slice(connection, lease_id) and reservation:
            ledger.settle(connection, reservation)
