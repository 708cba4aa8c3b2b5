"""Records of a world as the JSON of the Data API: resources, lists, ETags.

Belongs here: pure shaping, after the discovery document (rev 20261104) and captured replies. Does not belong here: which
records a call gets (methods.py).
"""

from __future__ import annotations

import html
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha1
from typing import Any

import orjson

from pleiades_core.models import ChannelId, Counts
from pleiades_core.simulator.world.base import CATEGORIES, ChannelState, VideoState, VideoText

#: The header of every reply of the API.
JSON = (b"content-type", b"application/json; charset=UTF-8")
#: Descriptions in search results are cut to about this many characters (captures).
_SNIPPET_CHARACTERS = 157
#: The channel that owns the categories (captures of videoCategories.list).
_CATEGORY_OWNER = "UCBR8-60-B28hp2BmDPdntcQ"
_SIZES = (("default", "default", 120, 90), ("medium", "mqdefault", 320, 180), ("high", "hqdefault", 480, 360))
_LARGE_SIZES = (("standard", "sddefault", 640, 480), ("maxres", "maxresdefault", 1280, 720))


def encode(body: Any) -> bytes:
    """JSON as UTF-8. Lone surrogates, which UTF-8 cannot spell, go out as escapes."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body).encode()


def etag(*parts: object) -> str:
    """27 base64url characters, as current ETags are, that change whenever any of `parts` does."""
    digest = sha1("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return urlsafe_b64encode(digest)[:27].decode()


def instant(at: datetime) -> str:
    """An instant as the API writes it today: UTC, seconds, Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_duration(seconds: int | None) -> str:
    """`PT1H2M3S`; `P0D` if there is no duration, as for live and upcoming videos."""
    if seconds is None:
        return "P0D"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    named = ((hours, "H"), (minutes, "M"), (rest, "S"))
    return "PT" + ("".join(f"{amount}{unit}" for amount, unit in named if amount) or "0S")


def listing(kind: str, items: list[dict[str, Any]], *, seed: object = "", **more: Any) -> dict[str, Any]:
    """A whole list reply.

    Args:
        kind: without its prefix `youtube#`.
        items: of the list.
        seed: makes ETags differ.
        **more: goes between the ETag and the items; None is left out.

    Returns:
        The body.
    """
    tags = [item.get("etag", "") for item in items]
    given = {name: value for name, value in more.items() if value is not None}
    return {"kind": f"youtube#{kind}", "etag": etag(kind, seed, *tags), **given, "items": items}


def page_info(total: int, per_page: int) -> dict[str, int]:
    """The total number of items, and the number on a page."""
    return {"totalResults": total, "resultsPerPage": per_page}


def statistics(counts: Counts, *, with_favourites: bool) -> dict[str, str]:
    """Counts as strings; hidden or disabled counts are absent."""
    out: dict[str, str] = {}
    if counts.views is not None:
        out["viewCount"] = str(counts.views)
    if counts.likes is not None:
        out["likeCount"] = str(counts.likes)
    if with_favourites:
        out["favoriteCount"] = "0"
    if counts.comments is not None:
        out["commentCount"] = str(counts.comments)
    return out


def video_stats(counts: Counts, text: VideoText | None, parts: Collection[str]) -> dict[str, Any]:
    """One item of videos.batchGetStats.

    Args:
        counts: of the video.
        text: of the video; None if only `id` and `statistics` are requested.
        parts: the requested parts.

    Returns:
        The item.
    """
    tag = etag(counts.video_id, counts.views, counts.likes, counts.comments)
    item: dict[str, Any] = {"kind": "youtube#videoStats", "etag": tag, "id": counts.video_id}
    if text is not None and "snippet" in parts:
        item["snippet"] = {"publishTime": instant(text.published_at)}
    if "statistics" in parts:
        item["statistics"] = statistics(counts, with_favourites=False)
    if text is not None and "contentDetails" in parts:
        item["contentDetails"] = {} if text.duration_s is None else {"duration": f"{text.duration_s}s"}
    return item


def video(state: VideoState, parts: Collection[str]) -> dict[str, Any]:
    """One item of videos.list."""
    text, counts = state.text, state.counts
    tag = etag(counts.video_id, counts.views, counts.likes, counts.comments, *sorted(parts))
    item: dict[str, Any] = {"kind": "youtube#video", "etag": tag, "id": text.video_id}
    if "snippet" in parts:
        snippet: dict[str, Any] = {
            "publishedAt": instant(text.published_at),
            "channelId": text.channel_id,
            "title": text.title,
            "description": text.description,
            "thumbnails": thumbnails(text.video_id, large=True),
            "channelTitle": text.channel_title,
        }
        if text.tags:
            snippet["tags"] = list(text.tags)
        snippet |= {"categoryId": str(text.category_id), "liveBroadcastContent": text.live}
        snippet["localized"] = {"title": text.title, "description": text.description}
        if text.language:
            snippet |= {"defaultLanguage": text.language, "defaultAudioLanguage": text.language}
        item["snippet"] = snippet
    if "contentDetails" in parts:
        # Live and upcoming videos have P0D. A length that a recorded world does not know is absent, not zero.
        known = text.duration_s is not None or text.live != "none"
        item["contentDetails"] = ({"duration": iso_duration(text.duration_s)} if known else {}) | {
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": True,
            "contentRating": {},
            "projection": "rectangular",
        }
    if "status" in parts:
        item["status"] = {
            "uploadStatus": "processed",
            "privacyStatus": "public",
            "license": "youtube",
            "embeddable": True,
            "publicStatsViewable": True,
            "madeForKids": False,
        }
    if "statistics" in parts:
        item["statistics"] = statistics(counts, with_favourites=True)
    return item


def search_video(text: VideoText, seed: object) -> dict[str, Any]:
    """One search result that is a video. Titles are HTML-escaped here and nowhere else."""
    return {
        "kind": "youtube#searchResult",
        "etag": etag(text.video_id, seed),
        "id": {"kind": "youtube#video", "videoId": text.video_id},
        "snippet": {
            "publishedAt": instant(text.published_at),
            "channelId": text.channel_id,
            "title": _escaped(text.title),
            "description": _shortened(text.description),
            "thumbnails": thumbnails(text.video_id, large=False),
            "channelTitle": _escaped(text.channel_title),
            "liveBroadcastContent": text.live,
            "publishTime": instant(text.published_at),
        },
    }


def search_channel(state: ChannelState, seed: object) -> dict[str, Any]:
    """One search result that is a channel."""
    return {
        "kind": "youtube#searchResult",
        "etag": etag(state.channel_id, seed),
        "id": {"kind": "youtube#channel", "channelId": state.channel_id},
        "snippet": {
            "publishedAt": instant(state.created_at),
            "channelId": state.channel_id,
            "title": _escaped(state.title),
            "description": _shortened(state.description),
            "thumbnails": _portraits(state.channel_id),
            "channelTitle": _escaped(state.title),
            "liveBroadcastContent": "none",
            "publishTime": instant(state.created_at),
        },
    }


def channel(state: ChannelState, parts: Collection[str]) -> dict[str, Any]:
    """One item of channels.list."""
    tag = etag(state.channel_id, state.video_count, state.view_count, *sorted(parts))
    item: dict[str, Any] = {"kind": "youtube#channel", "etag": tag, "id": state.channel_id}
    if "snippet" in parts:
        item["snippet"] = {
            "title": state.title,
            "description": state.description,
            "customUrl": state.handle,
            "publishedAt": instant(state.created_at),
            "thumbnails": _portraits(state.channel_id),
            "localized": {"title": state.title, "description": state.description},
        } | ({"country": state.country} if state.country else {})
    if "contentDetails" in parts:
        item["contentDetails"] = {"relatedPlaylists": {"likes": "", "uploads": "UU" + state.channel_id[2:]}}
    if "statistics" in parts:
        hidden = state.subscriber_count is None
        item["statistics"] = {
            "viewCount": str(state.view_count),
            **({} if hidden else {"subscriberCount": str(state.subscriber_count)}),
            "hiddenSubscriberCount": hidden,
            "videoCount": str(state.video_count),
        }
    if "status" in parts:
        item["status"] = {"privacyStatus": "public", "isLinked": True, "longUploadsStatus": "longUploadsUnspecified"}
    return item


def playlist_item(text: VideoText, playlist_id: str, position: int, parts: Collection[str]) -> dict[str, Any]:
    """One item of playlistItems.list over an uploads playlist.

    Args:
        text: of the video.
        playlist_id: of the playlist.
        position: of the video in it.
        parts: the requested parts.

    Returns:
        The item.
    """
    item_id = urlsafe_b64encode(f"{playlist_id}.{text.video_id}".encode()).rstrip(b"=").decode()
    item: dict[str, Any] = {"kind": "youtube#playlistItem", "etag": etag(item_id, position, *sorted(parts)), "id": item_id}
    if "snippet" in parts:
        item["snippet"] = {
            "publishedAt": instant(text.published_at),
            "channelId": text.channel_id,
            "title": text.title,
            "description": text.description,
            "thumbnails": thumbnails(text.video_id, large=True),
            "channelTitle": text.channel_title,
            "playlistId": playlist_id,
            "position": position,
            "resourceId": {"kind": "youtube#video", "videoId": text.video_id},
            "videoOwnerChannelTitle": text.channel_title,
            "videoOwnerChannelId": text.channel_id,
        }
    if "contentDetails" in parts:
        item["contentDetails"] = {"videoId": text.video_id, "videoPublishedAt": instant(text.published_at)}
    if "status" in parts:
        item["status"] = {"privacyStatus": "public"}
    return item


def item_of(item_id: str) -> tuple[str, str]:
    """The playlist and the video of an id that `playlist_item` gave out; two empty texts for any other."""
    try:
        playlist, _, video_id = urlsafe_b64decode(item_id + "=" * (-len(item_id) % 4)).decode("ascii").rpartition(".")
    except ValueError:
        return "", ""
    return playlist, video_id


def category(number: int) -> dict[str, Any]:
    """One item of videoCategories.list."""
    title = CATEGORIES[number]
    snippet = {"title": title, "assignable": True, "channelId": _CATEGORY_OWNER}
    return {"kind": "youtube#videoCategory", "etag": etag(number, title), "id": str(number), "snippet": snippet}


def thumbnails(video_id: str, *, large: bool) -> dict[str, dict[str, Any]]:
    """Addresses of pictures that exist on YouTube only."""
    sizes: Mapping[str, tuple[str, int, int]] = {name: rest for name, *rest in _SIZES + (_LARGE_SIZES if large else ())}  # type: ignore[misc]
    return {
        name: {"url": f"https://i.ytimg.com/vi/{video_id}/{file}.jpg", "width": width, "height": height}
        for name, (file, width, height) in sizes.items()
    }


def _portraits(channel_id: ChannelId) -> dict[str, dict[str, Any]]:
    base = f"https://yt3.ggpht.com/ytc/{channel_id[2:]}"
    named = (("default", 88), ("medium", 240), ("high", 800))
    return {
        name: {"url": f"{base}=s{pixels}-c-k-c0x00ffffff-no-rj", "width": pixels, "height": pixels} for name, pixels in named
    }


def _escaped(text: str) -> str:
    # Captures spell the apostrophe &#39; where Python's escape writes &#x27;.
    return html.escape(text, quote=True).replace("&#x27;", "&#39;")


def _shortened(text: str) -> str:
    plain = " ".join(text[: 4 * _SNIPPET_CHARACTERS].split())
    return plain if len(plain) <= _SNIPPET_CHARACTERS else plain[:_SNIPPET_CHARACTERS] + " ..."
