"""Serving an application over HTTP: a bound port, a host check, and a shutdown that is bounded in time.

Belongs here: sockets, threads and signals of a server. Does not belong here: which requests are refused (guard.py), how long a
connection may take (connections.py).
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from pleiades_core.errors import ConfigurationError
from pleiades_core.web.guard import HostGuard


class Server(uvicorn.Server):
    """A server that records which signal ended it, instead of raising the signal again."""

    ended_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, and begin to stop."""
        self.ended_by = sig
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM and SIGINT in the main thread while the server runs, and put the former handlers back."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def bind(host: str, port: int, *, program: str, cure: str) -> socket.socket:
    """Listen on an address: requests wait in its queue until a server takes them.

    Args:
        host: a name or an address of this machine.
        port: 0: any free one.
        program: names the server in the error.
        cure: what to do when the address cannot be used.

    Returns:
        The listening socket.

    Raises:
        ConfigurationError: the port is taken, or the address is not of this machine.

    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1_024)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"{program} cannot listen on {host}:{port}: {error}", cure=cure) from None


def base_url_of(bound: socket.socket) -> str:
    """The address of a listening socket, without a slash at the end."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_of(app: ASGIApp, *, names: Collection[str] | None, grace_s: int, **options: Any) -> Server:
    """A server for an application, with the settings that all our servers share.

    Args:
        app: answers the requests.
        names: host names that requests may address beside those of loopback; None: any name.
        grace_s: seconds that requests in flight may take after the server began to stop.
        options: further options of `uvicorn.Config`, such as `http` for a protocol class.

    Returns:
        The server, not started.

    """
    guarded = app if names is None else HostGuard(app, names)
    shared: dict[str, Any] = {
        "ws": "none", "lifespan": "off", "access_log": False, "log_level": "warning", "server_header": False,
        "timeout_graceful_shutdown": grace_s,
    }  # fmt: skip
    return Server(uvicorn.Config(guarded, **{**shared, **options}))


def serve_until_signal(server: Server, bound: socket.socket) -> int | None:
    """Serve in this thread until SIGTERM or SIGINT. Returns the number of the signal; None: the server ended by itself."""
    with bound:
        server.run(sockets=[bound])
    return server.ended_by


@contextlib.contextmanager
def serving(server: Server, bound: socket.socket, *, name: str) -> Iterator[threading.Event]:
    """Serve in a thread for the length of a block. At its end, requests in flight get their answer.

    Args:
        server: not started.
        bound: the listening socket; it is closed at the end.
        name: of the thread.

    Yields:
        An event that is set once the server has ended by itself, which it should not.

    """
    ended = threading.Event()

    def serve() -> None:
        try:
            server.run(sockets=[bound])
        finally:
            ended.set()

    thread = threading.Thread(target=serve, name=name)
    with bound:
        thread.start()
        try:
            yield ended
        finally:
            server.should_exit = True
            thread.join()
