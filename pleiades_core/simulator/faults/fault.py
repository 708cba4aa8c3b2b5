"""Fault plans: "call 7 of videos.list -> 503", "no feeds from eight until nine", and the like.

Belongs here: the plan, and which fault hits which call. Does not belong here: how a reply is spoilt (spoiling.py). A spoilt
call was still made: it is counted and charged like any other, then its reply is replaced, delayed, dropped, cut, dripped or
redirected. Only a subscription that a fault refuses is not made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from pleiades_core.clock import aware_utc
from pleiades_core.simulator.faults.named_errors import NAMES
from pleiades_core.simulator.world.chance import Chance

_INSTANTS = ("after", "before")
_BEYOND = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, and the calls that it hits. The calls of `method` (`*`: any) are counted from 1 when the plan is set.

    Methods are those of the API, such as `videos.list`, and `feeds` and `hub.subscribe`.
    """

    method: str = "*"
    #: First and last call concerned; `last` None: for ever.
    first: int = 1
    last: int | None = None
    #: Every n-th of these calls.
    every: int = 1
    #: This share of these calls, drawn by the call's number.
    share: float = 1.0
    #: Only while the simulated clock is not before `after`, and before `before`. Aware UTC.
    after: datetime | None = None
    before: datetime | None = None
    #: Replace the reply by an error of named_errors.NAMES, or by `status` and `body` of `content_type`.
    error: str | None = None
    status: int | None = None
    body: str | None = None
    content_type: str | None = None
    #: Value of Retry-After: seconds, or an HTTP date.
    retry_after: str | None = None
    #: Leave out the content: no items, no entries.
    empty: bool = False
    #: Feeds: every video has 0 views.
    zeros: bool = False
    #: Wait before answering.
    delay_s: float = 0.0
    #: Close the connection without an answer; `reset`: by a TCP reset.
    drop: bool = False
    reset: bool = False
    #: Send only this share of the body, then close (or, with `reset`, reset).
    truncate: float | None = None
    #: Send the body this slowly.
    drip_bytes_per_s: float | None = None
    #: Answer 302 to this address.
    redirect: str | None = None
    #: Send a small gzip body that becomes this many zero bytes.
    bomb_bytes: int | None = None
    #: Send this many blanks after the body.
    pad_bytes: int | None = None

    def __post_init__(self) -> None:
        """Check the values. Raises ValueError for an impossible one."""
        if self.error is not None and self.error not in NAMES:
            raise ValueError(f"no error named {self.error!r}; there are {', '.join(sorted(NAMES))}")
        optional = [number for number in (self.last, self.bomb_bytes, self.pad_bytes) if number is not None]
        whole = [self.first, self.every, *optional]
        if not all(isinstance(number, int) and 0 < number < _BEYOND for number in whole):
            raise ValueError("first, last, every, bomb_bytes and pad_bytes are whole numbers from 1, below 2**31")
        if not 0 <= self.share <= 1 or not 0 <= (self.truncate or 0) <= 1:
            raise ValueError("share and truncate are from 0 to 1")
        for instant in (self.after, self.before):
            if instant is not None:
                aware_utc(instant)

    def concerns(self, method: str, nth: dict[str, int], now: datetime | None = None) -> bool:
        """True if a call is to be spoilt.

        Args:
            method: of the call.
            nth: the number of the call, among those of its method and among all.
            now: the simulated instant.

        Returns:
            Whether the fault hits it.
        """
        if self.method not in {"*", method}:
            return False
        number = nth[self.method]
        if number < self.first or (self.last is not None and number > self.last) or (number - self.first) % self.every:
            return False
        if now is not None and ((self.after and now < self.after) or (self.before and now >= self.before)):
            return False
        return self.share >= 1 or Chance(0).uniform("fault", self.method, number) < self.share


_FAULT = TypeAdapter(Fault)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults in order of precedence: the first that concerns a call is the one that happens."""

    faults: tuple[Fault, ...] = ()

    @classmethod
    def from_json(cls, order: dict[str, Any]) -> FaultPlan:
        """The plan of {"faults": [{...}]}.

        Raises:
            ValueError: a name is unknown, or a value impossible.
        """
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
            try:
                # Strict, from JSON: text becomes an instant, and nothing else becomes anything else.
                faults.append(_FAULT.validate_json(orjson.dumps(entry), strict=True))
            except ValidationError as error:
                wrong = error.errors(include_url=False)
                raise ValueError("; ".join(": ".join(map(str, [*each["loc"], each["msg"]])) for each in wrong)) from None
        return cls(tuple(faults))

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`."""
        return {"faults": [_plain(fault) for fault in self.faults]}


def _plain(fault: Fault) -> dict[str, Any]:
    entry = asdict(fault)
    return entry | {name: entry[name].isoformat() for name in _INSTANTS if entry[name] is not None}


class FaultSwitch:
    """Holds the plan in force and counts calls since it was set."""

    def __init__(self) -> None:
        self.plan = FaultPlan()
        self._counted: Counter[str] = Counter()

    def set(self, plan: FaultPlan) -> None:
        """Put `plan` in force; counting begins anew."""
        self.plan = plan
        self._counted.clear()

    def next_for(self, method: str, now: datetime | None = None) -> Fault | None:
        """Count one call of `method` at `now` on the simulated clock; the fault that hits it, if any."""
        if not self.plan.faults:
            return None
        self._counted.update((method, "*"))
        return next((fault for fault in self.plan.faults if fault.concerns(method, self._counted, now)), None)


#: One fault of every kind there is, by name: for tests that try each against each method.
KINDS: dict[str, Fault] = {
    **{name: Fault(error=name) for name in sorted(NAMES)},
    "retry_after": Fault(error="backend_error", retry_after="120"),
    "html200": Fault(status=200, body="<html><title>Sign in</title>", content_type="text/html"),
    "not_json": Fault(status=200, body='{"items": [{"id": 7'),
    "other_json": Fault(status=200, body='[null, 1e400, "items"]'),
    "nothing": Fault(status=200, body=""),
    "no_content": Fault(status=204, body=""),
    "empty": Fault(empty=True),
    "zeros": Fault(zeros=True),
    "truncate": Fault(truncate=0.5),
    "drip": Fault(drip_bytes_per_s=20),
    "302": Fault(redirect="http://127.0.0.1:9/elsewhere"),
    "drop": Fault(drop=True),
    "reset": Fault(reset=True),
    "reset_midway": Fault(truncate=0.5, reset=True),
    "delay": Fault(delay_s=3_600.0),
    "gzip_bomb": Fault(bomb_bytes=1 << 28),
    "too_long": Fault(pad_bytes=1 << 25),
}
