"""The WebSub hub of YouTube's feeds: asking for subscriptions, and knowing its notices from others'.

Belongs here: the form that a hub takes, the topic of a channel, signatures. Does not belong here: the receiver of notices
(discover/push/receiver.py), whom to subscribe to and when again (discover/push/subscriptions.py), what a notice says (atom.py).
W3C Recommendation WebSub, 23 January 2018; developers.google.com/youtube/v3/guides/push_notifications (read 2026-11-22).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from pydantic import SecretBytes

from pleiades_core.models import ChannelId
from pleiades_core.videoid import is_channel_id
from pleiades_core.youtube.keyless_client import Lines, refusal

#: No hub is believed to know further ahead.
LONGEST_LEASE = timedelta(days=20)
_SETTING = "PLEIADES_YOUTUBE_HUB_URL"
#: A hub says nothing, or a sentence.
_MAX_BODY_BYTES = 64 * 1024
#: 202: it will verify. 204: it has verified, as hubs older than WebSub say.
_ACCEPTED = {202, 204}
_TOPIC = "https://www.youtube.com/xml/feeds/videos.xml?channel_id="
#: Google's guide names the first spelling since 2026 and notices still come with the other.
_TOPICS = re.compile(r"https?://(?:www\.)?youtube\.com/(?:xml/)?feeds/videos\.xml\?channel_id=(UC[A-Za-z0-9_-]{22})")
#: The methods that WebSub names; a longest digest has 128 digits.
_METHODS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_SIGNATURE = re.compile("(sha1|sha256|sha384|sha512)=([0-9a-f]{40,128})", re.IGNORECASE)


class Hub:
    """Asks one hub. Safe to share between threads. That it accepted a question says nothing: it calls back to verify."""

    def __init__(self, base_url: str, deadline_s: float) -> None:
        self._lines = Lines(base_url, deadline_s, max_body_bytes=_MAX_BODY_BYTES, setting=_SETTING)

    def subscribe(self, channel_id: ChannelId, callback: str, secret: str, lease_s: int) -> None:
        """Ask for the notices of a channel at the address `callback`, signed with `secret`, for `lease_s` seconds.

        Raises BackendError, RateLimited, BadReply, BadRequest or ResourceMissing, none of which holds the secret.
        """
        form = SecretBytes(
            urlencode(
                {
                    "hub.mode": "subscribe", "hub.topic": topic_of(channel_id), "hub.callback": callback,
                    "hub.verify": "async", "hub.secret": secret, "hub.lease_seconds": str(lease_s),
                }
            ).encode("ascii")
        )  # fmt: skip
        # A traceback keeps its frames' variables.
        del secret
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = self._lines.request("POST", "/subscribe", headers, form)
        if reply.status not in _ACCEPTED:
            raise refusal("the hub", _SETTING, reply, datetime.now(UTC))

    def close(self) -> None:
        """Close every idle connection."""
        self._lines.close()


def topic_of(channel_id: ChannelId) -> str:
    """The address that stands for a channel's feed between subscriber and hub."""
    return _TOPIC + channel_id


def channel_of_topic(text: str) -> ChannelId | None:
    """The channel of a topic in any spelling that YouTube uses; None for anything else."""
    found = _TOPICS.fullmatch(text)
    return ChannelId(found[1]) if found and is_channel_id(found[1]) else None


def signature_is_valid(header: str | None, body: bytes, secret: bytes) -> bool:
    """True when an X-Hub-Signature header such as `sha256=…` is that of `body` under `secret`. Takes the same time for all."""
    found = _SIGNATURE.fullmatch(header.strip()) if header is not None else None
    if not found or not secret:
        return False
    expected = hmac.new(secret, body, _METHODS[found[1].lower()]).hexdigest()
    return hmac.compare_digest(expected, found[2].lower())
