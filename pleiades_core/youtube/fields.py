"""Fields of a row, checked one at a time: parts, counts, instants, small numbers. Pure.

Belongs here: what a good value is, saying why a row is rejected, and how many rejected rows of a reply are kept. Does not
belong here: which fields there are (parse.py, atom.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pleiades_core.models import Rejected

#: A rejected row is kept for a person to look at, not for replaying it.
_REPR_CHARS = 500
#: Rows of a reply that are looked at: ten times what any method sends. The rows beyond are counted.
MOST_ROWS = 500
#: Rejected rows of a reply that are kept; the rest is counted. A person learns from the first ones.
MOST_REJECTED = 50
#: Counts are uint64 in the API and bigint in our tables.
_LARGEST_COUNT = 2**63 - 1


class BadRowError(Exception):
    """Why a row is rejected; never leaves the parsers."""


def count_of(given: dict[str, Any], name: str) -> int | None:
    """A count under its name, as digits or a number; None when absent. Raises BadRowError for anything else."""
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
    """`2026-03-01T12:00:00Z`, with or without fractions of a second, as UTC. Raises BadRowError."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        if instant is None or instant.tzinfo is None:
            raise BadRowError("publishedAt is no instant")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRowError("publishedAt is no instant") from None


def part_of(row: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a row; empty when absent. Raises BadRowError for something else under its name."""
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
        """The records; where there are more rows than are kept, the last record stands for all of these."""
        more = Rejected(reason=f"and {self._more:,} more rows, which are not kept", row="", rows=self._more)
        return (*self._kept, more) if self._more else tuple(self._kept)
