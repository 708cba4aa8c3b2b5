"""The search queue: which terms to search now, from when on, and where the last page ended.

Belongs here: rounds, windows and page tokens, and what people put into the queue. Does not belong here: asking YouTube
(sources/), which terms are worth it (bandit.py), terms from tags (snowball.py), what they were worth (rewards.py).

A round reads the results of one term page by page, newest first, back to where the last finished round began. Its page token is
kept only once the page's videos are durable, and dropped when it is old: YouTube's offsets shift as new videos arrive. Search
ends near 500 results: of a term with more than these since its last round, the older ones are not searched for again.
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
#: A person's word for "before others"; larger numbers come first.
MOST_PRIORITY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTurn:
    """What to ask for one term now."""

    term: str
    published_after: datetime
    page_token: str | None
    #: When the round began: where the next one will end.
    round_started_at: datetime
    #: What the queue held when the turn was taken: another hunter may go on from there first.
    held_token: str | None = None
    held_round: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedTerm:
    """A term of the queue as people look at it. Instants are aware UTC, None: never."""

    term: str
    priority: int
    #: Those that still count.
    mentions: float
    #: Discounted sums: pages read, and of their new videos those that turned out viral or are expected to.
    requests: float
    reward: float
    #: Reward a page that is expected now.
    expected: float
    #: 0: it rests. 1: a whole page of results is expected.
    readiness: float
    added_at: datetime | None
    last_searched_at: datetime | None
    #: Results in all, known ones included.
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One row of the queue as it stands in the table."""

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
        """What the bandit needs of it."""
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
    """The next page of a term's round, or the first of a new one. Pure; the arguments are a row of the queue."""
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
    """The terms to search now. Nothing is locked: two hunters that search the same term find the same videos once."""
    rows = {row.term: row for row in queue_rows(connection)}
    chosen = (rows[target.term] for target in bandit.draw([row.target(now) for row in rows.values()], now, rng, limit))
    return [
        next_turn(row.term, row.next_page_token, row.token_at, row.round_started_at, row.searched_until, now=now, window=window)
        for row in chosen
    ]


def acknowledge(
    connection: psycopg.Connection, turn: SearchTurn, *, next_page_token: str | None, finished: bool, found: int, now: datetime
) -> None:
    """Note, in the transaction that makes a page's videos durable, where to go on. A finished round moves the window.

    The caller holds the lock of hunters (storage/locks.py), as every writer of the queue does: what holds a row is waited
    for, and nothing that was noted is lost.

    Where another hunter has gone on from the same place meanwhile, the place stays his; what was found counts all the same.
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
    """A page of the term is durable and `new` of its videos were unknown: evidence for the bandit.

    The reward is the number of virals to be expected of them, until `rewards.rescore` knows better. A term that has left the
    queue meanwhile stays away. In turn, like `acknowledge`.
    """
    parameters = {"term": term, "reward": new * bandit.VIRAL_SHARE, "kept_a_day": bandit.KEPT_A_DAY, "now": now}
    connection.execute(_SQL.requested, parameters)


def seed(connection: psycopg.Connection, terms: Sequence[str], *, priority: int = 0) -> None:
    """Put terms into the queue that are not in it, before any that came later. Blank and overlong ones are passed over."""
    lock_discovery(connection)
    connection.execute(_SQL.seed_terms, {"terms": usable(terms), "priority": priority})


def add(connection: psycopg.Connection, term: str, *, priority: int, now: datetime) -> str:
    """Put a term into the queue, or change the priority of one that is there; how it is spelt there. Raises UsageError."""
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
    """One spelling for all spellings that search takes for the same: case, composed characters, spaces."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold()).split())


def is_term(text: str) -> bool:
    """True when it can be searched for and stored."""
    term = spelt(text)
    # Control characters, of which PostgreSQL refuses NUL, and halves of characters, which no encoding has.
    return 1 <= len(term) <= LONGEST and not any(unicodedata.category(character) in {"Cc", "Cs"} for character in term)


def queued(connection: psycopg.Connection, now: datetime) -> list[QueuedTerm]:
    """The queue, by priority and then by what each term promises."""
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
