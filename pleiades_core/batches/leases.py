"""Leases: the time-bounded right to write one batch a day and to commit it.

Belongs here: taking, holding and ending a lease. Does not belong here: what is claimed under it (track/slices.py for polls,
discover/admission/claims.py for new videos). Expiry goes by the database's clock alone: two machines may disagree about theirs.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from pleiades_core.errors import LeaseLost
from pleiades_core.storage.queries import load_queries

_LEASES, _WATCHLIST = map(load_queries, ("leases", "watchlist"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease that was granted."""

    lease_id: uuid.UUID
    #: The epoch of the installation when the lease was granted. A restore changes it, so that older leases are refused.
    epoch: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A lease that ran out."""

    lease_id: uuid.UUID
    #: By the program's clock.
    taken_at: datetime


def take_lease(connection: psycopg.Connection, lease_id: uuid.UUID, kind: str, *, now: datetime, lasting: timedelta) -> Lease:
    """Grant a lease inside the caller's transaction.

    Args:
        connection: the caller's transaction.
        lease_id: made up by the caller beforehand, so that it can end the lease even if it is interrupted before this returns.
        kind: `track` or `hunt`.
        now: the program's instant, for people; expiry goes by the database's clock.
        lasting: how long the lease lasts.

    Returns:
        The lease, with the epoch of the installation.
    """
    row = connection.execute(_LEASES.take_lease, {"lease_id": lease_id, "kind": kind, "lease": lasting, "now": now}).fetchone()
    assert row is not None, "table installation has exactly one row"  # noqa: S101  by its primary key
    return Lease(lease_id=lease_id, epoch=row[0])


def hold_lease(connection: psycopg.Connection, lease: Lease) -> None:
    """Fence the caller's transaction: it commits only if the lease still exists.

    Raises:
        LeaseLost: the lease is gone. The error must roll the transaction back.
    """
    if connection.execute(_LEASES.hold_lease, {"lease_id": lease.lease_id}).fetchone() is None:
        raise LeaseLost(
            f"lease {lease.lease_id} expired before its work was committed",
            cure="nothing is lost: the file that was written is adopted; if it happens often, raise PLEIADES_TRACKING_LEASE_S",
        )


def end_lease(connection: psycopg.Connection, lease_id: uuid.UUID) -> bool:
    """Remove a lease; with it the claims of a hunt are free. Returns False if there was no such lease (any more)."""
    return connection.execute(_LEASES.end_lease, {"lease_id": lease_id}).fetchone() is not None


def expired(connection: psycopg.Connection) -> list[Expired]:
    """Leases that ran out, locked until the transaction ends. Leases that another transaction has locked are left out."""
    return [Expired(lease_id=lease_id, taken_at=at) for lease_id, at in connection.execute(_LEASES.expired_leases).fetchall()]


def lease_ids(connection: psycopg.Connection) -> set[uuid.UUID]:
    """Every lease that is alive or not yet reaped."""
    return {row[0] for row in connection.execute(_LEASES.all_leases).fetchall()}


def end_slice(connection: psycopg.Connection, lease_id: uuid.UUID) -> bool:
    """Remove a lease and release its videos in the watchlist. Returns False if there was no such lease (any more)."""
    connection.execute(_WATCHLIST.release, {"lease_id": lease_id})
    return end_lease(connection, lease_id)
