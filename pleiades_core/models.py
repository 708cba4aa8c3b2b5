"""The records that travel between the parts: YouTube's answers, and what Pleiades keeps of them.

Belongs here: frozen records, identifiers and the enumerations stored in files. Does not belong here: parsing replies
(youtube/parse.py), Parquet (vault/layout.py), any decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum
from typing import NewType

#: 11 base64url characters, checked by `videoid`.
VideoId = NewType("VideoId", str)
#: `UC` and 22 base64url characters.
ChannelId = NewType("ChannelId", str)
#: The ordinal that stands for a video in every file and table: from one sequence, never reused.
Vid = NewType("Vid", int)
#: The UTC day of the first upload: nothing was measured or published before. en.wikipedia.org/wiki/Me_at_the_zoo
YOUTUBE_BEGAN = date(2005, 4, 23)


class SampleStatus(IntEnum):
    """What one poll learned about one video. Stored in every sample."""

    OK = 0
    #: The reply did not have the requested id: deleted, private and never-existed look alike.
    MISSING = 1
    #: The reply held a row for the id that could not be understood; it is in the quarantine.
    UNREADABLE = 2


class CountingDefinition(IntEnum):
    """Which of YouTube's definitions of a view was in force. Velocity never crosses a change unmarked.

    developers.google.com/youtube/v3/revision_history, entries of 2025-03-31 and 2026-08-27 (in force 2026-08-24).
    """

    #: Before 31 March 2025.
    WATCHED = 1
    #: Shorts count from their first frame.
    SHORTS_STARTED = 2
    #: Every format counts when playback starts.
    ALL_STARTED = 3


_SHORTS_STARTED = datetime(2025, 3, 31, tzinfo=UTC)
_ALL_STARTED = datetime(2026, 8, 24, tzinfo=UTC)


def counting_definition(polled_at: datetime) -> CountingDefinition:
    """The definition in force at `polled_at`."""
    if polled_at >= _ALL_STARTED:
        return CountingDefinition.ALL_STARTED
    return CountingDefinition.SHORTS_STARTED if polled_at >= _SHORTS_STARTED else CountingDefinition.WATCHED


class Tier(StrEnum):
    """How often a video is polled, as people see it."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"


class Bucket(StrEnum):
    """A kind of quota that Google limits by project and Pacific day; youtube/quota.py says which methods spend it."""

    SEARCH = "search"
    STATS = "stats"
    GENERAL = "general"
    # Messages quote the plain name.
    __repr__ = str.__repr__


class QuotaPool(StrEnum):
    """What a key may be used for; youtube/shares.py says how pools share a bucket."""

    HUNTING = "hunting"
    TRACKING = "tracking"
    ARCHEOLOGY = "archeology"
    __repr__ = str.__repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The counts of one video in a reply. None means not given (hidden, switched off), never zero."""

    video_id: VideoId
    views: int | None
    likes: int | None
    comments: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The result of one poll of one video: a row of the vault."""

    vid: Vid
    #: When the reply arrived: aware UTC, to the second.
    polled_at: datetime
    status: SampleStatus
    definition: CountingDefinition
    #: As in `Counts`; None also if the status is not ok.
    views: int | None = None
    likes: int | None = None
    comments: int | None = None

    @classmethod
    def of(cls, vid: Vid, arrived_at: datetime, answer: Counts | SampleStatus) -> Sample:
        """The sample of a video from a reply.

        Args:
            vid: number of the video.
            arrived_at: when the reply arrived.
            answer: the counts, or the status if there are none.

        Returns:
            The sample.
        """
        at, definition = arrived_at.astimezone(UTC).replace(microsecond=0), counting_definition(arrived_at)
        if isinstance(answer, SampleStatus):
            return cls(vid=vid, polled_at=at, status=answer, definition=definition)
        return cls(
            vid=vid, polled_at=at, status=SampleStatus.OK, definition=definition,
            views=answer.views, likes=answer.likes, comments=answer.comments,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A video that a source of discovery found."""

    video_id: VideoId
    #: None if the source does not give it, as for an id that a person typed.
    channel_id: ChannelId | None
    #: Aware UTC; None if the source does not give it.
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of candidates."""

    candidates: tuple[Candidate, ...]
    #: Opaque; None on the last page.
    next_page_token: str | None
    #: Rows of all pages, as the reply says. For a search it is a guess. None: the reply does not say.
    total: int | None = None
    #: The channel's title, if it was requested and a row has it; else empty.
    channel_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDetails:
    """A video in a reply of `videos.list`. Text is clean: no NUL, no lone surrogates, bounded length."""

    video_id: VideoId
    channel_id: ChannelId
    channel_title: str
    title: str
    description: str
    published_at: datetime
    tags: tuple[str, ...]
    category_id: int | None
    language: str | None
    #: Seconds; None when not given, as for live and upcoming videos.
    duration_s: int | None
    #: `none`, `live` or `upcoming`.
    live: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row of a reply that could not be understood, and why. Good rows of the same reply are kept."""

    reason: str
    #: The beginning of its text.
    row: str
    #: Rows that this record stands for: more than one only in the last record of a reply, which counts the rows beyond a bound.
    rows: int = 1
