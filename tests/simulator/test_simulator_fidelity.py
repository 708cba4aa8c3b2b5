"""Fidelity: google-api-python-client, which knows nothing of us, talks to the simulator as it would to YouTube."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.videoid import is_channel_id, is_video_id

Ids = Callable[..., list[str]]
Make = Callable[[str | None], Any]
Refused = Callable[[Any], tuple[int, dict[str, Any]]]
Units = Callable[[str, str], int]

NEVER_ISSUED = "AAAAAAAAAAA"


# --- search.list


def test_a_search_pages_to_its_end_without_a_video_twice(youtube: Any) -> None:
    seen: list[str] = []
    request = youtube.search().list(part="snippet", q="music", type="video", order="date", maxResults=50)
    pages = 0
    while request is not None:
        reply = request.execute()
        seen += [item["id"]["videoId"] for item in reply["items"]]
        assert len(reply["items"]) <= 50
        assert ("prevPageToken" in reply) == (pages > 0)
        pages += 1
        request = youtube.search().list_next(request, reply)
    assert len(seen) == len(set(seen)) <= 500
    assert pages > 2
    assert all(map(is_video_id, seen))


def test_page_tokens_are_those_of_youtube_and_lead_back(youtube: Any) -> None:
    first = youtube.search().list(part="id", q="music", type="video", maxResults=25).execute()
    assert first["nextPageToken"] == "CBkQAA"
    second = youtube.search().list(part="id", q="music", type="video", maxResults=25, pageToken="CBkQAA").execute()
    assert second["prevPageToken"] == "CBkQAQ"
    back = youtube.search().list(part="id", q="music", type="video", maxResults=25, pageToken="CBkQAQ").execute()
    assert "prevPageToken" not in back


def test_search_finds_by_word_newest_first_and_inside_its_window(youtube: Any, control: SimulatorControl) -> None:
    now = control.now()
    after, before = now - timedelta(days=9), now - timedelta(days=2)
    reply = (
        youtube.search()
        .list(
            part="snippet",
            q="cricket",
            type="video",
            order="date",
            maxResults=50,
            publishedAfter=after.strftime("%Y-%m-%dT%H:%M:%SZ"),
            publishedBefore=before.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        .execute()
    )
    instants = [datetime.fromisoformat(item["snippet"]["publishedAt"]) for item in reply["items"]]
    assert instants == sorted(instants, reverse=True)
    assert instants
    assert all(after <= at <= before for at in instants)
    details = youtube.videos().list(part="snippet", id=[i["id"]["videoId"] for i in reply["items"]]).execute()
    for item in details["items"]:
        assert "cricket" in json.dumps(item["snippet"], ensure_ascii=False).lower()


def test_identical_searches_find_different_sets_with_different_etags(youtube: Any) -> None:
    once = youtube.search().list(part="snippet", q="music", type="video", order="date", maxResults=50).execute()
    again = youtube.search().list(part="snippet", q="music", type="video", order="date", maxResults=50).execute()
    one, other = ({item["id"]["videoId"] for item in reply["items"]} for reply in (once, again))
    assert one != other
    assert one & other
    assert once["etag"] != again["etag"]


def test_titles_are_escaped_in_search_and_nowhere_else(youtube: Any) -> None:
    found = youtube.search().list(part="snippet", q="minecraft", type="video", maxResults=50).execute()["items"]
    escaped = {item["id"]["videoId"]: item["snippet"]["title"] for item in found}
    plain = {i["id"]: i["snippet"]["title"] for i in youtube.videos().list(part="snippet", id=list(escaped)).execute()["items"]}
    changed = [video_id for video_id, title in plain.items() if escaped[video_id] != title]
    assert changed
    assert any("&amp;" in escaped[video_id] or "&#39;" in escaped[video_id] for video_id in changed)


def test_search_of_channels_gives_channels(youtube: Any) -> None:
    reply = youtube.search().list(part="snippet", q="music", type="channel").execute()
    assert reply["items"]
    assert all(item["id"]["kind"] == "youtube#channel" and is_channel_id(item["id"]["channelId"]) for item in reply["items"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxResults": 51},
        {"publishedAfter": "yesterday"},
        {"publishedAfter": "2026-09-01T00:00:00"},
        {"regionCode": "Utopia"},
    ],
)
def test_malformed_search_parameters_are_refused_and_cost_a_unit(
    youtube: Any, wrong: dict[str, Any], refused: Refused, units: Units
) -> None:
    before = units("roomy", "search")
    status, error = refused(youtube.search().list(part="snippet", type="video", **wrong))
    assert (status, error["code"]) == (400, 400)
    assert units("roomy", "search") == before + 1


def test_video_filters_need_type_video_and_tokens_must_be_tokens(youtube: Any, refused: Refused) -> None:
    _, error = refused(youtube.search().list(part="snippet", videoDuration="short"))
    assert error["errors"][0]["reason"] == "invalidFilters"
    _, error = refused(youtube.search().list(part="snippet", pageToken="rubbish"))
    assert error["errors"][0]["reason"] == "invalidPageToken"
    _, error = refused(youtube.search().list(part="statistics"))
    assert error["errors"][0]["reason"] == "unknownPart"


# --- videos.list, videos.batchGetStats


def test_batch_get_stats_and_videos_list_agree_and_count_in_strings(youtube: Any, some_ids: Ids) -> None:
    ids = some_ids()
    stats = youtube.videos().batchGetStats(part=["id", "statistics", "snippet", "contentDetails"], id=ids).execute()
    videos = youtube.videos().list(part="id,statistics,snippet,contentDetails", id=",".join(ids)).execute()
    assert stats["kind"] == "youtube#batchGetStatsResponse"
    assert {item["kind"] for item in stats["items"]} == {"youtube#videoStats"}
    by_id = {item["id"]: item for item in videos["items"]}
    for item in stats["items"]:
        full = dict(by_id[item["id"]]["statistics"])
        assert full.pop("favoriteCount") == "0"
        assert item["statistics"] == full
        assert all(isinstance(value, str) and value.isdigit() for value in full.values())
        assert item["snippet"] == {"publishTime": by_id[item["id"]]["snippet"]["publishedAt"]}
        assert item["contentDetails"]["duration"].endswith("s")
        assert len(item["etag"]) == 27


def test_absent_ids_are_simply_absent(youtube: Any, some_ids: Ids) -> None:
    known = some_ids(3)
    asked = [NEVER_ISSUED, *known, "not an id", known[0]]
    reply = youtube.videos().batchGetStats(part=["id"], id=asked).execute()
    assert [item["id"] for item in reply["items"]] == known
    assert youtube.videos().list(part="id", id=NEVER_ISSUED).execute()["items"] == []


def test_more_than_fifty_ids_are_refused(youtube: Any, refused: Refused) -> None:
    ids = [NEVER_ISSUED] * 51
    for request in (youtube.videos().batchGetStats(part=["id"], id=ids), youtube.videos().list(part="id", id=ids)):
        status, error = refused(request)
        assert status == 400
        assert error["errors"][0]["reason"] == "invalidFilters"


def test_a_long_address_arrives_as_post_and_is_answered_as_get(youtube: Any, some_ids: Ids) -> None:
    """50 repeated ids with other parameters exceed 2,048 characters when the fields mask is long."""
    ids = some_ids()
    mask = "items(id,statistics(viewCount,likeCount,commentCount)),etag," + ",".join(f"unknown{n}" for n in range(150))
    reply = youtube.videos().batchGetStats(part=["id", "statistics"], id=ids, fields=mask).execute()
    assert len(reply["items"]) == len(ids)
    assert set(reply) == {"items", "etag"}
    assert set(reply["items"][0]) <= {"id", "statistics"}


def test_some_counts_are_hidden_and_then_absent(youtube: Any, control: SimulatorControl, some_ids: Ids) -> None:
    control.advance(timedelta(days=2))
    likes, comments = [], []
    for term in ("music", "minecraft", "football", "cooking", "movie", "comedy"):
        for item in youtube.videos().batchGetStats(part=["statistics"], id=some_ids(q=term)).execute()["items"]:
            likes.append("likeCount" in item["statistics"])
            comments.append("commentCount" in item["statistics"])
    assert 0 < likes.count(False) < len(likes) / 5
    assert 0 < comments.count(False) < len(comments) / 5


def test_videos_that_leave_are_absent_and_the_truth_knows_why(youtube: Any, control: SimulatorControl, some_ids: Ids) -> None:
    ids = [i for term in ("music", "minecraft", "football", "cooking") for i in some_ids(q=term)]
    begin = control.now()
    at = control.advance(timedelta(days=20))
    gone = set()
    for start in range(0, len(ids), 50):
        chunk = ids[start : start + 50]
        there = {item["id"] for item in youtube.videos().batchGetStats(part=["id"], id=chunk).execute()["items"]}
        gone |= set(chunk) - there
    assert gone
    for video_id in ids:
        assert (control.truth(video_id)["state"] in {"deleted", "private"}) == (video_id in gone)
        assert control.truth(video_id, begin)["state"] == "public"
    assert control.truth(NEVER_ISSUED, at)["state"] == "unknown"


def test_the_chart_pages_and_keeps_to_its_three_categories(youtube: Any, refused: Refused) -> None:
    reply = youtube.videos().list(part="snippet", chart="mostPopular", regionCode="DE", maxResults=20).execute()
    assert reply["items"]
    assert {item["snippet"]["categoryId"] for item in reply["items"]} <= {"1", "10", "20"}
    music = youtube.videos().list(part="snippet", chart="mostPopular", videoCategoryId="10", maxResults=50).execute()
    assert {item["snippet"]["categoryId"] for item in music["items"]} == {"10"}
    second = youtube.videos().list(part="id", chart="mostPopular", maxResults=20, pageToken="CBQQAA").execute()
    assert second["prevPageToken"] == "CBQQAQ"
    status, error = refused(youtube.videos().list(part="id", chart="mostPopular", videoCategoryId="27"))
    assert (status, error["errors"][0]["reason"]) == (404, "notFound")


def test_neither_ids_nor_chart_is_no_filter(youtube: Any, refused: Refused) -> None:
    status, error = refused(youtube.videos().list(part="id"))
    assert (status, error["errors"][0]["reason"]) == (400, "missingRequiredParameter")


# --- channels.list, playlistItems.list, videoCategories.list


def test_a_channel_leads_to_its_uploads_newest_first(youtube: Any, some_ids: Ids) -> None:
    video = youtube.videos().list(part="snippet", id=some_ids(1)[0]).execute()["items"][0]
    channel_id = video["snippet"]["channelId"]
    channel = youtube.channels().list(part="snippet,contentDetails,statistics", id=channel_id).execute()["items"][0]
    uploads = channel["contentDetails"]["relatedPlaylists"]["uploads"]
    assert uploads == "UU" + channel_id[2:]
    listed: list[dict[str, Any]] = []
    request = youtube.playlistItems().list(part="snippet,contentDetails", playlistId=uploads, maxResults=2)
    while request is not None:
        reply = request.execute()
        listed += reply["items"]
        request = youtube.playlistItems().list_next(request, reply)
    assert len(listed) == int(channel["statistics"]["videoCount"]) == reply["pageInfo"]["totalResults"]
    assert [item["snippet"]["position"] for item in listed] == list(range(len(listed)))
    instants = [item["contentDetails"]["videoPublishedAt"] for item in listed]
    assert instants == sorted(instants, reverse=True)
    assert video["id"] in [item["contentDetails"]["videoId"] for item in listed]


def test_unknown_channels_are_absent_and_unknown_playlists_are_404(youtube: Any, refused: Refused) -> None:
    assert "items" not in youtube.channels().list(part="id", id="UC" + "A" * 22).execute()
    status, error = refused(youtube.playlistItems().list(part="id", playlistId="UU" + "A" * 22))
    assert (status, error["errors"][0]["reason"]) == (404, "playlistNotFound")


def test_categories_have_names(youtube: Any) -> None:
    items = youtube.videoCategories().list(part="snippet", regionCode="US").execute()["items"]
    assert {item["id"]: item["snippet"]["title"] for item in items}["10"] == "Music"
