"""Archeology: the most viewed videos of months long past, by category, with what search quota the present can spare.

Belongs here: asking for the pages of campaigns. Does not belong here: where a campaign goes on (campaigns.py). What search does
not show is not gone: it forgets most videos after 20 to 60 days (arXiv 2506.11727).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import psycopg

from pleiades_core.discover.campaigns import Campaign, acknowledge, advanced, next_turn, resume
from pleiades_core.discover.sources.source import Fault, Find, fault_of
from pleiades_core.errors import ApiError, QuotaExhausted
from pleiades_core.models import Page, Pool
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube

log = logging.getLogger(__name__)


def archeology(database: Database, youtube: YouTube, *, now: datetime, pages: int) -> Iterator[Find]:
    """Up to `pages` pages of the campaigns that are open, cell by cell, and a cell of each in turn.

    Ends when the pool's quota is spent: the past can wait. Raises what else `YouTube.search` raises.
    """
    if pages <= 0:
        return
    with database.transaction() as connection:
        waiting = resume(connection, now)
    for _ in range(pages):
        if not waiting:
            return
        campaign = next_turn(waiting)
        waiting.remove(campaign)
        anew = False
        try:
            page = youtube.search(
                None, published_after=campaign.since, published_before=campaign.until, category=campaign.category,
                order="viewCount", page_token=campaign.page_token, pool=Pool.ARCHEOLOGY,
            )  # fmt: skip
        except QuotaExhausted as error:
            log.info("archeology ends for today: %s", error)
            return
        except ApiError as error:
            if fault_of(error) is Fault.ACCESS:
                raise
            page, said = Page(candidates=(), next_page_token=None), str(error)
            if fault_of(error) is Fault.OUTAGE:
                # The cursor stays. The call counts: another campaign comes first the next time, or when the token has died.
                yield _find(campaign, page, campaign, error=said)
                raise
            # A token that is no longer understood says nothing of its cell, unlike a category that search does not know.
            anew = campaign.page_token is not None
            log.warning("cell %s of campaign %s: %s", campaign.cell, campaign.name, error)
        else:
            said = ""
        after = advanced(campaign, page.next_page_token, now, anew=anew)
        yield _find(campaign, page, after, error=said)
        if after.finished_at is None:
            waiting.append(after)


def _find(asked: Campaign, page: Page, after: Campaign, *, error: str) -> Find:
    return Find(
        road="archeology", arm=asked.cell, candidates=page.candidates, error=error,
        acknowledge=partial(_note, asked, after, len(page.candidates)),
    )  # fmt: skip


def _note(held: Campaign, after: Campaign, found: int, connection: psycopg.Connection, now: datetime) -> None:
    acknowledge(connection, held, after, found=found, now=now)
