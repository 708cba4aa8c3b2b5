"""Good replies of every list method, made up in the shape that the API answers in, and how each is read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pleiades_core.models import ChannelId, Rejected, VideoId
from pleiades_core.videoid import encode, is_video_id
from pleiades_core.youtube import parse

CHANNELS = [f"UC{letter * 21}Q" for letter in "abcdefgh"]
IDS = [encode(number * 0x1234_5678_9ABC_DE) for number in range(1, 9)]
#: Valid, and never asked for.
STRANGERS = [encode(-number) for number in range(1, 4)]

#: Records and rejected rows of a reply; the second argument is what was asked for.
Reader = Callable[[dict[str, Any], Sequence[VideoId]], tuple[Sequence[Any], Sequence[Rejected]]]
#: The environment variable that names a folder of recorded replies, which are not part of the project.
RECORDED_IN = "PLEIADES_TEST_REPLIES"


@dataclass(frozen=True)
class Kind:
    """A list method: its good rows and how a reply is read."""

    name: str
    rows: list[dict[str, Any]]
    read: Reader
    #: The names of the fields of a record that are counts, and where each stands in its row's statistics.
    counts: dict[str, str]
    #: True: a video that comes twice is one record and no rejected row.
    folds: bool = False

    def asked(self) -> list[VideoId]:
        """The ids that a call for these rows named."""
        return [row["id"] for row in self.rows if is_video_id(row.get("id"))]


def key_of(record: Any) -> str:
    """What makes a record the record of something."""
    return str(getattr(record, "video_id", None) or record.channel_id)


_STATISTICS = [
    {"viewCount": "7507704", "likeCount": "182", "favoriteCount": "0", "commentCount": "0"},
    {"viewCount": "0", "favoriteCount": "0"},
    {"viewCount": "9223372036854775807", "likeCount": "0", "commentCount": "12"},
    {"likeCount": "3"},
    {},
]
_COUNTS = {"views": "viewCount", "likes": "likeCount", "comments": "commentCount"}


def _video(number: int) -> dict[str, Any]:
    return {
        "kind": "youtube#video",
        "etag": "x" * 27,
        "id": IDS[number],
        "snippet": {
            "publishedAt": f"2026-02-{number + 1:02}T10:00:00Z",
            "channelId": CHANNELS[number],
            "title": f"Nº {number} & co. \U0001f3b5",
            "description": "line\nline",
            "thumbnails": {"default": {"url": "https://i.ytimg.com/vi/x/default.jpg", "width": 120, "height": 90}},
            "channelTitle": f"channel {number}",
            "tags": ["one", "zwei"],
            "categoryId": "10",
            "liveBroadcastContent": "none",
            "defaultAudioLanguage": "en-GB",
        },
        "contentDetails": {"duration": "PT4M13S", "dimension": "2d"},
        "statistics": _STATISTICS[number % len(_STATISTICS)],
    }


def _channel(number: int) -> dict[str, Any]:
    hidden = {"hiddenSubscriberCount": True} if number % 2 else {"subscriberCount": "1230000", "hiddenSubscriberCount": False}
    return {
        "kind": "youtube#channel",
        "id": CHANNELS[number],
        "snippet": {"title": f"channel {number}", "customUrl": "@x"},
        "statistics": {"viewCount": "123456789", "videoCount": str(number), **hidden},
    }


def _searched(number: int) -> dict[str, Any]:
    snippet = {"publishedAt": "2026-02-01T10:00:00Z", "channelId": CHANNELS[number], "title": "a &amp; b"}
    return {"kind": "youtube#searchResult", "id": {"kind": "youtube#video", "videoId": IDS[number]}, "snippet": snippet}


def _listed(number: int) -> dict[str, Any]:
    details = {"videoId": IDS[number], "videoPublishedAt": "2026-02-01T10:00:00Z"}
    return {"kind": "youtube#playlistItem", "id": f"VVU{number}", "contentDetails": details}


def _chart(reply: dict[str, Any], _asked: Sequence[VideoId]) -> tuple[Sequence[Any], Sequence[Rejected]]:
    page, bad = parse.chart_rows(reply)
    return page.details, bad


def _search(reply: dict[str, Any], _asked: Sequence[VideoId]) -> tuple[Sequence[Any], Sequence[Rejected]]:
    page, bad = parse.search_rows(reply)
    return page.candidates, bad


def _uploads(reply: dict[str, Any], _asked: Sequence[VideoId]) -> tuple[Sequence[Any], Sequence[Rejected]]:
    page, bad = parse.uploads_rows(reply, ChannelId(CHANNELS[0]))
    return page.candidates, bad


def _channels(reply: dict[str, Any], _asked: Sequence[VideoId]) -> tuple[Sequence[Any], Sequence[Rejected]]:
    return parse.channels(reply)


_VIDEOS = [_video(number) for number in range(6)]
_POLLED = [{"kind": "youtube#videoStats", "id": row["id"], "statistics": row["statistics"]} for row in _VIDEOS]
KINDS = {
    kind.name: kind
    for kind in (
        Kind("batchGetStats", _POLLED, parse.stats, _COUNTS),
        Kind("videos", _VIDEOS, parse.video_details, _COUNTS),
        Kind("chart", _VIDEOS, _chart, _COUNTS),
        Kind("search", [_searched(number) for number in range(6)], _search, {}, folds=True),
        Kind("uploads", [_listed(number) for number in range(6)], _uploads, {}, folds=True),
        Kind("channels", [_channel(number) for number in range(6)], _channels, {"videos": "videoCount"}),
    )
}


def recorded() -> Iterator[Kind]:
    """The same of recorded replies, in portions of a few rows; nothing where the variable is not set."""
    folder = Path(os.environ.get(RECORDED_IN, ""))
    if not os.environ.get(RECORDED_IN):
        return
    for path in sorted([*folder.glob("**/*.json.gz"), *folder.glob("**/*.json")]):
        content = path.read_bytes()
        reply = orjson.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        if not isinstance(reply, dict):
            continue
        known = {
            "youtube#videoListResponse": "chart", "youtube#searchListResponse": "search",
            "youtube#playlistItemListResponse": "uploads",
        }.get(reply.get("kind", ""))  # fmt: skip
        rows = [row for row in reply.get("items", []) if isinstance(row, dict)] if known else []
        for start in range(0, len(rows), 10):
            kind = KINDS[str(known)]
            yield Kind(f"{path.name}:{start}", rows[start : start + 10], kind.read, kind.counts, folds=kind.folds)
