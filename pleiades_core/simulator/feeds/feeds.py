"""Atom feeds of channels and of their uploads playlists: no key, no quota, the newest fifteen videos.

Belongs here: which videos a feed lists and when they come into it. Does not belong here: XML (atom.py), HTTP (app.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.feeds import atom
from pleiades_core.simulator.world import playlists
from pleiades_core.simulator.world.base import VideoState, World
from pleiades_core.simulator.world.chance import Chance

#: Entries of a feed, as readers of feeds report.
ENTRIES = 15
#: Videos that are considered: the newest may not be in the feed yet if there is a lag.
_LOOKED_AT = 60


@dataclass(slots=True)
class SimulatedFeeds:
    """Answers requests for feeds, and counts them. One thread only: the server's event loop."""

    world: World
    chance: Chance
    #: Median of the time from publication until a video is in the feed; 0: at once. Log-normal, each video its own.
    #: Maintainers report up to two hours (kieraneglin/pinchflat#407); nobody published a distribution.
    median_lag_s: float = 0.0
    calls: int = field(default=0, init=False)
    not_found: int = field(default=0, init=False)

    def answer(self, query: bytes, now: datetime) -> bytes | None:
        """The feed of `channel_id=…` or `playlist_id=…`; None when there is none such."""
        self.calls += 1
        given = parse_qs(query.decode("ascii", "replace"))
        requested = [(name, given[name][0]) for name in ("channel_id", "playlist_id") if name in given]
        name, value = requested[0] if len(requested) == 1 else ("", "")
        channel_id = playlists.channel_of(value) if name == "playlist_id" else ChannelId(value)
        channel = self.world.channel_text(channel_id) if channel_id else None
        if channel is None:
            self.not_found += 1
            return None
        playlist = value if name == "playlist_id" else "UU" + channel.channel_id[2:]
        listed = playlists.videos_of(self.world, playlist, now, _LOOKED_AT if self.median_lag_s else ENTRIES) or []
        return atom.feed(channel, list(self._entries(listed, now)), f"{name}={value}")

    def ledger(self) -> dict[str, int]:
        """How many feeds were requested, ready for JSON."""
        return {"calls": self.calls, "not_found": self.not_found}

    def _entries(self, listed: list[VideoId], now: datetime) -> Iterator[VideoState]:
        texts = {video_id: self.world.text(video_id) for video_id in listed}
        shown = listed
        if self.median_lag_s:
            shown = [video_id for video_id in listed if texts[video_id].published_at + self._lag(video_id) <= now]
        for counts in self.world.counts(shown[:ENTRIES], now):
            yield VideoState(text=texts[counts.video_id], counts=counts)

    def _lag(self, video_id: VideoId) -> timedelta:
        return timedelta(seconds=self.chance.log_normal(self.median_lag_s, 1.0, "lag", video_id))
