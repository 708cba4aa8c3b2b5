"""Charts: the most popular videos of a region, 50 for one unit, details included.

Belongs here: which charts are read when. Since 21 July 2025 there are three: music, movies and gaming; the page of trending
videos is gone, and with it the chart of all categories (youtube/api.py has the source). Videos on a chart have risen already:
charts find videos that searches missed. Does not belong here: the reply (youtube/parse.py).
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta

import psycopg

from pleiades_core.clock import Clock
from pleiades_core.discover.sources.base import FailureCause, Find, Found, Source, SourceContext, cause_of
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.errors import ApiError
from pleiades_core.models import Bucket, Candidate, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.api import CHART_CATEGORIES, YouTube

log = logging.getLogger(__name__)

_SQL = load_queries("discovery_requests")

#: A chart changes slowly.
READ_AGAIN = timedelta(hours=12)
#: Units of one chart: 200 videos, as in a capture of 2023.
A_CHART = 4


def find(context: SourceContext) -> Iterator[Find]:
    """The charts of the regions in the settings."""
    if regions := context.settings.discovery.chart_regions:
        # Units for one chart at least: a small allowance would never pay for any.
        units = max(context.require_units(Bucket.GENERAL, QuotaPool.HUNTING), A_CHART)
        yield from charts(context.database, context.youtube, context.clock, regions=regions, units=units)


def charts(database: Database, youtube: YouTube, clock: Clock, *, regions: Sequence[str], units: int) -> Iterator[Find]:
    """The charts that were not read for twelve hours, for at most `units` general units.

    A chart without an answer may be the cause of the failure, so another chart is requested. If that is answered, the first one
    counts as read.

    Args:
        database: knows when each chart was read.
        youtube: counts the calls.
        clock: says when details arrived.
        regions: ISO 3166 codes of two letters.
        units: general units; a chart takes up to 4.

    Yields:
        The result for each chart, also when it is an error.

    Raises:
        ApiError: two charts in a row met an outage, or no chart was answered, or quota and keys allow no call.

    """
    now = clock.now()
    with database.transaction() as connection:
        parameters = {"source": "charts", "since": now - READ_AGAIN, "latest": latest(now)}
        requests = connection.execute(_SQL.last_requests, parameters).fetchall()
    asked_at = {target: instant for target, instant, _ in requests}
    read = {target for target, _, answered_at in requests if answered_at is not None}
    due = [(region, category) for region in regions for category in CHART_CATEGORIES if _target(region, category) not in read]
    answered, outage = False, None
    # A chart that met an outage comes last: it may be the cause.
    for region, category in sorted(due, key=lambda chart: (_target(*chart) in asked_at, asked_at.get(_target(*chart), now))):
        if units < A_CHART:
            break
        units -= A_CHART
        failure = yield from _chart(youtube, clock, region, category)
        if failure is None or cause_of(failure) is FailureCause.REQUEST:
            # A region need not have every chart.
            answered, outage = answered or failure is None, None
        elif outage is not None or cause_of(failure) is FailureCause.ACCESS:
            raise failure
        else:
            outage = failure
    if outage is not None and not answered:
        raise outage


def _target(region: str, category: int) -> str:
    return f"{region}/{category}"


def _chart(youtube: YouTube, clock: Clock, region: str, category: int) -> Generator[Find, None, ApiError | None]:
    """One chart. If it breaks off: the pages that arrived, and the error."""
    asking = youtube.part()
    found: list[Found] = []
    failure: ApiError | None = None
    token = None
    try:
        for _ in range(A_CHART):
            page = asking.chart(region, category, token)
            arrived_at = clock.now()
            found += [(details, arrived_at) for details in page.details]
            token = page.next_page_token
            if token is None:
                break
    except ApiError as error:
        if not found and cause_of(error) is FailureCause.ACCESS:
            raise
        log.info("chart %s: %s", _target(region, category), error)
        failure = error
    yield Find(
        source="charts", target=_target(region, category), error=str(failure or ""), details=tuple(found),
        calls=asking.calls(),
        candidates=tuple(
            Candidate(video_id=video.video_id, channel_id=video.channel_id, published_at=video.published_at)
            for video, _ in found
        ),
        acknowledge=_nothing,
    )  # fmt: skip
    return failure


def _nothing(_connection: psycopg.Connection, _now: datetime) -> None:
    """Nothing to record: the discovery request itself says when the chart was read (`last_requests`)."""


SOURCE = Source(bit=4, order=40, find=find, calls_api=True, group="charts", forgets_removed=True)
