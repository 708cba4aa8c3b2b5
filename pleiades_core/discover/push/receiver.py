"""Receiver of the hub's calls (WebSub): confirms subscriptions that we requested, takes notices that the hub signed.

Belongs here: HTTP, and which call is believed. Does not belong here: requesting subscriptions (subscriptions.py), making
notices durable (inbox_writer.py), sockets (server.py).

    GET  /CHANNEL/TOKEN    the hub verifies a subscription, or says that it is denied
    POST /CHANNEL[/TOKEN]  a notice: 204 when it is durable, and also when it is ignored; 503: send it again
    GET  /healthz          counts as JSON; 503 while notices cannot be kept

Every machine may call, so only the token in the address (callbacks.py) and the signature are believed. A notice with a wrong
signature gets the answer of a good one (www.w3.org/TR/websub/#signature-validation), so that a forger learns nothing.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl

import orjson
import psycopg
from starlette.types import Receive, Scope, Send

from pleiades_core.clock import Clock
from pleiades_core.discover.push.callbacks import Callbacks
from pleiades_core.discover.push.inbox_writer import DATABASE_WAIT_S, Notice, NoticeWriter, NotKept
from pleiades_core.discover.push.subscriptions import LEASE
from pleiades_core.errors import ApiError, PleiadesError
from pleiades_core.models import ChannelId
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode
from pleiades_core.youtube.atom import parse_feed
from pleiades_core.youtube.hub import LONGEST_LEASE, channel_of_topic, signature_is_valid

_SQL = load_queries("push")

#: A notice has one entry, about 1 kB; a hub may put several entries into one notice.
_MOST_BODY_BYTES = 256 * 1024
#: Seconds for the whole body: a slow sender holds a connection no longer.
_BODY_S = 10.0
#: Hubs verify at once or within hours; a later verification is refused.
_VERIFIED_WITHIN = timedelta(days=1)
_MOST_CHALLENGE = 2_048
_MOST_FIELDS = 20


class HttpReply(NamedTuple):
    """The answer to a call."""

    status: int
    body: bytes = b""
    kind: bytes = b"text/plain; charset=utf-8"
    headers: tuple[tuple[bytes, bytes], ...] = ()


_NOT_FOUND = HttpReply(404, b"not found\n")
_DONE = HttpReply(204)
_LATER = HttpReply(503, b"try again\n", headers=((b"retry-after", b"60"),))
#: The rest of the body is not read, so the connection is of no further use.
_TOO_LARGE = HttpReply(413, b"too large\n", headers=((b"connection", b"close"),))
_TOO_SLOW = HttpReply(408, b"too slow\n", headers=((b"connection", b"close"),))
_WRONG_METHOD = HttpReply(405, b"GET or POST\n", headers=((b"allow", b"GET, POST"),))


@dataclass(slots=True)
class ReceiverCounts:
    """Calls since the start, by their result."""

    verified: int = 0
    #: Verifications of subscriptions that we did not request.
    unasked: int = 0
    denied: int = 0
    notices: int = 0
    #: Without a signature, or with a wrong one.
    forged: int = 0
    unreadable: int = 0
    #: Entries of another channel than the one that was subscribed to.
    foreign: int = 0
    #: Refused with 503: no database, no room.
    refused: int = 0
    too_large: int = 0


class Receiver:
    """The receiver as an ASGI application; `close` it afterwards."""

    def __init__(self, database: Database, clock: Clock, callbacks: Callbacks, inbox: NoticeWriter) -> None:
        self._database = database
        self._clock = clock
        self._callbacks = callbacks
        self._inbox = inbox
        # Verifications come in bursts after a round of requests; two connections answer hundreds a second.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="verify")
        self.counts = ReceiverCounts()

    def close(self) -> None:
        """End the threads, once their work is done."""
        self._threads.shutdown()
        self._inbox.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if scope["type"] != "http":
            return
        reply = await self._answer(scope, receive)
        if reply is None:
            return
        headers = [
            (b"content-type", reply.kind), (b"content-length", str(len(reply.body)).encode()),
            (b"x-content-type-options", b"nosniff"), *reply.headers,
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answer(self, scope: Scope, receive: Receive) -> HttpReply | None:
        verb, path = scope["method"], scope["path"]
        if verb not in {"GET", "POST"}:
            return _WRONG_METHOD
        if verb == "GET" and path == "/healthz":
            return self._health()
        channel_id, token_is_right = self._callbacks.channel_in(path)
        if channel_id is None:
            return _NOT_FOUND
        if verb == "POST":
            return await self._notice(channel_id, scope, receive)
        if not token_is_right:
            self.counts.unasked += 1
            return _NOT_FOUND
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._verification, channel_id, scope["query_string"])

    def _health(self) -> HttpReply:
        counts = {**asdict(self.counts), "kept": self._inbox.kept, "trouble": self._inbox.trouble is not None}
        return HttpReply(503 if self._inbox.trouble else 200, orjson.dumps(counts), b"application/json")

    def _verification(self, channel_id: ChannelId, query: bytes) -> HttpReply:
        """In a thread: the answer to a hub that verifies a subscription."""
        question = _question(channel_id, query)
        if question is None:
            return _NOT_FOUND
        try:
            now = self._clock.now()
            given = {"channel_id": channel_id, "asked_after": now - _VERIFIED_WITHIN, "until": now + question.lease}
            # Without the lock DISCOVERY (storage/locks.py): a transaction that holds one row lock cannot be part of a deadlock.
            with self._database.transaction(within_s=DATABASE_WAIT_S) as connection:
                statement = _SQL.confirm if question.mode == "subscribe" else _SQL.end_lease
                known = connection.execute(statement, given).rowcount
        except (psycopg.Error, PleiadesError):
            return _LATER
        if not known:
            self.counts.unasked += 1
            return _NOT_FOUND
        if question.mode == "denied":
            self.counts.denied += 1
            return _DONE
        self.counts.verified += 1
        return HttpReply(200, question.challenge.encode())

    async def _notice(self, channel_id: ChannelId, scope: Scope, receive: Receive) -> HttpReply | None:
        self.counts.notices += 1
        headers = dict(scope["headers"])
        body = await _body(headers, receive)
        if not isinstance(body, bytes):
            self.counts.too_large += body is _TOO_LARGE
            return body
        signature = headers.get(b"x-hub-signature", b"").decode("latin-1")
        if not signature_is_valid(signature, body, self._callbacks.secret(channel_id).encode()):
            self.counts.forged += 1
            return _DONE
        try:
            feed = parse_feed(body)
        except ApiError:
            self.counts.unreadable += 1
            return _DONE
        own = [entry for entry in feed.entries if entry.channel_id == channel_id]
        self.counts.foreign += len(feed.entries) - len(own)
        self.counts.unreadable += sum(row.rows for row in feed.rejected)
        if own:
            try:
                await self._inbox.keep([Notice(decode(entry.video_id), channel_id, entry.published_at) for entry in own])
            except NotKept:
                self.counts.refused += 1
                return _LATER
        return _DONE


class _Question(NamedTuple):
    """A hub's call about a subscription."""

    #: `subscribe` or `denied`.
    mode: str
    challenge: str
    lease: timedelta


def _question(channel_id: ChannelId, query: bytes) -> _Question | None:
    """The hub's call about a channel; None if it makes no sense."""
    try:
        fields = dict(parse_qsl(query.decode("ascii"), max_num_fields=_MOST_FIELDS))
        lease = timedelta(seconds=int(fields.get("hub.lease_seconds", "")[:10] or LEASE.total_seconds()))
    except ValueError:
        return None
    mode, challenge = fields.get("hub.mode", ""), fields.get("hub.challenge", "")
    # A hub also verifies the end of a subscription. We never request that (a lease ends by itself), so another program did.
    if mode not in {"subscribe", "denied"} or channel_of_topic(fields.get("hub.topic", "")) != channel_id:
        return None
    if mode != "denied" and not 1 <= len(challenge) <= _MOST_CHALLENGE:
        return None
    return _Question(mode, challenge, min(max(lease, timedelta()), LONGEST_LEASE))


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes | HttpReply | None:
    """The body of a request; or the reply to one that is too large or too slow; or None when the sender hung up."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > _MOST_BODY_BYTES:
        return _TOO_LARGE
    parts = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts += message.get("body", b"")
                if len(parts) > _MOST_BODY_BYTES:
                    return _TOO_LARGE
                more = message.get("more_body", False)
    except TimeoutError:
        return _TOO_SLOW
    return bytes(parts)
