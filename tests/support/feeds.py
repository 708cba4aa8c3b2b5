"""Atom documents as YouTube writes them, with invented content."""

from __future__ import annotations

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015"'
    ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:at="http://purl.org/atompub/tombstones/1.0"'
    ' xmlns="http://www.w3.org/2005/Atom">\n <title>a channel</title>\n'
)
CHANNEL = "UCooVYzDxdwTtGYAkcPmOgOw"
IDS = ("dQw4w9WgXcQ", "AAAAAAAAAAA", "f_________8")


def entry(
    video_id: str = IDS[0], channel_id: str = CHANNEL, *, published: str = "2026-02-01T10:00:00+00:00",
    updated: str = "2026-02-01T11:30:00.25+00:00", title: str = "a title", views: str | None = None, more: str = "",
) -> str:  # fmt: skip
    """One entry; with `views` as feeds have it, without as notices do."""
    media = (
        f'<media:group><media:title>t</media:title><media:community><media:statistics views="{views}"/></media:community>'
        "</media:group>"
    )
    return (
        f"<entry><id>yt:video:{video_id}</id><yt:videoId>{video_id}</yt:videoId><yt:channelId>{channel_id}</yt:channelId>"
        f"<title>{title}</title><published>{published}</published><updated>{updated}</updated>"
        f"{media if views is not None else ''}{more}</entry>\n"
    )


def deleted(video_id: str = IDS[0]) -> str:
    """What a notice says of a video that is gone."""
    return f'<at:deleted-entry ref="yt:video:{video_id}" when="2026-02-01T10:00:00+00:00"><at:by/></at:deleted-entry>\n'


def document(*elements: str) -> bytes:
    """A whole feed or notice."""
    return (HEAD + "".join(elements) + "</feed>").encode()
