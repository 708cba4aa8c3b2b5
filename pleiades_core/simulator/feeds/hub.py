"""The WebSub hub of YouTube's feeds: subscriptions and their leases, and the notices that are due.

Belongs here: subscriptions, leases, and whether a notice is sent, lost or doubled; the caller gives instants. Does not belong
here: HTTP to subscribers (delivery.py), XML (atom.py). The protocol is the hub's half of WebSub (W3C Recommendation of 23
January 2018) as Google's hub speaks it: `hub.verify`, `hub.verify_token` and SHA-1 signatures come from PubSubHubbub 0.3.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.world.base import World
from pleiades_core.simulator.world.chance import Chance
from pleiades_core.videoid import is_channel_id

#: What Google's hub grants at most and by default: five days (python-youtube 0.9.9 documents it so).
LONGEST_LEASE_S = 432_000
_TOPIC = re.compile(r"https?://www\.youtube\.com/(?:xml/)?feeds/videos\.xml\?channel_id=([A-Za-z0-9_-]{24})")
#: Callbacks on this machine: a simulator must never call another one.
_CALLBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(?::([0-9]{1,5}))?(/[\x21\x24-\x7e]*)?")
_LONGEST_ADDRESS = 2_000
_LONGEST_SECRET_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HubBehaviour:
    """How reliable the hub is. Every number is our assumption: we know no public measurement of the hub's losses."""

    #: From publication to notice, in simulated seconds: the median of a log-normal, and its sigma. Guides speak of seconds to
    #: minutes.
    median_delay_s: float = 60.0
    delay_sigma: float = 1.0
    #: Share of notices that are never sent. Public bug reports describe such days, without numbers.
    lost: float = 0.02
    #: Share of notices that are sent a second time. WebSub allows it, and receivers report it.
    doubled: float = 0.03
    #: Share of channels for which no subscription ever gets verified.
    never_verified: float = 0.02
    #: A notice that is not answered with 2xx is sent this many times more, after the given simulated seconds, then twice that,
    #: ….
    retries: int = 3
    retry_after_s: float = 300.0
    #: Connections that deliver at the same time, and the real seconds after which an answer counts as none.
    connections: int = 8
    answer_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Raises ConfigurationError for values that cannot be."""
        shares = (self.lost, self.doubled, self.never_verified)
        spans = (self.median_delay_s, self.delay_sigma, self.retry_after_s)
        if not (
            all(0 <= share <= 1 for share in shares)
            and all(0 <= span < float("inf") for span in spans)
            and self.retries >= 0
            and self.connections >= 1
            and self.answer_timeout_s > 0
        ):
            raise ConfigurationError("the hub's shares are from 0 to 1, its spans not negative", cure="correct the numbers")


class Address(NamedTuple):
    """Topic and callback, which name a subscription; a second request for both replaces the first."""

    topic: str
    callback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to subscribe or to unsubscribe that waits for its verification."""

    address: Address
    channel_id: ChannelId
    subscribe: bool
    lease_s: int
    secret: bytes
    #: Sent back to the subscriber unchanged (PubSubHubbub 0.3); None: not given.
    verify_token: str | None
    #: Seconds since the epoch on the simulated clock, as everywhere here.
    requested_s: float
    #: True if the subscriber wants to be verified before it is answered.
    at_once: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A verified subscription."""

    address: Address
    channel_id: ChannelId
    secret: bytes
    #: Earlier events are not sent.
    since_s: float
    until_s: float


class SimulatedNotice(NamedTuple):
    """One message to one subscriber; ordered by when it is due."""

    due_s: float
    #: Makes notices of the same instant comparable.
    number: int
    address: Address
    #: `published` or `deleted`.
    kind: str
    video_id: VideoId
    channel_id: ChannelId
    happened_s: float
    #: How often it was sent before.
    tries: int


class Unacceptable(Exception):
    """A request that the hub answers with 400 and this text."""


class SimulatedHub:
    """Keeps subscriptions and notices. One thread only: the server's event loop."""

    def __init__(self, world: World, behaviour: HubBehaviour, chance: Chance, start: datetime) -> None:
        self._world = world
        self.behaviour = behaviour
        self._chance = chance
        self._told_until_s = start.timestamp()
        self.waiting: dict[Address, Request] = {}
        self._live: dict[Address, Subscription] = {}
        self._by_channel: dict[ChannelId, set[Address]] = {}
        self._notices: list[SimulatedNotice] = []
        self._numbered = 0
        #: verified, unverified, delivered, failed, dropped, lost, doubled, expired: since the simulator began.
        self.counted: Counter[str] = Counter()

    def ask(self, form: Mapping[str, str], now: datetime) -> Request:
        """Take a request. It is in `waiting` until `settle` is called with the result of its verification.

        Raises:
            Unacceptable: the request is malformed.
        """
        mode, topic, callback = (form.get(f"hub.{name}", "") for name in ("mode", "topic", "callback"))
        if mode not in {"subscribe", "unsubscribe"}:
            raise Unacceptable(f"Invalid value for hub.mode: {mode[:80]!r}")
        found = _TOPIC.fullmatch(topic)
        if found is None or not is_channel_id(found[1]):
            raise Unacceptable(f"Invalid value for hub.topic: {topic[:200]!r} is no feed of a channel")
        target = _CALLBACK.fullmatch(callback)
        if target is None or len(callback) > _LONGEST_ADDRESS or not 0 < int(target[2] or 80) < 2**16:
            raise Unacceptable("Invalid parameter: hub.callback; the simulator's hub calls http addresses of this machine only")
        secret = form.get("hub.secret", "").encode()
        if len(secret) >= _LONGEST_SECRET_BYTES:
            raise Unacceptable("Invalid parameter: hub.secret must be shorter than 200 bytes")
        lease = form.get("hub.lease_seconds") or str(LONGEST_LEASE_S)
        if not (lease.isascii() and lease.isdigit() and len(lease) < 12 and int(lease)):  # noqa: PLR2004  fits any clock
            raise Unacceptable(f"Invalid value for hub.lease_seconds: {lease[:80]!r}")
        request = Request(
            address=Address(topic, callback), channel_id=ChannelId(found[1]), subscribe=mode == "subscribe",
            lease_s=min(int(lease), LONGEST_LEASE_S), secret=secret, verify_token=form.get("hub.verify_token"),
            requested_s=now.timestamp(), at_once=form.get("hub.verify") == "sync",
        )  # fmt: skip
        self.waiting[request.address] = request
        return request

    def challenge(self, request: Request) -> str:
        """The text that the subscriber must echo."""
        return str(int(self._chance.uniform("challenge", *request.address, request.requested_s) * 10**18))

    def never_verifies(self, request: Request) -> bool:
        """True for a channel whose subscriptions are never verified."""
        return request.subscribe and self._chance.uniform("stuck", request.channel_id) < self.behaviour.never_verified

    def settle(self, request: Request, *, echoed: bool) -> None:
        """Record the result of a verification; nothing if another request took the place of this one meanwhile."""
        if self.waiting.get(request.address) is not request:
            return
        del self.waiting[request.address]
        self.counted["verified" if echoed else "unverified"] += 1
        if not echoed:
            return
        before = self._live.get(request.address)
        self._forget(request.address)
        if not request.subscribe:
            return
        renewed = before is not None and before.until_s >= request.requested_s
        self._live[request.address] = Subscription(
            address=request.address,
            channel_id=request.channel_id,
            secret=request.secret,
            since_s=before.since_s if before is not None and renewed else request.requested_s,
            until_s=request.requested_s + request.lease_s,
        )
        self._by_channel.setdefault(request.channel_id, set()).add(request.address)

    def schedule(self, now: datetime) -> None:
        """For each new event before `now`, decide whether its notice is sent, lost or doubled, and when."""
        now_s = now.timestamp()
        if now_s <= self._told_until_s:
            return
        since, self._told_until_s = datetime.fromtimestamp(self._told_until_s, UTC), now_s
        if not self._by_channel:
            return
        for happening in self._world.happenings(since, now):
            for address in sorted(self._by_channel.get(happening.channel_id, ())):
                subscription = self._live[address]
                at_s = happening.at.timestamp()
                if subscription.since_s <= at_s < subscription.until_s:
                    self._draw(address, happening.kind, happening.video_id, happening.channel_id, at_s)

    def due(self, now: datetime) -> list[SimulatedNotice]:
        """Take the notices that are due, oldest first, each with a live subscription."""
        now_s = now.timestamp()
        found = []
        while self._notices and self._notices[0].due_s <= now_s:
            notice = heapq.heappop(self._notices)
            subscription = self._live.get(notice.address)
            # The lease counts at the due instant of the notice, even if the clock is set later.
            if subscription is None or notice.due_s >= subscription.until_s:
                self.counted["expired"] += 1
            else:
                found.append(notice)
        return found

    def secret_of(self, address: Address) -> bytes:
        """The secret of a live subscription; empty if it has none."""
        subscription = self._live.get(address)
        return subscription.secret if subscription else b""

    def answered(self, notice: SimulatedNotice, *, accepted: bool, now: datetime) -> None:
        """Record the answer to a notice that `due` returned.

        Args:
            notice: the notice.
            accepted: the answer was 2xx.
            now: the simulated instant.
        """
        self.counted["delivered" if accepted else "failed"] += 1
        if accepted:
            return
        if notice.tries >= self.behaviour.retries:
            self.counted["dropped"] += 1
            return
        pause_s = self.behaviour.retry_after_s * 2**notice.tries
        heapq.heappush(self._notices, notice._replace(due_s=now.timestamp() + max(pause_s, 0.001), tries=notice.tries + 1))

    def state(self, now: datetime) -> dict[str, int]:
        """Counts, ready for JSON."""
        now_s = now.timestamp()
        live = sum(subscription.until_s > now_s for subscription in self._live.values())
        names = ("verified", "unverified", "delivered", "failed", "dropped", "lost", "doubled", "expired")
        return {
            "subscriptions": live,
            "lapsed": len(self._live) - live,
            "waiting": len(self.waiting),
            "pending": len(self._notices),
            **{name: self.counted[name] for name in names},
        }

    def _draw(self, address: Address, kind: str, video_id: VideoId, channel_id: ChannelId, at_s: float) -> None:
        behaviour, chance = self.behaviour, self._chance
        if chance.uniform("lost", kind, video_id, *address) < behaviour.lost:
            self.counted["lost"] += 1
            return
        copies = 1
        if chance.uniform("doubled", kind, video_id, *address) < behaviour.doubled:
            self.counted["doubled"] += 1
            copies = 2
        for copy in range(copies):
            delay_s = chance.log_normal(behaviour.median_delay_s, behaviour.delay_sigma, copy, kind, video_id, *address)
            self._numbered += 1
            heapq.heappush(
                self._notices,
                SimulatedNotice(at_s + delay_s, self._numbered, address, kind, video_id, channel_id, at_s, tries=0),
            )

    def _forget(self, address: Address) -> None:
        subscription = self._live.pop(address, None)
        if subscription is not None:
            addresses = self._by_channel[subscription.channel_id]
            addresses.discard(address)
            if not addresses:
                del self._by_channel[subscription.channel_id]
