"""Search in the past: the most viewed videos of past months, by category, with the search quota of the pool archeology.

Belongs here: requesting the pages of campaigns. Does not belong here: where a campaign goes on (search_queue/campaigns.py). A
video that a search does not show may exist: search leaves out most videos after 20 to 60 days (arXiv 2506.11727).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import psycopg

from pleiades_core.discover.search_queue.campaigns import (
    Campaign,
    acknowledge,
    advanced,
    beyond,
    failed,
    next_turn,
    open_ones,
    resume,
    searches_answered,
)
from pleiades_core.discover.sources.base import Acknowledge, FailureCause, Find, Source, SourceContext, cause_of
from pleiades_core.errors import ApiError, QuotaExhausted
from pleiades_core.models import Bucket, Page, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube

log = logging.getLogger(__name__)


def find(context: SourceContext) -> Iterator[Find]:
    """Pages of the open campaigns, with the units of the pool archeology.

    A hunt of several sources does not fail if this pool is spent, or if no key serves it: the past can wait.
    """
    units = context.require_units if context.is_only_source else context.units_for_hunt
    pages = units(Bucket.SEARCH, QuotaPool.ARCHEOLOGY)
    yield from past_search(context.database, context.youtube, now=context.now, pages=pages)


def past_search(database: Database, youtube: YouTube, *, now: datetime, pages: int) -> Iterator[Find]:
    """Request pages of the open campaigns, cell by cell, and a cell of each campaign in turn.

    Ends when the pool's quota is spent: the past can wait. A campaign whose request fails has had its turn in this hunt, and
    another campaign is searched.

    Args:
        database: has the campaigns.
        youtube: counts the calls.
        now: the present instant.
        pages: the most pages.

    Yields:
        The result for each page.

    Raises:
        ApiError: two requests in a row failed, or no request was answered.
    """
    if pages <= 0:
        return
    with database.transaction() as connection:
        waiting = resume(connection, now)
    try:
        yield from _dig(youtube, waiting, now, pages)
    except QuotaExhausted as error:
        log.info("past_search ends for today: %s", error)


def _dig(youtube: YouTube, waiting: list[Campaign], now: datetime, pages: int) -> Iterator[Find]:
    #: Cells that were answered in this hunt. The list is read when a failure is recorded, perhaps after the last request.
    answered: list[str] = []
    witness: Campaign | None = None
    outage: ApiError | None = None
    for _ in range(pages):
        if not waiting:
            break
        campaign = next_turn(waiting)
        waiting.remove(campaign)
        asking = youtube.part()
        failure, anew, page = "", False, Page(candidates=(), next_page_token=None)
        try:
            page = _page(asking, campaign)
            answered.append(campaign.cell)
        except ApiError as error:
            if cause_of(error) is FailureCause.ACCESS:
                raise
            log.warning("cell %s of campaign %s: %s", campaign.cell, campaign.name, error)
            if cause_of(error) is FailureCause.OUTAGE:
                # The cursor stays. The call counts, so another campaign comes first the next time, or when the token has died.
                yield _find(campaign, page, partial(_note_failure, campaign, answered), asking, error=str(error))
                if outage is not None:
                    raise
                outage = error
                if not waiting and not answered:
                    # There is no other campaign to compare with, so the next cell is requested. Its page is requested again in
                    # its turn.
                    witness = beyond(campaign, now)
                    waiting += open_ones([witness])
                continue
            # A refused token says nothing about its cell; a category that search does not know does.
            failure, anew = str(error), campaign.page_token is not None
        outage = None
        after = advanced(campaign, page.next_page_token, now, anew=anew)
        yield _find(campaign, page, partial(_note, campaign, after, len(page.candidates)), asking, error=failure)
        if after.finished_at is None and campaign is not witness:
            waiting.append(after)
    if outage is not None and not answered:
        raise outage


def _page(youtube: YouTube, campaign: Campaign) -> Page:
    return youtube.search(
        None, published_after=campaign.since, published_before=campaign.until, category=campaign.category,
        order="viewCount", page_token=campaign.page_token, pool=QuotaPool.ARCHEOLOGY,
    )  # fmt: skip


def _find(campaign: Campaign, page: Page, noting: Acknowledge, asking: YouTube, *, error: str) -> Find:
    return Find(
        source="past_search", target=campaign.cell, candidates=page.candidates, calls=asking.calls(), error=error,
        acknowledge=noting,
    )  # fmt: skip


def _note(held: Campaign, after: Campaign, found: int, connection: psycopg.Connection, now: datetime) -> None:
    acknowledge(connection, held, after, found=found, now=now)


def _note_failure(held: Campaign, answered: Sequence[str], connection: psycopg.Connection, now: datetime) -> None:
    # In an outage of all searches no cell is the cause.
    to_blame = bool(answered) or searches_answered(connection, now)
    acknowledge(connection, held, failed(held, now) if to_blame else held, found=0, now=now)


SOURCE = Source(bit=64, order=60, find=find, calls_api=True, group="past_search", admits_any_age=True, is_optional=True)
