"""The simulator as an ASGI application: HTTP in, the API's answers and the control endpoints out.

Belongs here: paths, headers, forms, ETags. Does not belong here: what the API answers (api.py), sockets (server.py).
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pleiades_core.simulator import error_bodies, replies
from pleiades_core.simulator.api import Api
from pleiades_core.simulator.config import SimulatorConfig, build_world
from pleiades_core.simulator.control import clock_for, control_routes
from pleiades_core.simulator.faults import FaultSwitch, spoilt
from pleiades_core.simulator.params import Params
from pleiades_core.simulator.quota import QuotaBook

_PATHS: dict[str, str] = {
    "/youtube/v3/search": "search.list",
    "/youtube/v3/videos": "videos.list",
    "/youtube/v3/videos:batchGetStats": "videos.batchGetStats",
    "/youtube/v3/channels": "channels.list",
    "/youtube/v3/playlistItems": "playlistItems.list",
    "/youtube/v3/videoCategories": "videoCategories.list",
}
_JSON = (b"content-type", b"application/json; charset=UTF-8")
_MOST_FORM_BYTES = 1 << 20


def build_app(config: SimulatorConfig) -> ASGIApp:
    """The whole simulator as an ASGI application."""
    world, start = build_world(config)
    clock, quota, faults = clock_for(start, config.rate), QuotaBook(config.keys), FaultSwitch()
    api = Api(world, quota, clock)
    control = Starlette(routes=control_routes(world, quota, clock, faults))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        status, body, more = await _answered(api, scope, receive)
        headers = [_JSON, (b"content-length", str(len(body)).encode()), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # API paths are looked up here, not in Starlette's router: its patterns and middleware cost a third of a call.
        if scope["type"] != "http" or not scope["path"].startswith("/youtube/"):
            await control(scope, receive, send)
            return
        fault = faults.next_for(_PATHS.get(scope["path"], "")) if faults.plan.faults else None
        if fault is None:
            await answer(scope, receive, send)
        else:
            await spoilt(answer, scope, receive, send, fault)

    return app


async def _answered(api: Api, scope: Scope, receive: Receive) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and further headers for one request to the API."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    form = b""
    verb = scope["method"]
    if verb == "POST" and headers.get(b"x-http-method-override", b"").upper() == b"GET":
        # google-api-python-client turns a GET whose address is longer than 2,048 characters into this.
        verb, form = "GET", await _form(scope, receive)
    method = _PATHS.get(scope["path"])
    if method is None or verb != "GET":
        refusal = error_bodies.no_such_method()
        return refusal.status, replies.encode(refusal.body), []
    params = Params(scope["query_string"], form)
    key = headers.get(b"x-goog-api-key", b"").decode("latin-1") or params.text("key")
    try:
        body = api.answer(method, params, key)
    except error_bodies.Refusal as refusal:
        return refusal.status, replies.encode(refusal.body), []
    tag = str(body.get("etag", "")).encode()
    if tag and headers.get(b"if-none-match", b"").strip(b'"') == tag:
        return 304, b"", [(b"etag", tag)]
    return 200, replies.encode(body), [(b"etag", tag)] if tag else []


async def _form(scope: Scope, receive: Receive) -> bytes:
    received = bytearray()
    try:
        async for chunk in Request(scope, receive).stream():
            received += chunk
            if len(received) > _MOST_FORM_BYTES:
                break
    except ClientDisconnect:
        pass
    return bytes(received)
