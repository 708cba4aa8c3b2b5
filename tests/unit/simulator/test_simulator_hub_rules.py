"""The hub's rules without a network: what is refused, leases, and the fate of notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.config import SimulatorConfig
from pleiades_core.simulator.feeds.atom import topic_of
from pleiades_core.simulator.feeds.hub import LONGEST_LEASE_S, HubBehaviour, SimulatedHub, SimulatedNotice, Unacceptable
from pleiades_core.simulator.world.chance import Chance
from pleiades_core.simulator.world.synthetic import SyntheticSize, synthetic_world

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
WORLD = synthetic_world(SyntheticSize(videos=3_000, start=START, channels=60, days_ahead=10, uploads_per_day=200), seed=4)
CHANNELS = WORLD.channel_ids()
CALLBACK = "http://127.0.0.1:8478/push"
PERFECT = HubBehaviour(median_delay_s=0.0, delay_sigma=0.0, lost=0.0, doubled=0.0, never_verified=0.0)
DAY = timedelta(days=1)


def hub_of(behaviour: HubBehaviour = PERFECT, seed: int = 1) -> SimulatedHub:
    return SimulatedHub(WORLD, behaviour, Chance(seed), START)


def form(channel_id: str, **more: str) -> dict[str, str]:
    whole = {"callback": CALLBACK, "mode": "subscribe", "topic": topic_of(channel_id), "verify": "async"} | more  # type: ignore[arg-type]
    return {f"hub.{name}": value for name, value in whole.items()}


def subscribe(hub: SimulatedHub, channel_id: str, now: datetime = START, **more: str) -> None:
    request = hub.ask(form(channel_id, **more), now)
    hub.settle(request, echoed=True)


def told(hub: SimulatedHub, now: datetime) -> list[SimulatedNotice]:
    hub.schedule(now)
    return hub.due(now)


def published(channel_id: str, since: datetime, until: datetime) -> list[str]:
    return [one.video_id for one in WORLD.happenings(since, until) if (one.channel_id, one.kind) == (channel_id, "published")]


BUSY = max(CHANNELS, key=lambda channel_id: len(published(channel_id, START, START + 10 * DAY)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "publish"},
        {"mode": ""},
        {"topic": "https://example.com/feed"},
        {"topic": "https://www.youtube.com/feeds/videos.xml?channel_id=UCshort"},
        {"topic": "https://www.youtube.com/feeds/videos.xml?playlist_id=UU" + "A" * 22},
        {"callback": ""},
        {"callback": "https://example.com/push"},
        {"callback": "http://example.com/push"},
        {"callback": "http://127.0.0.1.example.com/push"},
        {"callback": "http://127.0.0.1@example.com/push"},
        {"callback": "http://127.0.0.1:99999/push"},
        {"callback": "http://127.0.0.1:80/push#part"},
        {"callback": "http://127.0.0.1:80/push\r\nX: y"},
        {"callback": "http://127.0.0.1/" + "a" * 3_000},
        {"secret": "s" * 200},
        {"lease_seconds": "soon"},
        {"lease_seconds": "-1"},
        {"lease_seconds": "0"},
        {"lease_seconds": "9" * 40},
    ],
)
def test_requests_that_cannot_be_are_refused_with_a_reason(wrong: dict[str, str]) -> None:
    hub = hub_of()
    with pytest.raises(Unacceptable, match=r"hub\."):
        hub.ask(form(BUSY, **wrong), START)
    assert not hub.waiting


@pytest.mark.parametrize(
    "topic",
    [
        "https://www.youtube.com/xml/feeds/videos.xml?channel_id={}",
        "https://www.youtube.com/feeds/videos.xml?channel_id={}",
        "http://www.youtube.com/xml/feeds/videos.xml?channel_id={}",
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_old_and_new_topics_and_every_loopback_are_accepted(topic: str, host: str) -> None:
    hub = hub_of()
    request = hub.ask(form(BUSY, topic=topic.format(BUSY), callback=f"http://{host}:8478/push?of=me"), START)
    assert request.channel_id == BUSY
    assert request.lease_s == LONGEST_LEASE_S


def test_nothing_is_told_before_the_echo() -> None:
    hub = hub_of()
    request = hub.ask(form(BUSY), START)
    assert told(hub, START + DAY) == []
    hub.settle(request, echoed=False)
    assert told(hub, START + 2 * DAY) == []
    assert hub.state(START)["unverified"] == 1


def test_a_subscriber_is_told_of_everything_once() -> None:
    hub = hub_of()
    subscribe(hub, BUSY)
    notices = [notice for hours in range(1, 73) for notice in told(hub, START + timedelta(hours=hours))]
    assert [n.video_id for n in notices if n.kind == "published"] == published(BUSY, START, START + 3 * DAY)
    assert told(hub, START + 3 * DAY) == []


def test_deletions_are_told_too() -> None:
    hub = hub_of()
    for channel_id in CHANNELS:
        subscribe(hub, channel_id)
    gone = {n.video_id for n in told(hub, START + 4 * DAY) if n.kind == "deleted"}
    assert gone
    assert all(WORLD.truth(video_id, START + 4 * DAY).state == "deleted" for video_id in gone)


@given(st.integers(1, 2 * LONGEST_LEASE_S), st.integers(0, 9 * 24))
def test_a_lease_ends_after_what_was_asked_and_five_days_at_most(lease_s: int, hours: int) -> None:
    hub = hub_of()
    subscribe(hub, BUSY, lease_seconds=str(lease_s))
    until = START + timedelta(seconds=min(lease_s, LONGEST_LEASE_S))
    now = START + timedelta(hours=hours)
    assert [n.video_id for n in told(hub, now) if n.kind == "published"] == published(BUSY, START, min(now, until))
    assert hub.state(now)["subscriptions"] == (now < until)


def test_a_renewal_leaves_no_gap_and_a_late_one_does() -> None:
    kept, lapsed = hub_of(), hub_of()
    for hub, renewed in ((kept, START + 4 * DAY), (lapsed, START + 6 * DAY)):
        subscribe(hub, BUSY)
        subscribe(hub, BUSY, renewed)
    end = START + 8 * DAY
    assert [n.video_id for n in told(kept, end) if n.kind == "published"] == published(BUSY, START, end)
    assert [n.video_id for n in told(lapsed, end) if n.kind == "published"] == published(BUSY, START + 6 * DAY, end)


def test_after_unsubscribing_nothing_comes() -> None:
    hub = hub_of()
    subscribe(hub, BUSY)
    assert told(hub, START + DAY)
    subscribe(hub, BUSY, START + DAY, mode="unsubscribe")
    assert told(hub, START + 3 * DAY) == []
    assert hub.state(START)["subscriptions"] == 0


def test_a_second_request_replaces_the_first() -> None:
    hub = hub_of()
    first, second = (hub.ask(form(BUSY, secret=secret), START) for secret in ("one", "two"))
    hub.settle(first, echoed=True)
    assert hub.secret_of(first.address) == b""
    hub.settle(second, echoed=True)
    assert hub.secret_of(first.address) == b"two"


def test_losses_doubles_delays_and_stuck_channels_have_their_shares() -> None:
    behaviour = HubBehaviour(lost=0.1, doubled=0.2, never_verified=0.3)
    hub = hub_of(behaviour)
    stuck = 0
    for channel_id in CHANNELS:
        request = hub.ask(form(channel_id), START)
        stuck += hub.never_verifies(request)
        hub.settle(request, echoed=True)
    assert 0.15 < stuck / len(CHANNELS) < 0.45
    notices = told(hub, START + 4.5 * DAY)
    state = hub.state(START)
    happened = state["lost"] + len(notices) - state["doubled"] + state["pending"]
    assert 0.07 < state["lost"] / happened < 0.13
    assert 0.15 < state["doubled"] / (happened - state["lost"]) < 0.25
    delays = sorted(n.due_s - n.happened_s for n in notices)
    assert 45 < delays[len(delays) // 2] < 80
    assert delays[0] > 0
    again = hub_of(behaviour)
    for channel_id in CHANNELS:
        subscribe(again, channel_id)
    assert [n[:1] + n[2:] for n in told(again, START + 4.5 * DAY)] == [n[:1] + n[2:] for n in notices]


def test_a_refused_notice_comes_again_later_and_is_dropped_in_the_end() -> None:
    hub = hub_of(HubBehaviour(lost=0, doubled=0, never_verified=0, retries=2, retry_after_s=300))
    subscribe(hub, BUSY)
    now = START + DAY
    (notice, *rest) = told(hub, now)
    for other in rest:
        hub.answered(other, accepted=True, now=now)
    waits = []
    while True:
        hub.answered(notice, accepted=False, now=now)
        if not hub.state(now)["pending"] or hub.counted["dropped"]:
            break
        for minutes in range(1, 60):
            again = told(hub, now + timedelta(minutes=minutes))
            if notice.video_id in {n.video_id for n in again}:
                waits.append(minutes)
                notice = next(n for n in again if n.video_id == notice.video_id)
                now += timedelta(minutes=minutes)
                break
    assert waits == [5, 10]
    assert (hub.counted["failed"], hub.counted["dropped"]) == (3, 1)


def test_a_clock_that_goes_back_tells_nothing_twice() -> None:
    hub = hub_of()
    subscribe(hub, BUSY)
    first = told(hub, START + 2 * DAY)
    assert first
    assert told(hub, START + DAY) == []
    assert told(hub, START + 2 * DAY) == []


@pytest.mark.parametrize("wrong", [{"lost": 1.1}, {"doubled": -0.1}, {"median_delay_s": float("inf")}, {"connections": 0}])
def test_a_hub_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        HubBehaviour(**wrong)  # type: ignore[arg-type]


def test_a_configuration_survives_its_json() -> None:
    config = SimulatorConfig(
        videos=5, channels=3, start=START, calls_per_minute=9, feed_lag_s=4.5, compress=True,
        hub=HubBehaviour(lost=0.5, retries=0),
    )  # fmt: skip
    assert SimulatorConfig.from_json(config.to_json()) == config
    assert SimulatorConfig.from_json(SimulatorConfig().to_json()) == SimulatorConfig()
