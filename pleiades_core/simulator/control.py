"""The simulator's own endpoints, /simulator/*, and the client that drives them.

Belongs here: the clock that can be read and driven, the endpoints for clock, ledger, faults, truth and world, and
`SimulatorControl`. Does not belong here: anything of YouTube's.

    GET  /simulator/clock    {"now": "2026-09-01T07:00:00+00:00"}
    POST /simulator/clock    {"now": iso} or {"advance_s": seconds}: the same reply
    GET  /simulator/ledger   every call counted (quota.QuotaBook.ledger)
    GET  /simulator/truth    ?id=ID[&at=iso]: state and exact counts
    GET  /simulator/world    kind, videos, channels, first_day, terms
    POST /simulator/faults   a fault plan (faults.FaultPlan); GET gives the one in force
"""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pleiades_core.clock import Clock, ManualClock, aware_utc
from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.faults import FaultPlan, FaultSwitch
from pleiades_core.simulator.quota import QuotaBook
from pleiades_core.simulator.world import World

_Endpoint = Callable[[Request], Awaitable[Response]]


class DrivenClock(Clock, Protocol):
    """A clock that can be set."""

    def set(self, instant: datetime) -> None:
        """Move to `instant` (aware)."""
        ...

    def advance(self, by: timedelta) -> None:
        """Move by a span."""
        ...


class RunningClock:
    """A clock that runs at `rate` simulated seconds a second from `start`, and can be driven all the same."""

    def __init__(self, start: datetime, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._base = aware_utc(start)
        self._rate = rate
        self._monotonic = monotonic
        self._since = monotonic()

    def now(self) -> datetime:
        """The simulated instant."""
        return self._base + timedelta(seconds=(self._monotonic() - self._since) * self._rate)

    def set(self, instant: datetime) -> None:
        """Move to `instant` and run on from there."""
        self._base, self._since = aware_utc(instant), self._monotonic()

    def advance(self, by: timedelta) -> None:
        """Move by a span and run on from there."""
        self.set(self.now() + by)


def clock_for(start: datetime, rate: float) -> DrivenClock:
    """A clock that stands still between drives (`rate` 0), or runs."""
    return RunningClock(start, rate) if rate else ManualClock(start)


def control_routes(world: World, quota: QuotaBook, clock: DrivenClock, faults: FaultSwitch) -> list[Route]:
    """The endpoints over one simulator's parts."""

    async def read_clock(_request: Request) -> Response:
        return _reply({"now": clock.now().isoformat()})

    async def drive_clock(request: Request) -> Response:
        order = await _posted(request)
        if order.keys() == {"now"} and isinstance(order["now"], str):
            clock.set(datetime.fromisoformat(order["now"]))
        elif order.keys() == {"advance_s"} and _finite(order["advance_s"]):
            clock.advance(timedelta(seconds=order["advance_s"]))
        else:
            raise ValueError('give {"now": iso} or {"advance_s": seconds}')
        return _reply({"now": clock.now().isoformat()})

    async def ledger(_request: Request) -> Response:
        return _reply(quota.ledger())

    async def truth(request: Request) -> Response:
        video_id = request.query_params.get("id", "")
        asked = request.query_params.get("at")
        # In a query string an unescaped plus sign is a space.
        at = aware_utc(datetime.fromisoformat(asked.replace(" ", "+"))) if asked else clock.now()
        found = world.truth(video_id, at)
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

    async def describe(_request: Request) -> Response:
        return _reply(world.describe())

    async def read_faults(_request: Request) -> Response:
        return _reply(faults.plan.to_json())

    async def set_faults(request: Request) -> Response:
        faults.set(FaultPlan.from_json(await _posted(request)))
        return _reply(faults.plan.to_json())

    table: list[tuple[str, str, _Endpoint]] = [
        ("GET", "clock", read_clock),
        ("POST", "clock", drive_clock),
        ("GET", "ledger", ledger),
        ("GET", "truth", truth),
        ("GET", "world", describe),
        ("GET", "faults", read_faults),
        ("POST", "faults", set_faults),
    ]
    return [Route(f"/simulator/{name}", _explained(endpoint), methods=[verb]) for verb, name, endpoint in table]


def _explained(endpoint: _Endpoint) -> _Endpoint:
    """What cannot be read is answered with 400 and the reason."""

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


@dataclass(frozen=True, slots=True)
class SimulatorControl:
    """Drives a running simulator. Every call raises ConfigurationError when none answers at `base_url`."""

    base_url: str
    timeout_s: float = 10.0

    def now(self) -> datetime:
        """The simulated instant, UTC."""
        return datetime.fromisoformat(self._call("clock")["now"])

    def set(self, instant: datetime) -> datetime:
        """Move the clock to `instant`; what it says then."""
        return datetime.fromisoformat(self._call("clock", {"now": aware_utc(instant).isoformat()})["now"])

    def advance(self, by: timedelta) -> datetime:
        """Move the clock by a span; what it says then."""
        return datetime.fromisoformat(self._call("clock", {"advance_s": by.total_seconds()})["now"])

    def ledger(self) -> dict[str, Any]:
        """Every call counted; see quota.QuotaBook.ledger."""
        return self._call("ledger")

    def truth(self, video_id: str, at: datetime | None = None) -> dict[str, Any]:
        """State and exact counts: keys id, at, state, views, likes, comments."""
        asked = {"id": video_id} | ({"at": aware_utc(at).isoformat()} if at else {})
        return self._call("truth?" + urllib.parse.urlencode(asked))

    def world(self) -> dict[str, Any]:
        """Kind, size, days and search terms of the world."""
        return self._call("world")

    def set_faults(self, plan: FaultPlan) -> None:
        """Put a fault plan in force; an empty one ends all faults. Calls are counted from here on."""
        self._call("faults", plan.to_json())

    def _call(self, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.base_url.rstrip('/')}/simulator/{path}"
        data = None if order is None else json.dumps(order).encode()
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310  operator's own
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:  # noqa: S310
                answer: dict[str, Any] = json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                reason = error.read(2_000).decode("utf-8", "replace")
            raise ConfigurationError(
                f"the simulator at {self.base_url} refused {path}: {reason}", cure="correct the order"
            ) from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise ConfigurationError(
                f"no simulator answers at {self.base_url}: {error}",
                cure="start it with `pleiades simulator`",
            ) from None
        return answer
