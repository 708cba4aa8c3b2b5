"""Charts: the most popular videos of a region, 50 for one unit, details included.

Belongs here: which charts are read when. Since 21 July 2025 there are three: music, movies and gaming; the page of trending
videos is gone, and with it the chart of everything (youtube/api.py has the source). What is on a chart has risen already:
charts find what searches missed, not what will rise.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import psycopg

from pleiades_core.clock import Clock
from pleiades_core.discover.admission import QUERIES
from pleiades_core.discover.sources.source import Find, Found
from pleiades_core.errors import BadReply, BadRequest, ResourceMissing
from pleiades_core.models import Candidate
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import CHART_CATEGORIES, YouTube

log = logging.getLogger(__name__)

#: A chart changes slowly.
READ_AGAIN = timedelta(hours=12)
#: 200 videos, as in a capture of 2023.
_MOST_PAGES = 4


def charts(database: Database, youtube: YouTube, clock: Clock, *, regions: Sequence[str], units: int) -> Iterator[Find]:
    """The charts that were not read for a while, for at most `units` general units. Raises what `YouTube.chart` raises."""
    now = clock.now()
    with database.transaction() as connection:
        read = dict(connection.execute(QUERIES.last_pulls, {"road": "charts", "since": now - READ_AGAIN}).fetchall())
    due = [(region, category) for region in regions for category in CHART_CATEGORIES if _arm(region, category) not in read]
    for region, category in due:
        if units < _MOST_PAGES:
            return
        find = _chart(youtube, clock, region, category)
        units -= _MOST_PAGES
        yield find


def _arm(region: str, category: int) -> str:
    return f"{region}/{category}"


def _chart(youtube: YouTube, clock: Clock, region: str, category: int) -> Find:
    found: list[Found] = []
    error, token = "", None
    try:
        for _ in range(_MOST_PAGES):
            page = youtube.chart(region, category, token)
            arrived_at = clock.now()
            found += [(details, arrived_at) for details in page.details]
            token = page.next_page_token
            if token is None:
                break
    except (ResourceMissing, BadRequest, BadReply) as refused:
        # Not every region has every chart.
        log.info("chart %s: %s", _arm(region, category), refused)
        error = str(refused)
    return Find(
        road="charts", arm=_arm(region, category), error=error, details=tuple(found),
        candidates=tuple(
            Candidate(video_id=one.video_id, channel_id=one.channel_id, published_at=one.published_at) for one, _ in found
        ),
        acknowledge=_nothing,
    )  # fmt: skip


def _nothing(_connection: psycopg.Connection, _now: datetime) -> None:
    """The pull itself is the note: `last_pulls`."""
