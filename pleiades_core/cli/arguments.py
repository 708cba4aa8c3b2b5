"""Days, months and instants as people write them.

Belongs here: parsing an argument of the command line. Does not belong here: ids and addresses of videos (videoid.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from pleiades_core.errors import UsageError


def day_of(text: str) -> date:
    """A UTC day.

    Raises:
        UsageError: the text is no day.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", cure="write a date like 2026-03-01") from None
    return _within_the_calendar(day, text, "day of our time, as 2026-03-01")


def month_of(text: str) -> date:
    """The first day of a month.

    Raises:
        UsageError: the text is no month.
    """
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise UsageError(f"{text!r} is not a month", cure="write it as 2019-03") from None
    return _within_the_calendar(month, text, "month of our time, as 2019-03")


def _within_the_calendar(day: date, text: str, expected: str) -> date:
    # Commands also look at the days before and after, which must be in the calendar.
    if not date.min.year < day.year < date.max.year:
        raise UsageError(f"{text} is out of range", cure=f"write a {expected}")
    return day


def instant_of(text: str) -> datetime:
    """A day or an instant, in UTC unless it has a zone.

    Raises:
        UsageError: the text is neither.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is neither a day nor an instant",
            cure="write a date like 2026-03-01, or an instant like 2026-03-01T12:00",
        ) from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
