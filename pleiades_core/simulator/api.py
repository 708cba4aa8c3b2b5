"""The Data API's six methods over a world: parameters in, bodies out, every call charged.

Belongs here: which parameters a method takes, what it refuses, which records it gives. Does not belong here: the shape of a
resource (replies.py), HTTP (server.py), faults (faults.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pleiades_core.clock import Clock
from pleiades_core.models import ChannelId
from pleiades_core.simulator import error_bodies, masks, paging, replies
from pleiades_core.simulator.catalogue import charted_categories
from pleiades_core.simulator.params import MOST_IDS, Params
from pleiades_core.simulator.quota import QuotaBook
from pleiades_core.simulator.world import CATEGORIES, SearchQuery, VideoState, World

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
#: Playlists that hold part of a channel's uploads (undocumented; facts/youtube 3): prefix -> which videos.
_SHORT_S = 180
_PLAYLIST_KINDS: dict[str, Callable[[VideoState], bool]] = {
    "UUSH": lambda state: state.text.live == "none" and (state.text.duration_s or _SHORT_S + 1) <= _SHORT_S,
    "UULF": lambda state: state.text.live == "none" and (state.text.duration_s or _SHORT_S + 1) > _SHORT_S,
    "UULV": lambda state: state.text.live != "none",
}
#: Characters of a channel id, or of an uploads playlist's, that are not its prefix.
_BARE_ID = 22
_DRAWS_KEPT = 1_024


@dataclass(slots=True)
class Api:
    """Answers requests. One thread only: the server's event loop."""

    world: World
    quota: QuotaBook
    clock: Clock
    #: Calls of search.list so far; each first page's lottery is its own.
    searches: int = 0
    #: The lottery of each query's latest first page: its further pages come from the same draw.
    draws: dict[SearchQuery, int] = field(default_factory=dict)

    def answer(self, method: str, params: Params, key: str | None) -> dict[str, Any]:
        """The body for one call of `method`. Raises Refusal with what the API says instead."""
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
        """videos.list: by ids, or the chart of a region."""
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
        """search.list: at most 50 a page, about 500 in all."""
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
            total, depth = found.total_estimate, len(found.ids)
        else:
            named = self.world.channels_named(query.term) if "channel" in kinds else []
            states = [self.world.channel(channel_id, now) for channel_id in named[start : start + size]]
            items = [replies.search_channel(state, self.searches) for state in states if state is not None]
            total = depth = len(named)
        return _paged(
            "searchListResponse", items, start, size, depth, total=total, region=query.region or "US", seed=self.searches
        )

    def channels(self, params: Params, now: datetime) -> dict[str, Any]:
        """channels.list: by ids."""
        parts = params.parts(_CHANNEL_PARTS)
        if params.text("id") is None:
            raise error_bodies.no_filter("id, managedByMe, forUsername, forHandle, mine")
        states = [self.world.channel(channel_id, now) for channel_id in dict.fromkeys(_ids(params, "id"))]
        items = [replies.channel(state, parts) for state in states if state is not None]
        # Without a match the API leaves `items` out of this one reply (captures of channels.list).
        body = replies.listing("channelListResponse", items, pageInfo=replies.page_info(len(items), len(items) or 5))
        if not items:
            del body["items"]
        return body

    def playlist_items(self, params: Params, now: datetime) -> dict[str, Any]:
        """playlistItems.list over the playlists of a channel's uploads, newest first."""
        parts = params.parts(_ITEM_PARTS)
        playlist = params.text("playlistId")
        if playlist is None:
            raise error_bodies.no_filter("id, playlistId")
        kind = playlist[:-_BARE_ID]
        channel = ChannelId("UC" + playlist[len(kind) :])
        ids = self.world.uploads(channel, now) if kind in {"UU", *_PLAYLIST_KINDS} else None
        if ids is None:
            raise error_bodies.playlist_not_found()
        if kind != "UU":
            states = [VideoState(text=self.world.text(c.video_id), counts=c) for c in self.world.counts(ids, now)]
            ids = [state.text.video_id for state in states if _PLAYLIST_KINDS[kind](state)]
        start, size = _window(params, paging.playlist_start_of)
        page = ids[start : start + size]
        items = [replies.playlist_item(self.world.text(v), playlist, start + n, parts) for n, v in enumerate(page)]
        return _paged("playlistItemListResponse", items, start, size, len(ids), token=paging.playlist_token)

    def categories(self, params: Params, _now: datetime) -> dict[str, Any]:
        """videoCategories.list: by ids or for a region."""
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
