"""Search: the only road to unknown channels, and the dearest: 100 calls a day.

Belongs here: one page of results for each of the next terms. Never infer from its silence: search forgets videos after 20 to 60
days and answers the same question differently (arXiv 2506.11727).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from pleiades_core.discover.queries import SearchTurn, acknowledge, take_turns
from pleiades_core.discover.sources.source import Find
from pleiades_core.errors import BackendError, BadReply, BadRequest, RateLimited
from pleiades_core.models import Page
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube

log = logging.getLogger(__name__)


def search(database: Database, youtube: YouTube, *, now: datetime, pages: int, window: timedelta) -> Iterator[Find]:
    """A page of each of the next `pages` terms. Raises what `YouTube.search` raises."""
    with database.transaction() as connection:
        turns = take_turns(connection, limit=pages, now=now, window=window)
    for turn in turns:
        road = f"search:{turn.term}"
        try:
            page = youtube.search(turn.term, published_after=turn.published_after, page_token=turn.page_token)
        except (BadRequest, BadReply) as error:
            # A token that is no longer understood, a term that never was, a page that swells: one term must not stop the
            # others. It waits for its next turn, from the first page.
            log.warning("search for %r: %s", turn.term, error)
            yield Find(road=road, candidates=(), acknowledge=partial(_note, turn, None))
        except (BackendError, RateLimited):
            # An outage, or a term that brings YouTube down: the search ends for now, and next time another term is first.
            yield Find(road=road, candidates=(), acknowledge=partial(_note, turn, None))
            raise
        else:
            yield Find(road=road, candidates=page.candidates, acknowledge=partial(_note, turn, page))


def _note(turn: SearchTurn, page: Page | None, connection: psycopg.Connection, now: datetime) -> None:
    token = page.next_page_token if page else None
    found = len(page.candidates) if page else 0
    acknowledge(connection, turn, next_page_token=token, finished=page is not None and token is None, found=found, now=now)
