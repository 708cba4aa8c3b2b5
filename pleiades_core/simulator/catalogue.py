"""A world over arrays: everything that is the same for every world, whatever its videos and their curves come from.

Belongs here: who is visible when, channels, uploads, charts, searches. Does not belong here: how many views a video has when
(a `Curves` of synthetic.py or recorded.py), which words match (finding.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pleiades_core.models import ChannelId, Counts, VideoId
from pleiades_core.simulator.finding import WordIndex, findable, kept_by_call
from pleiades_core.simulator.world import (
    CATEGORIES,
    CHART_CATEGORIES,
    CHART_DEPTH,
    SEARCH_DEPTH,
    ChannelState,
    Found,
    SearchQuery,
    Truth,
    VideoState,
    VideoText,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: A chart lists what was published in the last fortnight.
_CHART_WINDOW_S = 14 * 86_400.0
#: Before this instant a chart existed for every category (revision history of the Data API, read 2026-11-22).
_CHARTS_CUT_AT = datetime(2025, 7, 21, tzinfo=UTC)
_HOUR_S = 3_600.0
_SHORT_S, _MEDIUM_S = 240, 1_200


class Curves(Protocol):
    """Counts of videos, named by their positions, at one instant. -1 stands for a count that is not given."""

    def at(self, positions: Ints, at_s: float) -> tuple[Ints, Ints, Ints]:
        """Views, likes and comments, aligned with `positions`. `at_s`: seconds since the epoch."""
        ...


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Arrays over all videos of a world, sorted by `appears_s`; all instants are seconds since the epoch."""

    ids: Sequence[VideoId]
    #: From when on the API knows the video.
    appears_s: Floats
    #: The window in which a video is away; infinite where it never is, and open-ended where it is deleted.
    away_from_s: Floats
    away_until_s: Floats
    channel: Ints
    category: Ints
    #: Position of the region whose charts may list the video, in `regions`.
    region: Ints
    regions: Sequence[str]
    #: Seconds; -1 when not known.
    duration_s: Ints
    channel_ids: Sequence[ChannelId]
    channel_titles: Sequence[str]
    channel_created_s: Floats
    #: Text of the video at a position.
    text: Callable[[int], VideoText]

    @cached_property
    def position(self) -> dict[str, int]:
        """Video id -> position."""
        return {video_id: number for number, video_id in enumerate(self.ids)}

    @cached_property
    def channel_position(self) -> dict[str, int]:
        """Channel id -> position of the channel."""
        return {channel_id: number for number, channel_id in enumerate(self.channel_ids)}

    @cached_property
    def by_channel(self) -> tuple[Ints, Ints]:
        """Positions of videos grouped by channel, oldest first, and where each channel's group begins."""
        order = np.argsort(self.channel, kind="stable")
        starts = np.searchsorted(self.channel[order], np.arange(len(self.channel_ids) + 1))
        return order, starts

    def of_channel(self, channel: int) -> Ints:
        """Positions of a channel's videos, oldest first."""
        order, starts = self.by_channel
        return order[starts[channel] : starts[channel + 1]]

    def visible(self, positions: Ints, at_s: float) -> npt.NDArray[np.bool_]:
        """Which of them the API would show."""
        away = (self.away_from_s[positions] <= at_s) & (at_s < self.away_until_s[positions])
        return (self.appears_s[positions] <= at_s) & ~away


class CatalogueWorld:
    """A `World` made of a catalogue and curves."""

    def __init__(
        self, kind: str, catalogue: Catalogue, curves: Curves, facts: Mapping[str, Any], *, search_seed: int = 0
    ) -> None:
        self._kind = kind
        self._catalogue = catalogue
        self._curves = curves
        self._facts = dict(facts)
        self._seed = search_seed
        self._position = catalogue.position
        self._words = WordIndex(lambda: [catalogue.text(number) for number in range(len(catalogue.ids))])

    @property
    def kind(self) -> str:
        """`synthetic` or `recorded`."""
        return self._kind

    def describe(self) -> dict[str, object]:
        """Size, days and search terms, ready for JSON."""
        appears = self._catalogue.appears_s
        days = (
            [datetime.fromtimestamp(float(s), UTC).date().isoformat() for s in (appears[0], appears[-1])]
            if len(appears)
            else [None] * 2
        )
        return {
            "kind": self._kind,
            "videos": len(self._catalogue.ids),
            "channels": len(self._catalogue.channel_ids),
            "first_day": days[0],
            "last_day": days[1],
            "regions": [region for region in self._catalogue.regions if region],
            **self._facts,
        }

    def video(self, video_id: str, at: datetime) -> VideoState | None:
        """The video, or None if at `at` the API would not show it."""
        found = self.counts([video_id], at)
        return VideoState(text=self.text(video_id), counts=found[0]) if found else None

    def text(self, video_id: str) -> VideoText:
        """The unchanging part of a video. Raises KeyError for an id that is not of this world."""
        return self._catalogue.text(self._position[video_id])

    def counts(self, video_ids: Sequence[str], at: datetime) -> list[Counts]:
        """Counts of those of `video_ids` that are public at `at`, in the order given, each once."""
        known = self._position
        positions = np.array([known[i] for i in dict.fromkeys(video_ids) if i in known], dtype=np.int64)
        if not len(positions):
            return []
        at_s = at.timestamp()
        positions = positions[self._catalogue.visible(positions, at_s)]
        return self._counts(positions, at_s)

    def _counts(self, positions: Ints, at_s: float) -> list[Counts]:
        views, likes, comments = (column.tolist() for column in self._curves.at(positions, at_s))
        ids = self._catalogue.ids
        return [
            Counts(
                video_id=ids[position],
                views=view if view >= 0 else None,
                likes=like if like >= 0 else None,
                comments=comment if comment >= 0 else None,
            )
            for position, view, like, comment in zip(positions.tolist(), views, likes, comments, strict=True)
        ]

    def truth(self, video_id: str, at: datetime) -> Truth:
        """State and counts without the API's silence."""
        number = self._position.get(video_id)
        if number is None:
            return Truth(state="unknown", counts=None)
        at_s = at.timestamp()
        catalogue = self._catalogue
        if at_s < catalogue.appears_s[number]:
            return Truth(state="unpublished", counts=None)
        if catalogue.away_from_s[number] <= at_s < catalogue.away_until_s[number]:
            return Truth(state="deleted" if np.isinf(catalogue.away_until_s[number]) else "private", counts=None)
        return Truth(state="public", counts=self._counts(np.array([number]), at_s)[0])

    def search(self, query: SearchQuery, at: datetime, *, call_seed: int) -> Found:
        """Videos that one call finds: matching, public, findable at their age, and not among those this call drops."""
        catalogue = self._catalogue
        at_s = at.timestamp()
        matching = self._words.matching(query.term)
        earliest = query.published_after.timestamp() if query.published_after else -np.inf
        latest = min(at_s, query.published_before.timestamp() if query.published_before else np.inf)
        appears = catalogue.appears_s[matching]
        matching = matching[np.searchsorted(appears, earliest) : np.searchsorted(appears, latest, side="right")]
        matching = matching[self._asked_for(matching, query) & catalogue.visible(matching, at_s)]
        age_s = at_s - catalogue.appears_s[matching]
        matching = matching[findable(matching, age_s, self._seed) & kept_by_call(matching, self._seed, call_seed)]
        ordered = self._ordered(matching, query.order, at_s)
        return Found(
            ids=tuple(catalogue.ids[number] for number in ordered[:SEARCH_DEPTH].tolist()),
            total_estimate=min(1_000_000, len(matching) * 3 + call_seed % 7),
        )

    def _asked_for(self, positions: Ints, query: SearchQuery) -> npt.NDArray[np.bool_]:
        catalogue = self._catalogue
        wanted = np.ones(len(positions), dtype=np.bool_)
        if query.channel_id is not None:
            wanted &= catalogue.channel[positions] == catalogue.channel_position.get(query.channel_id, -1)
        if query.category is not None:
            wanted &= catalogue.category[positions] == query.category
        if query.duration is not None:
            seconds = catalogue.duration_s[positions]
            low, high = {"short": (0, _SHORT_S), "medium": (_SHORT_S, _MEDIUM_S), "long": (_MEDIUM_S, 10**9)}[query.duration]
            wanted &= (seconds >= low) & (seconds < high)
        # `region` asks for videos that can be watched there; nothing in these worlds is blocked anywhere.
        return wanted

    def _ordered(self, positions: Ints, order: str, at_s: float) -> Ints:
        if order == "title":
            return np.array(sorted(positions.tolist(), key=lambda n: self._catalogue.text(n).title.casefold()), dtype=np.int64)
        if order in {"viewCount", "rating", "relevance"}:
            views, likes, _ = self._curves.at(positions, at_s)
            score = views.astype(np.float64)
            if order == "rating":
                score = likes / np.maximum(views, 1)
            if order == "relevance":
                age_h = (at_s - self._catalogue.appears_s[positions]) / _HOUR_S
                score = np.log1p(np.maximum(views, 0)) - 0.5 * np.log1p(age_h)
            return positions[np.argsort(-score, kind="stable")]
        return positions[::-1]

    def channel(self, channel_id: str, at: datetime) -> ChannelState | None:
        """The channel, or None if there is none such."""
        catalogue = self._catalogue
        number = catalogue.channel_position.get(channel_id)
        if number is None:
            return None
        at_s = at.timestamp()
        positions = catalogue.of_channel(number)
        positions = positions[catalogue.visible(positions, at_s)]
        views = int(np.maximum(self._curves.at(positions, at_s)[0], 0).sum()) if len(positions) else 0
        region = catalogue.regions[int(catalogue.region[positions[0]])] if len(positions) else ""
        subscribers = views // 90 + 3
        return ChannelState(
            channel_id=catalogue.channel_ids[number],
            title=catalogue.channel_titles[number],
            description=f"All about {catalogue.channel_titles[number]}",
            created_at=datetime.fromtimestamp(float(catalogue.channel_created_s[number]), UTC),
            country=region or None,
            video_count=len(positions),
            view_count=views,
            # One in fifty hides the number, always the same ones.
            subscriber_count=None if number % 50 == 49 else _three_figures(subscribers),  # noqa: PLR2004
        )

    def channels_named(self, term: str) -> list[ChannelId]:
        """Channels whose title holds `term`."""
        wanted = term.casefold()
        titles = zip(self._catalogue.channel_ids, self._catalogue.channel_titles, strict=True)
        return [channel_id for channel_id, title in titles if wanted in title.casefold()][:SEARCH_DEPTH]

    def uploads(self, channel_id: str, at: datetime) -> list[VideoId] | None:
        """A channel's public videos, newest first; None if there is no such channel."""
        number = self._catalogue.channel_position.get(channel_id)
        if number is None:
            return None
        positions = self._catalogue.of_channel(number)
        positions = positions[self._catalogue.visible(positions, at.timestamp())]
        return [self._catalogue.ids[n] for n in positions[::-1].tolist()]

    def chart(self, region: str, category: int | None, at: datetime) -> list[VideoId]:
        """Videos of the last fortnight by views an hour. Without a category: all that have charts at `at`."""
        catalogue = self._catalogue
        at_s = at.timestamp()
        window = np.searchsorted(catalogue.appears_s, [at_s - _CHART_WINDOW_S, at_s], side="right")
        positions = np.arange(window[0], window[1])
        categories = [category] if category is not None else charted_categories(at)
        wanted = np.isin(catalogue.category[positions], categories) & catalogue.visible(positions, at_s)
        if region in catalogue.regions:
            wanted &= catalogue.region[positions] == catalogue.regions.index(region)
        positions = positions[wanted]
        views, _, _ = self._curves.at(positions, at_s)
        hourly = views / ((at_s - catalogue.appears_s[positions]) / _HOUR_S + 2.0)
        return [catalogue.ids[n] for n in positions[np.argsort(-hourly, kind="stable")][:CHART_DEPTH].tolist()]


def charted_categories(at: datetime) -> tuple[int, ...]:
    """The categories that have a chart at `at`; before 21 July 2025 all of them had one."""
    return CHART_CATEGORIES if at >= _CHARTS_CUT_AT else tuple(CATEGORIES)


def _three_figures(number: int) -> int:
    """Rounded down to three significant figures, as subscriber counts are."""
    unit = int("1" + "0" * max(0, len(str(number)) - 3))
    return number // unit * unit
