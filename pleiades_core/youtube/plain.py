"""Bytes to a JSON object, hostile text to text that can be stored, durations to seconds. Pure, and knows no field of the API.

Does not belong here: what a reply or a row means (parse.py, refusals.py).
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

from pleiades_core.errors import BadReply

#: NUL and lone surrogates: each killed a whole batch insert when tried, in PostgreSQL and in pyarrow.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ISO_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,5})W)?(?:([0-9]{1,6})D)?(?:T(?:([0-9]{1,7})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,9})(?:\.[0-9]+)?S)?)?"
)
_GOOGLE_DURATION = re.compile(r"([0-9]{1,9})(?:\.[0-9]{1,9})?s")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a reply's body is. Raises BadReply for anything else: HTML, a list, a cut-off text."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = _parse_leniently(body)
    if not isinstance(parsed, dict):
        raise BadReply(f"the reply is {_json_word(parsed)} where an object should be", status=200)
    return parsed


def clean(text: object, longest: int) -> str:
    """`text` without what cannot be stored, at most `longest` characters; empty for what is no text."""
    if not isinstance(text, str):
        return ""
    cut = text[:longest]
    # Most text is ASCII or has nothing to replace; the search is what it costs.
    return _UNSTORABLE.sub("\ufffd", cut) if _UNSTORABLE.search(cut) else cut


def duration_seconds(text: object) -> int | None:
    """Whole seconds of `PT1H2M3S` (videos.list) or `123s` (batchGetStats). None for `P0D` (live) and non-durations."""
    if not isinstance(text, str) or text == "P0D":
        return None
    google = _GOOGLE_DURATION.fullmatch(text)
    if google:
        return int(google[1])
    iso = _ISO_DURATION.fullmatch(text)
    if not iso:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
    return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds


def _parse_leniently(body: bytes) -> Any:
    """The slow way for a body that orjson refuses: one lone surrogate or wrong byte in a title must not cost 49 good rows."""
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadReply(f"the reply is not JSON ({len(body)} bytes)", status=200) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json_word(parsed: object) -> str:
    return {list: "a list", str: "a string", bool: "a truth value", type(None): "null"}.get(type(parsed), "a number")
