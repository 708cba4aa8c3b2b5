"""A client of one address that sends no key: for feeds and the hub.

Belongs here: the pool of connections, and the meaning of a status other than success. Does not belong here: the API (client.py,
whose calls carry keys), the requests themselves (feeds.py, hub.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import SecretBytes

from pleiades_core.errors import ApiError, BackendError, BadReply, BadRequest, RateLimited, ResourceMissing
from pleiades_core.youtube.api_errors import retry_after_s
from pleiades_core.youtube.connection import USER_AGENT, HttpConnection, Origin, Reply, tls_context
from pleiades_core.youtube.connection_pool import ConnectionPool

_FIRST_REDIRECT, _FIRST_REFUSAL, _FIRST_FAILURE = 300, 400, 500
_MISSING, _GONE, _TIMEOUT, _TOO_MANY = 404, 410, 408, 429


class KeylessClient:
    """Requests to one base address. Safe to share between threads: each request has a connection to itself.

    `setting` is the variable that holds the address, for messages. `deadline_s` covers a whole request, connecting included.
    """

    def __init__(self, base_url: str, deadline_s: float, *, max_body_bytes: int, setting: str) -> None:
        self._origin = Origin.of(base_url, setting)
        self._prefix = urlsplit(base_url).path.rstrip("/")
        context = tls_context() if self._origin.scheme == "https" else None
        self._pool = ConnectionPool(
            lambda: HttpConnection(self._origin, deadline_s=deadline_s, max_body_bytes=max_body_bytes, context=context),
            HttpConnection.close,
        )

    def request(self, method: str, path: str, headers: Mapping[str, str], body: SecretBytes | None = None) -> Reply:
        """Send one request once.

        Args:
            method: of HTTP.
            path: with the query.
            headers: of the request.
            body: of the request, which may be a secret.

        Returns:
            The reply, whatever its status.

        Raises:
            BackendError: no whole answer came.
            BadReply: the answer is no HTTP, or is too large. No error has the address, a header or the body in it.
        """
        with self._pool.borrow() as connection:
            outcome = connection.exchange(
                method,
                self._prefix + path,
                {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers},
                body.get_secret_value() if body else None,
            )
        if isinstance(outcome, ApiError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Close every idle connection; those in use close when their request ends."""
        self._pool.close()


def refusal(server: str, setting: str, reply: Reply, now: datetime) -> ApiError:
    """The error for a status other than success.

    Args:
        server: names the server in the message.
        setting: the variable that holds the server's address.
        reply: the reply.
        now: aware instant.

    Returns:
        The error.
    """
    status, message = reply.status, f"{server} answered {reply.status}"
    wait_s = retry_after_s(reply.headers.get("retry-after"), now)
    if status >= _FIRST_FAILURE or status == _TIMEOUT:
        return BackendError(message, retry_after=wait_s, status=status)
    if status == _TOO_MANY:
        return RateLimited(message, retry_after=wait_s, status=status)
    if status in {_MISSING, _GONE}:
        return ResourceMissing(message, cure="it was removed, or the service has an outage: ask again later", status=status)
    if status < _FIRST_REFUSAL:
        word = "a redirect" if status >= _FIRST_REDIRECT else "no success that is known here"
        return BadReply(f"{message}, {word}, which is not followed", cure=f"check {setting}", status=status)
    return BadRequest(message, cure=f"check {setting}", status=status)
