"""Archeology: the most viewed videos of months long past, by category, with what search quota the present can spare.

Belongs here: asking for the pages of campaigns. Does not belong here: where a campaign goes on (campaigns.py). What search does
not show is not gone: it forgets most videos after 20 to 60 days (arXiv 2506.11727).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Protocol

import psycopg

from pleiades_core.discover.campaigns import Campaign, acknowledge, advanced, campaigns, open_ones, resumed
from pleiades_core.discover.sources.source import Find
from pleiades_core.errors import BackendError, BadReply, BadRequest, QuotaExhausted, RateLimited, ReplyTooLarge
from pleiades_core.models import Page
from pleiades_core.storage.postgres import Database

log = logging.getLogger(__name__)


class Searching(Protocol):
    """What this road needs of YouTube."""

    def search(
        self, term: None, /, *, published_after: datetime, published_before: datetime, category: int, order: str,
        page_token: str | None, pool: str,
    ) -> Page:  # fmt: skip
        """Up to 50 videos of a category that were published between two aware instants."""
        ...


def archeology(database: Database, youtube: Searching, *, now: datetime, pages: int) -> Iterator[Find]:
    """Up to `pages` pages of the campaigns that are open, of each in turn.

    Ends when the pool's quota is spent: the past can wait. Raises what else `YouTube.search` raises.
    """
    with database.transaction() as connection:
        waiting = open_ones(campaigns(connection))
    for _ in range(pages):
        if not waiting:
            return
        held = waiting.pop(0)
        campaign = resumed(held, now)
        try:
            page = youtube.search(
                None, published_after=campaign.since, published_before=campaign.until, category=campaign.category,
                order="viewCount", page_token=campaign.page_token, pool="archeology",
            )  # fmt: skip
        except QuotaExhausted as error:
            log.info("archeology ends for today: %s", error)
            return
        except (BadRequest, ReplyTooLarge) as error:
            # It would be refused again: a token that is no longer understood, a category that search does not know.
            log.warning("cell %s of campaign %s is passed over: %s", campaign.cell, campaign.name, error)
            page, said = Page(candidates=(), next_page_token=None), str(error)
        except (BackendError, BadReply, RateLimited) as error:
            # An outage: the cursor stays. The call counts, so that another campaign comes first the next time.
            yield _find(campaign, Page(candidates=(), next_page_token=None), held, held, error=str(error))
            raise
        else:
            said = ""
        after = advanced(campaign, page.next_page_token, now)
        yield _find(campaign, page, held, after, error=said)
        if after.finished_at is None:
            waiting.append(after)


def _find(asked: Campaign, page: Page, held: Campaign, after: Campaign, *, error: str) -> Find:
    return Find(
        road="archeology", arm=asked.cell, candidates=page.candidates, error=error,
        acknowledge=partial(_note, held, after, len(page.candidates)),
    )  # fmt: skip


def _note(held: Campaign, after: Campaign, found: int, connection: psycopg.Connection, now: datetime) -> None:
    acknowledge(connection, held, after, found=found, now=now)
