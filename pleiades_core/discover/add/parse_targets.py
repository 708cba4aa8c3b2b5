"""Parsing what a person adds: ids, addresses, @handles, or a file with a line for each. Pure.

Belongs here: understanding text. Does not belong here: the syntax of ids (videoid.py), requests to YouTube and writing
(additions.py).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from pleiades_core import videoid
from pleiades_core.errors import UsageError
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.videoid import is_channel_id

#: support.google.com/youtube/answer/11585688: 3 to 30 letters of any script, digits, underscores, hyphens, periods, dots.
_LEAST_HANDLE, _MOST_HANDLE = 3, 30
#: Characters of a handle besides letters and digits. The last two join letters in Persian and several scripts of India.
_OF_HANDLES = frozenset("_.-·\u200c\u200d")
#: Vowel signs and tone marks, without which most words of Hindi, Tamil or Thai cannot be written.
_MARKS = frozenset({"Mn", "Mc"})
_HOSTS = frozenset({f"{name}youtube.com" for name in ("", "www.", "m.", "music.", "studio.")})
#: A channel's own lists: all its uploads, or those that are long, short or live.
_OWN_LIST = re.compile(r"UU(?:LF|SH|LV)?([A-Za-z0-9_-]{22})")
_IFRAME = re.compile(r"<iframe\b[^<>]*?\ssrc=[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_ENTITY = re.compile(r"&#?\w+;")
#: Words without digits or signs, as in the heading of a column.
_HEADING = re.compile(r"[^\W\d_]+(?:[ _-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class AddTarget:
    """A video, a channel or a handle: exactly one of the three is set."""

    video_id: VideoId | None = None
    channel_id: ChannelId | None = None
    #: With its `@`.
    handle: str | None = None


class ParsedTargets(NamedTuple):
    """The targets in several arguments or lines."""

    targets: list[AddTarget]
    #: For each argument or line that is no target: which one it is, and why.
    wrong: list[str]
    #: The same for a first line that seems to be a heading; empty if there is none.
    heading: str = ""


def parse_target(text: str) -> AddTarget:
    """The video, channel or handle in a text.

    Raises:
        UsageError: the text is none of them. The message says how it was understood.
    """
    # YouTube has one spelling for a handle, whether the keyboard composed its letters or not.
    given = _unwrapped(unicodedata.normalize("NFC", text.strip()))
    if is_channel_id(given):
        return AddTarget(channel_id=ChannelId(given))
    if _is_handle(given):
        return AddTarget(handle=given)
    try:
        parts = urlsplit(given if "//" in given else f"https://{given}")
        # Normalized again, after percent-decoding.
        steps = [unicodedata.normalize("NFC", unquote(step)) for step in parts.path.split("/") if step]
        host = parts.hostname or ""
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    except ValueError:
        host, steps, query = "", [], {}
    found = _at_youtube(given, steps, query) if host in _HOSTS and steps else _of_list(given)
    return found or AddTarget(video_id=videoid.from_text(given))


def parse_arguments(arguments: Iterable[str]) -> ParsedTargets:
    """The targets in the arguments of a command. An argument may have several, with commas between them."""
    parts = [
        (number, part.strip().strip('"')) for number, word in enumerate(arguments, start=1) for part in _between_commas(word)
    ]
    return _parse_all("argument", parts, with_heading=False)


def parse_lines(lines: Iterable[str]) -> ParsedTargets:
    """The targets in the lines of a file.

    Only the first column counts. Blank lines and text after a `#` are ignored, and so is a first line that looks like a heading
    if later lines are targets.
    """
    return _parse_all("line", [(number, _first_column(line)) for number, line in enumerate(lines, start=1)], with_heading=True)


def _parse_all(name: str, arguments: Iterable[tuple[int, str]], *, with_heading: bool) -> ParsedTargets:
    targets: list[AddTarget] = []
    wrong: list[str] = []
    headed = ""
    for place, (number, word) in enumerate((number, word) for number, word in arguments if word):
        try:
            targets.append(parse_target(word))
        except UsageError as error:
            problem = f"{name} {number}: {error}"
            if with_heading and place == 0 and _HEADING.fullmatch(word):
                headed = problem
            else:
                wrong.append(problem)
    if headed and not targets:
        return ParsedTargets([], [headed, *wrong])
    return ParsedTargets(targets, wrong, headed)


def _between_commas(argument: str) -> list[str]:
    """The parts of an argument. No id, @handle or address has a comma, but the text around an embedded player does."""
    return [argument] if _IFRAME.search(argument) else argument.split(",")


def _first_column(line: str) -> str:
    framed = _IFRAME.search(line)
    # First of all: an address from a page's source has `&amp;` in it, whose semicolon does not end a column.
    text = _unescaped(framed[1]) if framed else _unescaped(line).split("#", 1)[0].strip().lstrip("\ufeff")
    return re.split(r"[,;\t]", text, maxsplit=1)[0].strip().strip('"')


def _unwrapped(given: str) -> str:
    """The address in YouTube's text for embedding, or in the links of its e-mails and older buttons."""
    framed = _IFRAME.search(given)
    given = _unescaped(framed[1] if framed else given)
    if "/attribution_link?" in given:
        inner = parse_qs(given.partition("?")[2]).get("u", [""])[0]
        return f"https://www.youtube.com{inner}" if inner.startswith("/") else given
    return given


def _unescaped(text: str) -> str:
    """The text with its HTML entities replaced, if they end with a semicolon: `html.unescape` makes `®ion=` of `&region=`."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def _is_handle(text: str) -> bool:
    name = text.removeprefix("@")
    return (
        name != text
        and _LEAST_HANDLE <= len(name) <= _MOST_HANDLE
        and all(sign.isalnum() or sign in _OF_HANDLES or unicodedata.category(sign) in _MARKS for sign in name)
    )


def _at_youtube(given: str, steps: list[str], query: dict[str, str]) -> AddTarget | None:
    """The target of an address of youtube.com that is not a video's address. Raises UsageError."""
    first, second = steps[0], steps[1] if len(steps) > 1 else ""
    if _is_handle(first):
        return AddTarget(handle=first)
    channel_id = second if first == "channel" else query.get("channel_id", "") if first == "feeds" else ""
    if is_channel_id(channel_id):
        return AddTarget(channel_id=ChannelId(channel_id))
    if first == "video" and videoid.is_video_id(second):
        return AddTarget(video_id=VideoId(second))
    if first in {"c", "user"} or (first == "feeds" and "user" in query):
        raise UsageError(
            f"{given!r} is an old name that the API does not resolve", cure="open it in a browser and give the @handle there"
        )
    if "v" not in query and (listed := query.get("list") or query.get("playlist_id")):
        found = _of_list(listed)
        if found is None:
            raise UsageError(
                f"{given!r} is a playlist, and those cannot be added", cure="give its videos, or the channel that made it"
            )
        return found
    return None


def _of_list(list_id: str) -> AddTarget | None:
    """The channel that a list of uploads belongs to."""
    own = _OWN_LIST.fullmatch(list_id)
    channel_id = f"UC{own[1]}" if own else ""
    return AddTarget(channel_id=ChannelId(channel_id)) if is_channel_id(channel_id) else None
