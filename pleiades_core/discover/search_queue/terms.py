"""The search queue: which terms to search now, back to which instant, and where the last page ended.

Belongs here: rounds, windows and page tokens, and terms that people add. Does not belong here: requests to YouTube (sources/),
choosing terms (bandit.py), terms from tags (snowball.py), rewards (rewards.py).

A round reads the results of one term page by page, newest first, back to the beginning of the last finished round. The page
token is written in the transaction that makes the page's videos durable, and dropped when it is old: YouTube's offsets shift as
new videos arrive. A search ends near 500 results: if a term has more since its last round, the older ones are not searched
again.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from pleiades_core.discover.search_queue import bandit
from pleiades_core.discover.search_queue.bandit import Target
from pleiades_core.errors import UsageError
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.queries import load_queries, records

_SQL = load_queries("terms")

#: A page token older than this starts its round anew.
TOKEN_LIVES = timedelta(hours=12)
#: A round looks back this much beyond the start of the last one: search learns of a video some time after it is published.
OVERLAP = timedelta(hours=2)
#: Characters of a query, and of the column.
LONGEST = 100
#: The highest priority that a person may give; larger numbers come first.
MOST_PRIORITY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTurn:
    """The next request for one term."""

    term: str
    published_after: datetime
    page_token: str | None
    #: When the round began; the next round will end there.
    round_started_at: datetime
    #: The page token in the queue when the turn was taken: another hunter may use it first.
    held_token: str | None = None
    held_round: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedTerm:
    """A term of the queue, as people see it. Instants are aware UTC, None: never."""

    term: str
    priority: int
    #: The discounted sum of mentions.
    mentions: float
    #: Discounted sums: pages read, and their new videos that turned out viral or are expected to.
    requests: float
    reward: float
    #: Expected reward of a page now.
    expected: float
    #: 0: the term rests. 1: a whole page of new results is expected.
    readiness: float
    added_at: datetime | None
    last_searched_at: datetime | None
    #: Results in all, known ones included.
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One row of the queue, as the table has it."""

    term: str
    priority: int
    mentions: float
    mentioned_at: datetime | None
    #: Discounted sums, as of `scored_at`.
    requests: float
    reward: float
    scored_at: datetime | None
    prior_mean: float | None
    last_searched_at: datetime | None
    added_at: datetime | None
    next_page_token: str | None
    token_at: datetime | None
    round_started_at: datetime | None
    searched_until: datetime | None
    found: int

    def target(self, now: datetime) -> Target:
        """The row as the bandit's target."""
        return Target(
            term=self.term, priority=self.priority, mentions=self.mentions, mentioned_at=self.mentioned_at,
            requests=self.requests, reward=self.reward, scored_at=self.scored_at, prior_mean=self.prior_mean,
            last_searched_at=self.last_searched_at,
            added_at=self.added_at, in_round=_goes_on(self.next_page_token, self.token_at, now),
        )  # fmt: skip


def next_turn(
    term: str, page_token: str | None, token_at: datetime | None, round_started_at: datetime | None,
    searched_until: datetime | None, *, now: datetime, window: timedelta,
) -> SearchTurn:  # fmt: skip
    """The next page of a term's round, or the first page of a new round. Pure.

    Args:
        term: the term.
        page_token: of the next page, as the queue has it.
        token_at: when the token was written.
        round_started_at: when the round began.
        searched_until: where the last finished round began.
        now: the present instant.
        window: how far back the first search for a term looks.

    Returns:
        The request.
    """
    going_on = _goes_on(page_token, token_at, now)
    started = round_started_at if going_on and round_started_at else now
    after = searched_until - OVERLAP if searched_until else started - window
    return SearchTurn(
        term=term, published_after=after, page_token=page_token if going_on else None, round_started_at=started,
        held_token=page_token, held_round=round_started_at,
    )  # fmt: skip


def take_turns(
    connection: psycopg.Connection, *, limit: int, now: datetime, window: timedelta, rng: random.Random
) -> list[SearchTurn]:
    """Choose the terms to search now. Nothing is locked: two hunters that search one term find its videos once.

    Args:
        connection: the caller's transaction.
        limit: the most terms.
        now: the present instant.
        window: how far back the first search for a term looks.
        rng: draws the terms.

    Returns:
        The requests.
    """
    rows = {row.term: row for row in queue_rows(connection)}
    chosen = (rows[target.term] for target in bandit.draw([row.target(now) for row in rows.values()], now, rng, limit))
    return [
        next_turn(row.term, row.next_page_token, row.token_at, row.round_started_at, row.searched_until, now=now, window=window)
        for row in chosen
    ]


def acknowledge(
    connection: psycopg.Connection, turn: SearchTurn, *, next_page_token: str | None, finished: bool, found: int, now: datetime
) -> None:
    """Record where to go on, in the transaction that makes a page's videos durable. A finished round moves the window.

    The caller holds the lock DISCOVERY (storage/locks.py), as every writer of the queue does, so that nothing recorded is lost.
    If another hunter has moved the place meanwhile, it stays; the count of found videos grows in any case.

    Args:
        connection: the transaction that makes the page durable.
        turn: the request.
        next_page_token: of the page; None: it was the last one.
        finished: the round is over.
        found: videos on the page.
        now: the present instant.
    """
    connection.execute(
        _SQL.ack_term,
        {
            "term": turn.term, "next_page_token": next_page_token, "now": now, "round_started_at": turn.round_started_at,
            "searched_until": turn.round_started_at if finished else None, "found": found,
            "held_token": turn.held_token, "held_round": turn.held_round,
        },
    )  # fmt: skip


def note_search(connection: psycopg.Connection, term: str, *, new: int, now: datetime) -> None:
    """Record the reward of a page that is durable: evidence for the bandit. The caller holds the lock DISCOVERY.

    The reward is the expected number of virals among the new videos, until `rewards.rescore` has measured them. A term that has
    left the queue meanwhile stays away.

    Args:
        connection: the transaction that makes the page durable.
        term: the term.
        new: videos of the page that were unknown.
        now: the present instant.
    """
    parameters = {"term": term, "reward": new * bandit.VIRAL_SHARE, "kept_a_day": bandit.KEPT_A_DAY, "now": now}
    connection.execute(_SQL.requested, parameters)


def seed(connection: psycopg.Connection, terms: Sequence[str], *, priority: int = 0) -> None:
    """Put terms into the queue that are not in it, before later ones. Blank and overlong terms are left out.

    Args:
        connection: the caller's transaction.
        terms: the terms.
        priority: of the new terms.
    """
    lock_discovery(connection)
    connection.execute(_SQL.seed_terms, {"terms": usable(terms), "priority": priority})


def add(connection: psycopg.Connection, term: str, *, priority: int, now: datetime) -> str:
    """Put a term into the queue, or change the priority of a term that is in it.

    Args:
        connection: the caller's transaction.
        term: the term, in any spelling.
        priority: 0 is ordinary; larger numbers come first.
        now: the present instant.

    Returns:
        The term as the queue spells it.

    Raises:
        UsageError: it is no term, or the priority is out of range.
    """
    if not is_term(term):
        shown = f"{term[:LONGEST]!r}{'…' * (len(term) > LONGEST)}"
        raise UsageError(f"{shown} is not a term", cure=f"a term has 1 to {LONGEST} characters")
    if not 0 <= priority <= MOST_PRIORITY:
        raise UsageError(f"priority {priority} is out of range", cure=f"0 is ordinary, the largest is {MOST_PRIORITY}")
    lock_discovery(connection)
    connection.execute(_SQL.add_term, {"term": spelt(term), "priority": priority, "now": now})
    return spelt(term)


def usable(texts: Iterable[str]) -> list[str]:
    """The terms among texts, as they are spelt in the queue; each once, in order."""
    return sorted({spelt(text) for text in texts if is_term(text)})


def spelt(text: str) -> str:
    """One spelling for all spellings that a search treats alike: case, composed characters, spaces."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold()).split())


def is_term(text: str) -> bool:
    """True if the text can be searched for and stored."""
    term = spelt(text)
    # Without control characters (PostgreSQL refuses NUL) and surrogates (UTF-8 cannot encode them).
    return 1 <= len(term) <= LONGEST and not any(unicodedata.category(character) in {"Cc", "Cs"} for character in term)


def queued(connection: psycopg.Connection, now: datetime) -> list[QueuedTerm]:
    """The queue, by priority and then by expected reward."""
    rows = [(row.target(now), row.found) for row in queue_rows(connection)]
    usual = bandit.usual_reward([target for target, _ in rows], now)
    listed = [
        QueuedTerm(
            term=target.term, priority=target.priority, mentions=bandit.mentions_now(target, now),
            requests=bandit.discounted(target.requests, target.scored_at, now),
            reward=bandit.discounted(target.reward, target.scored_at, now),
            expected=bandit.expected(target, usual, now), readiness=bandit.readiness(target, now), added_at=target.added_at,
            last_searched_at=target.last_searched_at, found=found,
        )
        for target, found in rows
    ]  # fmt: skip
    return sorted(listed, key=lambda row: (-row.priority, -row.expected, row.term))


def queue_rows(connection: psycopg.Connection) -> list[QueueRow]:
    """The whole queue, in the order of the seed."""
    return records(connection, QueueRow, _SQL.terms)


def _goes_on(page_token: str | None, token_at: datetime | None, now: datetime) -> bool:
    return page_token is not None and token_at is not None and now - token_at <= TOKEN_LIVES
