"""The WebSub hub of YouTube's feeds: requesting subscriptions, and checking the signatures of notices.

Belongs here: the form that a hub takes, the topic of a channel, signatures. Does not belong here: the receiver of notices
(discover/push/receiver.py), which channels to subscribe to and when again (discover/push/subscriptions.py), the content of a
notice (atom.py). W3C Recommendation WebSub, 23 January 2018; developers.google.com/youtube/v3/guides/push_notifications (read
2026-11-22).
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
from pleiades_core.youtube.keyless_client import KeylessClient, refusal

#: A longer lease is not believed.
LONGEST_LEASE = timedelta(days=20)
_SETTING = "PLEIADES_YOUTUBE_HUB_URL"
#: A hub's answer is empty or a sentence.
_MAX_BODY_BYTES = 64 * 1024
#: 202: the hub will verify. 204: it has verified, in hubs older than WebSub.
_ACCEPTED = {202, 204}
_TOPIC = "https://www.youtube.com/xml/feeds/videos.xml?channel_id="
#: Google's guide names the first spelling since 2026 and notices still come with the other.
_TOPICS = re.compile(r"https?://(?:www\.)?youtube\.com/(?:xml/)?feeds/videos\.xml\?channel_id=(UC[A-Za-z0-9_-]{22})")
#: The methods that WebSub names; a longest digest has 128 digits.
_METHODS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_SIGNATURE = re.compile("(sha1|sha256|sha384|sha512)=([0-9a-f]{40,128})", re.IGNORECASE)


class Hub:
    """A client of one hub. Safe to share between threads. A subscription counts only once the hub has called back to verify."""

    def __init__(self, base_url: str, deadline_s: float) -> None:
        self._client = KeylessClient(base_url, deadline_s, max_body_bytes=_MAX_BODY_BYTES, setting=_SETTING)

    def subscribe(self, channel_id: ChannelId, callback: str, secret: str, lease_s: int) -> None:
        """Request the notices of a channel.

        Args:
            channel_id: the channel.
            callback: address to which the hub sends notices.
            secret: signs them.
            lease_s: seconds for which the hub sends them.

        Raises:
            BackendError: no whole answer came.
            RateLimited: the hub demands a pause.
            BadReply: the answer is no HTTP, or is a redirect.
            BadRequest: the hub refuses the form. No error has the secret in it.
            ResourceMissing: there is no hub at the address.
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
        reply = self._client.request("POST", "/subscribe", headers, form)
        if reply.status not in _ACCEPTED:
            raise refusal("the hub", _SETTING, reply, datetime.now(UTC))

    def close(self) -> None:
        """Close every idle connection."""
        self._client.close()


def topic_of(channel_id: ChannelId) -> str:
    """The address that stands for a channel's feed between subscriber and hub."""
    return _TOPIC + channel_id


def channel_of_topic(text: str) -> ChannelId | None:
    """The channel of a topic in any spelling that YouTube uses; None for anything else."""
    found = _TOPICS.fullmatch(text)
    return ChannelId(found[1]) if found and is_channel_id(found[1]) else None


def signature_is_valid(header: str | None, body: bytes, secret: bytes) -> bool:
    """Compare the signature of a notice with its body. Takes the same time whatever the signature is.

    Args:
        header: X-Hub-Signature, such as `sha256=…`; None: there was none.
        body: the notice.
        secret: of the subscription.

    Returns:
        True if the signature is that of the body under the secret.
    """
    found = _SIGNATURE.fullmatch(header.strip()) if header is not None else None
    if not found or not secret:
        return False
    expected = hmac.new(secret, body, _METHODS[found[1].lower()]).hexdigest()
    return hmac.compare_digest(expected, found[2].lower())
