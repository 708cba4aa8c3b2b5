"""The hub's calls to its subscribers: verifications, and notices over connections that stay open.

Belongs here: HTTP from the simulator to loopback. Does not belong here: which notices are due (hub.py). It uses asyncio streams
and a small reader for replies: the benchmark has 100,000 notices delivered, and a client library would cost more than all the
rest.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from pleiades_core.clock import Clock
from pleiades_core.simulator.feeds import atom
from pleiades_core.simulator.feeds.hub import Request, SimulatedHub, SimulatedNotice
from pleiades_core.simulator.world.base import World

#: The hub that YouTube's feeds and notices name. developers.google.com/youtube/v3/guides/push_notifications (read 2026-11-22)
HUB = "https://pubsubhubbub.appspot.com"
#: The name that Google's hub sends.
_USER_AGENT = "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)"
_MOST_BODY_BYTES = 1 << 16
_ACCEPTED = range(200, 300)
_WITHOUT_BODY = frozenset({204, 304})


class Courier:
    """Sends the verifications and notices of a hub. One event loop only."""

    def __init__(self, hub: SimulatedHub, world: World, clock: Clock) -> None:
        self._hub = hub
        self._world = world
        self._clock = clock
        self._busy = asyncio.Lock()

    async def deliver(self) -> dict[str, int]:
        """Verify waiting requests and send due notices. Returns how many of each, and how many are not due yet."""
        async with self._busy:
            before = self._hub.counted.copy()
            await self._work(list(self._hub.waiting.values()))
            now = self._clock.now()
            self._hub.schedule(now)
            await self._work(self._hub.due(now))
            names = ("verified", "unverified", "delivered", "failed", "dropped", "lost")
            done = {name: self._hub.counted[name] - before[name] for name in names}
            return done | {"pending": self._hub.state(now)["pending"]}

    async def verify(self, request: Request, caller: Caller | None = None) -> bool:
        """Verify a request at the subscriber. Returns True if the challenge was echoed."""
        if self._hub.never_verifies(request):
            self._hub.settle(request, echoed=False)
            return False
        challenge = self._hub.challenge(request)
        query = {"hub.mode": "subscribe" if request.subscribe else "unsubscribe", "hub.topic": request.address.topic}
        query |= {"hub.challenge": challenge, "hub.lease_seconds": str(request.lease_s)}
        if request.verify_token is not None:
            query["hub.verify_token"] = request.verify_token
        used = caller or Caller(self._hub.behaviour.answer_timeout_s)
        status, body = await used.call("GET", request.address.callback, urlencode(query))
        if caller is None:
            used.close()
        echoed = status in _ACCEPTED and body.strip() == challenge.encode()
        self._hub.settle(request, echoed=echoed)
        return echoed

    async def _work(self, items: list[Request] | list[SimulatedNotice]) -> None:
        """Send items in their order, several at a time, each worker over connections of its own."""
        left: deque[Request | SimulatedNotice] = deque(items)

        async def worker() -> None:
            caller = Caller(self._hub.behaviour.answer_timeout_s)
            try:
                while left:
                    item = left.popleft()
                    if isinstance(item, Request):
                        await self.verify(item, caller)
                    else:
                        await self._send(item, caller)
            finally:
                caller.close()

        await asyncio.gather(*(worker() for _ in range(min(self._hub.behaviour.connections, len(left)))))

    async def _send(self, notice: SimulatedNotice, caller: Caller) -> None:
        at = datetime.fromtimestamp(notice.due_s, UTC)
        if notice.kind == "published":
            body = atom.notice(self._world.text(notice.video_id), notice.address.topic, HUB, at)
        else:
            channel = self._world.channel_text(notice.channel_id)
            assert channel is not None  # noqa: S101  it had a video
            body = atom.tombstone(notice.video_id, channel, datetime.fromtimestamp(notice.happened_s, UTC))
        headers = f"Content-Type: {atom.NOTICE_TYPE}\r\nLink: <{HUB}/>; rel=hub, <{notice.address.topic}>; rel=self\r\n"
        secret = self._hub.secret_of(notice.address)
        if secret:
            headers += f"X-Hub-Signature: sha1={hmac.digest(secret, body, 'sha1').hex()}\r\n"
        status, _ = await caller.call("POST", notice.address.callback, headers=headers, body=body)
        self._hub.answered(notice, accepted=status in _ACCEPTED, now=self._clock.now())


class _Line(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Caller:
    """Makes one call at a time, and keeps a connection to each origin for the next."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lines: dict[str, _Line] = {}

    async def call(self, verb: str, url: str, query: str = "", headers: str = "", body: bytes = b"") -> tuple[int, bytes]:
        """Make one call. Redirects are answers like any other.

        Args:
            verb: of HTTP.
            url: of the subscriber.
            query: is added to the URL.
            headers: lines of the request.
            body: of the request.

        Returns:
            Status and body of the answer; status 0 if none came in time.
        """
        parts = urlsplit(url)
        target = (parts.path or "/") + "?" * bool(parts.query or query) + "&".join(filter(None, (parts.query, query)))
        head = f"{verb} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {_USER_AGENT}\r\nAccept: */*\r\n{headers}"
        if verb == "POST":
            head += f"Content-Length: {len(body)}\r\n"
        request = f"{head}\r\n".encode("latin-1") + body
        kept = parts.netloc in self._lines
        try:
            async with asyncio.timeout(self._timeout_s):
                try:
                    return await self._exchange(parts.netloc, request)
                except (ConnectionError, EOFError):
                    # The subscriber may have closed an idle connection.
                    if not kept:
                        raise
                    self._drop(parts.netloc)
                    return await self._exchange(parts.netloc, request)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            self._drop(parts.netloc)
            return 0, b""

    def close(self) -> None:
        """Close every connection."""
        for origin in list(self._lines):
            self._drop(origin)

    def _drop(self, origin: str) -> None:
        line = self._lines.pop(origin, None)
        if line is not None:
            line.writer.close()

    async def _exchange(self, origin: str, request: bytes) -> tuple[int, bytes]:
        line = self._lines.get(origin)
        if line is None:
            parts = urlsplit(f"//{origin}")
            line = self._lines[origin] = _Line(*await asyncio.open_connection(parts.hostname, parts.port or 80))
        line.writer.write(request)
        status, fields = _head(await line.reader.readuntil(b"\r\n\r\n"))
        whole, body = True, b""
        if status not in _WITHOUT_BODY:
            whole, body = await _body(line.reader, fields)
        if not whole or fields.get(b"connection", b"").lower() == b"close":
            self._drop(origin)
        return status, body


def _head(raw: bytes) -> tuple[int, dict[bytes, bytes]]:
    """Status and header fields, with lower-case names. Raises ValueError if it is no HTTP/1.1."""
    first, *lines = raw[:-4].split(b"\r\n")
    version, status, *_ = first.split(b" ", 2)
    if version != b"HTTP/1.1":
        raise ValueError("not HTTP/1.1")
    fields = (line.partition(b":") for line in lines)
    return int(status), {name.lower(): value.strip() for name, _, value in fields}


async def _body(reader: asyncio.StreamReader, fields: dict[bytes, bytes]) -> tuple[bool, bytes]:
    """True if the connection can be used again; and the body. Raises ValueError if the body is too long."""
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        parts: list[bytes] = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            if size > _MOST_BODY_BYTES or len(parts) > _MOST_BODY_BYTES:
                raise ValueError("too long")
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readuntil(b"\r\n")
        return True, b"".join(parts)
    if b"content-length" not in fields:
        return False, await reader.read(_MOST_BODY_BYTES)
    length = int(fields[b"content-length"])
    if not 0 <= length <= _MOST_BODY_BYTES:
        raise ValueError("too long")
    return True, await reader.readexactly(length)
