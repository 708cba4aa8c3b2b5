"""YouTube's identifiers: checked, decoded to integers, and found in text that people paste.

Belongs here: the syntax of video and channel ids and of video URLs. Does not belong here: whether such a video exists.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import parse_qs, urlsplit

from pleiades_core.errors import UsageError
from pleiades_core.models import ChannelId, VideoId

# `\Z`, not `$`: `$` also accepts a trailing newline, which would travel into paths and URLs.
_VIDEO = re.compile(r"\A[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]\Z")
_CHANNEL = re.compile(r"\AUC[A-Za-z0-9_-]{21}[AQgw]\Z")
_PATHS = re.compile(r"\A/(?:shorts|live|embed|v|e)/([^/?#]+)")


def decode(video_id: str) -> int:
    """The signed 64-bit number that a video id spells in base64url.

    An id is 66 bits of text for 64 bits of value, so the last character has only sixteen legal values; Python's decoder accepts
    all others silently.

    Raises:
        ValueError: the text is not exactly an id.
    """
    if not _VIDEO.match(video_id):
        raise ValueError(f"not a YouTube video id: {video_id!r}")
    try:
        raw = base64.b64decode(video_id + "=", altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"not a YouTube video id: {video_id!r}") from error
    return int.from_bytes(raw, "big", signed=True)


def encode(number: int) -> VideoId:
    """The video id of a signed 64-bit number; the inverse of `decode`."""
    return VideoId(base64.urlsafe_b64encode(number.to_bytes(8, "big", signed=True)).rstrip(b"=").decode())


def is_video_id(text: object) -> bool:
    """True for the exact syntax of a video id."""
    return isinstance(text, str) and _VIDEO.match(text) is not None


def is_channel_id(text: object) -> bool:
    """True for the exact syntax of a channel id (`UC` and 22 characters)."""
    return isinstance(text, str) and _CHANNEL.match(text) is not None


def uploads_playlist(channel_id: ChannelId) -> str:
    """The playlist of everything a channel uploaded: `UU` in place of `UC`."""
    return "UU" + channel_id[2:]


def from_text(text: str) -> VideoId:
    """The video that a person means by an id or by any of YouTube's URLs.

    Raises:
        UsageError: there is no id in the text. The message says how it was understood.
    """
    given = text.strip()
    if is_video_id(given):
        return VideoId(given)
    try:
        parts = urlsplit(given if "//" in given else f"https://{given}")
    except ValueError:
        parts = urlsplit("")
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("music.")
    found = ""
    if host == "youtu.be":
        found = parts.path.lstrip("/").split("/")[0]
    elif host in {"youtube.com", "youtube-nocookie.com"}:
        in_path = _PATHS.match(parts.path)
        found = in_path.group(1) if in_path else parse_qs(parts.query).get("v", [""])[0]
    if is_video_id(found):
        return VideoId(found)
    raise UsageError(
        f"no YouTube video id in {given!r}",
        cure="give the 11 characters after v=, or the whole address, such as https://youtu.be/dQw4w9WgXcQ",
    )
