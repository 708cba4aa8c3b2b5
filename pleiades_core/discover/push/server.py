"""The server of the push receiver, for the length of a block.

Does not belong here: sockets and threads (web/serve.py), how long a connection may take (web/connections.py), what is answered
(receiver.py), renewing leases (subscriptions.py).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from pleiades_core.clock import Clock
from pleiades_core.discover.push.callbacks import callbacks_of
from pleiades_core.discover.push.inbox_writer import NoticeWriter
from pleiades_core.discover.push.receiver import Receiver
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.web.connections import ConnectionLimits, protocol_of
from pleiades_core.web.serve import base_url_of, bind, server_of, serving

#: Seconds: longer than a notice waits for the database, so that stopping loses no answer.
_GRACE_S = 10
_LIMITS = ConnectionLimits()


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
    database: Database,
    clock: Clock,
    settings: Settings,
    *,
    inbox: NoticeWriter | None = None,
    limits: ConnectionLimits = _LIMITS,
) -> Iterator[Listener]:
    """Serve the receiver for the length of a block. At its end, requests in flight get their answer.

    Args:
        database: gets the notices.
        clock: says when they arrived.
        settings: address, public name and secret; port 0: any free one.
        inbox: writes the notices; None: one of its own.
        limits: bounds of the connections.

    Yields:
        The server that runs.

    Raises:
        ConfigurationError: push is not set up, or the port is taken.

    """
    receiver = Receiver(database, clock, callbacks_of(settings), inbox or NoticeWriter(database, clock))
    cure = "set PLEIADES_PUSH_HOST and PLEIADES_PUSH_PORT to an address of this machine and a port that is free"
    bound = bind(settings.push.host, settings.push.port, program="`pleiades push`", cure=cure)
    server = server_of(
        receiver,
        # A proxy passes the public name on, or replaces it with the receiver's own.
        names={urlsplit(settings.push.callback_url or "").hostname or "", settings.push.host},
        grace_s=_GRACE_S,
        http=protocol_of(limits),
        log_config=None,
        # Reached only if every connection within the limits waits for its answer: further connections get 503.
        limit_concurrency=limits.connections + 1,
        timeout_keep_alive=limits.idle_s,
        date_header=False,
        proxy_headers=False,
    )
    base_url = base_url_of(bound)
    with contextlib.closing(receiver), serving(server, bound, name="receiver") as ended:
        yield Listener(base_url, receiver, ended)
