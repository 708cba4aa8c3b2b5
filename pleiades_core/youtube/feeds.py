"""Atom feeds of channels: the newest 15 uploads each, for no quota and without a key, when the service is up.

Belongs here: where a feed is and what a status means. Does not belong here: XML (atom.py), whose feed is read and when
(discover/sources/feeds.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

from pleiades_core.errors import BadReply, BadRequest
from pleiades_core.models import ChannelId
from pleiades_core.youtube.atom import MAX_FEED_BYTES, Feed, parse_feed
from pleiades_core.youtube.keyless_client import Lines, refusal

_SETTING = "PLEIADES_YOUTUBE_FEEDS_URL"
_OK = 200


class Feeds:
    """Reads feeds from one address. Safe to share between threads."""

    def __init__(self, base_url: str, deadline_s: float) -> None:
        self._lines = Lines(base_url, deadline_s, max_body_bytes=MAX_FEED_BYTES, setting=_SETTING)

    def read(self, channel_id: ChannelId) -> Feed:
        """The feed of a channel as it is now.

        Raises ResourceMissing for a feed that is not there (in outages also of channels that are: facts of January 2024 and of
        2026), BackendError, RateLimited, or BadReply for what is no feed.
        """
        path = f"/feeds/videos.xml?channel_id={channel_id}"
        reply = self._lines.request("GET", path, {"Accept": "application/atom+xml, text/xml"})
        if reply.status == _OK:
            return parse_feed(reply.body)
        error = refusal("the feed", _SETTING, reply, datetime.now(UTC))
        if isinstance(error, BadRequest):
            # A consent page, a bot check: nothing that another question would cure.
            raise BadReply(str(error), cure=error.cure, status=error.status)
        raise error

    def close(self) -> None:
        """Close every idle connection."""
        self._lines.close()
