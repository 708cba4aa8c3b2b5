"""The receiver on a socket: a thread that serves it for the length of a block.

Belongs here: sockets and threads. Does not belong here: how long a connection may take (connections.py), what is answered
(receiver.py), renewing leases (subscriptions.py).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from pleiades_core.clock import Clock
from pleiades_core.discover.push.callbacks import callbacks_of
from pleiades_core.discover.push.connections import Limits, protocol_of
from pleiades_core.discover.push.inbox_writer import NoticeWriter
from pleiades_core.discover.push.receiver import Receiver
from pleiades_core.errors import ConfigurationError
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database

#: Longer than a notice waits for the database, so that stopping loses no answer.
_GRACE_S = 10
_LIMITS = Limits()


class Listener:
    """A receiver that is being served."""

    def __init__(self, base_url: str, receiver: Receiver, ended: threading.Event) -> None:
        self.base_url = base_url
        self.receiver = receiver
        self._ended = ended

    def has_ended(self, within_s: float) -> bool:
        """Wait that long; True as soon as the server has ended by itself, which it should not."""
        return self._ended.wait(within_s)


@contextlib.contextmanager
def listening(
    database: Database, clock: Clock, settings: Settings, *, inbox: NoticeWriter | None = None, limits: Limits = _LIMITS
) -> Iterator[Listener]:
    """Serve the receiver at `push_host`:`push_port` (0: any free one) for the length of a block.

    Raises ConfigurationError when push is not set up or the port is taken. At the end, calls in flight get their answer.
    """
    receiver = Receiver(database, clock, callbacks_of(settings), inbox or NoticeWriter(database, clock))
    ended = threading.Event()
    with contextlib.closing(receiver), _bound(settings.push.host, settings.push.port) as bound:
        server = uvicorn.Server(
            uvicorn.Config(
                receiver,
                http=protocol_of(limits),
                loop="uvloop",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                # Reached only where every connection within the limits waits for its answer: more are answered 503.
                limit_concurrency=limits.connections + 1,
                timeout_keep_alive=limits.idle_s,
                timeout_graceful_shutdown=_GRACE_S,
                server_header=False,
                date_header=False,
                proxy_headers=False,
            )
        )

        def serve() -> None:
            try:
                server.run(sockets=[bound])
            finally:
                ended.set()

        thread = threading.Thread(target=serve, name="receiver")
        thread.start()
        host, port = bound.getsockname()[:2]
        try:
            yield Listener(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", receiver, ended)
        finally:
            server.should_exit = True
            thread.join()


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket: calls wait in its queue until the server takes them."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1_024)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"`pleiades push` cannot listen on {host}:{port}: {error}",
            cure="set PLEIADES_PUSH_HOST and PLEIADES_PUSH_PORT to an address of this machine and a port that is free",
        ) from None
