"""From untrusted values to clean ones: JSON objects, text that can be stored, counts, instants, durations. Pure.

Belongs here: what a good value is, why a row is rejected, and how many rejected rows of a reply are kept. Does not belong here:
the fields of a reply (parse.py, atom.py), the meaning of an error body (api_errors.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson

from pleiades_core.errors import BadReply
from pleiades_core.models import Rejected

#: NUL and lone surrogates: each killed a whole batch insert when tried, in PostgreSQL and in pyarrow.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ISO_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,5})W)?(?:([0-9]{1,6})D)?(?:T(?:([0-9]{1,7})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,9})(?:\.[0-9]+)?S)?)?"
)
_GOOGLE_DURATION = re.compile(r"([0-9]{1,9})(?:\.[0-9]{1,9})?s")


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a reply's body as a JSON object.

    Raises:
        BadReply: it is something else: HTML, a list, a cut-off text.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = _parse_leniently(body)
    if not isinstance(parsed, dict):
        raise BadReply(f"the reply is {_json_word(parsed)} where an object should be", status=200)
    return parsed


def clean(text: object, longest: int) -> str:
    """`text` without what cannot be stored, at most `longest` characters; empty for what is no text."""
    if not isinstance(text, str):
        return ""
    cut = text[:longest]
    # Most text has nothing to replace, so it is searched first.
    return _UNSTORABLE.sub("\ufffd", cut) if _UNSTORABLE.search(cut) else cut


def duration_seconds(text: object) -> int | None:
    """Whole seconds of `PT1H2M3S` (videos.list) or `123s` (batchGetStats). None for `P0D` (live) and non-durations."""
    if not isinstance(text, str) or text == "P0D":
        return None
    google = _GOOGLE_DURATION.fullmatch(text)
    if google:
        return int(google[1])
    iso = _ISO_DURATION.fullmatch(text)
    if not iso:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
    return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds


def _parse_leniently(body: bytes) -> Any:
    """A slower parser for a body that orjson refuses: one lone surrogate or wrong byte in a title must not cost 49 good
    rows.
    """
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadReply(f"the reply is not JSON ({len(body)} bytes)", status=200) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json_word(parsed: object) -> str:
    return {list: "a list", str: "a string", bool: "a truth value", type(None): "null"}.get(type(parsed), "a number")


#: Characters kept of a rejected row: it is kept for a person to look at, not for replaying it.
_REPR_CHARS = 500
#: Rows of a reply that are read: ten times what any method sends. Further rows are counted.
MOST_ROWS = 500
#: Rejected rows of a reply that are kept; further ones are counted.
MOST_REJECTED = 50
#: Counts are uint64 in the API and bigint in our tables.
_LARGEST_COUNT = 2**63 - 1


class BadRowError(Exception):
    """Why a row is rejected. It never leaves the parsers."""


def count_of(given: dict[str, Any], name: str) -> int | None:
    """A count under its name, as digits or a number; None if it is absent.

    Raises:
        BadRowError: the value is no count.
    """
    value = given.get(name)
    if value is None:
        return None
    # 19 digits hold 2**63 - 1; `isdigit` alone would let superscripts through to int(), which refuses them.
    if type(value) is str and len(value) <= 19 and value.isascii() and value.isdigit():  # noqa: PLR2004
        value = int(value)
    if type(value) is not int or not 0 <= value <= _LARGEST_COUNT:
        raise BadRowError(f"{name} is no count")
    return value


def small_number(value: object) -> int | None:
    """A number of at most four digits, such as a category's; None for anything else."""
    text = str(value) if type(value) in (str, int) else ""
    return int(text) if re.fullmatch("[0-9]{1,4}", text) else None


def instant_of(value: object) -> datetime:
    """`2026-03-01T12:00:00Z`, with or without fractions of a second, as UTC.

    Raises:
        BadRowError: the value is no instant.
    """
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        if instant is None or instant.tzinfo is None:
            raise BadRowError("publishedAt is no instant")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRowError("publishedAt is no instant") from None


def part_of(row: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a row; empty if it is absent.

    Raises:
        BadRowError: the value is not an object.
    """
    part = row.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise BadRowError(f"{name} is not an object")
    return part


def rejected(reason: str, row: object) -> Rejected:
    """A row for the quarantine, shortened."""
    try:
        # `repr` also spells out NUL and lone surrogates, so the text can be stored.
        text = repr(row)[:_REPR_CHARS]
    except RecursionError:
        text = "(nested too deep to be written out)"
    return Rejected(reason=reason, row=text.encode("utf-8", "replace").decode())


class RejectedRows:
    """The rejected rows of one reply: the first `MOST_REJECTED`, and how many more there are.

    Without the bound a hostile reply of 8 MB became 4 million records.
    """

    def __init__(self) -> None:
        self._kept: list[Rejected] = []
        self._more = 0

    def reject(self, record: Callable[[], Rejected]) -> None:
        """Keep the record of one row, or count the row. `record` is called only if it is kept."""
        if len(self._kept) < MOST_REJECTED:
            self._kept.append(record())
        else:
            self._more += 1

    def pass_over(self, rows: int) -> None:
        """Count rows that were not looked at."""
        self._more += rows

    def records(self) -> tuple[Rejected, ...]:
        """The records. If there were more rows than are kept, the last record stands for the rest."""
        more = Rejected(reason=f"and {self._more:,} more rows, which are not kept", row="", rows=self._more)
        return (*self._kept, more) if self._more else tuple(self._kept)
