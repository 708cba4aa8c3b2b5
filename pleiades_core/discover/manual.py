"""What people add by hand: into the inbox, where the next hunt finds it, and among the followed channels.

Belongs here: asking for what was named, and keeping it. Does not belong here: what a person means (wanted.py), the hunt
(hunter.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pleiades_core.clock import Clock
from pleiades_core.discover.channels import uploads_a_day
from pleiades_core.discover.sources.source import Fault, fault_of
from pleiades_core.discover.tally import Tally
from pleiades_core.discover.wanted import Wanted
from pleiades_core.errors import ApiError, NotFound, ResourceMissing
from pleiades_core.models import ChannelId, Page, VideoId
from pleiades_core.storage.locks import in_turn
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube

_CHANNELS, _INBOX, _VIDEOS = map(load_queries, ("channels", "inbox", "videos"))

#: What was asked is kept once it has cost so many units: as many as one kill may waste.
_UNSETTLED_UNITS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What waits for the next hunt now."""

    #: Distinct videos, those of the channels' newest uploads included.
    videos: tuple[VideoId, ...]
    #: Followed from now on, or before.
    channels: tuple[ChannelId, ...]
    #: What YouTube does not know, as it was given.
    unknown: tuple[str, ...]
    #: Distinct things that were asked for; of these, those that it did not come to.
    asked: int
    not_asked: int
    #: Why it did not come to them.
    stopped: ApiError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has become of videos that somebody added."""

    watched: int
    #: YouTube does not show them. Those that are asked for again, because that may be a mistake of its, included.
    gone: int
    #: For quota, or for a failure to be over; the next hunt asks again.
    waiting: int


def add(database: Database, youtube: YouTube, clock: Clock, wanted: Sequence[Wanted]) -> Added:
    """Put videos into the inbox; follow channels, and put their newest 50 uploads there.

    A video costs nothing here, a channel one unit if nobody named it before, a handle one more. It is kept every 50 units. An
    outage or spent quota ends it early and is part of the answer; what is refused by itself is unknown. Raises NotFound when
    YouTube knows nothing of what was named.
    """
    distinct = list(dict.fromkeys(wanted))
    adding = _Adding(database, youtube, clock)
    adding.post(one.video_id for one in distinct if one.video_id)
    to_ask = [one for one in distinct if not one.video_id]
    not_asked, stopped = 0, None
    try:
        for place, one in enumerate(to_ask):
            try:
                adding.ask(one)
            except ApiError as error:
                if fault_of(error) is Fault.QUESTION:
                    adding.unknown.append(f"{one.handle or one.channel_id} ({error})")
                    continue
                not_asked, stopped = len(to_ask) - place, error
                break
    finally:
        # Ctrl-C included: what was asked is paid for.
        adding.settle(stopped)
    unknown = tuple(adding.unknown)
    if unknown and not adding.videos and not adding.channels and not stopped:
        raise NotFound(f"YouTube does not know {', '.join(unknown)}", cure="check the spelling; the channel may be gone")
    return Added(
        videos=tuple(adding.videos), channels=tuple(adding.channels), unknown=unknown, asked=len(distinct),
        not_asked=not_asked, stopped=stopped,
    )  # fmt: skip


class _Adding:
    """What one `add` has come to, and what of it is not in the database yet."""

    def __init__(self, database: Database, youtube: YouTube, clock: Clock) -> None:
        self._database = database
        self._youtube = youtube
        self._clock = clock
        self.videos: dict[VideoId, None] = {}
        self.channels: dict[ChannelId, None] = {}
        self.unknown: list[str] = []
        self._fresh: list[VideoId] = []
        self._read: list[tuple[ChannelId, Page, datetime]] = []
        self._calls = youtube.calls()
        with database.transaction() as connection:
            self._read_before = {channel_id for (channel_id,) in connection.execute(_CHANNELS.named_and_read)}

    def post(self, videos: Iterable[VideoId]) -> None:
        """Videos for the inbox."""
        self._fresh += (video_id for video_id in videos if video_id not in self.videos)
        self.videos.update(dict.fromkeys(self._fresh))

    def ask(self, one: Wanted) -> None:
        """Ask for a channel or a handle. Raises what YouTube's questions raise."""
        channel_id = one.channel_id
        if one.handle is not None:
            found = self._youtube.channel_of_handle(one.handle)
            channel_id = found.channel_id if found else None
        if channel_id is None or not self._follow(channel_id, known=one.handle is not None):
            self.unknown.append(one.handle or str(channel_id))
        if (self._youtube.calls() - self._calls).total() >= _UNSETTLED_UNITS:
            self.settle()

    def _follow(self, channel_id: ChannelId, *, known: bool) -> bool:
        """Read its newest uploads, if they were not read before. False: YouTube has none, and it is not `known` otherwise."""
        if channel_id not in self._read_before:
            try:
                page = self._youtube.uploads(channel_id)
            except ResourceMissing:
                if not known:
                    return False
                # The channel is there, and has uploaded nothing that it shows.
                page = Page(candidates=(), next_page_token=None, total=0)
            self._read_before.add(channel_id)
            self._read.append((channel_id, page, self._clock.now()))
            self.post(candidate.video_id for candidate in page.candidates)
        self.channels[channel_id] = None
        return True

    def settle(self, stopped: ApiError | None = None) -> None:
        """Keep what was not kept yet."""
        now, calls, tally = self._clock.now(), self._youtube.calls(), Tally()
        tally.spent("manual", calls - self._calls, str(stopped or ""))
        with self._database.transaction() as connection:
            in_turn(connection)
            tally.record(connection, now)
            id8s = [decode(video_id) for video_id in self._fresh]
            connection.execute(_INBOX.post, {"id8s": id8s, "now": now})
            connection.execute(_VIDEOS.reopen, {"id8s": id8s})
            for channel_id, page, read_at in self._read:
                rate = uploads_a_day((one.published_at for one in page.candidates), IDS_PER_CALL, read_at)
                words = {"channel_id": channel_id, "total": page.total, "shown": IDS_PER_CALL, "rate": rate, "now": read_at}
                connection.execute(_CHANNELS.follow, words)
        self._calls, self._fresh, self._read = calls, [], []


def outcome(database: Database, added: Added) -> Outcome:
    """What has become of the videos that were added, after the hunt."""
    with database.transaction() as connection:
        row = connection.execute(_VIDEOS.outcome, {"id8s": [decode(video_id) for video_id in added.videos]}).fetchone()
    watched, gone, waiting = row or (0, 0, 0)
    return Outcome(watched=watched, gone=gone, waiting=waiting)
