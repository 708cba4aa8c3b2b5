"""Calls of YouTube's methods: google-api-python-client builds them, an `HttpConnection` sends them.

Belongs here: the discovery document's methods, the request headers, the pool of connections. Does not belong here: the meaning
of the reply (parse.py), quota, which key to use, trying again.

googleapiclient knows every method's path and parameters from the document that it ships. Its own way of sending is left out
through the `requestBuilder` that `build` takes: `execute` follows redirects with the key in hand, retries unseen, and raises
errors whose text is the URL.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import googleapiclient.discovery
from googleapiclient.http import MAX_URI_LENGTH
from pydantic import SecretStr

from pleiades_core.errors import ApiError, BadRequest
from pleiades_core.youtube.connection import USER_AGENT, HttpConnection, Origin, Reply, tls_context
from pleiades_core.youtube.connection_pool import ConnectionPool
from pleiades_core.youtube.quota import BUCKET_OF_METHOD

log = logging.getLogger(__name__)

#: The largest reply that a method may send: parsed JSON takes up to 30 times its bytes of memory. 50 rows of videos.list with
#: titles and descriptions as long as YouTube allows, each twice (`localized`), of characters that JSON writes with six, are
#: 3.1 MB; such rows of playlistItems.list with snippets are 1.6 MB, 50 rows of any other method below 0.5 MB.
_MOST_BYTES: Mapping[str, int] = {"videos.list": 4 * 1024 * 1024, "playlistItems.list": 2 * 1024 * 1024}
_MOST_BYTES_OF_OTHERS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that googleapiclient built from a method and its parameters: path and query, without host and key."""

    verb: str
    uri: str


class _Caller:
    """googleapiclient's service with its methods ready to call, and the connection that only it uses.

    The methods are looked up once: each `service.videos()` builds a class's worth of methods anew, which costs more than the
    whole call otherwise does.
    """

    def __init__(self, base_url: str, connection: HttpConnection) -> None:
        self.connection = connection
        service = googleapiclient.discovery.build(
            "youtube",
            "v3",
            # Any object will do: requests are only built here. Without one, build would look for Google credentials.
            http=connection,
            requestBuilder=_built,
            client_options={"api_endpoint": f"{base_url}/"},
            static_discovery=True,
            cache_discovery=False,
        )
        self.methods: dict[str, Callable[..., _Request]] = {}
        for name in BUCKET_OF_METHOD:
            resource, method = name.split(".")
            self.methods[name] = getattr(getattr(service, resource)(), method)


class Transport:
    """Sends calls to one address. Safe to use from any number of threads: each call has a connection to itself.

    `deadline_s` covers a whole call, connecting included. Callers are kept for the next call and not tied to threads, so
    short-lived threads profit from open connections too; what must never happen is two calls in one service at a time
    (a shared one returned 32 wrong bodies of 480 when tried).
    """

    def __init__(self, base_url: str, deadline_s: float, max_body_bytes: int = 8 * 1024 * 1024) -> None:
        self._base_url = base_url.rstrip("/")
        self._origin = Origin.of(self._base_url)
        self._root = f"{self._origin.scheme}://"
        self._deadline_s = deadline_s
        self._max_body_bytes = max_body_bytes
        if self._origin.scheme == "http" and self._origin.host not in {"127.0.0.1", "::1", "localhost"}:
            log.warning("API keys travel unencrypted to %s: fine for a simulator's keys, not for real ones", self._origin.host)
        self._context = tls_context() if self._origin.scheme == "https" else None
        self._pool = ConnectionPool(self._caller, lambda caller: caller.connection.close())

    def send(self, method_name: str, params: Mapping[str, Any], key: SecretStr) -> Reply:
        """Call a method once. Redirects are not followed.

        Args:
            method_name: such as `videos.batchGetStats`.
            params: parameters of the method.
            key: the API key.

        Returns:
            The reply, whatever its status.

        Raises:
            BackendError: no whole answer came.
            BadReply: the answer is no HTTP, or is too large.
            BadRequest: the method or a parameter does not exist. No error has the address, a header or the key in it.
        """
        with self._pool.borrow() as caller:
            outcome = self._attempt(caller, method_name, params, key)
        if isinstance(outcome, ApiError):
            # Raised here, not where it happened: a traceback keeps the variables of its frames, and those below hold the key.
            raise outcome
        return outcome

    def close(self) -> None:
        """Close every idle connection; those in use close when their call ends."""
        self._pool.close()

    def _attempt(self, caller: _Caller, method_name: str, params: Mapping[str, Any], key: SecretStr) -> Reply | ApiError:
        request = _prepare(caller, method_name, params)
        if isinstance(request, ApiError):
            return request
        secret = key.get_secret_value()
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
            "X-Goog-Api-Key": secret,
        }
        verb, target, body = request.verb, "/" + request.uri.removeprefix(self._root).partition("/")[2], None
        if len(request.uri) > MAX_URI_LENGTH:
            # The documented way for a long query, and what googleapiclient itself does.
            target, _, query = target.partition("?")
            verb, body = "POST", query.encode("ascii")
            headers |= {"X-HTTP-Method-Override": request.verb, "Content-Type": "application/x-www-form-urlencoded"}
        most_bytes = _MOST_BYTES.get(method_name, _MOST_BYTES_OF_OTHERS)
        reply = caller.connection.exchange(verb, target, headers, body, most_bytes=most_bytes)
        if isinstance(reply, Reply) and secret.encode() in reply.body:
            # A server may echo the request. Replies are logged and quarantined, so they must not hold the key.
            return Reply(status=reply.status, headers=reply.headers, body=reply.body.replace(secret.encode(), b"[key]"))
        return reply

    def _caller(self) -> _Caller:
        connection = HttpConnection(
            self._origin, deadline_s=self._deadline_s, max_body_bytes=self._max_body_bytes, context=self._context
        )
        return _Caller(self._base_url, connection)


def _built(_http: object, _postproc: object, uri: str, **request: Any) -> _Request:
    """The hook of googleapiclient for building a request: keep its parts, send nothing."""
    return _Request(request.get("method", "GET"), uri)


def _prepare(caller: _Caller, method_name: str, params: Mapping[str, Any]) -> _Request | ApiError:
    try:
        return caller.methods[method_name](**params)
    except KeyError:
        return BadRequest(f"Pleiades does not call {method_name}", sent=False)
    except (TypeError, ValueError) as error:
        # TypeError: no such parameter. ValueError: a lone surrogate in a search term, which has no UTF-8.
        reason = f"{method_name} cannot be called like this: {type(error).__name__}"
        return BadRequest(reason, cure="check the search terms", sent=False)
