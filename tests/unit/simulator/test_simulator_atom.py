"""Feeds and notices are well-formed XML that says what the world says, whatever owners type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pleiades_core.models import ChannelId, Counts, VideoId
from pleiades_core.simulator.feeds import atom
from pleiades_core.simulator.feeds.feeds import ENTRIES, SimulatedFeeds
from pleiades_core.simulator.world.base import ChannelText, VideoState, VideoText
from pleiades_core.simulator.world.chance import Chance
from pleiades_core.simulator.world.synthetic import SyntheticSize, synthetic_world

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
WORLD = synthetic_world(SyntheticSize(videos=900, start=START, channels=20), seed=4)
CHANNEL = ChannelId("UC" + "A" * 22)
NAMES = {
    "a": "http://www.w3.org/2005/Atom",
    "yt": "http://www.youtube.com/xml/schemas/2015",
    "media": "http://search.yahoo.com/mrss/",
    "at": "http://purl.org/atompub/tombstones/1.0",
}
BREAKERS = ["]]>", "<!--", "&amp;", "&", "<", '"', "'", "\x00", "\x0b", "\ud800", "\uffff", "\r\n", "é", "😱"]
#: Any text at all, with what breaks careless XML made likely.
hostile = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(BREAKERS)).map("".join),
)


def sayable(text: str) -> str:
    """What XML 1.0 can carry of a text."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", text)


def texts(document: bytes, path: str) -> list[str]:
    """The text of each element at a path."""
    found = etree.fromstring(document).xpath(path, namespaces=NAMES)
    return [element.text or "" for element in found]


def video(title: str, description: str, owner: str) -> VideoText:
    return VideoText(
        video_id=VideoId("dQw4w9WgXcQ"), channel_id=CHANNEL, channel_title=owner, title=title, description=description,
        tags=(), category_id=10, published_at=START, duration_s=600, language=None, live="none",
    )  # fmt: skip


@given(hostile, hostile, hostile)
def test_hostile_text_arrives_as_it_was_typed(title: str, description: str, owner: str) -> None:
    text = video(title, description, owner)
    channel = ChannelText(channel_id=CHANNEL, title=owner, created_at=START)
    counts = Counts(video_id=text.video_id, views=7, likes=None, comments=None)
    document = atom.feed(channel, [VideoState(text=text, counts=counts)], f'channel_id={CHANNEL}&"<>')
    assert texts(document, "//a:entry/a:title") == [sayable(title)]
    assert texts(document, "//media:title") == [sayable(title)]
    assert texts(document, "//media:description") == [sayable(description)]
    assert set(texts(document, "//a:name")) == {sayable(owner)}
    notice = atom.notice(text, atom.topic_of(CHANNEL), "https://hub.example/", START)
    assert texts(notice, "//a:entry/a:title") == [sayable(title)]
    gone = atom.tombstone(text.video_id, channel, START)
    assert texts(gone, "//at:by/a:name") == [sayable(owner)]
    assert etree.fromstring(gone).xpath("//at:deleted-entry/@ref", namespaces=NAMES) == ["yt:video:dQw4w9WgXcQ"]


def test_a_feed_lists_the_newest_fifteen_with_their_counts() -> None:
    feeds = SimulatedFeeds(WORLD, Chance(1))
    for days in (0, 3, 20):
        at = START + timedelta(days=days)
        for channel_id in WORLD.channel_ids():
            document = feeds.answer(f"channel_id={channel_id}".encode(), at)
            assert document is not None
            newest = (WORLD.uploads(channel_id, at) or [])[:ENTRIES]
            assert texts(document, "//yt:videoId") == newest
            views = etree.fromstring(document).xpath("//media:statistics/@views", namespaces=NAMES)
            assert views == [str(counts.views or 0) for counts in WORLD.counts(newest, at)]
            published = [datetime.fromisoformat(text) for text in texts(document, "//a:entry/a:published")]
            assert published == [WORLD.text(video_id).published_at for video_id in newest]
            assert set(texts(document, "//a:entry/yt:channelId")) <= {channel_id}
    assert feeds.ledger() == {"calls": 60, "not_found": 0}


def test_a_playlist_has_a_feed_and_shorts_have_their_own_pages() -> None:
    feeds = SimulatedFeeds(WORLD, Chance(1))
    channel_id = WORLD.channel_ids()[0]
    by_kind = {}
    for prefix in ("UU", "UUSH", "UULF", "UULV"):
        document = feeds.answer(f"playlist_id={prefix}{channel_id[2:]}".encode(), START)
        assert document is not None
        by_kind[prefix] = texts(document, "//yt:videoId")
        links = etree.fromstring(document).xpath("//a:entry/a:link/@href", namespaces=NAMES)
        assert len(links) == len(by_kind[prefix])
        if prefix in {"UUSH", "UULF"}:
            assert links
            assert all(("/shorts/" in link) == (prefix == "UUSH") for link in links)
    assert set(by_kind["UU"]) <= set(by_kind["UUSH"]) | set(by_kind["UULF"])
    assert by_kind["UULV"] == []


def test_what_is_no_channel_has_no_feed() -> None:
    feeds = SimulatedFeeds(WORLD, Chance(1))
    known = WORLD.channel_ids()[0]
    for query in ("", f"channel_id={CHANNEL}", "channel_id=", f"user={known}", f"channel_id={known}&playlist_id=UU{known[2:]}",
                  "playlist_id=PL123", "playlist_id=UU", "channel_id=%ff%00"):  # fmt: skip
        assert feeds.answer(query.encode(), START) is None
    assert feeds.ledger() == {"calls": 8, "not_found": 8}


def test_feeds_may_lag_behind() -> None:
    """With a median of ten minutes about half of the newest are listed after ten minutes, and all after a day."""
    feeds, ready = SimulatedFeeds(WORLD, Chance(1), 600.0), SimulatedFeeds(WORLD, Chance(1))
    late = total = 0
    for one in WORLD.happenings(START, START + timedelta(days=10)):
        if one.kind == "published":
            query = f"channel_id={one.channel_id}".encode()
            soon = feeds.answer(query, one.at + timedelta(minutes=10)) or b""
            late += one.video_id.encode() not in soon
            total += 1
    assert 0.4 < late / total < 0.6
    calm = START + timedelta(days=100)
    for channel_id in WORLD.channel_ids():
        query = f"channel_id={channel_id}".encode()
        assert feeds.answer(query, calm) == ready.answer(query, calm)
