"""YouTube through the simulator: what it says is what the world holds, and our ledger agrees with what it counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.simulators import Simulators

from pleiades_core.clock import ManualClock, pacific_day
from pleiades_core.errors import ApiError, BadRequest, KeyInvalid, QuotaExhausted, ResourceMissing
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.settings import Settings
from pleiades_core.simulator.api.quota import SimulatedKey
from pleiades_core.simulator.config import SimulatorConfig
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import CHART_CATEGORIES, YouTube, open_youtube
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.hub import Hub
from pleiades_core.youtube.keyring import State
from pleiades_core.youtube.quota import BUCKET_OF_METHOD

POOL = '[{"key": "no-such-key", "project": "p"}, {"key": "small-key", "project": "p"}]'


@pytest.fixture
def world(simulators: Simulators, tmp_path: Path, world_start: datetime) -> Iterator[SimulatorControl]:
    """A small world whose only project may search five times a day."""
    keys = (SimulatedKey(key="small-key", project="p", limits={"search": 5, "stats": 6}),)
    config = SimulatorConfig(videos=1_000, seed=3, start=world_start, keys=keys)
    with simulators.running(config, log_path=tmp_path / "simulator.log") as running:
        yield SimulatorControl(running.base_url)


@pytest.fixture
def youtube(
    world: SimulatorControl, database: Database, tmp_path: Path, world_start: datetime
) -> Iterator[tuple[YouTube, ManualClock]]:
    """YouTube with a wrong key before the right one, and its clock."""
    settings = Settings(home=tmp_path).changed(
        keys__pool=SecretStr(POOL), youtube__url=world.base_url, youtube__call_deadline_s=1.0
    )
    clock = ManualClock(world_start)
    # Back-off is tested elsewhere.
    with open_youtube(settings, database, clock, sleep=lambda _: None) as opened:
        yield opened, clock


def found(youtube: YouTube, world: SimulatorControl, now: datetime) -> list[VideoId]:
    """Ids of a page of search results."""
    term = world.world()["terms"][0]
    page = youtube.search(term, published_after=now - timedelta(days=300))
    return [candidate.video_id for candidate in page.candidates]


def test_every_question_is_answered_with_the_truth(
    world: SimulatorControl, youtube: tuple[YouTube, ManualClock], world_start: datetime
) -> None:
    """Details and both kinds of counts agree with the world; an id that never was is just absent."""
    asked, _ = youtube
    ids = found(asked, world, world_start)
    assert ids
    details, _ = asked.videos(ids)
    nowhere = VideoId("AAAAAAAAAAA")
    counts = {one.video_id: one for one in asked.stats([*ids[:49], nowhere])[0]}
    assert nowhere not in counts
    for one in details[:10]:
        truth = world.truth(one.video_id)
        expected = (truth["views"], truth["likes"], truth["comments"])
        assert (one.counts.views, one.counts.likes, one.counts.comments) == expected
        assert counts[one.video_id] == one.counts
        assert one.video_id in {candidate.video_id for candidate in asked.uploads(one.channel_id).candidates}
    assert {one.channel_id for one in asked.channels([one.channel_id for one in details])} == {o.channel_id for o in details}


def test_charts_handles_and_dates_are_those_of_the_world(
    world: SimulatorControl, youtube: tuple[YouTube, ManualClock], world_start: datetime
) -> None:
    """Search and uploads say when a video was published, and videos.list says the same."""
    asked, _ = youtube
    page = asked.search(world.world()["terms"][0], published_after=world_start - timedelta(days=300))
    details = {one.video_id: one for one in asked.videos([each.video_id for each in page.candidates])[0]}
    for candidate in page.candidates:
        if candidate.video_id in details:
            assert candidate.published_at == details[candidate.video_id].published_at
    one = next(iter(details.values()))
    (upload,) = (each for each in asked.uploads(one.channel_id).candidates if each.video_id == one.video_id)
    assert upload.published_at == one.published_at
    before = asked.search(None, published_before=world_start - timedelta(days=30), category=10, order="viewCount")
    assert all(each.published_at and each.published_at < world_start - timedelta(days=30) for each in before.candidates)
    charted = [detail for category in sorted(CHART_CATEGORIES) for detail in asked.chart("US", category).details]
    assert charted
    assert {detail.category_id for detail in charted} <= CHART_CATEGORIES
    assert asked.channel_of_handle("@no-such-handle-anywhere") is None


def test_feeds_and_hub_stand_at_the_same_address(
    world: SimulatorControl, youtube: tuple[YouTube, ManualClock], world_start: datetime
) -> None:
    """For no quota and without a key: the newest uploads, and a subscription accepted."""
    asked, _ = youtube
    channel_id = ChannelId(world.channels()[0])
    units = sum(row["units"] for row in world.ledger()["calls"])
    with contextlib.closing(Feeds(world.base_url, 5)) as feeds:
        feed = feeds.read(channel_id)
        assert 1 <= len(feed.entries) <= 15
        assert feed.rejected == ()
        for entry in feed.entries:
            assert entry.channel_id == channel_id
            assert entry.published_at <= world_start
        with pytest.raises(ResourceMissing):
            feeds.read(ChannelId("UCooVYzDxdwTtGYAkcPmOgOw"))
    with contextlib.closing(Hub(world.base_url, 5)) as hub:
        # Nobody listens there: the hub accepts, and will not come to verify.
        hub.subscribe(channel_id, "http://127.0.0.1:9/notices", "sixteen letters!", 432_000)
        with pytest.raises(BadRequest):
            hub.subscribe(channel_id, "not an address", "sixteen letters!", 432_000)
    assert sum(row["units"] for row in world.ledger()["calls"]) == units
    assert {entry.video_id for entry in feed.entries} <= {
        candidate.video_id for candidate in asked.uploads(channel_id).candidates
    }


def test_our_ledger_is_never_below_what_the_server_counted(
    world: SimulatorControl, youtube: tuple[YouTube, ManualClock], world_start: datetime
) -> None:
    """Through faults, spent buckets, a wrong key and a midnight: every call that was counted had been debited."""
    asked, clock = youtube
    ids = found(asked, world, world_start)
    world.set_faults(
        FaultPlan(
            faults=(
                Fault(method="videos.list", first=1, every=4, drop=True),
                Fault(method="videos.list", first=2, every=4, status=503),
                Fault(method="videos.batchGetStats", first=2, every=3, truncate=0.5),
                Fault(method="playlistItems.list", first=1, every=2, delay_s=1.5, last=1),
                Fault(method="search.list", first=2, every=2, status=500, body="<html>"),
            )
        )
    )
    refused: list[type[ApiError]] = []
    for turn in range(12):
        if turn == 6:
            clock.advance(timedelta(days=1))
            world.set(clock.now())
        for question in (
            lambda: found(asked, world, world_start),
            lambda: asked.stats(ids[:50]),
            lambda: asked.videos(ids[:3]),
            lambda: asked.uploads(asked.videos(ids[:1])[0][0].channel_id),
        ):
            try:
                question()
            except ApiError as error:
                refused.append(type(error))
    assert QuotaExhausted in refused
    assert KeyInvalid not in refused
    counted = {(row["bucket"], row["pacific_day"]): row["calls"] for row in world.ledger()["calls"]}
    assert len(counted) == 2 * len(set(BUCKET_OF_METHOD.values()))
    today = str(pacific_day(clock.now()))
    for row in asked.ledger.rows():
        assert row.spent >= counted[row.bucket, today]
        # One more than was counted only where a wrong key, which costs nothing, was tried first.
        assert row.spent <= counted[row.bucket, today] + 1
    assert asked.ring.states()[0].state is State.REFUSED
