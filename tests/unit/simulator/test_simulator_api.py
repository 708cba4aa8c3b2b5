"""Whatever a client sends, the API answers or refuses in its own words; it never breaks."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.clock import ManualClock
from pleiades_core.simulator.api.error_bodies import Refusal
from pleiades_core.simulator.api.methods import Api
from pleiades_core.simulator.api.params import Params
from pleiades_core.simulator.api.quota import BUCKETS, QuotaBook, SimulatedKey
from pleiades_core.simulator.api.replies import encode, etag, iso_duration
from pleiades_core.simulator.faults.named_errors import BY_NAME, named
from pleiades_core.simulator.world.base import SearchQuery
from pleiades_core.simulator.world.synthetic import SyntheticSize, synthetic_world

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
WORLD = synthetic_world(SyntheticSize(videos=400, start=START), seed=2)
SOME = WORLD.search(SearchQuery(order="date"), START, call_seed=1).ids[:60]
CHANNEL = WORLD.channels_named("")[0]


def fresh_api() -> Api:
    limits = dict.fromkeys(("search", "stats", "general"), 10**6)
    return Api(WORLD, QuotaBook([SimulatedKey(key="k", project="p", limits=limits)]), ManualClock(START))


api = fresh_api()

WORDS = [
    "snippet",
    "id,statistics",
    "id",
    "video",
    "date",
    "mostPopular",
    "US",
    "10",
    "5",
    "0",
    "51",
    "CDIQAA",
    "short",
    "items/id",
]
NAMES = [CHANNEL, "UU" + CHANNEL[2:], "UUSH" + CHANNEL[2:], "2026-08-01T00:00:00Z", ",".join(SOME[:50]), SOME[0]]
values = st.one_of(st.sampled_from(WORDS), st.sampled_from(NAMES), st.text(max_size=12))
names = st.sampled_from(
    "part id chart maxResults pageToken q type order publishedAfter publishedBefore channelId regionCode videoCategoryId "  # noqa: SIM905
    "videoDuration playlistId videoId forHandle forUsername fields".split()
)


def outcome(method: str, params: Params) -> tuple[int, dict[str, Any]]:
    try:
        return 200, api.answer(method, params, "k")
    except Refusal as refusal:
        return refusal.status, refusal.body


@given(st.sampled_from(sorted(BUCKETS)), st.lists(st.tuples(names, values), max_size=8))
def test_any_request_is_answered_or_refused(method: str, given_params: list[tuple[str, str]]) -> None:
    status, body = outcome(method, Params(urlencode(given_params, errors="surrogatepass").encode()))
    encode(body)
    if status == 200:
        assert len(body.get("items", ())) <= 50
    else:
        assert status in {400, 404}
        assert body["error"]["code"] == status
        assert body["error"]["errors"][0]["reason"]


@pytest.mark.parametrize("name", ["maxResults", "videoCategoryId", "id"])
def test_numbers_of_five_thousand_digits_are_refused(name: str) -> None:
    method = "videoCategories.list" if name == "id" else "search.list"
    status, _ = outcome(method, Params(f"part=snippet&type=video&{name}={'9' * 5_000}".encode()))
    assert status in {400, 404}


@pytest.mark.parametrize("size", [1, 7, 50])
def test_pages_of_one_search_are_one_list(size: int) -> None:
    one = fresh_api()
    tokens: list[str | None] = [None]
    seen: list[str] = []
    while tokens[-1] is not None or len(tokens) == 1:
        query = {"part": "id", "type": "video", "q": "music", "order": "date", "maxResults": str(size)}
        query |= {"pageToken": tokens[-1]} if tokens[-1] else {}
        reply = one.answer("search.list", Params(urlencode(query).encode()), "k")
        seen += [item["id"]["videoId"] for item in reply["items"]]
        tokens.append(reply.get("nextPageToken"))
    assert len(seen) == len(set(seen)) > 7
    assert seen == list(WORLD.search(SearchQuery(term="music", order="date"), START, call_seed=1).ids)


def test_lists_may_come_repeated_or_joined() -> None:
    joined = Params(urlencode({"part": "id", "id": ",".join(SOME[:9])}).encode())
    repeated = Params(urlencode([("part", "id"), *(("id", i) for i in SOME[:9])]).encode())
    in_a_form = Params(b"part=id", urlencode({"id": ",".join(SOME[:9])}).encode())
    answers = [api.answer("videos.batchGetStats", params, "k") for params in (joined, repeated, in_a_form)]
    assert all(a == b for a, b in itertools.pairwise(answers))
    assert len(answers[0]["items"]) == 9


def test_the_api_never_charges_below_one_unit_for_a_wrong_request() -> None:
    one = fresh_api()
    for _ in range(3):
        with pytest.raises(Refusal):
            one.answer("videos.list", Params(b""), "k")
    assert one.quota.ledger()["calls"][0]["units"] == 3


def test_durations_and_etags_have_their_forms() -> None:
    assert [iso_duration(s) for s in (0, 59, 60, 3_600, 3_661, 90_000, None)] == [
        "PT0S", "PT59S", "PT1M", "PT1H", "PT1H1M1S", "PT25H", "P0D",
    ]  # fmt: skip
    assert len(etag("a", 1, None)) == 27
    assert etag("a", 1) != etag("a", 2)


def test_every_named_error_has_the_form_of_an_error() -> None:
    for name, refusal in BY_NAME.items():
        error = refusal.body["error"]
        assert error["code"] == refusal.status >= 400
        assert error["message"]
        assert set(error["errors"][0]) >= ({"reason"} if name == "bare_rate_limit" else {"domain", "reason", "message"})


def test_spent_is_what_the_bucket_of_the_method_says() -> None:
    assert named("spent", "search.list") is BY_NAME["search_spent"]
    assert named("spent", "videos.batchGetStats") is BY_NAME["stats_spent"]
    assert named("spent", "channels.list") is BY_NAME["general_spent"]


def test_playlist_items_are_found_again_by_their_ids() -> None:
    one = fresh_api()
    playlist = "UU" + CHANNEL[2:]
    listed = one.answer("playlistItems.list", Params(f"part=snippet&maxResults=50&playlistId={playlist}".encode()), "k")[
        "items"
    ]
    asked = ",".join([*(item["id"] for item in listed[:9]), "bm90aGluZw", "???"])
    again = one.answer("playlistItems.list", Params(urlencode({"part": "snippet", "id": asked}).encode()), "k")["items"]
    assert again == listed[:9]
    video = listed[3]["snippet"]["resourceId"]["videoId"]
    query = Params(f"part=snippet&playlistId={playlist}&videoId={video}".encode())
    assert one.answer("playlistItems.list", query, "k")["items"] == [listed[3]]


@pytest.mark.parametrize("handle", ["{}", "@{}"])
def test_a_channel_is_found_by_its_handle(handle: str) -> None:
    one = fresh_api()
    by_id = one.answer("channels.list", Params(f"part=snippet&id={CHANNEL}".encode()), "k")["items"]
    custom = by_id[0]["snippet"]["customUrl"]
    asked = urlencode({"part": "snippet", "forHandle": handle.format(custom.removeprefix("@"))})
    assert one.answer("channels.list", Params(asked.encode()), "k")["items"] == by_id


@pytest.mark.parametrize("asked", ["forHandle=@nobody", "forUsername=google", "id=UC"])
def test_channels_that_are_not_there_leave_no_items(asked: str) -> None:
    assert "items" not in fresh_api().answer("channels.list", Params(f"part=id&{asked}".encode()), "k")


def test_two_filters_are_one_too_many() -> None:
    with pytest.raises(Refusal) as caught:
        fresh_api().answer("channels.list", Params(f"part=id&id={CHANNEL}&forHandle=@x".encode()), "k")
    assert caught.value.reason == "incompatibleParameters"
