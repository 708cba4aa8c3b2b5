"""A push round and a hunt at once: both write many channels, and no lock makes them wait for each other for ever."""

from __future__ import annotations

import socket
import threading
import time
import urllib.parse
from contextlib import closing
from pathlib import Path

import psycopg
from support.loopback import reply, serve
from support.pushing import channel, follow, settings_of

from pleiades_core.clock import ManualClock
from pleiades_core.discover.push.subscriptions import renew
from pleiades_core.models import ChannelId
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.hub import Hub

_TOUCH = "update channels set feed_failures = feed_failures + 1 where channel_id = %s"


def _somebody_waits_for_a_lock(database: Database) -> bool:
    with database.transaction() as connection:
        return bool(
            connection.execute(
                "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchall()
        )


def test_a_renewal_and_a_hunter_never_deadlock(tmp_path: Path, database: Database, clock: ManualClock) -> None:
    """The hunter holds a channel that the hub failed for, then wants one whose turn did not come: a round's end writes both."""
    follow(database, *map(channel, range(60)))
    asked, held = threading.Event(), threading.Event()
    first: list[ChannelId] = []
    troubles: list[psycopg.Error] = []

    def refuse(connection: socket.socket) -> bool:
        if not first:
            form = urllib.parse.parse_qs(server.requests[-1].partition(b"\r\n\r\n")[2].decode())
            first.append(ChannelId(form["hub.topic"][0][-24:]))
            asked.set()
            assert held.wait(20)
        return reply(503)(connection)

    def hunter() -> None:
        assert asked.wait(20)
        try:
            with database.transaction() as transaction:
                lock_discovery(transaction)
                transaction.execute(_TOUCH, [first[0]])
                held.set()
                deadline = time.monotonic() + 20
                while not _somebody_waits_for_a_lock(database):
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                transaction.execute(_TOUCH, [next(one for one in map(channel, range(59, -1, -1)) if one != first[0])])
        except psycopg.Error as error:
            troubles.append(error)

    with serve(refuse) as server, closing(Hub(server.base_url, 30.0)) as hub:
        thread = threading.Thread(target=hunter)
        thread.start()
        settings = settings_of(tmp_path, parallel_calls=1, hub_url=server.base_url)
        report = renew(database, hub, clock, settings, limit=60)
        thread.join()
    assert troubles == []
    assert report.error
    assert report.requested < 60, "some must be left for the next round"
