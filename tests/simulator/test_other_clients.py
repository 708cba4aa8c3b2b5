"""Two Python clients that others wrote, and that know nothing of us, judge the simulator: python-youtube and youtubeaio."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from pyyoutube import Api, Client, PyYouTubeException  # type: ignore[import-untyped]
from youtubeaio.types import (
    AuthScope,
    ForbiddenError,
    UnauthorizedError,
    YouTubeAPIError,
    YouTubeBackendError,
    YouTubeResourceNotFoundError,
)
from youtubeaio.youtube import YouTube

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan

# youtubeaio does not read the body of a refusal, and aiohttp then misses the end of its connection.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")

Item = TypeVar("Item")
Ids = Callable[..., list[str]]
Make = Callable[[str], Any]

NEVER_ISSUED = "AAAAAAAAAAA"
NO_CHANNEL = "UC" + "A" * 22


@pytest.fixture
def pyyoutube(base_url: str) -> Iterator[Make]:
    """python-youtube's newer client, for a key."""
    made: list[Client] = []

    def make(key: str) -> Client:
        made.append(Client(api_key=key))
        made[-1].BASE_URL = f"{base_url}/youtube/v3/"
        made[-1].HUB_URL = f"{base_url}/subscribe"
        return made[-1]

    yield make
    for one in made:
        one.session.close()


@pytest.fixture
def api(base_url: str) -> Iterator[Any]:
    """python-youtube's older client."""
    made = Api(api_key="key-one")
    made.BASE_URL = f"{base_url}/youtube/v3/"
    yield made
    made.session.close()


@pytest.fixture
def channels(control: SimulatorControl) -> list[str]:
    """Some that do not hide how many follow them; of fifty one does."""
    return control.channels()[:40]


# --- python-youtube


def test_pyyoutube_searches_page_by_page(pyyoutube: Make, control: SimulatorControl) -> None:
    after = (control.now() - timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ours = pyyoutube("key-one")
    seen: list[str] = []
    token = None
    for _ in range(3):
        page = ours.search.list(
            parts="snippet", q="music", type="video", order="date", max_results=10, published_after=after, page_token=token
        )
        assert len(page.items) == 10
        assert page.pageInfo.totalResults > 30
        seen += [item.id.videoId for item in page.items]
        assert all(item.snippet.publishedAt >= after for item in page.items)
        token = page.nextPageToken
    assert len(set(seen)) == 30


def test_pyyoutube_reads_videos_with_all_their_parts(pyyoutube: Make, some_ids: Ids) -> None:
    ids = some_ids(20)
    items = pyyoutube("key-one").videos.list(video_id=[*ids, NEVER_ISSUED]).items
    assert [item.id for item in items] == ids
    for item in items:
        assert item.snippet.title
        assert item.snippet.thumbnails.default.url
        assert item.statistics.viewCount is not None
        assert item.contentDetails.get_video_seconds_duration() > 0
        assert item.status.privacyStatus == "public"
        assert item.snippet.string_to_datetime(item.snippet.publishedAt).tzinfo is not None


def test_pyyoutube_reads_charts_and_categories(pyyoutube: Make) -> None:
    ours = pyyoutube("key-one")
    chart = ours.videos.list(parts="snippet", chart="mostPopular", region_code="US", max_results=7)
    assert len(chart.items) == 7
    names = {item.id: item.snippet.title for item in ours.videoCategories.list(region_code="US").items}
    assert {item.snippet.categoryId for item in chart.items} <= set(names)
    assert ours.videoCategories.list(category_id=["10"]).items[0].snippet.title == names["10"]


def test_pyyoutube_reads_channels_by_id_and_handle(pyyoutube: Make, channels: list[str]) -> None:
    ours = pyyoutube("key-one")
    items = ours.channels.list(channel_id=channels).items
    assert {item.id for item in items} == set(channels)
    one = items[0]
    assert one.contentDetails.relatedPlaylists.uploads == "UU" + one.id[2:]
    assert int(one.statistics.videoCount) > 0
    assert one.snippet.customUrl.startswith("@")
    assert ours.channels.list(for_handle=one.snippet.customUrl).items[0].id == one.id
    assert ours.channels.list(for_handle=one.snippet.customUrl[1:]).items[0].id == one.id
    assert not ours.channels.list(for_username="google").items


def test_pyyoutube_reads_playlist_items(pyyoutube: Make, channels: list[str]) -> None:
    ours = pyyoutube("key-one")
    listed = ours.playlistItems.list(playlist_id="UU" + channels[0][2:], max_results=50)
    assert [item.snippet.position for item in listed.items] == list(range(len(listed.items)))
    first = listed.items[0]
    assert first.contentDetails.videoId == first.snippet.resourceId.videoId
    again = ours.playlistItems.list(playlist_item_id=[first.id])
    assert again.items[0].to_json() == first.to_json()
    only = ours.playlistItems.list(playlist_id="UU" + channels[0][2:], video_id=first.contentDetails.videoId)
    assert [item.id for item in only.items] == [first.id]


def test_the_older_pyyoutube_pages_by_itself(api: Any, channels: list[str], some_ids: Ids) -> None:
    info = api.get_channel_info(channel_id=channels[0]).items[0]
    total = int(info.statistics.videoCount)
    assert len(api.get_playlist_items(playlist_id="UU" + channels[0][2:], count=None).items) == total
    assert len(api.search_by_keywords(q="music", search_type="video", count=60, limit=25).items) == 60
    assert len(api.search(channel_id=channels[0], search_type="video", order="date", count=3).items) == 3
    assert [item.id for item in api.get_video_by_id(video_id=some_ids(3)).items]
    assert len(api.get_videos_by_chart(chart="mostPopular", region_code="US", count=12).items) == 12
    assert api.get_video_categories(region_code="DE").items
    assert api.get_channel_info(for_handle=info.snippet.customUrl).items[0].id == channels[0]
    item = api.get_playlist_items(playlist_id="UU" + channels[0][2:], count=1).items[0]
    assert api.get_playlist_item_by_id(playlist_item_id=item.id).items[0].id == item.id


@pytest.mark.parametrize(
    ("key", "call", "status", "said"),
    [
        ("junk", lambda c: c.videos.list(video_id=NEVER_ISSUED), 400, "API key not valid"),
        ("key-one", lambda c: c.videos.list(parts="id", chart="mostPopular", video_category_id="27"), 404, "not found"),
        ("key-one", lambda c: c.playlistItems.list(playlist_id="UU" + "A" * 22), 404, "cannot be found"),
        ("key-one", lambda c: c.search.list(parts="snippet", page_token="rubbish"), 400, "invalid page token"),  # noqa: S106  of a page
        ("key-one", lambda c: c.videos.list(parts="id", video_id=[NEVER_ISSUED] * 51), 400, "invalid filter"),
        ("key-one", lambda c: c.search.list(parts="snippet", type="song"), 400, "song"),
    ],
)
def test_pyyoutube_understands_refusals(pyyoutube: Make, key: str, call: Any, status: int, said: str) -> None:
    with pytest.raises(PyYouTubeException) as caught:
        call(pyyoutube(key))
    assert caught.value.status_code == status
    assert said in str(caught.value.message)


def test_pyyoutube_understands_spent_quota(pyyoutube: Make, control: SimulatorControl) -> None:
    control.advance(timedelta(days=400))
    ours = pyyoutube("small")
    for _ in range(2):
        ours.videos.list(parts="id", video_id=NEVER_ISSUED)
        ours.search.list(parts="snippet", q="music")
    with pytest.raises(PyYouTubeException) as general:
        ours.videos.list(parts="id", video_id=NEVER_ISSUED)
    assert (general.value.status_code, "quota" in str(general.value.message)) == (403, True)
    with pytest.raises(PyYouTubeException) as search:
        ours.search.list(parts="snippet", q="music")
    assert (search.value.status_code, "per day" in str(search.value.message)) == (429, True)


def test_pyyoutube_subscribes_at_the_hub(
    pyyoutube: Make, control: SimulatorControl, subscriber: Any, channels: list[str]
) -> None:
    """Somebody else's subscription request, our hub, and back."""
    begin = control.now()
    uploads = control.uploads(begin, begin + timedelta(days=2))
    busy = max(channels, key=[channel for _, channel, _ in uploads].count)
    ours = pyyoutube("key-one")
    assert ours.subscribe_push_notification(busy, subscriber.callback, lease_seconds=86_400 * 3, secret="s" * 20)
    assert control.deliver()["verified"] == 1
    assert subscriber.verifications[0]["hub.lease_seconds"] == "259200"
    control.advance(timedelta(days=2))
    assert control.deliver()["delivered"] == len(subscriber.notices) > 0
    assert ours.subscribe_push_notification(busy, subscriber.callback, mode="unsubscribe")
    assert control.deliver()["verified"] == 1
    assert control.hub()["subscriptions"] == 0


def test_pyyoutube_reports_what_the_hub_refuses(pyyoutube: Make, subscriber: Any) -> None:
    """The hub answers in plain text, which python-youtube takes for JSON: its users see a decoding error."""
    with pytest.raises(ValueError, match="Expecting value"):
        pyyoutube("key-one").subscribe_push_notification("no channel", subscriber.callback)


# --- youtubeaio


@pytest.fixture
def aio(base_url: str) -> Iterator[Callable[..., Any]]:
    """Runs a coroutine function on a youtubeaio client with a token."""

    def run(act: Callable[[YouTube], Any], token: str = "key-one") -> Any:  # noqa: S107  the simulator's own
        async def whole() -> Any:
            async with YouTube() as youtube:
                youtube.base_url = f"{base_url}/youtube/v3/"
                await youtube.set_user_authentication(token, [AuthScope.READ_ONLY])
                return await act(youtube)

        return asyncio.run(whole())

    yield run
    # What the client left is collected here, and not in the middle of somebody else's test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def all_of(generator: Any) -> list[Any]:
    return [item async for item in generator]


def test_youtubeaio_reads_videos(aio: Callable[..., Any], some_ids: Ids, control: SimulatorControl) -> None:
    ids = some_ids(50)
    videos = aio(lambda youtube: all_of(youtube.get_videos([*ids[:49], NEVER_ISSUED])))
    assert [video.video_id for video in videos] == ids[:49]
    assert all(video.snippet.published_at <= control.now() for video in videos)
    assert all(video.snippet.thumbnails.get_highest_quality().width == 1_280 for video in videos)
    assert aio(lambda youtube: youtube.get_video(ids[0])).snippet.title
    assert aio(lambda youtube: youtube.get_video(NEVER_ISSUED)) is None


def test_youtubeaio_reads_channels_and_their_uploads(aio: Callable[..., Any], channels: list[str]) -> None:
    found = aio(lambda youtube: all_of(youtube.get_channels([*channels, NO_CHANNEL])))
    assert {channel.channel_id for channel in found} == set(channels)
    first = found[0]
    assert first.content_details.related_playlists.uploads == first.upload_playlist_id
    assert not first.statistics.subscriber_count_hidden
    items = aio(lambda youtube: all_of(youtube.get_playlist_items(first.upload_playlist_id)))
    assert len(items) == len({item.content_details.video_id for item in items}) == first.statistics.video_count
    assert aio(lambda youtube: all_of(youtube.get_channels([NO_CHANNEL]))) == []


def test_youtubeaio_pages_to_the_end(aio: Callable[..., Any], channels: list[str]) -> None:
    playlist = "UU" + channels[0][2:]
    one, fifty = (aio(lambda youtube, n=n: all_of(youtube.get_playlist_items(playlist, n))) for n in (7, 50))
    assert [item.playlist_item_id for item in one] == [item.playlist_item_id for item in fifty]


@pytest.mark.parametrize(
    ("act", "token", "error"),
    [
        (lambda y: y.get_video(NEVER_ISSUED), "junk", UnauthorizedError),
        (lambda y: all_of(y.get_playlist_items("UU" + "A" * 22)), "key-one", YouTubeResourceNotFoundError),
        (lambda y: all_of(y.get_videos([NEVER_ISSUED] * 51)), "key-one", YouTubeAPIError),
    ],
)
def test_youtubeaio_understands_refusals(aio: Callable[..., Any], act: Any, token: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        aio(act, token)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("general_spent", ForbiddenError),
        ("api_not_enabled", ForbiddenError),
        ("per_minute", YouTubeAPIError),
        ("internal_error", YouTubeBackendError),
    ],
)
def test_youtubeaio_understands_faults(
    aio: Callable[..., Any], control: SimulatorControl, name: str, error: type[Exception]
) -> None:
    control.set_faults(FaultPlan((Fault(error=name),)))
    with pytest.raises(error) as caught:
        aio(lambda youtube: youtube.get_video(NEVER_ISSUED))
    assert type(caught.value) is error
