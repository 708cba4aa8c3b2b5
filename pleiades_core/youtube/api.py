"""YouTube as the rest of Pleiades sees it: a typed method for each request, records as answers.

Belongs here: the API method, parts and pool of a request, the way around a refused method, and where rejected rows go. Does not
belong here: field names (parse.py), what is done about errors (executor.py), what candidates and counts are used for.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pleiades_core.clock import Clock
from pleiades_core.errors import BadRequest, QuotaExhausted, ResourceMissing
from pleiades_core.models import Bucket, ChannelId, Counts, Page, QuotaPool, Rejected, VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.videoid import uploads_playlist
from pleiades_core.youtube import parse
from pleiades_core.youtube.client import Transport
from pleiades_core.youtube.executor import HydraExecutor
from pleiades_core.youtube.key_check import KeyCheck, check_keys
from pleiades_core.youtube.key_pool import keys_of
from pleiades_core.youtube.keyring import KeyRing, open_keyring
from pleiades_core.youtube.parse import ChannelDetails, ChartPage
from pleiades_core.youtube.quarantine import Quarantine, quarantine_table
from pleiades_core.youtube.quota import Ledger, Reservation

__all__ = [
    "CHART_CATEGORIES", "IDS_PER_CALL", "ChannelDetails", "ChartPage", "KeyCheck", "YouTube", "open_youtube",
    "quarantine_table",
]  # fmt: skip

#: Ids in one call, and rows in one page. developers.google.com/youtube/v3/docs/videos/batchGetStats (read 2026-11-22)
IDS_PER_CALL = 50
#: Music, movies and gaming: what mostPopular still serves. developers.google.com/youtube/v3/revision_history, 21 Jul 2025
CHART_CATEGORIES = frozenset({1, 10, 20})
#: How long a refusal of videos.batchGetStats is remembered before it is tried again.
_REFUSAL_LASTS = timedelta(hours=1)
_EVERYTHING = "snippet,contentDetails,statistics"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Refusal:
    """The instant until which videos.batchGetStats counts as refused; all parts of one YouTube share it."""

    #: Aware UTC; None: it was not refused. One assignment, so that threads need no lock.
    until: datetime | None = None

    def lasts(self, now: datetime) -> bool:
        return self.until is not None and now < self.until


class YouTube:
    """The requests that Pleiades makes. Safe to share between threads.

    Every method may raise what `HydraExecutor.execute` raises. Rows that cannot be understood go to `quarantine`, with the name
    of the method; the other rows of their reply are returned.
    """

    def __init__(self, executor: HydraExecutor, quarantine: Quarantine) -> None:
        self.executor = executor
        self._quarantine = quarantine
        self._meter = executor.meter
        self._refusal = _Refusal()

    def part(self) -> YouTube:
        """YouTube for a part of this work. `calls` of the part counts its own calls alone; `calls` of this object counts
        all.
        """
        part = copy.copy(self)
        part._meter = self._meter.part()  # noqa: SLF001  a copy of this object
        return part

    @property
    def ring(self) -> KeyRing:
        """The keys in use."""
        return self.executor.ring

    @property
    def ledger(self) -> Ledger:
        """The ledger that calls are charged to."""
        return self.ring.ledger

    def search(
        self, term: str | None, *, published_after: datetime | None = None, published_before: datetime | None = None,
        category: int | None = None, order: str = "date", page_token: str | None = None, pool: QuotaPool = QuotaPool.HUNTING,
    ) -> Page:  # fmt: skip
        """Search for videos. One of 100 calls a day.

        Args:
            term: the search term; None: videos of any topic.
            published_after: aware instant; earlier videos are left out.
            published_before: aware instant; later videos are left out.
            category: number of a category, as videos have it.
            order: `date` (newest first), `viewCount`, `relevance` or `rating`.
            page_token: of the page before; None: the first page.
            pool: the quota pool that pays.

        Returns:
            Up to 50 videos.
        """
        params = {
            "part": "snippet", "type": "video", "order": order, "maxResults": IDS_PER_CALL, "q": term,
            "publishedAfter": _rfc3339(published_after), "publishedBefore": _rfc3339(published_before),
            "videoCategoryId": None if category is None else str(category), "pageToken": page_token,
        }  # fmt: skip
        page, rejected = parse.search_rows(self._execute("search.list", params, pool=pool))
        self._keep("search.list", rejected)
        return page

    def uploads(
        self, channel_id: ChannelId, page_token: str | None = None, *, with_title: bool = False,
        reservation: Reservation | None = None,
    ) -> Page:  # fmt: skip
        """Read a page of a channel's uploads, newest first. One general unit.

        Args:
            channel_id: the channel.
            page_token: of the page before; None: the first page.
            with_title: also read the channel's title.
            reservation: pays, if given.

        Returns:
            Up to 50 videos.

        Raises:
            ResourceMissing: there is no such channel, or it has no list.
        """
        part = "contentDetails,snippet" if with_title else "contentDetails"
        params = {"part": part, "playlistId": uploads_playlist(channel_id), "maxResults": IDS_PER_CALL, "pageToken": page_token}
        reply = self._execute("playlistItems.list", params, pool=QuotaPool.HUNTING, reservation=reservation)
        page, rejected = parse.uploads_rows(reply, channel_id)
        self._keep("playlistItems.list", rejected)
        return page

    def videos(
        self, ids: Sequence[VideoId], *, reservation: Reservation | None = None
    ) -> tuple[tuple[VideoDetails, ...], frozenset[VideoId]]:
        """Describe up to 50 videos. One general unit, none for no ids. Absent videos are left out.

        Returns:
            The descriptions, and the videos whose rows came and could not be understood.

        Raises:
            EmptyReply: many were requested, and all of them are absent.
        """
        if not ids:
            return (), frozenset()
        params = {"part": _EVERYTHING, "id": _joined(ids), "maxResults": IDS_PER_CALL}
        reply = self._execute("videos.list", params, pool=QuotaPool.HUNTING, reservation=reservation)
        details, rejected = parse.video_details(reply, ids)
        self._keep("videos.list", rejected)
        unreadable = parse.unreadable(reply, ids, details)
        parse.require_some("videos.list", ids, {video.video_id for video in details} | unreadable)
        return details, unreadable

    def chart(self, region: str, category: int, page_token: str | None = None) -> ChartPage:
        """Read a page of a region's chart. One general unit.

        Args:
            region: ISO 3166-1 code of the region.
            category: one of `CHART_CATEGORIES`.
            page_token: of the page before; None: the first page.

        Returns:
            Up to 50 videos, the best first.

        Raises:
            ResourceMissing: the category has no chart (no call is made), or the region has no such chart.
        """
        if category not in CHART_CATEGORIES:
            raise ResourceMissing(
                f"category {category} has no chart since 21 July 2025",
                cure=f"ask for one of the categories {', '.join(map(str, sorted(CHART_CATEGORIES)))}",
                reason="videoChartNotFound",
            )
        params = {
            "part": _EVERYTHING, "chart": "mostPopular", "regionCode": region, "videoCategoryId": str(category),
            "maxResults": IDS_PER_CALL, "pageToken": page_token,
        }  # fmt: skip
        page, rejected = parse.chart_rows(self._execute("videos.list", params, pool=QuotaPool.HUNTING))
        self._keep("videos.list", rejected)
        return page

    def stats(
        self, ids: Sequence[VideoId], reservation: Reservation | None = None, *, again: bool = False
    ) -> tuple[tuple[Counts, ...], frozenset[VideoId]]:
        """Poll the counts of up to 50 videos. One unit of the stats bucket, none for no ids. Absent videos are left out.

        If videos.batchGetStats is refused or its bucket is spent, videos.list answers, for one general unit.

        Args:
            ids: the videos.
            reservation: pays, if given.
            again: ask videos.list, and believe its answer even if all videos are absent.

        Returns:
            The counts, and the videos whose rows came and could not be understood: their poll failed, but they are not missing.

        Raises:
            EmptyReply: many were requested, and all of them are absent.
        """
        if not ids:
            return (), frozenset()
        params = {"part": "id,statistics", "id": _joined(ids)}
        method, reply, refused = "videos.batchGetStats", None, False
        if not again and not self._refusal.lasts(self.executor.clock.now()):
            try:
                reply = self._execute(method, params, pool=QuotaPool.TRACKING, reservation=reservation)
            except QuotaExhausted as error:
                log.info("%s; videos.list answers for it", error)
            except (ResourceMissing, BadRequest) as error:
                log.warning("videos.batchGetStats is refused (%s); videos.list answers for it", error)
                refused = True
        if reply is None:
            method = "videos.list"
            reply = self._execute(method, {**params, "maxResults": IDS_PER_CALL}, pool=QuotaPool.TRACKING)
            if refused:
                # Only after videos.list answered: if it refuses too, the ids were at fault and not the method.
                self._refusal.until = self.executor.clock.now() + _REFUSAL_LASTS
        counts, rejected = parse.stats(reply, ids)
        self._keep(method, rejected)
        unreadable = parse.unreadable(reply, ids, counts)
        if not again:
            parse.require_some(method, ids, {count.video_id for count in counts} | unreadable)
        return counts, unreadable

    def channels(self, ids: Sequence[ChannelId], *, reservation: Reservation | None = None) -> tuple[ChannelDetails, ...]:
        """Read how much up to 50 channels have uploaded. One general unit, none for no ids. Absent channels are left out.

        Raises:
            EmptyReply: many were requested, and all of them are absent.
        """
        return self._channels({"id": _joined(ids), "maxResults": IDS_PER_CALL}, reservation, ids) if ids else ()

    def channel_of_handle(self, handle: str) -> ChannelDetails | None:
        """The channel behind `@handle`, with or without the sign; None when there is none. One general unit."""
        return next(iter(self._channels({"forHandle": f"@{handle.strip().removeprefix('@')}"}, None)), None)

    def calls(self) -> Counter[Bucket]:
        """Attempts sent so far, by bucket, parts of this work included."""
        return self._meter.calls()

    @contextlib.contextmanager
    def reserved(self, bucket: Bucket, pool: QuotaPool, units: int) -> Iterator[Reservation | None]:
        """Debit units in advance for the calls of a block, in one transaction; give back unused ones after it.

        So a block of calls costs two transactions instead of two for each call. If the process dies within the block, all units
        stay spent.

        Args:
            bucket: the bucket of the calls.
            pool: the quota pool that pays.
            units: the most units.

        Returns:
            The reservation; None if there is nothing to reserve, and each call will raise the reason.
        """
        project = self.project_for(bucket, pool) if units else None
        if project is None:
            yield None
            return
        ledger = self.ledger
        with ledger.transaction() as connection:
            reservation = ledger.reserve(connection, project, bucket, pool, units)
        try:
            yield reservation
        finally:
            with ledger.transaction() as connection:
                ledger.settle(connection, reservation)

    def units_left(self, bucket: Bucket, pool: QuotaPool | None = None) -> int:
        """Units that all projects of the ring together have left in a bucket; with `pool`, those that the pool may take now.

        A project counts only if one of its live keys serves the pool.
        """
        projects = self.ring.serving() if pool is None else self.ring.serving(pool)
        return sum(self.ledger.left(project, bucket, pool) for project in projects)

    def require(self, bucket: Bucket, pool: QuotaPool) -> None:
        """Check that the next call of a bucket can be paid for.

        Raises:
            QuotaExhausted: no project of the pool has units left.
            KeyInvalid: every key of the pool was refused.
            ConfigurationError: the pool has no key.
        """
        self.ring.choose(bucket, pool)

    def check_keys(self) -> tuple[KeyCheck, ...]:
        """Try every key in use, one general unit each; see key_check.py."""
        return check_keys(self.executor)

    def project_for(self, bucket: Bucket, pool: QuotaPool) -> str | None:
        """The project that the next call of a bucket would be billed to; None when no project has units left."""
        try:
            return self.ring.choose(bucket, pool).project
        except QuotaExhausted:
            return None

    def _channels(
        self, which: dict[str, Any], reservation: Reservation | None, ids: Sequence[ChannelId] = ()
    ) -> tuple[ChannelDetails, ...]:
        params = {"part": "statistics", **which}
        reply = self._execute("channels.list", params, pool=QuotaPool.HUNTING, reservation=reservation)
        details, rejected = parse.channels(reply)
        self._keep("channels.list", rejected)
        parse.require_some("channels.list", ids, {video.channel_id for video in details})
        return details

    def _execute(
        self, method: str, params: dict[str, Any], *, pool: QuotaPool, reservation: Reservation | None = None
    ) -> dict[str, Any]:
        return self.executor.execute(method, params, pool=pool, meter=self._meter, reservation=reservation)

    def _keep(self, method: str, rejected: Sequence[Rejected]) -> None:
        if rejected:
            what = sum(row.rows for row in rejected), method, rejected[0].reason
            log.warning("%d rows of %s were rejected, the first because: %s", *what)
            self._quarantine(method, rejected)


def _rfc3339(instant: datetime | None) -> str | None:
    """An instant in the API's form. Older versions of the API refused fractions of a second."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _joined(ids: Sequence[str]) -> str:
    if len(ids) > IDS_PER_CALL:
        raise ValueError(f"{len(ids)} ids in one call: at most {IDS_PER_CALL}")
    return ",".join(ids)


@contextlib.contextmanager
def open_youtube(
    settings: Settings, database: Database, clock: Clock, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[YouTube]:
    """YouTube, or the server that `settings.youtube.url` names instead, for the length of a block. Nothing is sent.

    Limits that an operator may not expect of the keys are logged.

    Args:
        settings: have keys and address.
        database: has ledger, retired keys and quarantine.
        clock: the present instant.
        sleep: waits between attempts.

    Returns:
        YouTube.

    Raises:
        ConfigurationError: there are no keys, they are malformed, or compliance mode is neither on nor properly off.
    """
    # A command that only reads needs no keys.
    keys_of(settings)
    ring = open_keyring(settings, database, clock)
    ring.announce()
    transport = Transport(settings.youtube.url, settings.youtube.call_deadline_s)
    try:
        yield YouTube(HydraExecutor(ring, transport, clock, sleep=sleep), quarantine_table(database, clock))
    finally:
        transport.close()
