"""Videos and channels that people add: videos go into the inbox, where the next hunt takes them; channels are followed.

Belongs here: requesting the channels, and keeping videos and channels. Does not belong here: parsing what a person typed
(parse_targets.py), reading a list to its end (discover/channels/past_uploads.py), the hunt (hunter.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pleiades_core.clock import Clock
from pleiades_core.discover.add.parse_targets import AddTarget
from pleiades_core.discover.channels import back_catalogues
from pleiades_core.discover.channels.back_catalogues import BackCatalogue
from pleiades_core.discover.channels.followed import uploads_a_day
from pleiades_core.discover.channels.past_uploads import back_catalogue
from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.sources.base import Acknowledge, FailureCause, cause_of
from pleiades_core.discover.usage import HuntUsage
from pleiades_core.errors import ApiError, NotFound, ResourceMissing
from pleiades_core.models import Bucket, ChannelId, Page, QuotaPool, VideoId
from pleiades_core.storage.locks import lock_discovery, source_lock
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube

_CHANNELS, _INBOX, _VIDEOS = map(load_queries, ("channels", "inbox", "videos"))

#: Answers are written to the database after this many units: one kill may waste as many.
_UNSETTLED_UNITS = 50
#: Lists that are read at once.
_PARALLEL = 4
#: Stands for the number of uploads of a whole list.
_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was added, and what of it waits for the next hunt."""

    #: Distinct videos, those of the channels' newest uploads included.
    videos: tuple[VideoId, ...]
    #: Channels that are followed from now on, or were before.
    channels: tuple[ChannelId, ...]
    #: Targets that YouTube does not know, as they were given.
    unknown: tuple[str, ...]
    #: Distinct targets; and those that were not requested because `add` stopped early.
    requested: int
    not_requested: int
    #: Why `add` stopped early.
    stopped: ApiError | None
    #: Why uploads of the channels are left to later hunts, if their number is not the reason; empty otherwise.
    left_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The states of the videos that a person added."""

    watched: int
    #: YouTube does not show them. Videos that will be requested again, because YouTube may be wrong, are included.
    gone: int
    #: They wait for quota, or for an outage to end; the next hunt requests them.
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedChannel:
    """A channel that was added, as `pleiades add` shows it."""

    channel_id: ChannelId
    #: Empty if YouTube gave none.
    title: str
    #: Public uploads, as YouTube counts them; None: not known yet.
    uploads: int | None
    #: Uploads taken so far, and uploads left for later hunts.
    taken: int
    left_for_later: int
    #: Its list was left before its end: it failed, or its page tokens died, time and again.
    cut: bool


def add(
    database: Database,
    youtube: YouTube,
    clock: Clock,
    targets: Sequence[AddTarget],
    *,
    newest: int | None = None,
    units: int = 0,
) -> Added:
    """Put videos into the inbox; follow channels, and put their uploads into the inbox too.

    A video costs nothing here, a channel one unit for 50 uploads, a handle one more; pages that were read before cost nothing.
    The first page of every channel is requested, then further pages for `units` units. Later hunts read the rest. Answers are
    written every 50 units. An outage or spent quota ends it early and is part of the answer. A target that is refused by itself
    is unknown.

    Args:
        database: has inbox and channels.
        youtube: is called for channels and handles.
        clock: the present instant.
        targets: what was named.
        newest: take this many of the newest uploads of each channel; None: all.
        units: general units to spend on further pages, descriptions included.

    Returns:
        What was added.

    Raises:
        NotFound: YouTube knows none of the targets.
    """
    distinct = list(dict.fromkeys(targets))
    adding = _Adding(database, youtube.part(), clock, newest)
    adding.post(target.video_id for target in distinct if target.video_id)
    to_ask = [target for target in distinct if not target.video_id]
    not_requested, stopped = 0, None
    try:
        for place, target in enumerate(to_ask):
            try:
                adding.ask(target)
            except ApiError as error:
                if cause_of(error) is FailureCause.REQUEST:
                    adding.unknown.append(f"{target.handle or target.channel_id} ({error})")
                    continue
                not_requested, stopped = len(to_ask) - place, error
                break
        adding.settle(stopped)
        if stopped is None:
            adding.read_on(units)
    finally:
        # After Ctrl-C too: the answers are paid for.
        adding.settle()
    unknown = tuple(adding.unknown)
    if unknown and not adding.videos and not adding.channels and not stopped:
        raise NotFound(f"YouTube does not know {', '.join(unknown)}", cure="check the spelling; the channel may be gone")
    return Added(
        videos=tuple(adding.videos), channels=tuple(adding.channels), unknown=unknown, requested=len(distinct),
        not_requested=not_requested, stopped=stopped, left_because=adding.left_because,
    )  # fmt: skip


class _Adding:
    """One `add` as it goes: its results, and those of them that are not in the database yet."""

    def __init__(self, database: Database, youtube: YouTube, clock: Clock, newest: int | None) -> None:
        self._database = database
        self._youtube = youtube
        self._clock = clock
        self.videos: dict[VideoId, None] = {}
        self.channels: dict[ChannelId, None] = {}
        self.unknown: list[str] = []
        self.left_because = ""
        self._newest = newest
        self._fresh: list[VideoId] = []
        self._first: list[tuple[BackCatalogue, Page, datetime]] = []
        self._further: list[Acknowledge] = []
        self._settled = Counter[Bucket]()
        with database.transaction() as connection:
            self._read_before = {held.channel_id for held in back_catalogues.named(connection) if held.covers(newest)}

    def post(self, videos: Iterable[VideoId]) -> None:
        """Put videos on the list for the inbox."""
        self._fresh += (video_id for video_id in videos if video_id not in self.videos)
        self.videos.update(dict.fromkeys(self._fresh))

    def ask(self, target: AddTarget) -> None:
        """Request a channel or a handle.

        Raises:
            ApiError: the request failed.
        """
        channel_id = target.channel_id
        if target.handle is not None:
            found = self._youtube.channel_of_handle(target.handle)
            channel_id = found.channel_id if found else None
        if channel_id is None or not self._follow(channel_id, known=target.handle is not None):
            self.unknown.append(target.handle or str(channel_id))
        if (self._youtube.calls() - self._settled).total() >= _UNSETTLED_UNITS:
            self.settle()

    def _follow(self, channel_id: ChannelId, *, known: bool) -> bool:
        """Read the newest uploads of a channel, unless they were read before. False: there is no such channel."""
        if channel_id not in self._read_before:
            try:
                page = self._youtube.uploads(channel_id, with_title=True)
            except ResourceMissing:
                if not known:
                    return False
                # The channel exists, and shows no uploads.
                page = Page(candidates=(), next_page_token=None, total=0)
            self._read_before.add(channel_id)
            now = self._clock.now()
            list_ = BackCatalogue(
                channel_id=channel_id, source="added", title=page.channel_title, newest=self._newest, total=page.total
            )
            self._first.append((back_catalogues.advanced(list_, page, now), page, now))
            self.post(candidate.video_id for candidate in back_catalogues.taken(list_, page))
        self.channels[channel_id] = None
        return True

    def read_on(self, units: float) -> None:
        """Read further pages of the channels' lists for `units` units. Pages before an error are kept.

        Videos must be described too: pages are requested only if quota pays for both.
        """
        affordable = self._youtube.units_left(Bucket.GENERAL, QuotaPool.HUNTING) - len(self.videos) / IDS_PER_CALL
        if affordable < units:
            units, self.left_because = affordable, "the units that are left until the reset pay for no more"
        with self._database.session() as session, source_lock(session, SOURCES["uploads"].bit) as is_granted:
            if not is_granted:
                self.left_because = "a hunt reads uploads lists at the moment"
                return
            finds = back_catalogue(
                self._database, self._youtube, now=self._clock.now(), units=units, parallel=_PARALLEL, only=tuple(self.channels)
            )
            try:
                for find in finds:
                    self.post(candidate.video_id for candidate in find.candidates)
                    self._further.append(find.acknowledge)
                    self.left_because = find.error or self.left_because
                    if (self._youtube.calls() - self._settled).total() >= _UNSETTLED_UNITS:
                        self.settle()
            except ApiError as error:
                self.left_because = str(error)

    def settle(self, stopped: ApiError | None = None) -> None:
        """Write everything that is not in the database yet."""
        now, calls, usage = self._clock.now(), self._youtube.calls(), HuntUsage()
        usage.add_calls("added", calls - self._settled, str(stopped or ""))
        with self._database.transaction() as connection:
            lock_discovery(connection)
            usage.record(connection, now)
            id8s = [decode(video_id) for video_id in self._fresh]
            connection.execute(_INBOX.post, {"id8s": id8s, "now": now})
            connection.execute(_VIDEOS.reopen, {"id8s": id8s})
            for first, page, read_at in self._first:
                rate = uploads_a_day((candidate.published_at for candidate in page.candidates), IDS_PER_CALL, read_at)
                shown = _ALL if first.newest is None else first.read
                parameters = {"channel_id": first.channel_id, "total": page.total, "shown": shown, "rate": rate, "now": read_at}
                connection.execute(_CHANNELS.follow, parameters)
                back_catalogues.begin(connection, first, read_at)
            for acknowledge in self._further:
                acknowledge(connection, now)
        self._settled, self._fresh, self._first, self._further = calls, [], [], []


def added_channels(database: Database, added: Added) -> list[AddedChannel]:
    """How far the uploads of the channels were taken, in the order in which they were added."""
    with database.transaction() as connection:
        lists = {held.channel_id: held for held in back_catalogues.named(connection)}
    return [
        AddedChannel(
            channel_id=channel_id, title=target.title, uploads=target.total, taken=target.read, left_for_later=target.left,
            cut=target.cut,
        )
        for channel_id in added.channels if (target := lists.get(channel_id)) is not None
    ]  # fmt: skip


def outcome(database: Database, added: Added) -> Outcome:
    """The states of the videos that were added, after the hunt."""
    with database.transaction() as connection:
        row = connection.execute(_VIDEOS.outcome, {"id8s": [decode(video_id) for video_id in added.videos]}).fetchone()
    watched, gone, waiting = row or (0, 0, 0)
    return Outcome(watched=watched, gone=gone, waiting=waiting)
