"""The protocol between simulated worlds and the API, and its records.

Belongs here: frozen records, the protocol, YouTube's table of categories. Does not belong here: where a world comes from
(synthetic.py, recorded.py), how it is searched (searching.py, finding.py), how its records become JSON
(simulator/api/replies.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pleiades_core.models import ChannelId, Counts, VideoId

#: The categories a video can be in, and their English titles. Ids as seen in chart replies of 2025-26; titles from the
#: documentation of videoCategories.list (read 2026-11-22).
CATEGORIES: dict[int, str] = {
    1: "Film & Animation",
    2: "Autos & Vehicles",
    10: "Music",
    15: "Pets & Animals",
    17: "Sports",
    19: "Travel & Events",
    20: "Gaming",
    22: "People & Blogs",
    23: "Comedy",
    24: "Entertainment",
    25: "News & Politics",
    26: "Howto & Style",
    27: "Education",
    28: "Science & Technology",
    29: "Nonprofits & Activism",
}

#: Movies, Music and Gaming: the only charts left since 21 July 2025 (revision history of the Data API, read 2026-11-22).
CHART_CATEGORIES = (1, 10, 20)

#: A search returns at most about this many videos for one query, whatever `totalResults` says.
SEARCH_DEPTH = 500

#: Charts end here: 200 videos in a capture of 2023.
CHART_DEPTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoText:
    """The unchanging facts of a video. Text is as its owner wrote it, and may be hostile."""

    video_id: VideoId
    channel_id: ChannelId
    channel_title: str
    title: str
    description: str
    tags: tuple[str, ...]
    category_id: int
    #: Aware UTC.
    published_at: datetime
    #: Seconds; None when not known.
    duration_s: int | None
    #: BCP-47, or None when the owner did not say.
    language: str | None
    #: `none`, `live` or `upcoming`.
    live: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoState:
    """A public video at one instant: its text and its counts. None: hidden, switched off or not known."""

    text: VideoText
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The true state of a video at one instant, also if the API would not show it."""

    #: `public`, `private`, `deleted`, `unpublished` or `unknown`.
    state: str
    #: The counts that the API would give; None when the state is not `public`.
    counts: Counts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelText:
    """The unchanging facts of a channel."""

    channel_id: ChannelId
    title: str
    #: Aware UTC.
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """A channel at one instant."""

    channel_id: ChannelId
    title: str
    description: str
    #: Aware UTC.
    created_at: datetime
    country: str | None
    #: Public videos now, and the sum of their views.
    video_count: int
    view_count: int
    #: Rounded down to three significant figures, as the API does; None when hidden.
    subscriber_count: int | None
    #: With its @, in lower case.
    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """The parameters of one search."""

    #: Empty: everything matches.
    term: str = ""
    published_after: datetime | None = None
    published_before: datetime | None = None
    channel_id: str | None = None
    #: `date`, `viewCount`, `rating`, `title` or `relevance`.
    order: str = "relevance"
    region: str | None = None
    category: int | None = None
    #: `short` (< 4 min), `medium` (4 to 20), `long`, or None for any.
    duration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a search: ids in order, at most SEARCH_DEPTH, and how many videos match before the lottery."""

    ids: tuple[VideoId, ...]
    matching: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event that a hub announces to its subscribers."""

    #: Aware UTC.
    at: datetime
    #: `published` or `deleted`.
    kind: str
    video_id: VideoId
    channel_id: ChannelId


class World(Protocol):
    """Videos, channels, searches and charts at any instant, in any order: equal questions have equal answers."""

    @property
    def kind(self) -> str:
        """`synthetic` or `recorded`."""
        ...

    def describe(self) -> dict[str, object]:
        """Size, days and search terms, ready for JSON."""
        ...

    def video(self, video_id: str, at: datetime) -> VideoState | None:
        """The video, or None if at `at` it does not exist, is not published yet, is deleted or private."""
        ...

    def text(self, video_id: str) -> VideoText:
        """The unchanging facts of a video that `counts` just named.

        Raises:
            KeyError: for any other id.
        """
        ...

    def counts(self, video_ids: Sequence[str], at: datetime) -> list[Counts]:
        """Counts of those of `video_ids` that are public at `at`, in the order given. The hot path: vectorised."""
        ...

    def truth(self, video_id: str, at: datetime) -> Truth:
        """The true state and counts."""
        ...

    def search(self, query: SearchQuery, at: datetime, *, call_seed: int) -> Found:
        """The videos that one call of search.list finds.

        Args:
            query: of the call.
            at: instant of the call.
            call_seed: decides which matches this call drops.

        Returns:
            The result.
        """
        ...

    def channel_text(self, channel_id: str) -> ChannelText | None:
        """The unchanging facts of a channel, which are cheap; None if there is no such channel."""
        ...

    def channel(self, channel_id: str, at: datetime) -> ChannelState | None:
        """The channel; None if there is no such channel."""
        ...

    def channels(self, channel_ids: Sequence[str], at: datetime) -> list[ChannelState]:
        """Those of `channel_ids` that exist, in the order given, each once."""
        ...

    def channel_ids(self) -> Sequence[ChannelId]:
        """Every channel of the world, in an order that never changes."""
        ...

    def channel_with_handle(self, handle: str) -> ChannelId | None:
        """The channel of a handle, with or without its @, in any case of letters."""
        ...

    def happenings(self, since: datetime, until: datetime) -> list[Happening]:
        """What was published or deleted from `since` until before `until`, in the order of time."""
        ...

    def channels_named(self, term: str) -> list[ChannelId]:
        """Channels with `term` in their title, for searches of type channel."""
        ...

    def uploads(self, channel_id: str, at: datetime, most: int | None = None) -> list[VideoId] | None:
        """A channel's public videos, newest first.

        Args:
            channel_id: the channel.
            at: the instant.
            most: the most videos; None: all.

        Returns:
            The ids; None if there is no such channel.
        """
        ...

    def chart(self, region: str, category: int | None, at: datetime) -> list[VideoId]:
        """The most popular videos of a region, at most CHART_DEPTH.

        Args:
            region: code of the region.
            category: number of the category; None: all.
            at: the instant.

        Returns:
            The ids, the best first.
        """
        ...
