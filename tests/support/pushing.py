"""What tests of push share: channels, notices as YouTube writes them, and a caller that plays the hub."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from pleiades_core.clock import Clock
from pleiades_core.discover.push.callbacks import Callbacks, callbacks_of
from pleiades_core.discover.push.server import listening
from pleiades_core.models import ChannelId
from pleiades_core.settings import DemoSettings, Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.videoid import encode
from pleiades_core.web.connections import ConnectionLimits

#: The installation's.
SECRET = "a secret of the tests"  # noqa: S105  nobody else's
PUBLISHED = "2026-03-01T11:58:00+00:00"


def settings_of(home: Path, **more: object) -> DemoSettings:
    """Settings with push, on any free port."""
    given = {
        "push__callback_url": "https://pleiades.test/hub",
        "push__secret": SecretStr(SECRET),
        "push__port": 0,
    }
    return DemoSettings(home=home).changed(**{**given, **more})


@contextlib.contextmanager
def running(database: Database, clock: Clock, settings: Settings, limits: ConnectionLimits | None = None) -> Iterator[str]:
    """The receiver's address, for the length of a block."""
    with listening(database, clock, settings, limits=limits or ConnectionLimits()) as listener:
        yield listener.base_url


def channel(number: int) -> ChannelId:
    """A channel id, a different one for each number."""
    return ChannelId(f"UC{number:021d}A")


def video(number: int) -> str:
    """A video id, a different one for each number."""
    return encode(number * 2_654_435_761 % 2**63)


def follow(database: Database, *channels: ChannelId, asked_at: datetime | None = None, uploads_a_day: float = 0.5) -> None:
    """Follow channels."""
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into channels (channel_id, push_asked_at, uploads_a_day) values (%s, %s, %s)",
            [(channel_id, asked_at, uploads_a_day) for channel_id in channels],
        )


def atom(*entries: tuple[str, str], published: str = PUBLISHED) -> bytes:
    """A notice: video and channel of each entry."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom">'
        '<link rel="hub" href="https://pubsubhubbub.appspot.com"/><title>YouTube video feed</title>'
        f"<updated>{published}</updated>"
        + "".join(
            f"<entry><id>yt:video:{video_id}</id><yt:videoId>{video_id}</yt:videoId><yt:channelId>{channel_id}</yt:channelId>"
            f'<title>a title</title><link rel="alternate" href="https://www.youtube.com/watch?v={video_id}"/>'
            f"<author><name>somebody</name><uri>https://www.youtube.com/channel/{channel_id}</uri></author>"
            f"<published>{published}</published><updated>{published}</updated></entry>"
            for video_id, channel_id in entries
        )
        + "</feed>"
    ).encode()


class Caller:
    """Calls a receiver as the hub, or as somebody who claims to be it."""

    def __init__(self, base_url: str, callbacks: Callbacks) -> None:
        self.base_url = base_url
        self.callbacks = callbacks

    def call(
        self, verb: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case and body of the reply."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.base_url).netloc, timeout=30)
        try:
            connection.request(verb, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def path(self, channel_id: ChannelId) -> str:
        """The path of a channel's callback."""
        return urllib.parse.urlsplit(self.callbacks.address(channel_id)).path

    def notify(self, channel_id: ChannelId, body: bytes, *, algorithm: str = "sha1", secret: str | None = None) -> int:
        """The status that a signed notice is answered with."""
        key = self.callbacks.secret(channel_id) if secret is None else secret
        signature = f"{algorithm}={hmac.new(key.encode(), body, getattr(hashlib, algorithm)).hexdigest()}"
        headers = {"X-Hub-Signature": signature, "Content-Type": "application/atom+xml"}
        return self.call("POST", self.path(channel_id), body, headers)[0]

    def verify(self, channel_id: ChannelId, *, path: str | None = None, **fields: str) -> tuple[int, dict[str, str], bytes]:
        """The reply to the hub's question whether it was us; `fields` without `hub.`."""
        asked = {
            "mode": "subscribe", "challenge": "echo me", "lease_seconds": "432000",
            "topic": f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={channel_id}", **fields,
        }  # fmt: skip
        query = urllib.parse.urlencode({f"hub.{name}": value for name, value in asked.items()})
        return self.call("GET", f"{self.path(channel_id) if path is None else path}?{query}")


def caller_of(base_url: str, settings: Settings) -> Caller:
    """A caller that knows the installation's secrets."""
    return Caller(base_url, callbacks_of(settings))


def inbox(database: Database) -> list[tuple[object, ...]]:
    """Every row of the inbox."""
    with database.transaction() as connection:
        return connection.execute(
            "select source, id8, channel_id, published_at, received_at from inbox order by id8"
        ).fetchall()
