"""What people add by hand: ids, addresses, @handles, and files of them.

Belongs here: what a person means, and putting it where the next hunt finds it. Does not belong here: the hunt (hunter.py), what
an id looks like (videoid.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pleiades_core import videoid
from pleiades_core.clock import Clock
from pleiades_core.discover.admission import QUERIES
from pleiades_core.discover.channels import QUERIES as CHANNELS
from pleiades_core.discover.tally import Tally
from pleiades_core.errors import NotFound, ResourceMissing, UsageError
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.storage.postgres import Database
from pleiades_core.videoid import decode, is_channel_id
from pleiades_core.watchlist.leases import QUERIES as WATCHLIST
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube

#: support.google.com/youtube/answer/11585688: 3 to 30 letters of any script, digits, underscores, hyphens, periods, dots.
_HANDLE = re.compile(r"@[\w.\-·]{3,30}")
_HOSTS = {"youtube.com", "www.youtube.com", "m.youtube.com"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person named: exactly one of the three."""

    video_id: VideoId | None = None
    channel_id: ChannelId | None = None
    #: With its `@`.
    handle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What waits for the next hunt now."""

    #: Distinct videos, those of the channels' newest uploads included.
    videos: tuple[VideoId, ...]
    #: Followed from now on.
    channels: tuple[ChannelId, ...]
    #: What YouTube does not know, as it was given.
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has become of videos that somebody added."""

    watched: int
    #: YouTube does not show them.
    gone: int
    #: For quota, or for a failure to be over; the next hunt asks again.
    waiting: int


def meant(text: str) -> Wanted:
    """The video, channel or handle that a person means. Raises UsageError, saying what was understood."""
    given = text.strip()
    if is_channel_id(given):
        return Wanted(channel_id=ChannelId(given))
    if _HANDLE.fullmatch(given):
        return Wanted(handle=given)
    try:
        parts = urlsplit(given if "//" in given else f"https://{given}")
        steps = [unquote(step) for step in parts.path.split("/") if step]
        host = parts.hostname or ""
    except ValueError:
        steps, host = [], ""
    if host in _HOSTS and steps:
        if _HANDLE.fullmatch(steps[0]):
            return Wanted(handle=steps[0])
        if steps[0] == "channel" and len(steps) > 1 and is_channel_id(steps[1]):
            return Wanted(channel_id=ChannelId(steps[1]))
        if steps[0] in {"c", "user"}:
            raise UsageError(
                f"{given!r} is an old name that the API does not resolve",
                cure="open it in a browser and give the @handle there",
            )
    return Wanted(video_id=videoid.from_text(given))


def meant_by_lines(lines: Iterable[str]) -> tuple[list[Wanted], list[str]]:
    """What each line of a file means, and for each line that means nothing its number and why.

    The first column counts where there are several; blank lines and what follows a `#` do not.
    """
    wanted: list[Wanted] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        word = re.split(r"[,;\t]", line.split("#", 1)[0].strip().lstrip("\ufeff"), maxsplit=1)[0].strip().strip('"')
        if not word:
            continue
        try:
            wanted.append(meant(word))
        except UsageError as error:
            wrong.append(f"line {number}: {error}")
    return wanted, wrong


def add(database: Database, youtube: YouTube, clock: Clock, wanted: Sequence[Wanted]) -> Added:
    """Put videos into the inbox; follow channels, and put their newest 50 uploads there.

    A video costs nothing here, a channel one unit, a handle two. Raises what YouTube's questions raise, with nothing added.
    """
    before = youtube.calls()
    videos: dict[VideoId, None] = dict.fromkeys(one.video_id for one in wanted if one.video_id)
    channels: dict[ChannelId, None] = {}
    unknown: list[str] = []
    for one in wanted:
        channel_id = one.channel_id
        if one.handle is not None:
            found = youtube.channel_of_handle(one.handle)
            channel_id = found.channel_id if found else None
        if one.video_id is None and channel_id is None:
            unknown.append(str(one.handle))
        elif channel_id is not None and channel_id not in channels:
            try:
                newest = youtube.uploads(channel_id).candidates
            except ResourceMissing:
                if one.handle is None:
                    unknown.append(channel_id)
                    continue
                # The channel is there, and has uploaded nothing that it shows.
                newest = ()
            channels[channel_id] = None
            videos.update(dict.fromkeys(candidate.video_id for candidate in newest))
    if unknown and not videos and not channels:
        raise NotFound(f"YouTube does not know {', '.join(unknown)}", cure="check the spelling; the channel may be gone")
    id8s = [decode(video_id) for video_id in videos]
    tally = Tally()
    tally.spent("manual", youtube.calls() - before)
    with database.transaction() as connection:
        connection.execute(WATCHLIST.in_turn)
        tally.record(connection, clock.now())
        connection.execute(QUERIES.post, {"id8s": id8s, "now": clock.now()})
        connection.execute(QUERIES.reopen, {"id8s": id8s})
        for channel_id in channels:
            connection.execute(CHANNELS.follow, {"channel_id": channel_id, "moved": IDS_PER_CALL})
    return Added(videos=tuple(videos), channels=tuple(channels), unknown=tuple(unknown))


def outcome(database: Database, added: Added) -> Outcome:
    """What has become of the videos that were added, after the hunt."""
    with database.transaction() as connection:
        row = connection.execute(QUERIES.outcome, {"id8s": [decode(video_id) for video_id in added.videos]}).fetchone()
    waiting, _, gone, watched = row or (0, 0, 0, 0)
    return Outcome(watched=watched, gone=gone, waiting=waiting)
