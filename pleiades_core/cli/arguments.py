"""Days and instants as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pleiades_core.errors import UsageError


def day_of(text: str) -> date:
    """A UTC day. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", cure="write it as 2026-03-01") from None


def instant_of(text: str) -> datetime:
    """A day or an instant, UTC unless it says otherwise. Raises UsageError."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is neither a day nor an instant", cure="write it as 2026-03-01 or 2026-03-01T12:00"
        ) from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
