"""The simulator's own endpoints, /simulator/*: clock, ledger, truth, faults and hub. control.py lists them.

Belongs here: JSON in, JSON out, over the simulator's parts. Does not belong here: YouTube's endpoints, the client (control.py).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pleiades_core.clock import aware_utc
from pleiades_core.simulator.api.quota import QuotaBook
from pleiades_core.simulator.clocks import DrivenClock
from pleiades_core.simulator.faults.fault import FaultPlan, FaultSwitch
from pleiades_core.simulator.feeds.delivery import Courier
from pleiades_core.simulator.feeds.feeds import SimulatedFeeds
from pleiades_core.simulator.feeds.hub import SimulatedHub
from pleiades_core.simulator.world.base import World

_Endpoint = Callable[[Request], Awaitable[Response]]

#: Channel ids in one reply.
MOST_CHANNELS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The endpoints over one simulator's parts."""

    world: World
    quota: QuotaBook
    clock: DrivenClock
    faults: FaultSwitch
    feeds: SimulatedFeeds
    hub: SimulatedHub
    courier: Courier

    def routes(self) -> list[Route]:
        """The routes of the endpoints."""
        table: list[tuple[str, str, _Endpoint]] = [
            ("GET", "clock", self.read_clock),
            ("POST", "clock", self.drive_clock),
            ("GET", "ledger", self.ledger),
            ("GET", "truth", self.truth),
            ("GET", "world", self.describe),
            ("GET", "channels", self.channels),
            ("GET", "uploads", self.uploads),
            ("GET", "hub", self.read_hub),
            ("POST", "hub", self.deliver),
            ("GET", "faults", self.read_faults),
            ("POST", "faults", self.set_faults),
        ]
        return [Route(f"/simulator/{name}", _explained(endpoint), methods=[verb]) for verb, name, endpoint in table]

    async def read_clock(self, _request: Request) -> Response:
        """{"now"}."""
        return _reply({"now": self.clock.now().isoformat()})

    async def drive_clock(self, request: Request) -> Response:
        """Set or advance the clock.

        Raises:
            ValueError: the order is malformed.
        """
        order = await _posted(request)
        if order.keys() == {"now"} and isinstance(order["now"], str):
            self.clock.set(datetime.fromisoformat(order["now"]))
        elif order.keys() == {"advance_s"} and _finite(order["advance_s"]):
            self.clock.advance(timedelta(seconds=order["advance_s"]))
        else:
            raise ValueError('give {"now": iso} or {"advance_s": seconds}')
        return await self.read_clock(request)

    async def ledger(self, _request: Request) -> Response:
        """Every call; feeds apart, as they cost nothing."""
        return _reply(self.quota.ledger() | {"feeds": self.feeds.ledger()})

    async def truth(self, request: Request) -> Response:
        """State and exact counts of a video."""
        video_id = request.query_params.get("id", "")
        at = _instant(request, "at") or self.clock.now()
        found = self.world.truth(video_id, at)
        counts = found.counts
        return _reply(
            {
                "id": video_id,
                "at": at.isoformat(),
                "state": found.state,
                "views": counts.views if counts else None,
                "likes": counts.likes if counts else None,
                "comments": counts.comments if counts else None,
            },
        )

    async def describe(self, _request: Request) -> Response:
        """Kind, size, days and terms."""
        return _reply(self.world.describe())

    async def channels(self, request: Request) -> Response:
        """A page of all channel ids.

        Raises:
            ValueError: the page is impossible.
        """
        query = request.query_params
        start, count = int(query.get("start", 0)), int(query.get("count", MOST_CHANNELS))
        if start < 0 or not 0 <= count <= MOST_CHANNELS:
            raise ValueError(f"start is not negative, count from 0 to {MOST_CHANNELS}")
        known = self.world.channel_ids()
        return _reply({"channels": known[start : start + count], "total": len(known)})

    async def uploads(self, request: Request) -> Response:
        """The videos that are published in a span, however far ahead of the clock.

        Raises:
            ValueError: the span is missing.
        """
        since, until = _instant(request, "from"), _instant(request, "until")
        if since is None or until is None:
            raise ValueError("give from=iso and until=iso")
        found = (happening for happening in self.world.happenings(since, until) if happening.kind == "published")
        return _reply({"uploads": [[video.video_id, video.channel_id, video.at.isoformat()] for video in found]})

    async def read_hub(self, _request: Request) -> Response:
        """Subscriptions and notices in numbers."""
        return _reply(self.hub.state(self.clock.now()))

    async def deliver(self, _request: Request) -> Response:
        """Verify and deliver, then answer."""
        return _reply(await self.courier.deliver())

    async def read_faults(self, _request: Request) -> Response:
        """The plan in force."""
        return _reply(self.faults.plan.to_json())

    async def set_faults(self, request: Request) -> Response:
        """Put a plan in force."""
        self.faults.set(FaultPlan.from_json(await _posted(request)))
        return await self.read_faults(request)


def _instant(request: Request, name: str) -> datetime | None:
    """An instant of the query. In a query string an unescaped plus sign is a space."""
    query = request.query_params.get(name)
    return aware_utc(datetime.fromisoformat(query.replace(" ", "+"))) if query else None


def _explained(endpoint: _Endpoint) -> _Endpoint:
    """An endpoint that answers 400 and the reason to a request that cannot be read."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ValueError, OverflowError) as error:
            return _reply({"error": str(error)}, status=400)

    return guarded


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


async def _posted(request: Request) -> dict[str, Any]:
    body = orjson.loads(await request.body())
    if not isinstance(body, dict):
        raise ValueError("give a JSON object")  # noqa: TRY004  one kind of error means "answer 400"
    return body


def _reply(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
