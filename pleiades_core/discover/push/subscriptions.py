"""Push subscriptions: for which channels the hub is asked, and when their leases are renewed.

Belongs here: choosing channels and requesting subscriptions. Does not belong here: the hub's later calls (receiver.py), HTTP
(youtube/hub.py).

A request is no subscription: the hub calls back to verify, and until then the request counts as refused and is repeated at
growing intervals. If the hub is down (503 to every subscriber for days in September 2026,
github.com/SeoulSKY/ytnoti/issues/8), no channel is refused: the round ends after a few requests, and the next round begins with
other channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from pleiades_core.clock import Clock
from pleiades_core.discover.push.callbacks import callbacks_of
from pleiades_core.discover.wrong_clock import mend
from pleiades_core.errors import ApiError, BadRequest, ResourceMissing
from pleiades_core.models import ChannelId
from pleiades_core.settings import Settings
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.hub import Hub
from pleiades_core.youtube.parallel import ask_all

_SQL = load_queries("push")

#: The lease that we request; the hub's verification says what it grants. YouTube documents no figure; subscribers report five
#: days.
LEASE = timedelta(seconds=432_000)
#: A lease is renewed when a quarter of it is left, so that an outage of a day, ours or the hub's, loses nothing.
RENEW_BEFORE_END = LEASE / 4
#: The wait doubles with every request that the hub did not confirm: one hour after the first.
_SHORTEST_WAIT = timedelta(minutes=30)
_LONGEST_WAIT = timedelta(days=5)
#: A round ends after this many seconds; the next round goes on.
_ROUND_S = 55.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewReport:
    """What one round of requests did."""

    #: Subscriptions that were requested, refused ones included.
    requested: int
    refused: int
    #: Subscriptions that live now; those just requested are not verified yet.
    live: int
    #: Channels that are followed.
    followed: int
    #: The first error; None if there was none.
    error: str | None


def due(connection: psycopg.Connection, now: datetime, limit: int) -> list[tuple[int, ChannelId]]:
    """Choose the channels whose subscription to request now, the busiest first. Their rows are locked until the transaction
    ends.

    Args:
        connection: the caller's transaction.
        now: the present instant.
        limit: the most channels.

    Returns:
        Ordinal and id of each channel.
    """
    given = {
        "now": now, "renew_before": now + RENEW_BEFORE_END, "limit": limit,
        "shortest_wait": _SHORTEST_WAIT, "longest_wait": _LONGEST_WAIT,
    }  # fmt: skip
    return [(channel, ChannelId(channel_id)) for channel, channel_id in connection.execute(_SQL.due_for_push, given)]


def renew(database: Database, hub: Hub, clock: Clock, settings: Settings, *, limit: int) -> RenewReport:
    """Request the subscriptions that are due, several at once. A refusal or an outage of the hub is reported, not raised.

    Args:
        database: has the channels.
        hub: is asked.
        clock: the present instant.
        settings: have the callback address and the secret.
        limit: the most subscriptions.

    Returns:
        What was requested.

    Raises:
        ConfigurationError: push is not set up.
    """
    callbacks = callbacks_of(settings)
    now = clock.now()
    mend(database, now)
    with database.transaction() as connection:
        lock_discovery(connection)
        channels = due(connection, now, limit)
        connection.execute(_SQL.asking, {"now": now, "channels": [channel for channel, _ in channels]})
    left = dict(channels)
    unanswered: list[int] = []

    def ask(question: tuple[int, ChannelId]) -> None:
        channel, channel_id = question
        del left[channel]
        try:
            hub.subscribe(channel_id, callbacks.address(channel_id), callbacks.secret(channel_id), int(LEASE.total_seconds()))
        except (BadRequest, ResourceMissing):
            # The hub's answer about this channel. Any other error is about the hub alone.
            raise
        except ApiError:
            unanswered.append(channel)
            raise

    try:
        _, errors = ask_all(ask, channels, threads=settings.youtube.parallel_calls, within_s=_ROUND_S)
    finally:
        with database.transaction() as connection:
            lock_discovery(connection)
            connection.execute(_SQL.not_asked, {"now": now, "channels": list(left)})
            connection.execute(_SQL.unanswered, {"now": now, "channels": unanswered})
            state = connection.execute(_SQL.push_state, {"now": now}).fetchone()
    live, followed = state or (0, 0)
    return RenewReport(
        requested=len(channels) - len(left), refused=len(errors), live=live, followed=followed,
        error=str(errors[0]) if errors else None,
    )  # fmt: skip
