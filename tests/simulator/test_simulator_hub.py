"""The hub over HTTP: subscriptions come by the wire alone, and notices arrive at a real server."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httplib2
import pytest
from lxml import etree

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.feeds.hub import HubBehaviour
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
PERFECT = HubBehaviour(median_delay_s=30, delay_sigma=0, lost=0, doubled=0, never_verified=0, retries=1, answer_timeout_s=2)
Ask = Callable[..., tuple[int, bytes]]

SECRET = "signs what the hub sends"  # noqa: S105  nobody else's
MINE = "goes back as it came"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[SimulatorControl]:
    """A simulator of its own: subscriptions outlive a test."""
    config = SimulatorConfig(videos=2_000, channels=20, uploads_per_day=150, days_ahead=8, start=START, hub=PERFECT)
    log = tmp_path / "log"
    with start_subprocess(config, log_path=log) as started:
        yield SimulatorControl(started.base_url)
    assert log.read_text() == ""


@pytest.fixture
def ask_at(subscriber: Any) -> Iterator[Callable[[str], Ask]]:
    """Sends a hub somewhere a request for a subscription: status and text of the answer."""
    http = httplib2.Http()

    def at(base_url: str) -> Ask:
        def asked(channel_id: str, **more: str) -> tuple[int, bytes]:
            form = {"mode": "subscribe", "topic": topic(channel_id), "callback": subscriber.callback, "verify": "async"}
            body = urlencode({f"hub.{name}": value for name, value in (form | more).items()})
            headers = {"content-type": "application/x-www-form-urlencoded"}
            response, text = http.request(f"{base_url}/subscribe", "POST", body=body, headers=headers)
            return response.status, text

        return asked

    yield at
    http.close()


@pytest.fixture
def ask(hub: SimulatorControl, ask_at: Callable[[str], Ask]) -> Ask:
    """The same, of `hub`."""
    return ask_at(hub.base_url)


def topic(channel_id: str) -> str:
    return f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={channel_id}"


def busiest(hub: SimulatorControl, days: int = 1) -> str:
    channels = [channel for _, channel, _ in hub.uploads(START, START + timedelta(days=days))]
    return max(set(channels), key=channels.count)


def uploads_of(hub: SimulatorControl, channel_id: str, until: datetime) -> list[str]:
    return [video for video, channel, _ in hub.uploads(START, until) if channel == channel_id]


def told(subscriber: Any) -> list[str]:
    names = {"yt": "http://www.youtube.com/xml/schemas/2015"}
    return [v.text for *_, body in subscriber.notices for v in etree.fromstring(body).findall(".//yt:videoId", names)]


def test_a_verified_subscriber_gets_signed_notices(hub: SimulatorControl, ask: Ask, subscriber: Any) -> None:
    channel = busiest(hub)
    assert ask(channel, secret=SECRET, lease_seconds="999999999") == (202, b"")
    assert hub.hub()["waiting"] == 1
    assert subscriber.verifications == []
    assert hub.deliver()["verified"] == 1
    (query,) = subscriber.verifications
    assert query.pop("hub.challenge")
    assert query == {"of": "pleiades", "hub.mode": "subscribe", "hub.topic": topic(channel), "hub.lease_seconds": "432000"}
    hub.set(START + timedelta(days=1))
    expected = uploads_of(hub, channel, START + timedelta(days=1) - timedelta(seconds=30))
    done = hub.deliver()
    assert done["delivered"] == len(subscriber.notices) >= len(expected) > 3
    assert sorted(told(subscriber)) == sorted(expected)
    for path, headers, body in subscriber.notices:
        assert path == "/push?of=pleiades"
        assert headers["content-type"] == "application/atom+xml"
        assert "rel=hub" in headers["link"]
        assert f"<{topic(channel)}>; rel=self" in headers["link"]
        assert headers["x-hub-signature"] == "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    assert hub.deliver()["delivered"] == 0


def test_without_the_echo_there_is_no_subscription(hub: SimulatorControl, ask: Ask, subscriber: Any) -> None:
    subscriber.echo = "something else"
    channel = busiest(hub)
    ask(channel)
    assert hub.deliver()["unverified"] == 1
    hub.advance(timedelta(days=1))
    assert hub.deliver()["delivered"] == 0
    assert subscriber.notices == []
    assert hub.hub()["subscriptions"] == 0


def test_a_request_may_wait_for_its_verification(hub: SimulatorControl, ask: Ask, subscriber: Any) -> None:
    channel = busiest(hub)
    assert ask(channel, verify="sync", verify_token=MINE)[0] == 204
    assert subscriber.verifications[0]["hub.verify_token"] == MINE
    subscriber.echo = "no"
    assert ask(channel, verify="sync", mode="unsubscribe")[0] == 409
    assert hub.hub()["subscriptions"] == 1


def test_wrong_requests_are_400_with_the_reason(hub: SimulatorControl, ask: Ask) -> None:
    status, text = ask(busiest(hub), topic="https://www.youtube.com/@somebody")
    assert (status, b"hub.topic" in text) == (400, True)
    status, text = ask(busiest(hub), callback="http://192.0.2.1/push")
    assert (status, b"hub.callback" in text) == (400, True)


def test_refused_notices_come_again_and_then_no_more(hub: SimulatorControl, ask: Ask, subscriber: Any) -> None:
    channel = busiest(hub)
    ask(channel)
    hub.deliver()
    hub.set(START + timedelta(days=1))
    subscriber.answers.extend([500] * 10_000)
    failed = hub.deliver()["failed"]
    assert failed > 3
    assert hub.deliver()["failed"] == 0
    hub.advance(timedelta(minutes=6))
    done = hub.deliver()
    assert done["dropped"] == failed
    subscriber.answers.clear()
    subscriber.notices.clear()
    hub.set(START + timedelta(days=2))
    assert hub.deliver()["failed"] == 0
    assert not set(told(subscriber)) & set(uploads_of(hub, channel, START + timedelta(days=1) - timedelta(minutes=2)))


def test_a_subscriber_that_closes_or_is_gone_does_not_stop_the_hub(hub: SimulatorControl, ask: Ask, subscriber: Any) -> None:
    channel = busiest(hub)
    subscriber.closes = True
    ask(channel)
    ask(channel, callback="http://127.0.0.1:9/nobody")
    assert hub.deliver() == {"verified": 1, "unverified": 1, "delivered": 0, "failed": 0, "dropped": 0, "lost": 0, "pending": 0}
    hub.set(START + timedelta(days=1))
    assert hub.deliver()["delivered"] == len(subscriber.notices) > 3


def test_deletions_arrive_as_tombstones(hub: SimulatorControl, ask: Ask, subscriber: Any) -> None:
    for channel in hub.channels():
        ask(channel)
    hub.deliver()
    hub.set(START + timedelta(days=4.9))
    hub.deliver()
    names = {"at": "http://purl.org/atompub/tombstones/1.0"}
    gone = [
        e.get("ref") for *_, body in subscriber.notices for e in etree.fromstring(body).findall(".//at:deleted-entry", names)
    ]
    assert gone
    for reference in gone:
        assert hub.truth(str(reference).removeprefix("yt:video:"))["state"] == "deleted"


def test_with_a_running_clock_notices_come_by_themselves(tmp_path: Path, ask_at: Callable[[str], Ask], subscriber: Any) -> None:
    config = SimulatorConfig(videos=2_000, channels=20, uploads_per_day=150, days_ahead=8, hub=PERFECT, rate=20_000.0)
    with start_subprocess(config, log_path=tmp_path / "running") as started:
        for channel in SimulatorControl(started.base_url).channels():
            ask_at(started.base_url)(channel)
        while len(subscriber.notices) < 3:
            time.sleep(0.05)
    assert (tmp_path / "running").read_text() == ""
