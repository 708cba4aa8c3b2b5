"""Requests that a server refuses before its application sees them: a wrong host name, another site's page.

Dagster's webserver answers any Host and runs a mutation that arrives by plain GET (measured with 1.13.27), so any page open in
the same browser could launch runs on 127.0.0.1. Starting runs is the purpose of the UI, so read-only mode is no answer; this
middleware is. Belongs here: that decision. Does not belong here: serving (serve.py), logins (put a proxy before it).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Names of this machine that no DNS answer can move elsewhere. The port is free, so that an SSH tunnel may use another one.
_LOOPBACK = re.compile(r"\A(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?\Z", re.IGNORECASE)
_GRAPHQL = "/graphql"


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """The answer to a request that is refused."""

    status: int
    reason: str


def is_allowed_host(headers: Headers, names: Collection[str] = ()) -> bool:
    """True if a request has exactly one Host header, which names this machine by loopback or by one of `names`."""
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return False
    name = re.sub(r":\d{1,5}\Z", "", hosts[0]).lower()
    return bool(_LOOPBACK.match(hosts[0])) or name in {allowed.lower() for allowed in names}


class HostGuard:
    """ASGI middleware that refuses requests for other host names: a page whose name was moved to this machine by DNS."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 to a request for another name; pass on all other requests."""
        if scope["type"] != "http" or is_allowed_host(Headers(scope=scope), self._names):
            await self._app(scope, receive, send)
        else:
            answer = PlainTextResponse("this server does not answer to this host name\n", status_code=421)
            await answer(scope, receive, send)


def judge(scope: Scope) -> RefusedRequest | None:
    """The refusal that a request (or the opening of a websocket) deserves, or None for one that may pass."""
    headers = Headers(scope=scope)
    if not is_allowed_host(headers):
        return RefusedRequest(421, "this server answers to localhost only")
    if _is_foreign(headers, headers["host"].lower(), reading=scope.get("method", "GET") in {"GET", "HEAD"}):
        return RefusedRequest(403, "requests from other sites are refused")
    if scope["type"] == "http" and scope["path"].rstrip("/") == _GRAPHQL:
        if scope["method"] != "POST":
            return RefusedRequest(405, "GraphQL is answered by POST only: a link must not be able to start a run")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return RefusedRequest(415, "GraphQL is read from application/json only: a form must not be able to start a run")
    return None


def _is_foreign(headers: Headers, host: str, *, reading: bool) -> bool:
    """True if the request comes from a page of another site. A browser without Origin still sends Sec-Fetch-Site."""
    if any(origin.lower() not in {f"http://{host}", f"https://{host}"} for origin in headers.getlist("origin")):
        return True
    return not reading and headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


class LoopbackOnly:
    """ASGI middleware that refuses the requests that `judge` refuses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request here; pass on all other requests."""
        refusal = judge(scope) if scope["type"] in {"http", "websocket"} else None
        if refusal is None:
            await self._app(scope, receive, _without_framing(send))
        elif scope["type"] == "websocket":
            # Closing before accepting makes the server answer the handshake with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})
        else:
            answer = PlainTextResponse(f"{refusal.reason}\n", status_code=refusal.status)
            await answer(scope, receive, send)


def _without_framing(send: Send) -> Send:
    """Add the header that keeps other pages from showing the UI in a frame and steering clicks into it."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            message["headers"] = [*message["headers"], (b"x-frame-options", b"DENY")]
        await send(message)

    return wrapped
