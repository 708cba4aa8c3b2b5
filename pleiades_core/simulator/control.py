"""The client that drives a simulator: clock, ledger, faults, truth, world, hub.

Belongs here: `SimulatorControl`. Does not belong here: the endpoints (endpoints.py), anything of YouTube's.

    GET  /simulator/clock    {"now": "2026-09-01T07:00:00+00:00"}
    POST /simulator/clock    {"now": iso} or {"advance_s": seconds}: the same reply
    GET  /simulator/ledger   every call counted (quota.QuotaBook.ledger), and "feeds": {"calls", "not_found"}
    GET  /simulator/truth    ?id=ID[&at=iso]: state and exact counts
    GET  /simulator/world    kind, videos, channels, first_day, last_day, regions, terms, …
    GET  /simulator/channels ?start&count: {"channels": [id, …], "total"}
    GET  /simulator/uploads  ?from=iso&until=iso: {"uploads": [[video id, channel id, published at], …]}, `until` left out
    POST /simulator/faults   a fault plan (faults.FaultPlan); GET gives the one in force
    GET  /simulator/hub      subscriptions and notices in numbers (hub.Hub.state)
    POST /simulator/hub      verify what waits and deliver what is due; what was done
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pleiades_core.clock import aware_utc
from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.faults.fault import FaultPlan

_DELIVERY_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class SimulatorControl:
    """Drives a running simulator. Every call raises ConfigurationError when none answers at `base_url`."""

    base_url: str
    timeout_s: float = 10.0

    def now(self) -> datetime:
        """The simulated instant, UTC."""
        return datetime.fromisoformat(self._call("clock")["now"])

    def set(self, instant: datetime) -> datetime:
        """Move the clock to `instant`. Returns its new instant."""
        return datetime.fromisoformat(self._call("clock", {"now": aware_utc(instant).isoformat()})["now"])

    def advance(self, by: timedelta) -> datetime:
        """Move the clock by a span. Returns its new instant."""
        return datetime.fromisoformat(self._call("clock", {"advance_s": by.total_seconds()})["now"])

    def ledger(self) -> dict[str, Any]:
        """Every call; see quota.QuotaBook.ledger."""
        return self._call("ledger")

    def truth(self, video_id: str, at: datetime | None = None) -> dict[str, Any]:
        """State and exact counts: keys id, at, state, views, likes, comments."""
        query = {"id": video_id} | ({"at": aware_utc(at).isoformat()} if at else {})
        return self._call("truth?" + urllib.parse.urlencode(query))

    def world(self) -> dict[str, Any]:
        """Kind, size, days and search terms of the world."""
        return self._call("world")

    def set_faults(self, plan: FaultPlan) -> None:
        """Put a fault plan in force; an empty one ends all faults. Calls are counted from here on."""
        self._call("faults", plan.to_json())

    def channels(self) -> list[str]:
        """The id of every channel."""
        found: list[str] = []
        while True:
            page = self._call(f"channels?start={len(found)}")
            found += page["channels"]
            if len(found) >= page["total"] or not page["channels"]:
                return found

    def uploads(self, since: datetime, until: datetime) -> list[tuple[str, str, datetime]]:
        """Video, channel and publication of all that is published from `since` until before `until`, oldest first."""
        span = urllib.parse.urlencode({"from": aware_utc(since).isoformat(), "until": aware_utc(until).isoformat()})
        found = self._call(f"uploads?{span}")["uploads"]
        return [(video_id, channel_id, datetime.fromisoformat(at)) for video_id, channel_id, at in found]

    def hub(self) -> dict[str, int]:
        """Subscriptions (`subscriptions` live, `lapsed`, `waiting` for verification) and notices (`pending`, and the rest)."""
        return self._call("hub")

    def deliver(self, timeout_s: float = _DELIVERY_TIMEOUT_S) -> dict[str, int]:
        """Have the hub verify waiting requests and deliver due notices. Returns when it is done.

        The counts of this call: verified, unverified, delivered, failed (not answered with 2xx: sent again later), dropped
        (failed too often), lost (never sent). And `pending`: notices that are not due yet.
        """
        return self._call("hub", {}, timeout_s=timeout_s)

    def _call(self, path: str, order: dict[str, Any] | None = None, timeout_s: float | None = None) -> dict[str, Any]:
        url = f"{self.base_url.rstrip('/')}/simulator/{path}"
        data = None if order is None else json.dumps(order).encode()
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310  the operator's
        try:
            with urllib.request.urlopen(request, timeout=timeout_s or self.timeout_s) as reply:  # noqa: S310
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
