"""Search: the only source to unknown channels, and the dearest: 100 calls a day.

Belongs here: one page of results for each of the drawn terms. Does not belong here: which terms are drawn (bandit.py), where
each goes on (terms.py). Never infer from its silence: search forgets videos after 20 to 60 days and answers the same question
differently (arXiv 2506.11727).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from pleiades_core.discover.search_queue.terms import SearchTurn, acknowledge, take_turns
from pleiades_core.discover.sources.base import Fault, Find, fault_of
from pleiades_core.errors import ApiError
from pleiades_core.models import Page
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube

log = logging.getLogger(__name__)


def search(
    database: Database, youtube: YouTube, *, now: datetime, pages: int, window: timedelta, rng: random.Random
) -> Iterator[Find]:
    """A page of each of `pages` terms.

    One that does not answer may be what brings search down, so another is asked. Raises what `YouTube.search` raises when that
    did not answer either, or none did.
    """
    with database.transaction() as connection:
        turns = take_turns(connection, limit=pages, now=now, window=window, rng=rng)
    answered, outage = False, None
    for turn in turns:
        try:
            page = youtube.search(turn.term, published_after=turn.published_after, page_token=turn.page_token)
        except ApiError as error:
            if fault_of(error) is Fault.ACCESS:
                raise
            # A token that is no longer understood, a term that never was, a page that swells: the term rests, and waits for its
            # next turn, from the first page. In an outage as well: next time another term is first.
            log.warning("search for %r: %s", turn.term, error)
            yield Find(source="search", target=turn.term, acknowledge=partial(_note, turn, None), error=str(error))
            if fault_of(error) is not Fault.OUTAGE:
                continue
            if outage is not None:
                raise
            outage = error
        else:
            answered, outage = True, None
            yield Find(source="search", target=turn.term, candidates=page.candidates, acknowledge=partial(_note, turn, page))
    if outage is not None and not answered:
        raise outage


def _note(turn: SearchTurn, page: Page | None, connection: psycopg.Connection, now: datetime) -> None:
    token = page.next_page_token if page else None
    found = len(page.candidates) if page else 0
    acknowledge(connection, turn, next_page_token=token, finished=page is not None and token is None, found=found, now=now)
