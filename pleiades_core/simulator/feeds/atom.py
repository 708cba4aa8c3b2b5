"""Atom as YouTube writes it: channel feeds, the hub's notices of new videos and of deleted ones.

Belongs here: records in, bytes out. Does not belong here: which videos a feed lists (feeds.py), who gets a notice (hub.py). The
shape is that of feeds and notices which public parsers keep as fixtures (read 2026-11-22): links of Shorts lead to /shorts/,
likes come as a "star rating" of five stars, and the feed's own `yt:channelId` may lack the "UC" that each entry's has; here it
does.

Templates and no XML library: the benchmark reads 100,000 feeds, and a tree costs ten times as much as the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.world.base import ChannelText, VideoState, VideoText
from pleiades_core.simulator.world.playlists import SHORT_S

CONTENT_TYPE = "text/xml; charset=UTF-8"
NOTICE_TYPE = "application/atom+xml"
_SITE = "https://www.youtube.com"
#: Characters that XML 1.0 cannot have, escaped or not. YouTube's feeds are well-formed whatever owners type.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: Most texts have none of these characters, and one search is cheaper than five replacements.
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_YT = 'xmlns:yt="http://www.youtube.com/xml/schemas/2015"'
_ATOM = 'xmlns="http://www.w3.org/2005/Atom"'


def topic_of(channel_id: ChannelId) -> str:
    """The address that stands for a channel's feed at the hub."""
    return f"{_SITE}/xml/feeds/videos.xml?channel_id={channel_id}"


def feed(channel: ChannelText, videos: Sequence[VideoState], query: str) -> bytes:
    """A feed: the channel, then its videos in the given order.

    Args:
        channel: the channel.
        videos: its entries.
        query: of the request, as in `channel_id=UC…`.

    Returns:
        The document.
    """
    bare = channel.channel_id[2:]
    name = _text(channel.title)
    entries = "".join(map(_entry, videos))
    return (
        f'{_HEAD}<feed {_YT} xmlns:media="http://search.yahoo.com/mrss/" {_ATOM}>\n'
        f' <link rel="self" href="http://www.youtube.com/feeds/videos.xml?{_text(query)}"/>\n'
        f" <id>yt:channel:{bare}</id>\n <yt:channelId>{bare}</yt:channelId>\n <title>{name}</title>\n"
        f' <link rel="alternate" href="{_SITE}/channel/{channel.channel_id}"/>\n'
        f" <author>\n  <name>{name}</name>\n  <uri>{_SITE}/channel/{channel.channel_id}</uri>\n </author>\n"
        f" <published>{_instant(channel.created_at)}</published>\n{entries}</feed>\n"
    ).encode()


def notice(text: VideoText, topic: str, hub: str, at: datetime) -> bytes:
    """The document that a hub posts when a video was published.

    Args:
        text: of the video.
        topic: of the channel's feed.
        hub: address of the hub.
        at: instant of the notice.

    Returns:
        The document.
    """
    return (
        f"{_HEAD}<feed {_YT} {_ATOM}>\n"
        f' <link rel="hub" href="{_text(hub)}"/>\n <link rel="self" href="{_text(topic)}"/>\n'
        f" <title>YouTube video feed</title>\n <updated>{at.isoformat()}</updated>\n <entry>\n{_identity(text, at)} </entry>\n"
        "</feed>\n"
    ).encode()


def tombstone(video_id: VideoId, channel: ChannelText, at: datetime) -> bytes:
    """The document that a hub posts when a video was deleted.

    Args:
        video_id: the video.
        channel: its channel.
        at: instant of the deletion.

    Returns:
        The document.
    """
    return (
        f'{_HEAD}<feed xmlns:at="http://purl.org/atompub/tombstones/1.0" {_ATOM}>\n'
        f' <at:deleted-entry ref="yt:video:{video_id}" when="{_instant(at)}">\n'
        f'  <link href="{_SITE}/watch?v={video_id}"/>\n'
        f"  <at:by>\n   <name>{_text(channel.title)}</name>\n   <uri>{_SITE}/channel/{channel.channel_id}</uri>\n  </at:by>\n"
        " </at:deleted-entry>\n</feed>\n"
    ).encode()


def _entry(video: VideoState) -> str:
    text, counts = video.text, video.counts
    # The host's number goes by the id; there are four.
    picture = f"https://i{1 + ord(text.video_id[0]) % 4}.ytimg.com/vi/{text.video_id}/hqdefault.jpg"
    return (
        f" <entry>\n{_identity(text, text.published_at)}"
        f"  <media:group>\n   <media:title>{_text(text.title)}</media:title>\n"
        f'   <media:content url="{_SITE}/v/{text.video_id}?version=3" type="application/x-shockwave-flash"'
        ' width="640" height="390"/>\n'
        f'   <media:thumbnail url="{picture}" width="480" height="360"/>\n'
        f"   <media:description>{_text(text.description)}</media:description>\n   <media:community>\n"
        f'    <media:starRating count="{counts.likes or 0}" average="5.00" min="1" max="5"/>\n'
        f'    <media:statistics views="{counts.views or 0}"/>\n   </media:community>\n  </media:group>\n </entry>\n'
    )


def _identity(text: VideoText, updated: datetime) -> str:
    short = text.duration_s is not None and text.duration_s <= SHORT_S and text.live == "none"
    page = f"{_SITE}/shorts/{text.video_id}" if short else f"{_SITE}/watch?v={text.video_id}"
    return (
        f"  <id>yt:video:{text.video_id}</id>\n  <yt:videoId>{text.video_id}</yt:videoId>\n"
        f"  <yt:channelId>{text.channel_id}</yt:channelId>\n  <title>{_text(text.title)}</title>\n"
        f'  <link rel="alternate" href="{page}"/>\n'
        f"  <author>\n   <name>{_text(text.channel_title)}</name>\n"
        f"   <uri>{_SITE}/channel/{text.channel_id}</uri>\n  </author>\n"
        f"  <published>{_instant(text.published_at)}</published>\n  <updated>{_instant(updated)}</updated>\n"
    )


def _text(raw: str) -> str:
    return escape(_UNSPEAKABLE.sub("", raw), {'"': "&quot;", "\r": "&#13;"}) if _SPECIAL.search(raw) else raw


def _instant(at: datetime) -> str:
    """To the second and with a numeric offset, as feeds have it; a notice's own `updated` has fractions."""
    return at.isoformat(timespec="seconds")
