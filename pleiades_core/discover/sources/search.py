"""Search: the only source that finds unknown channels, and the most expensive one: 100 calls a day.

Belongs here: one page of results for each of the drawn terms. Does not belong here: which terms are drawn
(search_queue/bandit.py), where each goes on (search_queue/terms.py). A video that a search does not show may exist: search
leaves out videos after 20 to 60 days, and its answers vary (arXiv 2506.11727).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from pleiades_core.discover.search_queue.terms import SearchTurn, acknowledge, take_turns
from pleiades_core.discover.sources.base import FailureCause, Find, Source, SourceContext, cause_of
from pleiades_core.errors import ApiError
from pleiades_core.models import Bucket, Page, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube

log = logging.getLogger(__name__)


def find(context: SourceContext) -> Iterator[Find]:
    """A page for each term that this hunt can afford; nothing where settings allow no search."""
    settings, now = context.settings, context.now
    if settings.discovery.searches_per_hunt:
        pages = min(context.require_units(Bucket.SEARCH, QuotaPool.HUNTING), settings.discovery.searches_per_hunt)
        rng = random.Random(now.isoformat())  # noqa: S311  draws terms, no secrets; the same instant draws the same
        window = timedelta(hours=settings.discovery.search_window_hours)
        yield from search(context.database, context.youtube, now=now, pages=pages, window=window, rng=rng)


def search(
    database: Database, youtube: YouTube, *, now: datetime, pages: int, window: timedelta, rng: random.Random
) -> Iterator[Find]:
    """A page of results for each of `pages` terms.

    A term without an answer may be the cause of the failure, so another term is searched.

    Args:
        database: holds the search queue.
        youtube: counts the calls.
        now: aware UTC.
        pages: calls of the bucket search.
        window: how far back the first search for a term looks.
        rng: draws the terms.

    Yields:
        The result for each term, also when it is an error.

    Raises:
        ApiError: two terms in a row met an outage, or no term was answered, or quota and keys allow no call.

    """
    with database.transaction() as connection:
        turns = take_turns(connection, limit=pages, now=now, window=window, rng=rng)
    answered, outage = False, None
    for turn in turns:
        asking = youtube.part()
        try:
            page = asking.search(turn.term, published_after=turn.published_after, page_token=turn.page_token)
        except ApiError as error:
            if cause_of(error) is FailureCause.ACCESS:
                raise
            # An old token, a refused term or a page that is too large: the term rests, and its next search begins with the
            # first page. In an outage as well: the next hunt begins with another term.
            log.warning("search for %r: %s", turn.term, error)
            yield Find(
                source="search",
                target=turn.term,
                acknowledge=partial(_note, turn, None),
                calls=asking.calls(),
                error=str(error),
            )
            if cause_of(error) is not FailureCause.OUTAGE:
                continue
            if outage is not None:
                raise
            outage = error
        else:
            answered, outage = True, None
            yield Find(
                source="search", target=turn.term, candidates=page.candidates, acknowledge=partial(_note, turn, page),
                calls=asking.calls(),
            )  # fmt: skip
    if outage is not None and not answered:
        raise outage


def _note(turn: SearchTurn, page: Page | None, connection: psycopg.Connection, now: datetime) -> None:
    token = page.next_page_token if page else None
    found = len(page.candidates) if page else 0
    acknowledge(connection, turn, next_page_token=token, finished=page is not None and token is None, found=found, now=now)


SOURCE = Source(bit=1, order=50, find=find, calls_api=True, group="search")
