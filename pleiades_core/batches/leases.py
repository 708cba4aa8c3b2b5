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
    #: Of the installation when it was granted: a restore changes it, and refuses what was leased before.
    epoch: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A lease that ran out."""

    lease_id: uuid.UUID
    #: By the program's clock.
    taken_at: datetime


def take_lease(connection: psycopg.Connection, lease_id: uuid.UUID, kind: str, *, now: datetime, lasting: timedelta) -> Lease:
    """Grant a lease inside the caller's transaction. `kind` is `track` or `hunt`.

    The caller makes up the id beforehand, so that it can end the lease even if it is interrupted before this returns.
    """
    row = connection.execute(_LEASES.take_lease, {"lease_id": lease_id, "kind": kind, "lease": lasting, "now": now}).fetchone()
    assert row is not None, "table installation has exactly one row"  # noqa: S101  by its primary key
    return Lease(lease_id=lease_id, epoch=row[0])


def hold_lease(connection: psycopg.Connection, lease: Lease) -> None:
    """Fence the caller's transaction. Raises LeaseLost when the lease is gone, which must roll the transaction back."""
    if connection.execute(_LEASES.hold_lease, {"lease_id": lease.lease_id}).fetchone() is None:
        raise LeaseLost(
            f"lease {lease.lease_id} expired before its work was committed",
            cure="nothing is lost: the file that was written is adopted; if it happens often, raise PLEIADES_TRACKING_LEASE_S",
        )


def end_lease(connection: psycopg.Connection, lease_id: uuid.UUID) -> bool:
    """Remove a lease; claims of a hunt are free with it. False: it was not there (any more)."""
    return connection.execute(_LEASES.end_lease, {"lease_id": lease_id}).fetchone() is not None


def expired(connection: psycopg.Connection) -> list[Expired]:
    """Leases whose owner is late, locked until the transaction ends; those that somebody else holds are passed over."""
    return [Expired(lease_id=lease_id, taken_at=at) for lease_id, at in connection.execute(_LEASES.expired_leases).fetchall()]


def lease_ids(connection: psycopg.Connection) -> set[uuid.UUID]:
    """Every lease that is alive or not yet reaped."""
    return {row[0] for row in connection.execute(_LEASES.all_leases).fetchall()}


def end_slice(connection: psycopg.Connection, lease_id: uuid.UUID) -> bool:
    """Remove a lease and let go of every video it still holds in the watchlist. False: it was not there (any more)."""
    connection.execute(_WATCHLIST.release, {"lease_id": lease_id})
    return end_lease(connection, lease_id)
