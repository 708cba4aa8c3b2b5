"""From YouTube's replies to frozen records, in pure functions.

Belongs here: the API's field names and what a good row is. Does not belong here: JSON, text and durations as such
(sanitize.py), the meaning of a refusal (api_errors.py), sending, quota, what to do about a rejected row. Callers need this
module alone: it exports what they use of sanitize.py and api_errors.py.

A reply of 50 rows with one bad row gives 49 records and one `Rejected`. Code that uses these records need not think of hostile
text, or of replies with more rows than any method sends: the rows that are read and kept are bounded (sanitize.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from pleiades_core.errors import BadReply, EmptyReply
from pleiades_core.models import Candidate, ChannelId, Counts, Page, Rejected, VideoDetails, VideoId
from pleiades_core.videoid import is_channel_id, is_video_id
from pleiades_core.youtube.api_errors import parse_error
from pleiades_core.youtube.sanitize import (
    MOST_REJECTED,
    MOST_ROWS,
    BadRowError,
    RejectedRows,
    clean,
    count_of,
    duration_seconds,
    instant_of,
    parse_object,
    part_of,
    rejected,
    small_number,
)

__all__ = [
    "MOST_REJECTED", "MOST_ROWS", "ChannelDetails", "ChartPage", "channels", "chart_rows", "clean", "duration_seconds",
    "parse_error", "parse_object", "require_list", "require_some", "search_rows", "stats", "unreadable", "uploads_rows",
    "video_details",
]  # fmt: skip

#: Characters kept. YouTube's own bounds are 100 for a title and 5,000 bytes for a description; ours are for hostile replies.
_TITLE_CHARS = 1_000
_DESCRIPTION_CHARS = 5_000
_TAGS = 50
_TAG_CHARS = 100
#: Characters of a page token, which is kept in the database and sent back in a URL. Tokens in the API's reference have 6.
_TOKEN_CHARS = 1_000
#: A reply that has none of this many ids is not believed. The videos were found or polled shortly before, and few of them are
#: gone; but a lagging replica, or a gateway that answers for YouTube, leaves out all of them. A smaller number may be gone
#: together, because videos that were absent before are requested together.
_NEVER_ALL_ABSENT = 10

Record = TypeVar("Record", Counts, VideoDetails)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDetails:
    """A channel in a reply of `channels.list`, as far as Pleiades reads it."""

    channel_id: ChannelId
    #: Public uploads; None when not given.
    videos: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPage:
    """One page of a chart, best first."""

    details: tuple[VideoDetails, ...]
    #: Opaque; None on the last page.
    next_page_token: str | None


def search_rows(reply: dict[str, Any]) -> tuple[Page, tuple[Rejected, ...]]:
    """A page of `search.list` (part snippet), and the rows that are no videos."""

    def candidate(row: dict[str, Any]) -> Candidate:
        named = part_of(row, "id")
        snippet = part_of(row, "snippet")
        return _candidate(named.get("videoId"), snippet.get("channelId"), snippet.get("publishedAt"))

    return _page(reply, candidate)


def uploads_rows(reply: dict[str, Any], channel_id: ChannelId | None = None) -> tuple[Page, tuple[Rejected, ...]]:
    """A page of `playlistItems.list` with part contentDetails, snippet or both, and the rows that are no videos.

    `channel_id` is the channel whose uploads were requested: contentDetails alone names no channel.
    """

    def candidate(row: dict[str, Any]) -> Candidate:
        snippet = part_of(row, "snippet")
        details = part_of(row, "contentDetails")
        video_id = details.get("videoId") or part_of(snippet, "resourceId").get("videoId")
        # `channelId` is the channel that added the row to the playlist; the owner of the video stands beside it.
        owner = snippet.get("videoOwnerChannelId") or channel_id or snippet.get("channelId")
        # The snippet's publishedAt is when the row was added to the playlist.
        return _candidate(video_id, owner, details.get("videoPublishedAt"))

    page, bad = _page(reply, candidate)
    return replace(page, channel_title=_owner_title(reply)), bad


def video_details(reply: dict[str, Any], requested: Sequence[VideoId]) -> tuple[tuple[VideoDetails, ...], tuple[Rejected, ...]]:
    """The videos of a `videos.list` reply with parts snippet, contentDetails and statistics; ids not there are just absent."""
    return _of_asked(reply, requested, _details)


def chart_rows(reply: dict[str, Any]) -> tuple[ChartPage, tuple[Rejected, ...]]:
    """A page of `videos.list` with a chart, each video at most once, and the rows that are no videos."""
    rows = _items(reply, RejectedRows())
    named = dict.fromkeys(VideoId(row["id"]) for row in rows if is_video_id(row.get("id")))
    good, bad = video_details(reply, tuple(named))
    return ChartPage(details=good, next_page_token=_token(reply)), bad


def stats(reply: dict[str, Any], requested: Sequence[VideoId]) -> tuple[tuple[Counts, ...], tuple[Rejected, ...]]:
    """The counts in a `videos.list` or `videos.batchGetStats` reply, each video at most once; ids not there are just absent."""
    return _of_asked(reply, requested, _counts)


def unreadable(
    reply: dict[str, Any], requested: Sequence[VideoId], read: Sequence[Counts | VideoDetails]
) -> frozenset[VideoId]:
    """Videos that the reply has, in rows that could not be understood. They are not missing, and must not be counted as such.

    If only the first `MOST_ROWS` rows of a reply were read, all videos that were not found in them count as unreadable.

    Args:
        reply: the JSON object.
        requested: the videos that were requested.
        read: the records that were made.

    Returns:
        The videos.
    """
    unread = frozenset(requested) - {counts.video_id for counts in read}
    if len(require_list(reply)) > MOST_ROWS:
        return unread
    return unread & {str(row.get("id")) for row in _items(reply, RejectedRows()) if isinstance(row.get("id"), str)}


def channels(reply: dict[str, Any]) -> tuple[tuple[ChannelDetails, ...], tuple[Rejected, ...]]:
    """The channels of a `channels.list` reply with part statistics, each at most once."""
    good: dict[ChannelId, ChannelDetails] = {}
    bad = RejectedRows()
    for row in _items(reply, bad):
        try:
            channel_id = _channel_id(row.get("id"))
            if channel_id in good:
                bad.reject(partial(rejected, "id came before", row))
                continue
            videos = count_of(part_of(row, "statistics"), "videoCount")
            good[channel_id] = ChannelDetails(channel_id=channel_id, videos=videos)
        except BadRowError as error:
            bad.reject(partial(rejected, str(error), row))
    return tuple(good.values()), bad.records()


def require_list(reply: dict[str, Any]) -> list[Any]:
    """The rows of a list reply.

    An object without `items` must not pass for an empty list: 50 videos would count as missing.

    Raises:
        BadReply: the reply is no list reply.
    """
    kind = reply.get("kind")
    rows = reply.get("items", [] if isinstance(kind, str) and kind.startswith("youtube#") else None)
    if not isinstance(rows, list) or "error" in reply:
        raise BadReply("the reply holds no list of items", status=200)
    return rows


def require_some(method: str, requested: Collection[str], there: Collection[str]) -> None:
    """Refuse a reply that has none of many requested ids: the videos are not to be taken for deleted.

    Args:
        method: names the method in the error.
        requested: the ids that were requested.
        there: the ids in the reply.

    Raises:
        EmptyReply: `_NEVER_ALL_ABSENT` or more were requested, and none is there.
    """
    if len(requested) >= _NEVER_ALL_ABSENT and not set(requested) & set(there):
        raise EmptyReply(f"the reply has none of the {len(requested)} that were asked for", method=method, status=200)


def _items(reply: dict[str, Any], bad: RejectedRows) -> Iterator[dict[str, Any]]:
    """The rows that are objects, among the first `MOST_ROWS`."""
    rows = require_list(reply)
    for row in itertools.islice(rows, MOST_ROWS):
        if isinstance(row, dict):
            yield row
        else:
            bad.reject(partial(rejected, "row is not an object", row))
    bad.pass_over(max(0, len(rows) - MOST_ROWS))


def _of_asked(
    reply: dict[str, Any], requested: Sequence[VideoId], make: Callable[[VideoId, dict[str, Any]], Record]
) -> tuple[tuple[Record, ...], tuple[Rejected, ...]]:
    """Records of the requested videos, each from the first good row."""
    waiting = set(requested)
    good: list[Record] = []
    bad = RejectedRows()
    for row in _items(reply, bad):
        video_id = row.get("id")
        if not isinstance(video_id, str) or video_id not in waiting:
            bad.reject(partial(rejected, "id was not asked for, or came before", row))
            continue
        try:
            good.append(make(VideoId(video_id), row))
        except BadRowError as error:
            bad.reject(partial(rejected, str(error), row))
        else:
            waiting.remove(VideoId(video_id))
    return tuple(good), bad.records()


def _page(reply: dict[str, Any], candidate: Any) -> tuple[Page, tuple[Rejected, ...]]:
    good: dict[VideoId, Candidate] = {}
    bad = RejectedRows()
    for row in _items(reply, bad):
        try:
            found: Candidate = candidate(row)
        except BadRowError as error:
            bad.reject(partial(rejected, str(error), row))
        else:
            # A search repeats a video now and then; the row is good all the same.
            good.setdefault(found.video_id, found)
    return Page(candidates=tuple(good.values()), next_page_token=_token(reply), total=_total(reply)), bad.records()


def _owner_title(reply: dict[str, Any]) -> str:
    """The title of the channel whose uploads these are, from the first row that says it."""
    for row in _items(reply, RejectedRows()):
        snippet = row.get("snippet")
        if isinstance(snippet, dict) and (title := clean(snippet.get("videoOwnerChannelTitle"), _TITLE_CHARS)):
            return title
    return ""


def _total(reply: dict[str, Any]) -> int | None:
    info = reply.get("pageInfo")
    total = info.get("totalResults") if isinstance(info, dict) else None
    # A count of ours is kept in 32 bits; a bool would be an int to Python.
    return total if type(total) is int and 0 <= total < 2**31 else None


def _token(reply: dict[str, Any]) -> str | None:
    token = reply.get("nextPageToken")
    good = isinstance(token, str) and token.isascii() and token.isprintable() and 0 < len(token) <= _TOKEN_CHARS
    return token if good else None


def _candidate(video_id: object, channel_id: object, published_at: object) -> Candidate:
    if not is_video_id(video_id):
        raise BadRowError("no video id")
    try:
        instant = instant_of(published_at)
    except BadRowError:
        # videos.list gives the date later: a video is not lost because of it.
        instant = None
    return Candidate(video_id=VideoId(str(video_id)), channel_id=_channel_id(channel_id), published_at=instant)


def _channel_id(value: object) -> ChannelId:
    if not is_channel_id(value):
        raise BadRowError("no channel id")
    return ChannelId(str(value))


def _details(video_id: VideoId, row: dict[str, Any]) -> VideoDetails:
    snippet = part_of(row, "snippet")
    tags = snippet.get("tags")
    live = snippet.get("liveBroadcastContent")
    return VideoDetails(
        video_id=video_id,
        channel_id=_channel_id(snippet.get("channelId")),
        channel_title=clean(snippet.get("channelTitle"), _TITLE_CHARS),
        title=clean(snippet.get("title"), _TITLE_CHARS),
        description=clean(snippet.get("description"), _DESCRIPTION_CHARS),
        published_at=instant_of(snippet.get("publishedAt")),
        tags=tuple(clean(tag, _TAG_CHARS) for tag in tags[:_TAGS] if isinstance(tag, str)) if isinstance(tags, list) else (),
        category_id=small_number(snippet.get("categoryId")),
        language=clean(snippet.get("defaultAudioLanguage") or snippet.get("defaultLanguage"), _TAG_CHARS) or None,
        duration_s=duration_seconds(part_of(row, "contentDetails").get("duration")),
        live=live if live in ("live", "upcoming") else "none",
        counts=_counts(video_id, row),
    )


def _counts(video_id: VideoId, row: dict[str, Any]) -> Counts:
    given = part_of(row, "statistics")
    return Counts(
        video_id=video_id,
        views=count_of(given, "viewCount"),
        likes=count_of(given, "likeCount"),
        comments=count_of(given, "commentCount"),
    )
