"""Slow and silent connections to the receiver of notices: each is closed, and none keeps the hub out."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.pushing import Caller, atom, caller_of, channel, follow, inbox, running, settings_of, video

from pleiades_core.clock import ManualClock
from pleiades_core.storage.postgres import Database
from pleiades_core.web.connections import ConnectionLimits

ONE = channel(1)
#: For what must not happen within a test.
NEVER_S = 3_600
#: After so long a test gives up waiting for a state.
TIMEOUT_S = 50
#: Beginnings of a request that are never finished.
BEGINNINGS = {
    "silence": b"",
    "no end of the headers": b"POST /x HTTP/1.1\r\nHost: localhost\r\n",
    "half a line": b"GET /hea",
    "blank lines": b"\r\n\r\n",
}
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connection_to(base_url: str) -> socket.socket:
    """A connection to the receiver."""
    parts = urlsplit(base_url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=TIMEOUT_S)


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes a connection."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return True


def answer(connection: socket.socket) -> bytes:
    """The status line of the next answer."""
    text = connection.recv(65_536)
    return text.split(b"\r\n")[0]


@contextlib.contextmanager
def half_sent(base_url: str, number: int) -> Iterator[list[socket.socket]]:
    """Connections whose requests have begun and do not end."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(connection_to(base_url)) for _ in range(number)]
        for each in opened:
            each.sendall(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: te")
        yield opened


@pytest.fixture
def followed(database: Database, clock: ManualClock) -> None:
    """A channel whose notices are taken."""
    follow(database, ONE, asked_at=clock.now())


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_request_that_does_not_come_to_an_end_is_closed(
    beginning: bytes, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    with running(database, clock, settings, ConnectionLimits(header_s=0.2, idle_s=NEVER_S)) as base_url:
        with connection_to(base_url) as slow:
            slow.sendall(beginning)
            assert is_closed(slow)
        # So is the second request of a connection whose first one was answered.
        with connection_to(base_url) as slow:
            slow.sendall(HEALTH)
            assert b"200" in answer(slow)
            slow.sendall(beginning or b"\r\n")
            assert is_closed(slow)


def test_an_idle_connection_is_closed(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    limits = ConnectionLimits(header_s=NEVER_S, idle_s=1)
    with running(database, clock, settings_of(tmp_path), limits) as base_url, connection_to(base_url) as idle:
        idle.sendall(HEALTH)
        assert b"200" in answer(idle)
        assert is_closed(idle)


def test_headers_without_end_are_cut_off(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    limits = ConnectionLimits(header_s=NEVER_S, idle_s=NEVER_S)
    with running(database, clock, settings_of(tmp_path), limits) as base_url, connection_to(base_url) as endless:
        endless.sendall(b"POST /x HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(1_000):
                endless.sendall(b"X-More: " + b"x" * 1_000 + b"\r\n")
        assert is_closed(endless)


@pytest.mark.usefixtures("followed")
def test_half_sent_requests_do_not_keep_the_hub_out(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """1,000 of them were held for ever, and every notice was answered 503."""
    settings = settings_of(tmp_path)
    limits = ConnectionLimits(connections=20, header_s=NEVER_S, idle_s=NEVER_S)
    with running(database, clock, settings, limits) as base_url, half_sent(base_url, 60) as slow:
        caller = caller_of(base_url, settings)
        for number in range(30):
            assert caller.notify(ONE, atom((video(number), ONE))) == 204
            assert caller.call("GET", "/healthz")[0] == 200
        # Those that waited longest made room.
        assert all(is_closed(each) for each in slow[:40])
    assert len(inbox(database)) == 30


@pytest.mark.usefixtures("followed")
def test_idle_connections_and_slow_bodies_make_room_too(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    limits = ConnectionLimits(connections=10, header_s=NEVER_S, idle_s=NEVER_S)
    with running(database, clock, settings, limits) as base_url, contextlib.ExitStack() as stack:
        caller: Caller = caller_of(base_url, settings)
        idle = [stack.enter_context(connection_to(base_url)) for _ in range(10)]
        for each in idle:
            each.sendall(HEALTH)
            assert b"200" in answer(each)
        slow = [stack.enter_context(connection_to(base_url)) for _ in range(10)]
        for each in slow:
            each.sendall(f"POST {caller.path(ONE)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n<".encode())
        assert all(is_closed(each) for each in idle)
        assert caller.notify(ONE, atom((video(1), ONE))) == 204
        assert is_closed(slow[0])
    assert len(inbox(database)) == 1
