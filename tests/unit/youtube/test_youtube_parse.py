"""Replies to records: good rows stay, bad rows are named, hostile text is defused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from support.replies import KINDS, Kind

from pleiades_core.errors import BadReply
from pleiades_core.models import Candidate, ChannelId, Counts, VideoId
from pleiades_core.youtube import parse
from pleiades_core.youtube.parse import ChannelDetails

A, B, C = VideoId("dQw4w9WgXcQ"), VideoId("AAAAAAAAAAA"), VideoId("f_________8")
CHANNEL = ChannelId("UCooVYzDxdwTtGYAkcPmOgOw")


def listing(*rows: object, **more: object) -> dict[str, Any]:
    """A list reply."""
    return {"kind": "youtube#videoListResponse", "items": list(rows), **more}


def counted(video_id: str = A, **statistics: object) -> dict[str, Any]:
    """A row with counts."""
    return {"id": video_id, "statistics": statistics}


def video(video_id: str = A, **snippet: object) -> dict[str, Any]:
    """A row as `videos.list` gives it."""
    plain = {"channelId": CHANNEL, "title": "T", "publishedAt": "2026-02-01T10:00:00Z"}
    return {"id": video_id, "snippet": {**plain, **snippet}, "statistics": {"viewCount": "5"}}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"3", b'"x"', b"<html>", b'{"a":', b'{"a": NaN}', b"[" * 100_000, b"\xff\xfe"]
)
def test_only_an_object_is_a_reply(body: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        parse.parse_object(body)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_one_lone_surrogate_does_not_cost_the_other_rows() -> None:
    """Orjson refuses the whole body; the row is kept with U+FFFD in its place."""
    body = orjson.dumps(listing(video(A, title="SURROGATE\x00"), video(B))).replace(b"SURROGATE", rb"\ud83d!")
    details, rejected = parse.video_details(parse.parse_object(body), [A, B])
    assert [one.title for one in details] == ["\ufffd!\ufffd", "T"]
    assert rejected == ()


def test_wrong_utf8_does_not_cost_the_other_rows() -> None:
    details, _ = parse.video_details(parse.parse_object(orjson.dumps(listing(video(title="ZZ"))).replace(b"ZZ", b"\xff")), [A])
    assert details[0].title == "\ufffd"


@pytest.mark.parametrize("reply", [{}, {"items": None}, {"items": {}}, {"kind": "x"}, {"kind": "youtube#x", "error": {}}])
def test_what_is_no_list_reply_must_not_read_as_all_missing(reply: dict[str, Any]) -> None:
    """An empty reply for 50 ids would count 50 misses towards 50 tombstones."""
    with pytest.raises(BadReply):
        parse.stats(reply, [A])


def test_a_list_reply_without_items_is_empty() -> None:
    assert parse.stats({"kind": "youtube#batchGetStatsResponse"}, [A]) == ((), ())


def test_counts_are_numbers_and_absent_ones_are_none() -> None:
    """Hidden likes and switched-off comments are absent, and absent is not zero."""
    counts, rejected = parse.stats(listing(counted(A, viewCount="7507704", commentCount="0"), counted(B), {"id": C}), [A, B, C])
    assert counts == (
        Counts(video_id=A, views=7_507_704, likes=None, comments=0),
        Counts(video_id=B, views=None, likes=None, comments=None),
        Counts(video_id=C, views=None, likes=None, comments=None),
    )
    assert rejected == ()


@pytest.mark.parametrize("value", ["9223372036854775807", 9_223_372_036_854_775_807])
def test_the_largest_count(value: object) -> None:
    assert parse.stats(listing(counted(viewCount=value)), [A])[0][0].views == 2**63 - 1


@pytest.mark.parametrize(
    "value",
    ["9223372036854775808", 2**63, "-1", -1, "", " 5", "5.0", 5.0, True, "1e3", "٣", "²", [], {}, "1_000", "0" * 30, 10**400],
)
def test_a_count_that_is_none_rejects_its_row_alone(value: object) -> None:
    counts, rejected = parse.stats(listing(counted(A, likeCount=value), counted(B, viewCount="1")), [A, B])
    assert [one.video_id for one in counts] == [B]
    assert [row.reason for row in rejected] == ["likeCount is no count"]


def test_rows_that_were_not_asked_for_and_repeated_ones_are_rejected() -> None:
    rows = [counted(A, viewCount="1"), counted(A, viewCount="2"), counted(B), 3, None, {"id": None}, {"id": ["x"]}, {}]
    counts, rejected = parse.stats(listing(*rows), [A, C])
    assert [(one.video_id, one.views) for one in counts] == [(A, 1)]
    assert len(rejected) == 7


@pytest.mark.parametrize("part", ["x", 3, [], True])
def test_a_part_of_the_wrong_type_rejects_its_row(part: object) -> None:
    assert parse.stats(listing({"id": A, "statistics": part}), [A])[1]
    assert parse.video_details(listing({"id": A, "snippet": part}), [A])[1]


def test_rejected_rows_are_short_and_can_be_stored() -> None:
    (row,) = parse.stats(listing({"id": "\ud800\x00" * 100_000}), [A])[1]
    assert len(row.row) <= 500
    row.row.encode()
    assert "\x00" not in row.row


def test_a_whole_video() -> None:
    """Every field, in the form of 2026."""
    row = video(
        title="Tom &amp; Jerry", description="d", channelTitle="c", tags=["a", 3, "b\x00"], categoryId="20",
        defaultAudioLanguage="en-GB", liveBroadcastContent="live", publishedAt="2026-02-01T10:00:00.250+02:00",
    )  # fmt: skip
    row["contentDetails"] = {"duration": "PT1H2M3S"}
    (one,), rejected = parse.video_details(listing(row), [A])
    assert rejected == ()
    assert one.title == "Tom &amp; Jerry", "videos.list does not escape: unescaping would change what the owner wrote"
    assert one.published_at == datetime(2026, 2, 1, 8, 0, 0, 250_000, tzinfo=UTC)
    assert (one.tags, one.category_id, one.language, one.duration_s, one.live) == (("a", "b\ufffd"), 20, "en-GB", 3_723, "live")
    assert one.counts.views == 5


def test_text_is_bounded() -> None:
    row = video(title="t" * 5_000, description="d" * 9_000, tags=["x" * 500] * 99)
    (one,), _ = parse.video_details(listing(row), [A])
    assert (len(one.title), len(one.description), len(one.tags), len(one.tags[0])) == (1_000, 5_000, 50, 100)


@pytest.mark.parametrize(
    "snippet",
    [
        {"channelId": "UCshort"},
        {"channelId": None},
        {"publishedAt": None},
        {"publishedAt": "2026-02-01"},
        {"publishedAt": "2026-02-01T10:00:00"},
        {"publishedAt": "0001-01-01T00:00:00+14:00"},
        {"publishedAt": 1_770_000_000},
    ],
)
def test_a_video_without_channel_or_instant_is_rejected(snippet: dict[str, object]) -> None:
    details, rejected = parse.video_details(listing(video(A, **snippet), video(B)), [A, B])
    assert [one.video_id for one in details] == [B]
    assert len(rejected) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT15M33S", 933), ("PT0S", 0), ("P1DT1S", 86_401), ("PT100H", 360_000), ("P1W", 604_800), ("PT1.9S", 1), ("123s", 123),
        ("0s", 0), ("1.500s", 1), ("P0D", None), ("PT", 0), ("P", None), ("", None), ("15:33", None), ("PT-5S", None),
        ("PT٣S", None), (None, None), (5, None), ("PT5S\n", None),
    ],
)  # fmt: skip
def test_durations(text: object, seconds: int | None) -> None:
    """ISO 8601 of videos.list, google-duration of batchGetStats; `P0D` is what live videos have."""
    assert parse.duration_seconds(text) == seconds


def test_a_search_page() -> None:
    """Channels among the results are no candidates; a repeated video is one candidate."""
    rows = [
        {"id": {"kind": "youtube#video", "videoId": A}, "snippet": {"channelId": CHANNEL, "title": "&#39;x"}},
        {"id": {"kind": "youtube#channel", "channelId": CHANNEL}, "snippet": {"channelId": CHANNEL}},
        {"id": {"videoId": A}, "snippet": {"channelId": CHANNEL}},
        {"id": {"videoId": "x"}, "snippet": {"channelId": CHANNEL}},
    ]
    page, rejected = parse.search_rows(listing(*rows, nextPageToken="CDIQAA"))
    assert page.candidates == (Candidate(video_id=A, channel_id=CHANNEL),)
    assert page.next_page_token == "CDIQAA"  # noqa: S105  a place in a list, no secret
    assert len(rejected) == 2
    assert parse.search_rows(listing(*rows))[0].next_page_token is None


@pytest.mark.parametrize("token", [None, "", 3, "a\nb", "é", {}])
def test_a_token_that_cannot_be_sent_back_is_none(token: object) -> None:
    assert parse.search_rows(listing(nextPageToken=token))[0].next_page_token is None


def test_uploads_by_either_part() -> None:
    """ContentDetails names no channel, so the one that was asked for counts; snippet names the video's owner."""
    by_details = {"contentDetails": {"videoId": A, "videoPublishedAt": "2026-02-01T10:00:00Z"}}
    by_snippet = {"snippet": {"resourceId": {"videoId": B}, "videoOwnerChannelId": CHANNEL, "channelId": "UC" + "A" * 22}}
    page, rejected = parse.uploads_rows(listing(by_details, by_snippet, {"snippet": {}}), CHANNEL)
    assert [(one.video_id, one.channel_id) for one in page.candidates] == [(A, CHANNEL), (B, CHANNEL)]
    assert len(rejected) == 1
    assert parse.uploads_rows(listing(by_details))[0].candidates == ()


def test_channels() -> None:
    row = {"id": CHANNEL, "statistics": {"videoCount": "3", "hiddenSubscriberCount": True}}
    (one,), rejected = parse.channels(listing(row, row, {"id": "x"}))
    assert one == ChannelDetails(channel_id=CHANNEL, videos=3)
    assert len(rejected) == 2


def test_a_field_that_nobody_reads_throws_no_channel_away() -> None:
    """The uploads source would lose its detector; a count that is missing is None, and one that is none is no zero."""
    odd: list[dict[str, Any]] = [
        {"id": CHANNEL, "snippet": 3, "statistics": {"videoCount": "12", "subscriberCount": "1.2K", "viewCount": -1}},
        {"id": "UC" + "A" * 22, "statistics": {"subscriberCount": "5"}},
        {"id": "UC" + "B" * 21 + "A", "statistics": {"videoCount": "1.2K"}},
    ]
    good, rejected = parse.channels(listing(*odd))
    assert [one.videos for one in good] == [12, None]
    assert [one.reason for one in rejected] == ["videoCount is no count"]


def test_when_candidates_were_published() -> None:
    """As far as the page says; a video is not lost for a date that cannot be read."""
    snippets = [{"channelId": CHANNEL, "publishedAt": given} for given in ("2026-02-01T10:00:00Z", "soon", None)]
    page, _ = parse.search_rows(
        listing(*({"id": {"videoId": one}, "snippet": snippet} for one, snippet in zip((A, B, C), snippets, strict=True)))
    )
    assert [one.published_at for one in page.candidates] == [datetime(2026, 2, 1, 10, tzinfo=UTC), None, None]
    added = {"publishedAt": "2026-02-02T00:00:00Z"}
    row = {"contentDetails": {"videoId": A, "videoPublishedAt": "2026-02-01T10:00:00Z"}, "snippet": added}
    private = {"contentDetails": {"videoId": B}, "snippet": added}
    uploads, _ = parse.uploads_rows(listing(row, private), CHANNEL)
    assert [one.published_at for one in uploads.candidates] == [datetime(2026, 2, 1, 10, tzinfo=UTC), None]


def test_a_chart_page_names_its_own_videos() -> None:
    """Nothing was asked for by id, so every id is welcome, once."""
    page, rejected = parse.chart_rows(listing(video(A), video(B), video(A), {"id": ["x"]}, 3, nextPageToken="CAoQAA"))
    assert [one.video_id for one in page.details] == [A, B]
    assert page.next_page_token == "CAoQAA"  # noqa: S105
    assert len(rejected) == 3


class Counted(list[Any]):
    """Rows that count how many of them were looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[Any]:
        for row in super().__iter__():
            self.looked_at += 1
            yield row


@pytest.mark.parametrize("row", [0, {"id": "x"}, {"id": {"videoId": A}}])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_reply_of_many_bad_rows_costs_bounded_work_and_memory(kind: Kind, row: object) -> None:
    """4 million zeros took minutes and 763 MB: every one became a record of its own."""
    rows = Counted([row] * 100_000)
    good, bad = kind.read({"kind": "youtube#x", "items": rows}, [A])
    assert not good
    assert sum(one.rows for one in bad) == 100_000
    assert len(bad) <= parse.MOST_REJECTED + 1
    # The rows of a chart are looked at twice: for their ids first.
    assert rows.looked_at <= 2 * (parse.MOST_ROWS + 1)


def test_what_may_stand_behind_the_rows_that_are_looked_at_is_not_missing() -> None:
    """A video is missing only if the whole reply was read."""
    reply = listing(*[0] * parse.MOST_ROWS, counted(A, viewCount="7"))
    counts, bad = parse.stats(reply, [A, B])
    assert counts == ()
    assert sum(one.rows for one in bad) == parse.MOST_ROWS + 1
    assert parse.unreadable(reply, [A, B], counts) == {A, B}


def test_a_row_nested_too_deep_to_be_written_out_is_rejected_like_another() -> None:
    row = b"[" * 1_000 + b"]" * 1_000
    body = orjson.dumps(listing("DEEP", {"id": "DEEP"}, counted(A, viewCount="7"))).replace(b'"DEEP"', row)
    counts, bad = parse.stats(parse.parse_object(body), [A])
    assert [one.views for one in counts] == [7]
    assert len(bad) == 2


@pytest.mark.parametrize("token", ["x" * 5_000, "", "a b\x00", 7])
def test_a_page_token_that_is_none_is_none(token: object) -> None:
    """It is kept in the database and sent back: a hostile one must not be a megabyte long."""
    assert parse.search_rows(listing(nextPageToken=token))[0].next_page_token is None
