"""How long a connection may take to send a request, and which connection is dropped when there are too many.

Belongs here: time-outs and bounds of connections. Does not belong here: the socket (serve.py), what a request means
(discover/push/receiver.py, which also bounds the time and the bytes of a body).

uvicorn waits for ever for the headers of a request, and answers 503 to every new request while too many connections are open:
1,000 half-sent requests kept out every notice for as long as their sender liked. Here a request whose headers do not come in
time is closed, and beyond the bound the connection that has waited longest for a whole request makes room for a new one. The
hub sends a request within milliseconds, so it never waits longest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Many times what a hub or a proxy sends.
_MOST_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of the connections of one server."""

    #: Connections at once.
    connections: int = 1_000
    #: Seconds for the headers of a request, from the connection or from the request's first byte on.
    header_s: float = 10.0
    #: Seconds for which a connection stays open between two requests. Longer than the 60 s that proxies keep idle connections:
    #: they must be the ones to close them.
    idle_s: int = 75


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a server with limits; `protocol_of` makes the class for one server."""

    limits: ClassVar[ConnectionLimits]
    #: Connections whose request is not whole yet, those that wait longest first.
    unfinished: ClassVar[dict[BoundedProtocol, None]]

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._header_timeout: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        #: Whether the next bytes belong to the headers of a request.
        self._in_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """A new connection: its headers are awaited, and an older connection may be dropped."""
        super().connection_made(transport)
        if self.unfinished and len(self.connections) > self.limits.connections:
            next(iter(self.unfinished)).drop()
        self.unfinished[self] = None
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by either side."""
        self._forget_headers()
        self.unfinished.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._in_headers:
            self._header_bytes += len(data)
            self._await_headers()
        super().data_received(data)
        if self._in_headers and self._header_bytes > _MOST_HEADER_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The headers came in time."""
        self._in_headers = False
        self._forget_headers()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request came: the connection waits for us now."""
        self.unfinished.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The request is answered: the connection is idle, or sends the next request."""
        self._in_headers, self._header_bytes = True, 0
        self.unfinished.pop(self, None)
        if not self.pipeline:
            # Behind all connections that wait.
            self.unfinished[self] = None
        super().on_response_complete()

    def drop(self) -> None:
        """Close at once, to make room."""
        self.unfinished.pop(self, None)
        self.connections.discard(self)
        self.transport.abort()

    def _await_headers(self) -> None:
        if self._header_timeout is None:
            self._header_timeout = self.loop.call_later(self.limits.header_s, self.transport.close)

    def _forget_headers(self) -> None:
        if self._header_timeout is not None:
            self._header_timeout.cancel()
            self._header_timeout = None


def protocol_of(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """The protocol of one server."""
    return type("_BoundedProtocol", (BoundedProtocol,), {"limits": limits, "unfinished": {}})
