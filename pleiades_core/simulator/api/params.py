"""The parameters of one API request: read from query and form, and refused with the API's own errors.

Belongs here: reading and checking single parameters. Does not belong here: what a method does with them (methods.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import parse_qs

from pleiades_core.simulator.api.error_bodies import invalid_value, missing_parameter, unknown_part

#: Ids in one request, for every method that takes ids (documented for batchGetStats; 400 for videos.list).
MOST_IDS = 50
_MOST_RESULTS = 50
_MOST_DIGITS = 9


class Params:
    """Parameters by name. Lists may come repeated or joined by commas."""

    def __init__(self, query: bytes, form: bytes = b"") -> None:
        joined = query + b"&" + form if form else query
        self._given = parse_qs(joined.decode("ascii", "replace"), keep_blank_values=True, errors="replace")

    def text(self, name: str) -> str | None:
        """The parameter, or None when it is absent or empty."""
        values = self._given.get(name)
        return values[0] or None if values else None

    def listed(self, name: str) -> list[str]:
        """The elements of a list parameter, without empty ones."""
        return [word for value in self._given.get(name, ()) for word in value.split(",") if word]

    def parts(self, known: Collection[str]) -> set[str]:
        """The requested parts.

        Raises:
            Refusal: `part` is absent, or has an unknown name in it.
        """
        parts = {word.strip() for word in self.listed("part")}
        if not parts:
            raise missing_parameter("part")
        for word in sorted(parts):
            if word not in known:
                raise unknown_part(word)
        return parts

    def max_results(self) -> int:
        """0 to 50; 5 if it is not given.

        Raises:
            Refusal: it is no such number.
        """
        value = self.text("maxResults")
        if value is None:
            return 5
        number = _whole(value)
        if number is None or number > _MOST_RESULTS:
            raise invalid_value("max_results", value)
        return number

    def one_of(self, name: str, known: Collection[str]) -> str | None:
        """A value of a fixed set; None if it is not given.

        Raises:
            Refusal: it is another value.
        """
        value = self.text(name)
        if value is not None and value not in known:
            raise invalid_value(name, value)
        return value

    def instant(self, name: str) -> datetime | None:
        """An RFC 3339 instant with its zone; None if it is not given.

        Raises:
            Refusal: it is no instant, or has no zone.
        """
        value = self.text(name)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise invalid_value(name, value) from None
        if at.tzinfo is None or "T" not in value.upper():
            raise invalid_value(name, value)
        return at.astimezone(UTC)

    def number(self, name: str) -> int | None:
        """A whole number; None if it is not given.

        Raises:
            Refusal: it is no whole number.
        """
        value = self.text(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None:
            raise invalid_value(name, value)
        return number

    def region(self) -> str | None:
        """An ISO 3166-1 country code in capitals; None if it is not given.

        Raises:
            Refusal: it is no such code.
        """
        value = self.text("regionCode")
        if value is not None and not (len(value) == 2 and value.isascii() and value.isalpha()):  # noqa: PLR2004
            raise invalid_value("region_code", value)
        return value.upper() if value else None


def _whole(text: str) -> int | None:
    """A whole number of at most nine digits. `isascii`: Python's int() also takes digits of other scripts."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
