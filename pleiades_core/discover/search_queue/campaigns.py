"""Campaigns: searches through past months, category by category.

Belongs here: the cells of a campaign, its cursor, and its table. Does not belong here: requests to YouTube
(discover/sources/past_search.py).

A campaign goes from its newest month to its oldest, through all categories of a month. A cell is one month and one category.
The cursor moves in the transaction that makes a page durable, and only from the place of that page: after a kill a campaign
goes on there, and two hunters move it once.

A page token dies within hours. A cell whose token died is left with the pages that were read, its most viewed videos: begun
anew it would cost its first pages again, and with few searches it would never end. So a campaign with a living token comes
first, unless that page failed. A cell that fails several times while other searches are answered is left too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import psycopg

from pleiades_core.discover.search_queue.terms import TOKEN_LIVES
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.errors import NotFound, UsageError
from pleiades_core.storage.queries import load_queries, records

_SQL = load_queries("campaigns")

#: Music, gaming, entertainment, science and technology, education: the seed's.
CATEGORIES = (10, 20, 24, 28, 27)
#: Search ends near 500 results whatever it says it has (developers.google.com/youtube/v3/docs/search/list, read 2026-11-22).
PAGES_A_CELL = 10
#: A cell that failed in this many hunts in a row, while other searches were answered, is left.
MOST_FAILURES = 3
#: The month of the first video on YouTube.
FIRST_MONTH = date(2005, 4, 1)
#: Characters of a campaign's name.
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign, and how far it went. Months are their first days."""

    name: str
    first_month: date
    last_month: date
    #: In the order in which they are searched.
    categories: tuple[int, ...]
    #: The cell that is being read, or was read last.
    month: date
    category: int
    #: Pages of the cell that were read.
    pages: int = 0
    page_token: str | None = None
    token_at: datetime | None = None
    #: Calls so far, and the videos that they found, known ones included.
    searches: int = 0
    found: int = 0
    #: Cells that were left before their last page.
    cut: int = 0
    #: Hunts in a row in which the cell failed while other searches were answered.
    failures: int = 0
    finished_at: datetime | None = None

    @property
    def cell(self) -> str:
        """The cell as people write it."""
        return f"{self.month:%Y-%m}/{self.category}"

    @property
    def since(self) -> datetime:
        """The first instant of the cell's month."""
        return datetime(self.month.year, self.month.month, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The first instant after the cell's month."""
        after = next_month(self.month)
        return datetime(after.year, after.month, 1, tzinfo=UTC)

    @property
    def cells(self) -> int:
        """Cells in all."""
        return _months(self.first_month, self.last_month) * len(self.categories)

    @property
    def cells_left(self) -> int:
        """Cells that are still to be read, the present one included."""
        if self.finished_at is not None:
            return 0
        in_month = len(self.categories) - self.categories.index(self.category)
        return _months(self.first_month, self.month) * len(self.categories) - len(self.categories) + in_month


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def previous_month(month: date) -> date:
    """The first day of the month before."""
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def resumed(campaign: Campaign, now: datetime) -> Campaign:
    """The campaign, with its cell left if the page token has died. Pure."""
    if campaign.page_token is None or (campaign.token_at is not None and now - campaign.token_at <= TOKEN_LIVES):
        return campaign
    return beyond(campaign, now)


def next_turn(waiting: Iterable[Campaign]) -> Campaign:
    """The campaign to search now, of campaigns that are `resumed`: one with a living token, then the least searched. Pure.

    A token whose page failed does not count: its campaign would come first until the token dies.
    """
    return min(waiting, key=lambda row: (row.page_token is None or row.failures > 0, row.searches, row.name))


def advanced(campaign: Campaign, next_page_token: str | None, now: datetime, *, anew: bool = False) -> Campaign:
    """The campaign after one more page. Pure.

    The last page of a cell leads to the next category, the last category of a month to the month before. After the oldest month
    the campaign is finished.

    Args:
        campaign: the campaign before.
        next_page_token: of the page; None: it was the last one.
        now: the present instant.
        anew: the token was refused, and the cell starts again with the calls that it has left.

    Returns:
        The campaign.
    """
    counted = replace(campaign, pages=campaign.pages + 1, searches=campaign.searches + 1, failures=0)
    if (next_page_token is not None or anew) and counted.pages < PAGES_A_CELL:
        return replace(counted, page_token=next_page_token, token_at=now)
    return _next_cell(counted, now)


def failed(campaign: Campaign, now: datetime) -> Campaign:
    """The campaign after a call that failed while other calls were answered; after several, its cell is left. Pure."""
    if campaign.failures + 1 < MOST_FAILURES:
        return replace(campaign, failures=campaign.failures + 1)
    return beyond(campaign, now)


def beyond(campaign: Campaign, now: datetime) -> Campaign:
    """The campaign with its cell left before the last page. Pure."""
    return replace(_next_cell(campaign, now), cut=campaign.cut + 1)


def _next_cell(campaign: Campaign, now: datetime) -> Campaign:
    place = campaign.categories.index(campaign.category) + 1
    ended = replace(campaign, pages=0, page_token=None, token_at=now, failures=0)
    if place < len(campaign.categories):
        return replace(ended, category=campaign.categories[place])
    if campaign.month <= campaign.first_month:
        return replace(ended, finished_at=now)
    return replace(ended, month=previous_month(campaign.month), category=campaign.categories[0])


def add(
    connection: psycopg.Connection, name: str, first: date, last: date, categories: Sequence[int], *, now: datetime
) -> Campaign:
    """Begin a campaign.

    Args:
        connection: the caller's transaction.
        name: of the campaign.
        first: the oldest month, by its first day.
        last: the newest month, by its first day.
        categories: numbers of YouTube's categories.
        now: the present instant.

    Returns:
        The campaign.

    Raises:
        UsageError: a value is wrong, or the name is taken.
    """
    name, chosen = name.strip(), tuple(dict.fromkeys(categories or CATEGORIES))
    first, last = first.replace(day=1), last.replace(day=1)
    if not 1 <= len(name) <= _LONGEST or not name.isprintable():
        raise UsageError("a campaign needs a name", cure=f"1 to {_LONGEST} printable characters")
    if not FIRST_MONTH <= first <= last:
        raise UsageError(
            f"{first:%Y-%m} to {last:%Y-%m} is no span of months", cure=f"the oldest month first, from {FIRST_MONTH:%Y-%m} on"
        )
    if next_month(last) > now.astimezone(UTC).date():
        raise UsageError(f"{last:%Y-%m} is not over yet", cure="a campaign searches the past; the present is for search terms")
    if any(not 0 < category < 1_000 for category in chosen):  # noqa: PLR2004  YouTube's have two digits
        raise UsageError("a category is a number such as 10, music", cure="leave --category out for the usual ones")
    parameters = {"name": name, "first": first, "last": last, "categories": list(chosen)}
    if connection.execute(_SQL.add_campaign, parameters).rowcount == 0:
        raise UsageError(f"there is a campaign {name!r} already", cure="choose another name, or remove that one first")
    return Campaign(name=name, first_month=first, last_month=last, categories=chosen, month=last, category=chosen[0])


def remove(connection: psycopg.Connection, name: str) -> None:
    """End a campaign and forget how far it went. Its videos stay.

    Raises:
        NotFound: there is no such campaign.
    """
    if connection.execute(_SQL.remove_campaign, {"name": name}).rowcount == 0:
        raise NotFound(f"there is no campaign {name!r}", cure="`pleiades campaign list` names them")


def campaigns(connection: psycopg.Connection) -> list[Campaign]:
    """All campaigns, finished ones too, the least searched first."""
    return [replace(record, categories=tuple(record.categories)) for record in records(connection, Campaign, _SQL.campaigns)]


def resume(connection: psycopg.Connection, now: datetime) -> list[Campaign]:
    """The campaigns that are not finished. Cells whose tokens have died are left, in the table too."""
    going_on = []
    for held in open_ones(campaigns(connection)):
        after = resumed(held, now)
        if after is not held:
            connection.execute(_SQL.leave_cell, _moving(held, after, now))
        going_on.append(after)
    return open_ones(going_on)


def acknowledge(connection: psycopg.Connection, held: Campaign, after: Campaign, *, found: int, now: datetime) -> None:
    """Record that a page is durable: the cursor moves on, unless another hunter has moved it.

    Args:
        connection: the transaction that makes the page durable.
        held: the campaign as it was in the table.
        after: the campaign after the page.
        found: videos on the page.
        now: the present instant.
    """
    connection.execute(_SQL.ack_page, {**_moving(held, after, now), "found": found})


def searches_answered(connection: psycopg.Connection, now: datetime) -> bool:
    """True if the recorded requests show that a search was answered within the last minutes."""
    row = connection.execute(_SQL.searches_answered, {"now": now, "latest": latest(now)}).fetchone()
    return bool(row and row[0])


def _moving(held: Campaign, after: Campaign, now: datetime) -> dict[str, object]:
    return {
        "name": held.name, "held_month": held.month, "held_category": held.category, "held_token": held.page_token,
        "month": after.month, "category": after.category, "pages": after.pages, "page_token": after.page_token,
        "token_at": after.token_at, "cut": after.cut, "failures": after.failures,
        "finished": after.finished_at is not None, "now": now,
    }  # fmt: skip


def _months(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month + 1


def open_ones(known: Iterable[Campaign]) -> list[Campaign]:
    """The campaigns that are not finished, in their order."""
    return [campaign for campaign in known if campaign.finished_at is None]
