"""The search queue: which term to search next, from when on, and where the last page ended.

Belongs here: rounds, windows and page tokens of the queue. Does not belong here: asking YouTube (sources/), which terms are
worth it (a later bandit).

A round reads the results of one term page by page, newest first, back to where the last finished round began. Its page token is
kept only once the page's videos are durable, and dropped when it is old: YouTube's offsets shift as new videos arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from pleiades_core.storage.queries import load_queries

QUERIES = load_queries("discovery")

#: A page token older than this starts its round anew.
TOKEN_LIVES = timedelta(hours=12)
#: A round looks back this much beyond the start of the last one: search learns of a video some time after it is published.
OVERLAP = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTurn:
    """What to ask for one term now."""

    term: str
    published_after: datetime
    page_token: str | None
    #: When the round began: where the next one will end.
    round_started_at: datetime


def next_turn(
    term: str, page_token: str | None, token_at: datetime | None, round_started_at: datetime | None,
    searched_until: datetime | None, *, now: datetime, window: timedelta,
) -> SearchTurn:  # fmt: skip
    """The next page of a term's round, or the first of a new one. Pure; the arguments are a row of the queue."""
    going_on = page_token is not None and token_at is not None and now - token_at <= TOKEN_LIVES
    started = round_started_at if going_on and round_started_at else now
    after = searched_until - OVERLAP if searched_until else started - window
    return SearchTurn(term=term, published_after=after, page_token=page_token if going_on else None, round_started_at=started)


def take_turns(connection: psycopg.Connection, *, limit: int, now: datetime, window: timedelta) -> list[SearchTurn]:
    """The terms to search now. Nothing is locked: two hunters that search the same term find the same videos once."""
    rows = connection.execute(QUERIES.next_terms, {"limit": limit}).fetchall()
    return [next_turn(*row, now=now, window=window) for row in rows]


def acknowledge(
    connection: psycopg.Connection, turn: SearchTurn, *, next_page_token: str | None, finished: bool, found: int, now: datetime
) -> None:
    """Note, in the transaction that makes a page's videos durable, where to go on. A finished round moves the window."""
    connection.execute(
        QUERIES.ack_term,
        {
            "term": turn.term, "next_page_token": next_page_token, "now": now, "round_started_at": turn.round_started_at,
            "searched_until": turn.round_started_at if finished else None, "found": found,
        },
    )  # fmt: skip


def seed(connection: psycopg.Connection, terms: Sequence[str], *, priority: int = 0) -> None:
    """Put terms into the queue that are not in it. Blank and overlong ones are passed over: a query has 100 characters."""
    clean = sorted({term.strip() for term in terms if 1 <= len(term.strip()) <= 100 and "\0" not in term})  # noqa: PLR2004
    connection.execute(QUERIES.seed_terms, {"terms": clean, "priority": priority})
