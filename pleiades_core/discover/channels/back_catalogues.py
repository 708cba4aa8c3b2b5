"""Back catalogues: how far the past uploads of a channel were read, and where the reading goes on.

Belongs here: the cursor of one uploads list, decisions about it, and its table. Does not belong here: requests to YouTube
(discover/channels/past_uploads.py), new uploads of a channel (sources/uploads.py).

A channel that a person adds is read page by page to its end, or to the newest N uploads. The cursor moves in the transaction
that makes a page durable, and only from the place of that page: after a kill the reading goes on there, and two readers move it
once. How long a page token lives is not documented. If YouTube refuses a token, or an old token leads nowhere, the list begins
anew, and pages that were read before cost a unit each. A list is left, and marked as cut, if several passes in a row come no
deeper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import psycopg

from pleiades_core.discover.search_queue.terms import TOKEN_LIVES
from pleiades_core.models import Candidate, ChannelId, Page
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.youtube.api import IDS_PER_CALL

_SQL = load_queries("back_catalogues")

#: Users of the API report that YouTube serves no more of an uploads list; the reference of playlistItems.list names no bound. A
#: list that ends earlier or later is read to its end anyway.
MOST_LISTED = 20_000
#: Passes in a row that came no deeper than the one before: then the list is left.
MOST_RESTARTS = 3
#: Failures in a row, with a wait that doubles each time, after which the list is left.
MOST_FAILURES = 5
READ_AGAIN = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackCatalogue:
    """The past uploads of one channel, and how far they were read."""

    #: Ordinal; 0 before the channel has one.
    channel: int = 0
    channel_id: ChannelId
    #: `added`: a person added the channel. `uploads`: new uploads, too many for one list.
    source: str
    title: str = ""
    #: How many of the newest uploads to read; None: all.
    newest: int | None = None
    #: How many uploads the list has, as YouTube says; None: not known.
    total: int | None = None
    #: Uploads read, in the pass that came deepest, and in the present pass.
    read: int = 0
    passed: int = 0
    #: Token of the next page; None: the list begins anew.
    page_token: str | None = None
    token_at: datetime | None = None
    #: Passes in a row that came no deeper.
    restarts: int = 0
    #: Failed pages in a row.
    failures: int = 0
    failed_at: datetime | None = None
    finished_at: datetime | None = None
    #: True if the list was left before its end.
    cut: bool = False

    @property
    def left(self) -> int:
        """Uploads that are still to be read."""
        if self.finished_at is not None:
            return 0
        most = min(MOST_LISTED if uploads is None else uploads for uploads in (self.newest, self.total))
        return max(0, most - self.read)

    @property
    def cost(self) -> float:
        """Units for the pages that are left, with pages to read again, and for describing their videos."""
        return (self.left + self.read - self.passed) / IDS_PER_CALL + self.left / IDS_PER_CALL

    def covers(self, newest: int | None) -> bool:
        """True if the newest `newest` uploads (None: all) were read, or will be read anyway."""
        return not self.cut and (self.newest is None or (newest is not None and newest <= self.newest))


def begun_anew(held: BackCatalogue, now: datetime) -> BackCatalogue:
    """The list after its page token died: it begins with its first page, or is left if that did not help before. Pure."""
    again = replace(held, page_token=None, token_at=None, passed=0, restarts=held.restarts + 1)
    return left_early(again, now) if again.restarts > MOST_RESTARTS else again


def taken(held: BackCatalogue, page: Page) -> tuple[Candidate, ...]:
    """The candidates of a page that are among the newest to read. Pure."""
    return page.candidates if held.newest is None else page.candidates[: max(0, held.newest - held.passed)]


def advanced(held: BackCatalogue, page: Page, now: datetime) -> BackCatalogue:
    """The list after one more page. Pure.

    If the list ends a page or more before its announced end, that counts as a failure: the page is requested again, or the
    first page if the token was old.

    Args:
        held: the list before.
        page: the page.
        now: the present instant.

    Returns:
        The list.
    """
    passed = held.passed + len(taken(held, page))
    total = held.total if page.total is None else page.total
    enough = held.newest is not None and passed >= held.newest
    ended = page.next_page_token is None or not page.candidates
    if ended and not enough and min(total or 0, MOST_LISTED) - passed >= IDS_PER_CALL:
        is_old = held.token_at is not None and now - held.token_at > TOKEN_LIVES
        return begun_anew(held, now) if is_old else failed(replace(held, total=total), now)
    return replace(
        held, total=total, passed=passed, read=max(held.read, passed), failures=0, failed_at=None,
        restarts=0 if passed > held.read else held.restarts,
        page_token=page.next_page_token, token_at=now, finished_at=now if ended or enough else None,
    )  # fmt: skip


def failed(held: BackCatalogue, now: datetime, *, to_blame: bool = True) -> BackCatalogue:
    """The list after a page that failed, or that lacked videos: it waits, and other lists come first. Pure.

    Args:
        held: the list before.
        now: the present instant.
        to_blame: YouTube answered for other lists. A list that may not be the cause is never left.

    Returns:
        The list.
    """
    again = replace(held, failures=held.failures + 1, failed_at=now)
    if again.failures < MOST_FAILURES:
        return again
    return left_early(again, now) if to_blame else replace(again, failures=MOST_FAILURES - 1)


def left_early(held: BackCatalogue, now: datetime) -> BackCatalogue:
    """The list, left before its end. Pure."""
    return replace(held, finished_at=now, cut=True, page_token=None, token_at=None)


def due(unread: Iterable[BackCatalogue], now: datetime) -> list[BackCatalogue]:
    """Which lists to read now, of those that did not fail lately. Pure.

    Lists that were begun come first, since page tokens die. Then the shortest lists, so that most are soon done.
    """
    there = [
        catalogue
        for catalogue in unread
        if catalogue.failed_at is None or now - catalogue.failed_at >= READ_AGAIN * 2 ** (catalogue.failures - 1)
    ]
    return sorted(there, key=lambda row: (row.page_token is None, row.left, row.channel))


def named(connection: psycopg.Connection) -> list[BackCatalogue]:
    """The back catalogues of all channels that people added, finished ones too."""
    return records(connection, BackCatalogue, _SQL.back_catalogues)


def unread(connection: psycopg.Connection) -> list[BackCatalogue]:
    """The back catalogues that are not read to their end."""
    return records(connection, BackCatalogue, _SQL.unread)


def begin(connection: psycopg.Connection, first: BackCatalogue, now: datetime) -> None:
    """Record the list of a followed channel whose first pages are durable.

    `uploads` lists add up: uploads that an earlier list left unread lie behind those of the new one.

    Args:
        connection: the transaction that makes the pages durable.
        first: the list after those pages.
        now: the present instant.
    """
    parameters = {
        **_parameters(first),
        "title": first.title,
        "newest": first.newest,
        "channel_id": first.channel_id,
        "now": now,
    }
    connection.execute(_SQL.begin, {**parameters, "and_before": first.source == "uploads"})


def advance(held: BackCatalogue, after: BackCatalogue, connection: psycopg.Connection, _now: datetime) -> None:
    """Record that a page is durable: the cursor moves on, unless another reader has moved it.

    Args:
        held: the list as it was in the table.
        after: the list after the page.
        connection: the transaction that makes the page durable.
        _now: not used; `Acknowledge` has it.
    """
    held_at = {"channel": held.channel, "held_passed": held.passed, "held_token": held.page_token}
    connection.execute(_SQL.advance, {**_parameters(after), **held_at})


def _parameters(catalogue: BackCatalogue) -> dict[str, object]:
    return {
        "source": catalogue.source, "total": catalogue.total, "read": catalogue.read, "passed": catalogue.passed,
        "page_token": catalogue.page_token,
        "token_at": catalogue.token_at, "restarts": catalogue.restarts, "failures": catalogue.failures,
        "failed_at": catalogue.failed_at,
        "finished_at": catalogue.finished_at, "cut": catalogue.cut,
    }  # fmt: skip
