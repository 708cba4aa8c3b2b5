"""A world over arrays: everything that synthetic and recorded worlds share.

Belongs here: channels, uploads, charts, events. Does not belong here: the arrays (catalogue.py), the views of a video over time
(a `Curves` of synthetic.py or recorded.py), searches (searching.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from pleiades_core.models import ChannelId, Counts, VideoId
from pleiades_core.simulator.world.base import (
    CATEGORIES,
    CHART_CATEGORIES,
    CHART_DEPTH,
    SEARCH_DEPTH,
    ChannelState,
    ChannelText,
    Found,
    Happening,
    SearchQuery,
    Truth,
    VideoState,
    VideoText,
)
from pleiades_core.simulator.world.catalogue import Catalogue, Curves, Ints
from pleiades_core.simulator.world.searching import Search

#: A chart lists videos of the last two weeks.
_CHART_WINDOW_S = 14 * 86_400.0
#: Before this instant a chart existed for every category (revision history of the Data API, read 2026-11-22).
_CHARTS_CUT_AT = datetime(2025, 7, 21, tzinfo=UTC)
_HOUR_S = 3_600.0


class CatalogueWorld:
    """A `World` made of a catalogue and curves."""

    def __init__(
        self, kind: str, catalogue: Catalogue, curves: Curves, facts: Mapping[str, Any], *, search_seed: int = 0
    ) -> None:
        self._kind = kind
        self._catalogue = catalogue
        self._curves = curves
        self._facts = dict(facts)
        self._position = catalogue.position
        self._search = Search(catalogue, curves, search_seed)

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
            "deleted_some_day": len(self._catalogue.deletions[0]),
            "regions": [region for region in self._catalogue.regions if region],
            **self._facts,
        }

    def video(self, video_id: str, at: datetime) -> VideoState | None:
        """The video, or None if at `at` the API would not show it."""
        found = self.counts([video_id], at)
        return VideoState(text=self.text(video_id), counts=found[0]) if found else None

    def text(self, video_id: str) -> VideoText:
        """The unchanging facts of a video.

        Raises:
            KeyError: the id is not of this world.
        """
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
        """The true state and counts."""
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
        """The videos that one call finds: matching, public, findable at their age, and not among those that this call drops.

        Args:
            query: of the call.
            at: instant of the call.
            call_seed: decides which matches this call drops.

        Returns:
            The result.
        """
        return self._search.find(query, at.timestamp(), call_seed)

    def channel_text(self, channel_id: str) -> ChannelText | None:
        """The unchanging facts of a channel, which are cheap; None if there is no such channel."""
        catalogue = self._catalogue
        number = catalogue.channel_position.get(channel_id)
        if number is None:
            return None
        return ChannelText(
            channel_id=catalogue.channel_ids[number],
            title=catalogue.channel_titles[number],
            created_at=datetime.fromtimestamp(float(catalogue.channel_created_s[number]), UTC),
        )

    def channel(self, channel_id: str, at: datetime) -> ChannelState | None:
        """The channel; None if there is no such channel."""
        found = self.channels([channel_id], at)
        return found[0] if found else None

    def channels(self, channel_ids: Sequence[str], at: datetime) -> list[ChannelState]:
        """Those of `channel_ids` that exist, in the order given, each once."""
        catalogue = self._catalogue
        at_s = at.timestamp()
        numbers = [n for n in map(catalogue.channel_position.get, dict.fromkeys(channel_ids)) if n is not None]
        # The videos of all channels at once: the curves cost as much for one video as for fifty channels.
        lists = [catalogue.of_channel(number) for number in numbers]
        positions = np.concatenate([*lists, np.empty(0, dtype=np.int64)])
        owner = np.repeat(np.arange(len(numbers)), [len(of_one) for of_one in lists])
        shown = catalogue.visible(positions, at_s)
        positions, owner = positions[shown], owner[shown]
        views = np.maximum(self._curves.at(positions, at_s)[0], 0) if len(positions) else positions
        videos = np.bincount(owner, minlength=len(numbers)).tolist()
        # Not bincount's weights: they are floats, and sums of views can exceed 2**53.
        sums = np.zeros(len(numbers), dtype=np.int64)
        np.add.at(sums, owner, views)
        first = dict(zip(owner[::-1].tolist(), positions[::-1].tolist(), strict=True))
        return [self._channel_state(number, videos[n], int(sums[n]), first.get(n)) for n, number in enumerate(numbers)]

    def _channel_state(self, number: int, videos: int, views: int, first: int | None) -> ChannelState:
        catalogue = self._catalogue
        title = catalogue.channel_titles[number]
        region = catalogue.regions[int(catalogue.region[first])] if first is not None else ""
        return ChannelState(
            channel_id=catalogue.channel_ids[number],
            title=title,
            description=f"All about {title}",
            created_at=datetime.fromtimestamp(float(catalogue.channel_created_s[number]), UTC),
            country=region or None,
            video_count=videos,
            view_count=views,
            # One channel in fifty hides the number, at every instant.
            subscriber_count=None if number % 50 == 49 else _three_figures(views // 90 + 3),  # noqa: PLR2004
            handle=catalogue.handles[number],
        )

    def channel_ids(self) -> Sequence[ChannelId]:
        """Every channel of the world, in an order that never changes."""
        return self._catalogue.channel_ids

    def channel_with_handle(self, handle: str) -> ChannelId | None:
        """The channel of a handle, with or without its @, in any case of letters."""
        return self._catalogue.channel_of_handle.get("@" + handle.removeprefix("@").lower())

    @cached_property
    def _folded_titles(self) -> list[str]:
        return [title.casefold() for title in self._catalogue.channel_titles]

    def channels_named(self, term: str) -> list[ChannelId]:
        """Channels with `term` in their title."""
        matches = term.casefold()
        titles = zip(self._catalogue.channel_ids, self._folded_titles, strict=True)
        return [channel_id for channel_id, title in titles if matches in title][:SEARCH_DEPTH]

    def uploads(self, channel_id: str, at: datetime, most: int | None = None) -> list[VideoId] | None:
        """A channel's public videos, newest first.

        Args:
            channel_id: the channel.
            at: the instant.
            most: the most videos; None: all.

        Returns:
            The ids; None if there is no such channel.
        """
        number = self._catalogue.channel_position.get(channel_id)
        if number is None:
            return None
        catalogue, at_s = self._catalogue, at.timestamp()
        everything = catalogue.of_channel(number)
        positions = everything[catalogue.visible(everything, at_s)]
        return [catalogue.ids[n] for n in positions[::-1][:most].tolist()]

    def happenings(self, since: datetime, until: datetime) -> list[Happening]:
        """What was published or deleted from `since` until before `until`, in the order of time."""
        catalogue = self._catalogue
        span = [since.timestamp(), until.timestamp()]
        deleted, deleted_s = catalogue.deletions
        early, late = np.searchsorted(catalogue.appears_s, span).tolist()
        early_gone, late_gone = np.searchsorted(deleted_s, span).tolist()
        found = [(float(catalogue.appears_s[n]), "published", n) for n in range(early, late)]
        found += [
            (float(at_s), "deleted", int(n))
            for n, at_s in zip(deleted[early_gone:late_gone], deleted_s[early_gone:late_gone], strict=True)
        ]
        found.sort()
        return [
            Happening(
                at=datetime.fromtimestamp(at_s, UTC),
                kind=kind,
                video_id=catalogue.ids[n],
                channel_id=catalogue.channel_ids[catalogue.channel[n]],
            )
            for at_s, kind, n in found
        ]

    def chart(self, region: str, category: int | None, at: datetime) -> list[VideoId]:
        """Videos of the last two weeks by views an hour.

        Args:
            region: code of the region.
            category: number of the category; None: all that have charts at `at`.
            at: the instant.

        Returns:
            The ids, the best first.
        """
        catalogue = self._catalogue
        at_s = at.timestamp()
        window = np.searchsorted(catalogue.appears_s, [at_s - _CHART_WINDOW_S, at_s], side="right")
        positions = np.arange(window[0], window[1])
        categories = [category] if category is not None else charted_categories(at)
        matches = np.isin(catalogue.category[positions], categories) & catalogue.visible(positions, at_s)
        if region in catalogue.regions:
            matches &= catalogue.region[positions] == catalogue.regions.index(region)
        positions = positions[matches]
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
