"""A world's videos and channels as arrays: when a video is visible, its channel, the handles of channels.

Belongs here: the arrays and lookups in them. Does not belong here: the views of a video over time (a `Curves` of synthetic.py
or recorded.py), answers to the API's requests (catalogue_world.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.world.base import VideoText

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Most characters of a handle; YouTube allows 3 to 30 (discover/add/parse_targets.py has the source).
_LONGEST_HANDLE = 30
_SHORTEST_HANDLE = 3
_TAIL = 6


class Curves(Protocol):
    """Counts of videos, named by their positions, at one instant. -1 stands for a count that is not given."""

    def at(self, positions: Ints, at_s: float) -> tuple[Ints, Ints, Ints]:
        """Views, likes and comments, aligned with `positions`. `at_s`: seconds since the epoch."""
        ...


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Arrays over all videos of a world, sorted by `appears_s`; all instants are seconds since the epoch."""

    ids: Sequence[VideoId]
    #: The instant from which the API knows the video.
    appears_s: Floats
    #: The window in which a video is away; infinite if it never is, and open-ended if it is deleted.
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
    def handles(self) -> list[str]:
        """The handle of each channel, with its @: from its title, with a part of its id if another channel has it already."""
        taken: set[str] = set()
        found = []
        for channel_id, title in zip(self.channel_ids, self.channel_titles, strict=True):
            handle = _handle(title)
            if handle in taken or len(handle) <= _SHORTEST_HANDLE:
                # 30 characters less the tail leave room for it. Ids are distinct, except perhaps for the case of letters.
                handle = f"{handle[: _LONGEST_HANDLE - _TAIL]}-{channel_id[2 : 1 + _TAIL].lower()}"
            while handle in taken:
                handle += "0"
            taken.add(handle)
            found.append(handle)
        return found

    @cached_property
    def channel_of_handle(self) -> dict[str, ChannelId]:
        """Handle, with its @ -> channel."""
        return dict(zip(self.handles, self.channel_ids, strict=True))

    @cached_property
    def by_channel(self) -> tuple[Ints, Ints]:
        """Positions of videos grouped by channel, oldest first, and where each channel's group begins."""
        order = np.argsort(self.channel, kind="stable")
        starts = np.searchsorted(self.channel[order], np.arange(len(self.channel_ids) + 1))
        return order, starts

    @cached_property
    def deletions(self) -> tuple[Ints, Floats]:
        """Positions and instants of deletions, in the order of time."""
        deleted = np.flatnonzero(np.isfinite(self.away_from_s) & np.isinf(self.away_until_s))
        deleted = deleted[np.argsort(self.away_from_s[deleted], kind="stable")]
        return deleted, self.away_from_s[deleted]

    def of_channel(self, channel: int) -> Ints:
        """Positions of a channel's videos, oldest first."""
        order, starts = self.by_channel
        return order[starts[channel] : starts[channel + 1]]

    def visible(self, positions: Ints, at_s: float) -> npt.NDArray[np.bool_]:
        """True for each video that the API would show."""
        away = (self.away_from_s[positions] <= at_s) & (at_s < self.away_until_s[positions])
        return (self.appears_s[positions] <= at_s) & ~away


def _handle(title: str) -> str:
    """A handle that an owner of a channel with that title would choose."""
    return "@" + "".join(letter for letter in title.lower() if letter.isalnum() or letter in "._-")[:_LONGEST_HANDLE]
