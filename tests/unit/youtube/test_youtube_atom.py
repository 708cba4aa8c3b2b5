"""Feeds and notices to records: bad entries are named, the others stay, and nothing that a document asks for is fetched."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.feeds import CHANNEL, HEAD, IDS, deleted, document, entry

from pleiades_core.errors import BadReply, ReplyTooLarge
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.videoid import encode, is_video_id
from pleiades_core.youtube.atom import MAX_FEED_BYTES, FeedEntry, parse_feed
from pleiades_core.youtube.sanitize import MOST_REJECTED

A, B, C = IDS
GOOD = document(entry(A, views="7507704", title="Tom &amp; Jerry &#x1F3B5;"), entry(B, views="0"), entry(C), deleted(A))
PUBLISHED = datetime(2026, 2, 1, 10, tzinfo=UTC)


def test_a_feed_is_what_it_says() -> None:
    """Its videos in its order; what else it says, of views or of videos that are gone, nobody asks."""
    feed = parse_feed(GOOD)
    assert feed.entries == tuple(
        FeedEntry(video_id=VideoId(one), channel_id=ChannelId(CHANNEL), published_at=PUBLISHED) for one in (A, B, C)
    )
    assert feed.rejected == ()


def test_an_empty_feed_is_one() -> None:
    assert parse_feed(document()).entries == ()


@pytest.mark.parametrize("views", ["", "-1", "many", "1.5", "9223372036854775808", "9" * 40, "\u0663"])
def test_views_that_are_none_cost_no_entry(views: str) -> None:
    """The video is what a feed is read for."""
    assert [one.video_id for one in parse_feed(document(entry(views=views), deleted("x"))).entries] == [A]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry("dQw4w9WgXcR"), "no video id"),
        (entry("../../etc"), "no video id"),
        (entry(channel_id="UCshort"), "no channel id"),
        (entry(channel_id=""), "no channel id"),
        (entry(published=""), "published is no instant"),
        (entry(published="2026-02-01T10:00:00"), "published is no instant"),
        (entry(published="0001-01-01T00:00:00+14:00"), "published is no instant"),
        ("<entry/>", "no video id"),
    ],
)
def test_a_bad_entry_is_named_and_the_others_stay(bad: str, reason: str) -> None:
    feed = parse_feed(document(entry(B), bad, entry(C)))
    assert [one.video_id for one in feed.entries] == [B, C]
    ((rejected),) = feed.rejected
    assert rejected.reason == reason
    assert len(rejected.row) <= 500


def test_a_video_stands_in_a_feed_once() -> None:
    later = entry(published="2026-02-02T10:00:00+00:00")
    assert [one.published_at for one in parse_feed(document(entry(), later)).entries] == [PUBLISHED]


@pytest.mark.parametrize("title", ["a\x00b", "a&#0;b", "a&#xD800;b", "a&#x110000;b", "a\x0bb", "a\ufffeb", "a&#99999999;b"])
def test_a_character_that_xml_forbids_costs_no_entry(title: str) -> None:
    assert [one.video_id for one in parse_feed(document(entry(A, title=title), entry(B))).entries] == [A, B]


def test_wrong_utf_8_costs_no_entry() -> None:
    assert parse_feed(GOOD.replace(b"a title", b"\xff\xfe")).entries == parse_feed(GOOD).entries


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{}", b"<html><body>Sign in</body></html>", b"<!DOCTYPE html><title>x</title>", b"<feed/>", GOOD[:-8],
        GOOD[: len(GOOD) // 2], GOOD + b"<x/>", GOOD.decode().encode("utf-16"), gzip.compress(GOOD),
        b'<feed xmlns="http://www.w3.org/2005/Atom">' + b"<x>" * 5_000 + b"</x>" * 5_000 + b"</feed>",
    ],
)  # fmt: skip
def test_what_is_no_feed_is_a_bad_reply(body: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        parse_feed(body)
    assert type(caught.value) is BadReply


def test_a_feed_too_large_is_not_parsed() -> None:
    with pytest.raises(ReplyTooLarge):
        parse_feed(b" " * (MAX_FEED_BYTES + 1))


def test_a_feed_of_many_empty_entries_costs_bounded_work() -> None:
    """Every one became a record of its own, with its text: 3.4 CPU-seconds and 79 MB for 2 MB of them."""
    feed = parse_feed(document(entry(A), "<entry/>" * 20_000, entry(B)))
    assert [one.video_id for one in feed.entries] == [A]
    assert sum(one.rows for one in feed.rejected) == 20_001
    assert len(feed.rejected) <= MOST_REJECTED + 1


def test_the_largest_honest_feed_is_read() -> None:
    """15 entries whose descriptions are as long as YouTube allows, of characters that XML writes with six."""
    entries = [entry(encode(number), title="&quot;" * 5_100) for number in range(15)]
    assert len(parse_feed(document(*entries)).entries) == 15


BILLION = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10 if n else "lol"}">' for n in range(10))
DECLARED = HEAD.replace("\n<feed", "\n<!DOCTYPE feed [{}]>\n<feed")


@pytest.mark.parametrize(
    "declared",
    [BILLION, '<!ENTITY x9 SYSTEM "file:///etc/hostname">', '<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p; <!ENTITY x9 "">'],
)
def test_a_document_type_is_refused_before_it_means_anything(declared: str) -> None:
    """No expansion, no file, no connection."""
    with pytest.raises(BadReply, match="document type"):
        parse_feed((DECLARED.format(declared) + entry(title="&x9;") + "</feed>").encode())


def test_a_document_type_does_not_hide_in_another_encoding(tmp_path: Path) -> None:
    """The document may say UTF-7 or EBCDIC; it is read as UTF-8 all the same."""
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    declared = DECLARED.format(f'<!ENTITY x9 SYSTEM "file://{secret}">') + entry(title="&x9;") + "</feed>"
    for name in ("utf-7", "cp037", "utf-16", "utf-32"):
        body = declared.replace("UTF-8", name).encode(name)
        with pytest.raises(BadReply):
            parse_feed(body)
    plain = document(entry()).replace(b"UTF-8", b"UTF-7")
    assert len(parse_feed(plain).entries) == 1


def test_an_unknown_entity_is_no_feed() -> None:
    with pytest.raises(BadReply):
        parse_feed(document(entry(title="&nbsp;")))


DAMAGED = st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=3)).map(
    lambda damage: GOOD[: damage[0]] + damage[1] + GOOD[damage[0] + 1 :]
)


@given(st.binary(max_size=300) | DAMAGED)
def test_any_bytes_are_a_feed_or_a_bad_reply(body: bytes) -> None:
    """Also a good feed with a few wrong bytes; what comes of it can be stored."""
    try:
        feed = parse_feed(body)
    except BadReply:
        return
    assert all(is_video_id(one.video_id) for one in feed.entries)
    for text in [one.reason + one.row for one in feed.rejected]:
        assert "\x00" not in text
        text.encode("utf-8")
