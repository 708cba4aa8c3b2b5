"""Faults on order: "call 7 of videos.list -> 503", and the like.

Belongs here: the plan, and the ASGI shell that spoils a finished reply. A spoilt call was still made: it is counted and charged
like any other, then its reply is replaced, delayed, dropped, cut, dripped or redirected. Thin: a later issue widens it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pleiades_core.simulator.error_bodies import BY_NAME

#: Key in the ASGI scope under which server.py offers the connection's transport.
TRANSPORT = "pleiades.transport"
_DRIP_STEP_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to which calls. The calls of `method` (`*`: any) are counted from 1 when the plan is set."""

    method: str = "*"
    #: First and last call concerned; `last` None: for ever.
    first: int = 1
    last: int | None = None
    #: Of those, every n-th.
    every: int = 1
    #: Replace the reply by an error of error_bodies.BY_NAME, or by `status` and `body`.
    error: str | None = None
    status: int | None = None
    body: str | None = None
    #: Wait before answering.
    delay_s: float = 0.0
    #: Close the connection without a word.
    drop: bool = False
    #: Send only this share of the body, then close.
    truncate: float | None = None
    #: Send the body this slowly.
    drip_bytes_per_s: float | None = None
    #: Answer 302 to this address.
    redirect: str | None = None

    def concerns(self, method: str, nth: dict[str, int]) -> bool:
        """Is this call, the nth of its method and of all, to be spoilt?"""
        if self.method not in {"*", method}:
            return False
        number = nth[self.method]
        return (
            self.first <= number <= (self.last if self.last is not None else number) and (number - self.first) % self.every == 0
        )


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults in order of precedence: the first that concerns a call is the one that happens."""

    faults: tuple[Fault, ...] = ()

    @classmethod
    def from_json(cls, order: dict[str, Any]) -> FaultPlan:
        """The plan of {"faults": [{...}]}. Raises ValueError for unknown words and impossible values."""
        known = {field.name for field in fields(Fault)}
        entries = order.get("faults")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError('give {"faults": [{"method": ..., "first": ..., "status": ...}]}')
        faults = []
        for entry in entries:
            if entry.keys() - known:
                raise ValueError(
                    f"a fault has no {', '.join(sorted(entry.keys() - known))}; it may have {', '.join(sorted(known))}"
                )
            fault = Fault(**entry)
            if fault.error is not None and fault.error not in BY_NAME:
                raise ValueError(f"no error named {fault.error!r}; there are {', '.join(sorted(BY_NAME))}")
            if not isinstance(fault.every, int) or fault.every < 1 or not isinstance(fault.first, int):
                raise ValueError("first and every are whole numbers, every at least 1")
            faults.append(fault)
        return cls(tuple(faults))

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`."""
        return {"faults": [asdict(fault) for fault in self.faults]}


class FaultSwitch:
    """Holds the plan in force and counts calls since it was set."""

    def __init__(self) -> None:
        self.plan = FaultPlan()
        self._counted: Counter[str] = Counter()

    def set(self, plan: FaultPlan) -> None:
        """Put `plan` in force; counting begins anew."""
        self.plan = plan
        self._counted.clear()

    def next_for(self, method: str) -> Fault | None:
        """Count one call of `method`; the fault that hits it, if any."""
        if not self.plan.faults:
            return None
        self._counted.update((method, "*"))
        return next((fault for fault in self.plan.faults if fault.concerns(method, self._counted)), None)


async def spoilt(app: ASGIApp, scope: Scope, receive: Receive, send: Send, fault: Fault) -> None:
    """Let `app` answer, then send what `fault` makes of the answer."""
    kept: list[Message] = []

    async def keep(message: Message) -> None:
        kept.append(message)

    await app(scope, receive, keep)
    status, headers, body = _rewritten(fault, kept[0]["status"], b"".join(message.get("body", b"") for message in kept[1:]))
    await asyncio.sleep(fault.delay_s)
    transport = scope.get(TRANSPORT)
    if fault.drop and transport is not None:
        transport.abort()
        # Lets the event loop tell uvicorn of the loss; else it would complain that nothing was answered.
        await asyncio.sleep(0.01)
        return
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if fault.truncate is not None and transport is not None:
        await send({"type": "http.response.body", "body": body[: int(len(body) * fault.truncate)], "more_body": True})
        transport.close()
        await asyncio.sleep(0.01)
        return
    if fault.drip_bytes_per_s is not None:
        step = max(1, int(fault.drip_bytes_per_s * _DRIP_STEP_S))
        for start in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            await asyncio.sleep(step / fault.drip_bytes_per_s)
        body = b""
    await send({"type": "http.response.body", "body": body})


def _rewritten(fault: Fault, status: int, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the reply that `fault` puts in place of the given one."""
    headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json; charset=UTF-8")]
    if fault.redirect is not None:
        return 302, [*headers, (b"location", fault.redirect.encode())], b""
    if fault.error is not None:
        status, body = BY_NAME[fault.error].status, orjson.dumps(BY_NAME[fault.error].body)
    if fault.body is not None:
        body = fault.body.encode()
    return (status if fault.status is None else fault.status), headers, body
