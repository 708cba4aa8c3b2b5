"""From Atom as YouTube writes it (the feed of a channel, the notice that its hub sends) to frozen records. Pure.

Belongs here: elements, names and what a good entry is. Does not belong here: fetching (feeds.py), signatures (hub.py), what is
done about an entry. An entry that cannot be understood is rejected, and the other entries stay. Nothing is fetched for a
document, no entity is expanded, and no type declaration is accepted.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from lxml import etree

from pleiades_core.errors import BadReply, ReplyTooLarge
from pleiades_core.models import ChannelId, Rejected, VideoId
from pleiades_core.videoid import is_channel_id, is_video_id
from pleiades_core.youtube.sanitize import MOST_ROWS, RejectedRows, clean

#: 15 entries with titles of 100 and descriptions of 5,000 bytes take 100 kB, and 470 kB where XML writes every one with six.
MAX_FEED_BYTES = 512 * 1024

_ATOM = "{http://www.w3.org/2005/Atom}"
_YT = "{http://www.youtube.com/xml/schemas/2015}"
_ID_PREFIX = "yt:video:"

_ROW_CHARS = 500
#: Characters that XML 1.0 does not allow, literal or as a reference. One title with such a character must not cost the entries.
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile("&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
_DECLARATION = re.compile("<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One video of a feed or notice."""

    video_id: VideoId
    channel_id: ChannelId
    #: Aware UTC.
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The content of one document. It has each video once."""

    entries: tuple[FeedEntry, ...]
    rejected: tuple[Rejected, ...]


def parse_feed(body: bytes) -> Feed:
    """Read a body as a feed.

    Raises:
        BadReply: it is no feed, or is cut off.
        ReplyTooLarge: it has more than MAX_FEED_BYTES.
    """
    if len(body) > MAX_FEED_BYTES:
        raise ReplyTooLarge(f"the feed is larger than {MAX_FEED_BYTES} bytes")
    text = _ILLEGAL.sub("\ufffd", _REFERENCE.sub(_legal, body.decode("utf-8", "replace")))
    if _DECLARATION.search(text):
        raise BadReply("the feed declares a document type, which no feed of YouTube does")
    # UTF-8, whatever the document declares: another encoding could hide a declaration from the search above.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        raise BadReply(f"the reply is not XML ({len(body)} bytes)") from None
    if root.tag != f"{_ATOM}feed":
        raise BadReply("the reply is XML and no Atom feed")
    return _feed(root)


def _feed(root: etree._Element) -> Feed:
    entries: dict[VideoId, FeedEntry] = {}
    bad = RejectedRows()
    # YouTube's feeds have 15 entries, and a notice that holds 256 kB has no more than are looked at.
    elements = root.iterchildren(f"{_ATOM}entry")
    for element in itertools.islice(elements, MOST_ROWS):
        entry = _entry(element)
        if isinstance(entry, FeedEntry):
            entries.setdefault(entry.video_id, entry)
        else:
            bad.reject(partial(_rejected, entry, element))
    bad.pass_over(sum(1 for _ in elements))
    # Notices of deleted videos are ignored: the polls of a watched video find that out.
    return Feed(entries=tuple(entries.values()), rejected=bad.records())


def _entry(element: etree._Element) -> FeedEntry | str:
    """The record of an entry, or the reason why there is none."""
    video_id = _text(element, f"{_YT}videoId") or _text(element, f"{_ATOM}id").removeprefix(_ID_PREFIX)
    channel_id = _text(element, f"{_YT}channelId")
    published_at = _instant(_text(element, f"{_ATOM}published"))
    if not is_video_id(video_id):
        return "no video id"
    if not is_channel_id(channel_id):
        return "no channel id"
    if published_at is None:
        return "published is no instant"
    return FeedEntry(video_id=VideoId(video_id), channel_id=ChannelId(channel_id), published_at=published_at)


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
        return None if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _legal(reference: re.Match[str]) -> str:
    """A character reference as it is, or the replacement for a character that XML forbids."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    illegal = code > 0x10FFFF or _ILLEGAL.match(chr(code))  # noqa: PLR2004  the last code point
    return "\ufffd" if illegal else reference[0]


def _rejected(reason: str, element: etree._Element) -> Rejected:
    return Rejected(reason=reason, row=clean(etree.tostring(element, encoding="unicode"), _ROW_CHARS))
