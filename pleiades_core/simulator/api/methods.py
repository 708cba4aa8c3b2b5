"""The Data API's six methods over a world: parameters in, bodies out, every call charged.

Belongs here: which parameters a method takes, what it refuses, which records it gives. Does not belong here: the shape of a
resource (replies.py), HTTP (app.py), faults (simulator/faults/fault.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pleiades_core.clock import Clock
from pleiades_core.models import VideoId
from pleiades_core.simulator.api import error_bodies, masks, paging, replies
from pleiades_core.simulator.api.params import MOST_IDS, Params
from pleiades_core.simulator.api.quota import QuotaBook
from pleiades_core.simulator.world import playlists
from pleiades_core.simulator.world.base import CATEGORIES, SearchQuery, VideoState, World
from pleiades_core.simulator.world.catalogue_world import charted_categories
from pleiades_core.simulator.world.finding import estimated_total

_VIDEO_PARTS = frozenset(
    {
        "contentDetails",
        "fileDetails",
        "id",
        "liveStreamingDetails",
        "localizations",
        "paidProductPlacementDetails",
        "player",
        "processingDetails",
        "recordingDetails",
        "snippet",
        "statistics",
        "status",
        "suggestions",
        "topicDetails",
    }
)
_STATS_PARTS = frozenset({"id", "snippet", "statistics", "contentDetails"})
_CHANNEL_PARTS = frozenset(
    {
        "auditDetails",
        "brandingSettings",
        "contentDetails",
        "contentOwnerDetails",
        "id",
        "localizations",
        "snippet",
        "statistics",
        "status",
        "topicDetails",
    }
)
_ITEM_PARTS = frozenset({"id", "snippet", "contentDetails", "status"})
_SNIPPET_PARTS = frozenset({"id", "snippet"})
_ORDERS = frozenset({"date", "rating", "relevance", "title", "videoCount", "viewCount"})
#: Filters that only make sense with type=video.
_VIDEO_FILTERS = (
    "videoDuration",
    "videoCategoryId",
    "videoDefinition",
    "videoCaption",
    "videoEmbeddable",
    "videoLicense",
    "eventType",
)
_DRAWS_KEPT = 1_024


@dataclass(slots=True)
class Api:
    """Answers requests. One thread only: the server's event loop."""

    world: World
    quota: QuotaBook
    clock: Clock
    #: Calls of search.list so far; each first page has a lottery of its own.
    searches: int = 0
    #: The lottery of each query's latest first page: its further pages come from that draw.
    draws: dict[SearchQuery, int] = field(default_factory=dict)

    def answer(self, method: str, params: Params, key: str | None) -> dict[str, Any]:
        """Answer one call.

        Args:
            method: such as `videos.list`.
            params: of the call.
            key: the API key, if there is one.

        Returns:
            The body.

        Raises:
            Refusal: the API's answer instead of a body.
        """
        now = self.clock.now()
        self.quota.charge(key, method, now)
        body = _METHODS[method](self, params, now)
        fields = params.text("fields")
        reduced: dict[str, Any] = masks.applied(body, masks.parse(fields)) if fields else body
        return reduced

    def batch_get_stats(self, params: Params, now: datetime) -> dict[str, Any]:
        """videos.batchGetStats: at most 50 ids, no text."""
        parts = params.parts(_STATS_PARTS)
        ids = _ids(params, "id")
        with_text = "snippet" in parts or "contentDetails" in parts
        text = self.world.text
        found = self.world.counts(ids, now)
        items = [replies.video_stats(c, text(c.video_id) if with_text else None, parts) for c in found]
        return replies.listing("batchGetStatsResponse", items)

    def videos(self, params: Params, now: datetime) -> dict[str, Any]:
        """videos.list: by ids, or the chart of a region.

        Raises:
            Refusal: a parameter is wrong, or there is no such chart.
        """
        parts = params.parts(_VIDEO_PARTS)
        chart, has_ids = params.text("chart"), params.text("id") is not None
        if (chart is not None) == has_ids:
            raise error_bodies.invalid_filter() if has_ids else error_bodies.no_filter("chart, id, myRating")
        if chart is None:
            counts = self.world.counts(_ids(params, "id"), now)
            items = [replies.video(VideoState(text=self.world.text(c.video_id), counts=c), parts) for c in counts]
            return replies.listing("videoListResponse", items, pageInfo=replies.page_info(len(items), len(items)))
        params.one_of("chart", {"mostPopular"})
        category = params.number("videoCategoryId") or None
        if category is not None and category not in charted_categories(now):
            raise error_bodies.not_found()
        ids = self.world.chart(params.region() or "US", category, now)
        start, size = _window(params)
        counts = self.world.counts(ids[start : start + size], now)
        items = [replies.video(VideoState(text=self.world.text(c.video_id), counts=c), parts) for c in counts]
        return _paged("videoListResponse", items, start, size, len(ids))

    def search(self, params: Params, now: datetime) -> dict[str, Any]:
        """search.list: at most 50 results a page, about 500 in all.

        Raises:
            Refusal: a parameter is wrong.
        """
        params.parts(_SNIPPET_PARTS)
        kinds = set(params.listed("type")) or {"video", "channel", "playlist"}
        if kinds - {"video", "channel", "playlist"}:
            raise error_bodies.invalid_value("type", ",".join(sorted(kinds)))
        if kinds != {"video"} and any(params.text(name) for name in _VIDEO_FILTERS):
            raise error_bodies.invalid_filter()
        duration = params.one_of("videoDuration", {"any", "short", "medium", "long"})
        query = SearchQuery(
            term=params.text("q") or "",
            published_after=params.instant("publishedAfter"),
            published_before=params.instant("publishedBefore"),
            channel_id=params.text("channelId"),
            order=params.one_of("order", _ORDERS) or "relevance",
            region=params.region(),
            category=params.number("videoCategoryId"),
            duration=None if duration == "any" else duration,
        )
        start, size = _window(params)
        self.searches += 1
        if start == 0:
            if len(self.draws) >= _DRAWS_KEPT:
                self.draws.clear()
            self.draws[query] = self.searches
        seed = self.draws.get(query, 0)
        if "video" in kinds:
            found = self.world.search(query, now, call_seed=seed)
            page = found.ids[start : start + size]
            items = [replies.search_video(self.world.text(video_id), self.searches) for video_id in page]
            total, depth = estimated_total(found.matching, self.searches), len(found.ids)
        else:
            named = self.world.channels_named(query.term) if "channel" in kinds else []
            states = self.world.channels(named[start : start + size], now)
            items = [replies.search_channel(state, self.searches) for state in states]
            total = depth = len(named)
        return _paged(
            "searchListResponse", items, start, size, depth, total=total, region=query.region or "US", seed=self.searches
        )

    def channels(self, params: Params, now: datetime) -> dict[str, Any]:
        """channels.list: by ids, by handle or by user name; no channel of these worlds has a user name.

        Raises:
            Refusal: a parameter is wrong.
        """
        parts = params.parts(_CHANNEL_PARTS)
        filters = [name for name in ("id", "forHandle", "forUsername") if params.text(name) is not None]
        if not filters:
            raise error_bodies.no_filter("id, managedByMe, forUsername, forHandle, mine")
        if len(filters) > 1:
            raise error_bodies.incompatible_parameters()
        ids: list[str] = []
        if filters == ["id"]:
            ids = _ids(params, "id")
        elif filters == ["forHandle"]:
            named = self.world.channel_with_handle(params.text("forHandle") or "")
            ids = [named] if named is not None else []
        items = [replies.channel(state, parts) for state in self.world.channels(ids, now)]
        # Without a match the API leaves `items` out of this one reply (captures of channels.list).
        body = replies.listing("channelListResponse", items, pageInfo=replies.page_info(len(items), len(items) or 5))
        if not items:
            del body["items"]
        return body

    def playlist_items(self, params: Params, now: datetime) -> dict[str, Any]:
        """playlistItems.list: a playlist of a channel's uploads, newest first, or items by their ids.

        Raises:
            Refusal: a parameter is wrong, or there is no such playlist.
        """
        parts = params.parts(_ITEM_PARTS)
        playlist, video_id = params.text("playlistId"), params.text("videoId")
        if params.text("id") is not None:
            if playlist is not None:
                raise error_bodies.incompatible_parameters()
            found = [self._item(item_id, now) for item_id in dict.fromkeys(_ids(params, "id"))]
            chosen = [(of, video, position) for of, video, position in filter(None, found) if video_id in {None, video}]
            items = [replies.playlist_item(self.world.text(video), of, position, parts) for of, video, position in chosen]
            return replies.listing("playlistItemListResponse", items, pageInfo=replies.page_info(len(items), len(items)))
        if playlist is None:
            raise error_bodies.no_filter("id, playlistId")
        ids = playlists.videos_of(self.world, playlist, now)
        if ids is None:
            raise error_bodies.playlist_not_found()
        listed = [(position, video) for position, video in enumerate(ids) if video_id in {None, video}]
        start, size = _window(params, paging.playlist_start_of)
        page = listed[start : start + size]
        items = [replies.playlist_item(self.world.text(video), playlist, position, parts) for position, video in page]
        return _paged("playlistItemListResponse", items, start, size, len(listed), token=paging.playlist_token)

    def _item(self, item_id: str, now: datetime) -> tuple[str, VideoId, int] | None:
        """The playlist, the video and its position that an item's id stands for; None if there is no such item."""
        playlist, video_id = replies.item_of(item_id)
        ids = playlists.videos_of(self.world, playlist, now) or []
        return (playlist, VideoId(video_id), ids.index(VideoId(video_id))) if video_id in ids else None

    def categories(self, params: Params, _now: datetime) -> dict[str, Any]:
        """videoCategories.list: by ids or for a region.

        Raises:
            Refusal: a parameter is wrong.
        """
        params.parts(_SNIPPET_PARTS)
        ids = _ids(params, "id") if params.text("id") else None
        if ids is None and params.region() is None:
            raise error_bodies.no_filter("id, regionCode")
        named = {str(number): number for number in CATEGORIES}
        if ids is not None and any(category not in named for category in ids):
            raise error_bodies.not_found()
        numbers = [named[category] for category in ids] if ids is not None else list(CATEGORIES)
        return replies.listing("videoCategoryListResponse", [replies.category(number) for number in numbers])


def _ids(params: Params, name: str) -> list[str]:
    ids = params.listed(name)
    if not ids:
        raise error_bodies.missing_parameter(name)
    if len(ids) > MOST_IDS:
        raise error_bodies.invalid_filter(f"parameters.{name}")
    return ids


def _window(params: Params, start_of: Callable[[str, int], int] = paging.start_of) -> tuple[int, int]:
    """Where the page begins, and how many items it holds."""
    size = params.max_results()
    page_token = params.text("pageToken")
    return (start_of(page_token, size) if page_token else 0), size


def _paged(
    kind: str,
    items: list[dict[str, Any]],
    start: int,
    size: int,
    depth: int,
    *,
    total: int | None = None,
    region: str | None = None,
    seed: object = "",
    token: Callable[..., str] = paging.token,
) -> dict[str, Any]:
    end = start + size
    return replies.listing(
        kind,
        items,
        seed=seed,
        nextPageToken=token(end) if size and end < depth else None,
        prevPageToken=token(start, backward=True) if start else None,
        regionCode=region,
        pageInfo=replies.page_info(depth if total is None else total, size),
    )


_METHODS: dict[str, Callable[[Api, Params, datetime], dict[str, Any]]] = {
    "videos.batchGetStats": Api.batch_get_stats,
    "videos.list": Api.videos,
    "search.list": Api.search,
    "channels.list": Api.channels,
    "playlistItems.list": Api.playlist_items,
    "videoCategories.list": Api.categories,
}
