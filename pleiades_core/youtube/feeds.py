"""Atom feeds of channels: the newest 15 uploads each, for no quota and without a key, when the service is up.

Belongs here: where a feed is and what a status means. Does not belong here: XML (atom.py), whose feed is read and when
(discover/sources/feeds.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

from pleiades_core.errors import BadReply, BadRequest
from pleiades_core.models import ChannelId
from pleiades_core.youtube.atom import MAX_FEED_BYTES, Feed, parse_feed
from pleiades_core.youtube.keyless_client import KeylessClient, refusal

_SETTING = "PLEIADES_YOUTUBE_FEEDS_URL"
_OK = 200


class Feeds:
    """Reads feeds from one address. Safe to share between threads."""

    def __init__(self, base_url: str, deadline_s: float) -> None:
        self._client = KeylessClient(base_url, deadline_s, max_body_bytes=MAX_FEED_BYTES, setting=_SETTING)

    def read(self, channel_id: ChannelId) -> Feed:
        """Read the feed of a channel as it is now.

        Raises:
            ResourceMissing: there is no feed. In outages (January 2024, 2026) this was also the answer for channels that exist.
            BackendError: no whole answer came, or the service has an outage.
            RateLimited: the service demands a pause.
            BadReply: the answer is no feed.
        """
        path = f"/feeds/videos.xml?channel_id={channel_id}"
        reply = self._client.request("GET", path, {"Accept": "application/atom+xml, text/xml"})
        if reply.status == _OK:
            return parse_feed(reply.body)
        error = refusal("the feed", _SETTING, reply, datetime.now(UTC))
        if isinstance(error, BadRequest):
            # A consent page or a bot check, which another request would meet too.
            raise BadReply(str(error), cure=error.cure, status=error.status)
        raise error

    def close(self) -> None:
        """Close every idle connection."""
        self._client.close()
