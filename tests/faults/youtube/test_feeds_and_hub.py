"""Feeds and the hub over HTTP: no key ever, every fault one error in time, good entries of a bad document stay."""

from __future__ import annotations

import contextlib
import gzip
import logging
import threading
from urllib.parse import parse_qs

import pytest
from support.faulty import CANARY, FAULTS, HOLD, deadline_s, everything_said
from support.feeds import CHANNEL, IDS, document, entry
from support.loopback import Answer, Loopback, reply, serve

from pleiades_core.errors import (
    ApiError,
    BackendError,
    BadReply,
    BadRequest,
    ConfigurationError,
    RateLimited,
    ReplyTooLarge,
    ResourceMissing,
)  # fmt: skip
from pleiades_core.models import ChannelId
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.hub import Hub, topic_of

CHANNEL_ID = ChannelId(CHANNEL)
CALLBACK = "https://example.org/push/x?token=t&more=1"
GOOD = document(entry(IDS[0], views="7"), entry("bad"), entry(IDS[1]))

#: The answer and what it means to a reader of feeds, and to a subscriber of the hub.
STATUSES: dict[str, tuple[Answer, type[ApiError], type[ApiError]]] = {
    "404": (reply(404, b"<html>Error 404</html>"), ResourceMissing, ResourceMissing),
    "410": (reply(410), ResourceMissing, ResourceMissing),
    "429": (reply(429, headers=(("Retry-After", "7"),)), RateLimited, RateLimited),
    "400": (reply(400, b"no such topic"), BadReply, BadRequest),
    "403": (reply(403), BadReply, BadRequest),
    "408": (reply(408), BackendError, BackendError),
    "500": (reply(500), BackendError, BackendError),
    "204 or 201": (reply(201), BadReply, BadReply),
    "302": (reply(302, headers=(("Location", "https://consent.youtube.com/"),)), BadReply, BadReply),
}
#: Faults of the API's list of rows or of its errors mean nothing here.
_OF_THE_API = {"400 echoing the key", "503 echoing the key"}
#: With 200 a hub has not accepted; with any body a feed is none.
TRANSPORT = {name: fault for name, fault in FAULTS.items() if name not in _OF_THE_API}


def outcome(ask: object) -> ApiError:
    """The error that a question ends in."""
    with pytest.raises(ApiError) as caught:
        ask()  # type: ignore[operator]
    return caught.value


@pytest.mark.parametrize("name", TRANSPORT)
def test_every_fault_of_a_feed_is_one_error_in_time(name: str) -> None:
    """Sent once: whether to ask again is not for here to say."""
    answer, expected = TRANSPORT[name]
    with serve(answer) as server, contextlib.closing(Feeds(server.base_url, deadline_s(name))) as feeds:
        error = outcome(lambda: feeds.read(CHANNEL_ID))
        assert type(error) in {expected, BadReply} if expected is ReplyTooLarge else type(error) is expected
        assert len(server.requests) == 1 or name in HOLD, "a deadline may pass before anything is sent"
        assert "127.0.0.1" not in str(error) + error.cure


@pytest.mark.parametrize("name", TRANSPORT)
def test_every_fault_of_the_hub_is_one_error_in_time_and_without_the_secret(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer, expected = TRANSPORT[name]
    caplog.set_level(logging.DEBUG)
    accepted = name == "204"
    with serve(answer) as server, contextlib.closing(Hub(server.base_url, deadline_s(name))) as hub:
        if accepted:
            hub.subscribe(CHANNEL_ID, CALLBACK, CANARY, 60)
            return
        error = outcome(lambda: hub.subscribe(CHANNEL_ID, CALLBACK, CANARY, 60))
    assert isinstance(error, expected | BadReply)
    assert CANARY not in everything_said(error, but=__file__) + caplog.text


@pytest.mark.parametrize("name", STATUSES)
def test_what_a_status_means(name: str) -> None:
    answer, of_a_feed, of_the_hub = STATUSES[name]
    with serve(answer) as server:
        with contextlib.closing(Feeds(server.base_url, 30)) as feeds:
            error = outcome(lambda: feeds.read(CHANNEL_ID))
            assert (type(error), bool(error.cure)) == (of_a_feed, True)
        with contextlib.closing(Hub(server.base_url, 30)) as hub:
            error = outcome(lambda: hub.subscribe(CHANNEL_ID, CALLBACK, CANARY, 60))
            assert (type(error), bool(error.cure)) == (of_the_hub, True)
    if isinstance(error, RateLimited):
        assert error.retry_after == 7.0


def headers(server: Loopback) -> list[str]:
    """The head of the last request, line by line."""
    return server.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")


def test_a_feed_is_asked_for_without_a_key() -> None:
    """Compressed if the server likes; what is good of it comes back, and what is bad is named."""
    packed = reply(200, gzip.compress(GOOD), headers=(("Content-Encoding", "gzip"),))
    with serve(packed, reply(200, GOOD)) as server, contextlib.closing(Feeds(server.base_url + "/", 30)) as feeds:
        for _ in range(2):
            feed = feeds.read(CHANNEL_ID)
            assert [one.video_id for one in feed.entries] == list(IDS[:2])
            assert [one.reason for one in feed.rejected] == ["no video id"]
        first, *rest = headers(server)
        assert first == f"GET /feeds/videos.xml?channel_id={CHANNEL} HTTP/1.1"
        assert "Accept-Encoding: gzip" in rest
        assert any(line.startswith("User-Agent: pleiades") and "gzip" in line for line in rest)
        assert not any(line.lower().startswith(("x-goog-api-key", "authorization", "cookie")) for line in rest)
        assert server.connections == 1


def test_threads_share_a_few_connections() -> None:
    with serve(reply(200, GOOD)) as server, contextlib.closing(Feeds(server.base_url, 30)) as feeds:
        found: list[int] = []

        def read() -> None:
            found.extend(len(feeds.read(CHANNEL_ID).entries) for _ in range(25))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [2] * 100
        assert server.connections <= 4


def test_a_feed_larger_than_any_is_not_unpacked() -> None:
    bomb = reply(200, gzip.compress(b" " * 30_000_000), headers=(("Content-Encoding", "gzip"),))
    with serve(bomb) as server, contextlib.closing(Feeds(server.base_url, 30)) as feeds:
        assert isinstance(outcome(lambda: feeds.read(CHANNEL_ID)), ReplyTooLarge)


def test_the_form_that_a_hub_takes() -> None:
    with serve(reply(202)) as server, contextlib.closing(Hub(server.base_url + "/hub", 30)) as hub:
        hub.subscribe(CHANNEL_ID, CALLBACK, CANARY, 432_000)
        first, *rest = headers(server)
        assert first == "POST /hub/subscribe HTTP/1.1"
        assert "Content-Type: application/x-www-form-urlencoded" in rest
        assert parse_qs(server.requests[-1].partition(b"\r\n\r\n")[2].decode()) == {
            "hub.mode": ["subscribe"], "hub.topic": [topic_of(CHANNEL_ID)], "hub.callback": [CALLBACK],
            "hub.verify": ["async"], "hub.secret": [CANARY], "hub.lease_seconds": ["432000"],
        }  # fmt: skip


@pytest.mark.parametrize(("kind", "setting"), [(Feeds, "PLEIADES_YOUTUBE_FEEDS_URL"), (Hub, "PLEIADES_YOUTUBE_HUB_URL")])
def test_an_address_that_is_none_names_its_own_setting(kind: type[Feeds | Hub], setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        kind("ftp://x", 1)
