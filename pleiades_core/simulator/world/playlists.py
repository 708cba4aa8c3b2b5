"""The playlists of a channel's uploads: all of them, and the undocumented ones that hold a part.

Belongs here: which videos such a playlist has. Does not belong here: pages and items (simulator/api/methods.py), feeds
(simulator/feeds/feeds.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.world.base import VideoState, World

#: A Short lasts three minutes at most since October 2024; the API has no flag for it.
SHORT_S = 180
#: Characters of a channel id, or of an uploads playlist's, that are not its prefix.
_BARE_ID = 22
#: Prefix -> which uploads it holds (undocumented; seen in many public projects).
_KINDS: dict[str, Callable[[VideoState], bool]] = {
    "UUSH": lambda state: state.text.live == "none" and (state.text.duration_s or SHORT_S + 1) <= SHORT_S,
    "UULF": lambda state: state.text.live == "none" and (state.text.duration_s or SHORT_S + 1) > SHORT_S,
    "UULV": lambda state: state.text.live != "none",
}


def channel_of(playlist_id: str) -> ChannelId | None:
    """The channel whose uploads a playlist holds; None when the id is of another kind."""
    prefix = playlist_id[:-_BARE_ID]
    return ChannelId("UC" + playlist_id[len(prefix) :]) if prefix == "UU" or prefix in _KINDS else None


def videos_of(world: World, playlist_id: str, at: datetime, most: int | None = None) -> list[VideoId] | None:
    """The public videos of a playlist, newest first.

    Args:
        world: has the videos.
        playlist_id: of the playlist.
        at: the instant.
        most: the most videos; None: all.

    Returns:
        The ids; None if there is no such playlist.
    """
    channel = channel_of(playlist_id)
    if channel is None:
        return None
    kind = _KINDS.get(playlist_id[:-_BARE_ID])
    ids = world.uploads(channel, at, most if kind is None else None)
    if ids is None or kind is None:
        return ids
    states = (VideoState(text=world.text(counts.video_id), counts=counts) for counts in world.counts(ids, at))
    return [state.text.video_id for state in states if kind(state)][:most]
