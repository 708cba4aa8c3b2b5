"""Whatever comes back, parsing ends in records or in one error of the tree, and the records can be stored."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from pleiades_core.errors import ApiError, BadReply
from pleiades_core.models import VideoId
from pleiades_core.videoid import encode
from pleiades_core.youtube import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = [encode(number) for number in (0, -1, 5, 2**62, -(2**63))]
CHANNEL = "UCooVYzDxdwTtGYAkcPmOgOw"

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*IDS, CHANNEL, "P0D", "1"])
#: Any JSON, with surrogates, which `json.loads` lets through.
ANYTHING = st.recursive(
    SCALARS | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "id", "videoId", "snippet", "statistics", "contentDetails", "resourceId", "viewCount", "likeCount", "commentCount",
    "channelId", "title", "description", "publishedAt", "tags", "categoryId", "duration", "liveBroadcastContent", "videoCount",
]  # fmt: skip
#: Rows that use the API's names for anything at all.
ROWS = st.recursive(ANYTHING, lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6), max_leaves=12)
REPLIES = st.fixed_dictionaries({"kind": st.just("youtube#x"), "items": st.lists(ROWS, max_size=5)})


@given(st.binary() | ANYTHING.map(lambda value: repr(value).encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_object_or_a_bad_reply(body: bytes) -> None:
    with contextlib.suppress(BadReply):
        assert isinstance(parse.parse_object(body), dict)


@given(REPLIES)
def test_any_rows_give_records_that_can_be_stored(reply: dict[str, Any]) -> None:
    """Rows are accepted or rejected, each once, and no text holds a NUL or a lone surrogate."""
    for records, rejected in (parse.stats(reply, IDS), parse.video_details(reply, IDS)):
        assert len(records) + len(rejected) == len(reply["items"])
        assert {one.video_id for one in records} <= set(IDS)
    texts = [repr(parse.channels(reply)), repr(parse.search_rows(reply)), repr(parse.uploads_rows(reply))]
    details, rejected = parse.video_details(reply, IDS)
    texts += [one.title + one.description + one.channel_title + "".join(one.tags) for one in details]
    texts += [row.reason + row.row for row in rejected]
    for text in texts:
        assert "\x00" not in text
        text.encode("utf-8")


@given(st.text(st.characters(exclude_categories=[])), st.integers(0, 50))
@example("\ud83d\ude00", 5)
def test_clean_text_is_short_storable_and_otherwise_unchanged(text: str, longest: int) -> None:
    cleaned = parse.clean(text, longest)
    assert len(cleaned) == min(len(text), longest)
    assert all(
        after == before or (after == "\ufffd" and (before == "\x00" or "\ud800" <= before <= "\udfff"))
        for before, after in zip(text, cleaned, strict=False)
    )
    assert parse.clean(cleaned, longest) == cleaned


@given(
    st.dictionaries(
        st.sampled_from(IDS),
        st.fixed_dictionaries({}, optional={n: st.integers(0, 2**63 - 1) for n in ("viewCount", "likeCount", "commentCount")}),
    ),
    st.randoms(),
)
def test_counts_come_out_as_they_went_in(given_counts: dict[VideoId, dict[str, int]], random: Any) -> None:
    """In any order of rows, as digit strings or numbers."""
    rows: list[dict[str, Any]] = [
        {"id": one, "statistics": {name: str(count) if random.random() < 0.5 else count for name, count in counts.items()}}
        for one, counts in given_counts.items()
    ]
    random.shuffle(rows)
    reply = parse.parse_object(orjson.dumps({"kind": "youtube#batchGetStatsResponse", "items": rows}))
    counts, rejected = parse.stats(reply, IDS)
    assert rejected == ()
    assert {one.video_id: (one.views, one.likes, one.comments) for one in counts} == {
        one: (value.get("viewCount"), value.get("likeCount"), value.get("commentCount")) for one, value in given_counts.items()
    }


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert parse.duration_seconds(f"P{days}DT{hours}H{minutes}M{seconds}S") == expected
    assert parse.duration_seconds(f"{expected}s") == expected


@given(
    st.integers(100, 599).filter(lambda status: status != 200), st.binary(), st.dictionaries(st.just("retry-after"), st.text())
)
def test_any_refusal_is_an_error_of_the_tree(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = parse.parse_error(status, headers, body, project="p", bucket="b", now=NOW)
    assert isinstance(error, ApiError)
    assert error.status == status


@given(
    st.sampled_from([400, 401, 403, 404, 429]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("message", "errors", "details", "status", "code"), ANYTHING)),
    st.sampled_from(["AIzaSyC4n4ry", "key=C4n4ry", "https://h/?x=C4n4ry"]),
)
def test_any_error_object_is_an_error_that_repeats_no_secret(status: int, error: dict[str, Any], secret: str) -> None:
    """The message is the server's; what looks like an address or a key is cut out of it."""
    message = str(error.get("message", "")).encode("utf-8", "replace").decode() + f" {secret} "
    content = orjson.dumps({"error": {**_storable(error), "message": message}})
    refused = parse.parse_error(status, {}, content, project="p", bucket="b", now=NOW)
    assert "C4n4ry" not in repr(refused) + refused.reason + refused.cure
    str(refused).encode("ascii")


def _storable(value: Any) -> Any:
    """Without what orjson cannot write."""
    if isinstance(value, dict):
        return {str(name).encode("utf-8", "replace").decode(): _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, int) and abs(value) >= 2**63 else value
