"""What YouTube's replies mean: bytes to frozen records, in pure functions.

Belongs here: the API's field names and what a good row is. Does not belong here: JSON, text and durations as such (plain.py),
what a refusal means (refusals.py), sending, quota, what to do about a rejected row. Callers need this module alone: what they
use of those two is re-exported.

A reply of 50 rows with one bad one yields 49 records and one `Rejected`. Nothing behind this door has to think of
hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pleiades_core.errors import BadReply
from pleiades_core.models import Candidate, ChannelId, Counts, Page, Rejected, VideoDetails, VideoId
from pleiades_core.videoid import is_channel_id, is_video_id
from pleiades_core.youtube.plain import clean, duration_seconds, parse_object
from pleiades_core.youtube.refusals import parse_error

__all__ = [
    "ChannelDetails", "categories", "channels", "clean", "duration_seconds", "parse_error", "parse_object", "require_list",
    "search_page", "search_rows", "stats", "unreadable", "uploads_page", "uploads_rows",
    "video_details",
]  # fmt: skip

#: Characters kept. YouTube's own bounds are 100 for a title and 5,000 bytes for a description; ours are for hostile replies.
_TITLE_CHARS = 1_000
_DESCRIPTION_CHARS = 5_000
_TAGS = 50
_TAG_CHARS = 100
#: A rejected row is kept for a person to look at, not for replaying it.
_REPR_CHARS = 500
#: Counts are uint64 in the API and bigint in our tables.
_LARGEST_COUNT = 2**63 - 1


class _BadRowError(Exception):
    """Why a row is rejected; never leaves this module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDetails:
    """What `channels.list` says of one channel. None means not given (subscribers may be hidden)."""

    channel_id: ChannelId
    title: str
    videos: int | None
    views: int | None
    #: Rounded down by YouTube to three significant figures.
    subscribers: int | None


def search_page(reply: dict[str, Any]) -> Page:
    """The candidates on a page of `search.list`, in its order."""
    return search_rows(reply)[0]


def search_rows(reply: dict[str, Any]) -> tuple[Page, tuple[Rejected, ...]]:
    """A page of `search.list` (part snippet), and the rows that are no videos."""

    def candidate(row: dict[str, Any]) -> Candidate:
        named = _part(row, "id")
        return _candidate(named.get("videoId"), _part(row, "snippet").get("channelId"))

    return _page(reply, candidate)


def uploads_page(reply: dict[str, Any], channel_id: ChannelId | None = None) -> Page:
    """The candidates on a page of `playlistItems.list`, newest first as YouTube lists uploads."""
    return uploads_rows(reply, channel_id)[0]


def uploads_rows(reply: dict[str, Any], channel_id: ChannelId | None = None) -> tuple[Page, tuple[Rejected, ...]]:
    """A page of `playlistItems.list` with part contentDetails, snippet or both, and the rows that are no videos.

    `channel_id` is the channel whose uploads were asked for: contentDetails alone names no channel.
    """

    def candidate(row: dict[str, Any]) -> Candidate:
        snippet = _part(row, "snippet")
        video_id = _part(row, "contentDetails").get("videoId") or _part(snippet, "resourceId").get("videoId")
        # `channelId` is whoever added the row to the playlist; the owner of the video stands beside it.
        owner = snippet.get("videoOwnerChannelId") or channel_id or snippet.get("channelId")
        return _candidate(video_id, owner)

    return _page(reply, candidate)


def video_details(reply: dict[str, Any], asked: Sequence[VideoId]) -> tuple[tuple[VideoDetails, ...], tuple[Rejected, ...]]:
    """The videos of a `videos.list` reply with parts snippet, contentDetails and statistics; ids not there are just absent."""
    good: list[VideoDetails] = []
    bad: list[Rejected] = []
    for video_id, row in _asked_rows(reply, asked, bad):
        try:
            good.append(_details(video_id, row))
        except _BadRowError as error:
            bad.append(_rejected(str(error), row))
    return tuple(good), tuple(bad)


def stats(reply: dict[str, Any], asked: Sequence[VideoId]) -> tuple[tuple[Counts, ...], tuple[Rejected, ...]]:
    """The counts in a `videos.list` or `videos.batchGetStats` reply, each video at most once; ids not there are just absent."""
    good: list[Counts] = []
    bad: list[Rejected] = []
    for video_id, row in _asked_rows(reply, asked, bad):
        try:
            good.append(_counts(video_id, row))
        except _BadRowError as error:
            bad.append(_rejected(str(error), row))
    return tuple(good), tuple(bad)


def unreadable(reply: dict[str, Any], asked: Sequence[VideoId], read: Sequence[Counts | VideoDetails]) -> frozenset[VideoId]:
    """Videos that the reply does hold, in rows of which nothing could be made: not missing, and not to be counted as such."""
    there = {str(row.get("id")) for row in _items(reply, [])}
    return frozenset(asked) & there - {counts.video_id for counts in read}


def channels(reply: dict[str, Any]) -> tuple[tuple[ChannelDetails, ...], tuple[Rejected, ...]]:
    """The channels of a `channels.list` reply with parts snippet and statistics, each at most once."""
    good: dict[ChannelId, ChannelDetails] = {}
    bad: list[Rejected] = []
    for row in _items(reply, bad):
        try:
            channel_id = _channel_id(row.get("id"))
            if channel_id in good:
                bad.append(_rejected("id came before", row))
                continue
            given = _part(row, "statistics")
            good[channel_id] = ChannelDetails(
                channel_id=channel_id,
                title=clean(_part(row, "snippet").get("title"), _TITLE_CHARS),
                videos=_count(given, "videoCount"),
                views=_count(given, "viewCount"),
                subscribers=None if given.get("hiddenSubscriberCount") is True else _count(given, "subscriberCount"),
            )
        except _BadRowError as error:
            bad.append(_rejected(str(error), row))
    return tuple(good.values()), tuple(bad)


def categories(reply: dict[str, Any]) -> dict[int, str]:
    """Category number to title, from a `videoCategories.list` reply. Rows without a number are left out."""
    numbered = ((_small_number(row.get("id")), row) for row in _items(reply, []))
    return {number: clean(_snippet_title(row), _TITLE_CHARS) for number, row in numbered if number is not None}


def require_list(reply: dict[str, Any]) -> list[Any]:
    """The rows of a list reply, which every method here answers with. Raises BadReply when this is none.

    An object that merely lacks `items` must not pass for an empty list: 50 videos would count as missing.
    """
    kind = reply.get("kind")
    rows = reply.get("items", [] if isinstance(kind, str) and kind.startswith("youtube#") else None)
    if not isinstance(rows, list) or "error" in reply:
        raise BadReply("the reply holds no list of items", status=200)
    return rows


def _items(reply: dict[str, Any], bad: list[Rejected]) -> Iterator[dict[str, Any]]:
    """The rows that are objects."""
    for row in require_list(reply):
        if isinstance(row, dict):
            yield row
        else:
            bad.append(_rejected("row is not an object", row))


def _asked_rows(
    reply: dict[str, Any], asked: Sequence[VideoId], bad: list[Rejected]
) -> Iterator[tuple[VideoId, dict[str, Any]]]:
    """Rows of videos that were asked for, the first of each."""
    waiting = set(asked)
    for row in _items(reply, bad):
        video_id = row.get("id")
        if isinstance(video_id, str) and video_id in waiting:
            waiting.remove(VideoId(video_id))
            yield VideoId(video_id), row
        else:
            bad.append(_rejected("id was not asked for, or came before", row))


def _page(reply: dict[str, Any], candidate: Any) -> tuple[Page, tuple[Rejected, ...]]:
    good: dict[VideoId, Candidate] = {}
    bad: list[Rejected] = []
    for row in _items(reply, bad):
        try:
            found: Candidate = candidate(row)
        except _BadRowError as error:
            bad.append(_rejected(str(error), row))
        else:
            # Search does repeat a video now and then; that is no defect of the row.
            good.setdefault(found.video_id, found)
    token = reply.get("nextPageToken")
    usable = isinstance(token, str) and token.isascii() and token.isprintable() and token
    return Page(candidates=tuple(good.values()), next_page_token=token if usable else None), tuple(bad)


def _candidate(video_id: object, channel_id: object) -> Candidate:
    if not is_video_id(video_id):
        raise _BadRowError("no video id")
    return Candidate(video_id=VideoId(str(video_id)), channel_id=_channel_id(channel_id))


def _channel_id(value: object) -> ChannelId:
    if not is_channel_id(value):
        raise _BadRowError("no channel id")
    return ChannelId(str(value))


def _details(video_id: VideoId, row: dict[str, Any]) -> VideoDetails:
    snippet = _part(row, "snippet")
    tags = snippet.get("tags")
    live = snippet.get("liveBroadcastContent")
    return VideoDetails(
        video_id=video_id,
        channel_id=_channel_id(snippet.get("channelId")),
        channel_title=clean(snippet.get("channelTitle"), _TITLE_CHARS),
        title=clean(snippet.get("title"), _TITLE_CHARS),
        description=clean(snippet.get("description"), _DESCRIPTION_CHARS),
        published_at=_instant(snippet.get("publishedAt")),
        tags=tuple(clean(tag, _TAG_CHARS) for tag in tags[:_TAGS] if isinstance(tag, str)) if isinstance(tags, list) else (),
        category_id=_small_number(snippet.get("categoryId")),
        language=clean(snippet.get("defaultAudioLanguage") or snippet.get("defaultLanguage"), _TAG_CHARS) or None,
        duration_s=duration_seconds(_part(row, "contentDetails").get("duration")),
        live=live if live in ("live", "upcoming") else "none",
        counts=_counts(video_id, row),
    )


def _counts(video_id: VideoId, row: dict[str, Any]) -> Counts:
    given = _part(row, "statistics")
    return Counts(
        video_id=video_id,
        views=_count(given, "viewCount"),
        likes=_count(given, "likeCount"),
        comments=_count(given, "commentCount"),
    )


def _count(given: dict[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    # 19 digits hold 2**63 - 1; `isdigit` alone would let superscripts through to int(), which refuses them.
    if type(value) is str and len(value) <= 19 and value.isascii() and value.isdigit():  # noqa: PLR2004
        value = int(value)
    if type(value) is not int or not 0 <= value <= _LARGEST_COUNT:
        raise _BadRowError(f"{name} is no count")
    return value


def _small_number(value: object) -> int | None:
    text = str(value) if type(value) in (str, int) else ""
    return int(text) if re.fullmatch("[0-9]{1,4}", text) else None


def _instant(value: object) -> datetime:
    """`2026-03-01T12:00:00Z`, with or without fractions of a second."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        if instant is None or instant.tzinfo is None:
            raise _BadRowError("publishedAt is no instant")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _BadRowError("publishedAt is no instant") from None


def _part(row: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a row; empty when absent. Raises for something else under its name."""
    part = row.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise _BadRowError(f"{name} is not an object")
    return part


def _snippet_title(row: dict[str, Any]) -> object:
    snippet = row.get("snippet")
    return snippet.get("title") if isinstance(snippet, dict) else None


def _rejected(reason: str, row: object) -> Rejected:
    # `repr` also spells out NUL and lone surrogates, so the text can be stored.
    return Rejected(reason=reason, row=repr(row)[:_REPR_CHARS].encode("utf-8", "replace").decode())
