"""The simulator as an ASGI application: HTTP in, the API's answers, feeds, the hub and the control endpoints out.

Belongs here: paths, headers, forms, ETags. Does not belong here: what the API answers (simulator/api/methods.py), sockets
(server.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pleiades_core.simulator.api import error_bodies, replies
from pleiades_core.simulator.api.methods import Api
from pleiades_core.simulator.api.params import Params
from pleiades_core.simulator.api.quota import QuotaBook
from pleiades_core.simulator.clocks import clock_for
from pleiades_core.simulator.config import SimulatorConfig, build_world
from pleiades_core.simulator.endpoints import Endpoints
from pleiades_core.simulator.faults.fault import FaultSwitch
from pleiades_core.simulator.faults.spoiling import spoilt
from pleiades_core.simulator.feeds import atom
from pleiades_core.simulator.feeds.delivery import Courier
from pleiades_core.simulator.feeds.feeds import SimulatedFeeds
from pleiades_core.simulator.feeds.hub import SimulatedHub, Unacceptable
from pleiades_core.simulator.world.chance import Chance

_METHODS: dict[str, str] = {
    "/youtube/v3/search": "search.list",
    "/youtube/v3/videos": "videos.list",
    "/youtube/v3/videos:batchGetStats": "videos.batchGetStats",
    "/youtube/v3/channels": "channels.list",
    "/youtube/v3/playlistItems": "playlistItems.list",
    "/youtube/v3/videoCategories": "videoCategories.list",
}
#: Feeds and hub, under the names that a fault plan has for them.
FEEDS, SUBSCRIBE = "feeds", "hub.subscribe"
_PLAIN: dict[str, str] = {"/feeds/videos.xml": FEEDS, "/xml/feeds/videos.xml": FEEDS, "/subscribe": SUBSCRIBE, "/": SUBSCRIBE}
_MOST_FORM_BYTES = 1 << 20
#: Shorter replies are not worth compressing.
_SHORTEST_GZIP_BYTES = 1_024
_GZIP = zlib.MAX_WBITS | 16
#: Real seconds between deliveries of a hub whose clock runs by itself.
_DELIVER_EVERY_S = 1.0

_Headers = list[tuple[bytes, bytes]]
_Answer = tuple[int, bytes, _Headers]


def build_app(config: SimulatorConfig) -> ASGIApp:
    """The whole simulator as an ASGI application."""
    world, start = build_world(config)
    clock, faults, chance = clock_for(start, config.rate), FaultSwitch(), Chance(config.seed)
    quota = QuotaBook(config.keys, calls_per_minute=config.calls_per_minute)
    hub = SimulatedHub(world, config.hub, chance, start)
    parts = Endpoints(
        world=world, quota=quota, clock=clock, faults=faults, hub=hub, courier=Courier(hub, world, clock),
        feeds=SimulatedFeeds(world, chance, config.feed_lag_s),
    )  # fmt: skip
    control = Starlette(routes=parts.routes())
    front = _Front(parts, Api(world, quota, clock), compress=config.compress, runs=config.rate > 0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # API paths are looked up here, not in Starlette's router: its patterns and middleware cost a third of a call.
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path.startswith("/youtube/") or path in _PLAIN):
            await control(scope, receive, send)
            return
        method = _METHODS.get(path) or _PLAIN.get(path, "")
        fault = faults.next_for(method, clock.now()) if faults.plan.faults else None
        if fault is None:
            await front(scope, receive, send)
        else:
            # A subscriber that gets an error must not be called back. Calls of the API count even if their reply is spoilt.
            answering = _nobody if method == SUBSCRIBE and (fault.status or fault.error) else front
            await spoilt(answering, scope, receive, send, fault, method)

    return app


@dataclass(slots=True)
class _Front:
    """Answers API, feeds and hub over one simulator's parts."""

    parts: Endpoints
    api: Api
    compress: bool
    #: True if the clock runs by itself, so that the hub has to deliver by itself.
    runs: bool
    _deliveries: asyncio.Task[None] | None = field(default=None, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = _PLAIN.get(scope["path"])
        if kind == FEEDS:
            status, body, headers = self._feed(scope)
        elif kind == SUBSCRIBE:
            status, body, headers = await self._subscribe(scope, receive)
        else:
            status, body, headers = await self._call(scope, receive)
            if self.compress and len(body) >= _SHORTEST_GZIP_BYTES and _takes_gzip(scope):
                packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
                body = packer.compress(body) + packer.flush()
                headers = [*headers, (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _call(self, scope: Scope, receive: Receive) -> _Answer:
        """One request to the API."""
        sent: dict[bytes, bytes] = dict(scope["headers"])
        form, verb = b"", scope["method"]
        if verb == "POST" and sent.get(b"x-http-method-override", b"").upper() == b"GET":
            # google-api-python-client sends a GET with more than 2,048 characters as such a POST.
            verb, form = "GET", await _form(scope, receive)
        method = _METHODS.get(scope["path"])
        params = Params(scope["query_string"], form)
        try:
            if method is None or verb != "GET":
                raise error_bodies.no_such_method()
            body = self.api.answer(method, params, self._key(sent, params))
        except error_bodies.Refusal as refusal:
            return refusal.status, replies.encode(refusal.body), [replies.JSON]
        tag = str(body.get("etag", "")).encode()
        if tag and sent.get(b"if-none-match", b"").strip(b'"') == tag:
            return 304, b"", [replies.JSON, (b"etag", tag)]
        return 200, replies.encode(body), [replies.JSON, (b"etag", tag)] if tag else [replies.JSON]

    def _key(self, sent: dict[bytes, bytes], params: Params) -> str | None:
        """The key, from header or query. Users' tokens are not simulated: a key's text stands for a token of its project."""
        key = sent.get(b"x-goog-api-key", b"").decode("latin-1") or params.text("key")
        scheme, _, token = sent.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return key
        if not self.parts.quota.knows(token):
            raise error_bodies.token_invalid()
        return key or token

    def _feed(self, scope: Scope) -> _Answer:
        found = self.parts.feeds.answer(scope["query_string"], self.parts.clock.now()) if scope["method"] == "GET" else None
        if found is None:
            return 404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", [(b"content-type", b"text/html")]
        return 200, found, [(b"content-type", atom.CONTENT_TYPE.encode()), (b"cache-control", b"public, max-age=900")]

    async def _subscribe(self, scope: Scope, receive: Receive) -> _Answer:
        plain = [(b"content-type", b"text/plain; charset=utf-8")]
        if scope["method"] != "POST":
            return 405, b"Use POST", plain
        form = (await _form(scope, receive)).decode("ascii", "replace")
        if self.runs and self._deliveries is None:
            self._deliveries = asyncio.get_running_loop().create_task(self._deliver_for_ever())
        try:
            request = self.parts.hub.ask(dict(parse_qsl(form, keep_blank_values=True)), self.parts.clock.now())
        except Unacceptable as error:
            return 400, str(error).encode(), plain
        if not request.at_once:
            return 202, b"", plain
        echoed = await self.parts.courier.verify(request)
        return (204, b"", []) if echoed else (409, b"The callback did not confirm the request", plain)

    async def _deliver_for_ever(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(_DELIVER_EVERY_S)
                await self.parts.courier.deliver()


async def _nobody(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer 503 and do nothing."""
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _takes_gzip(scope: Scope) -> bool:
    """True if both headers are there that YouTube needs: developers.google.com/youtube/v3/getting-started#gzip (2026-11-22)."""
    sent: dict[bytes, bytes] = dict(scope["headers"])
    return b"gzip" in sent.get(b"accept-encoding", b"") and b"gzip" in sent.get(b"user-agent", b"")


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
