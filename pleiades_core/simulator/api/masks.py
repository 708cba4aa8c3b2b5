"""The `fields` parameter: which parts of a reply the client wants. It saves bytes, never quota.

Belongs here: parsing and applying a mask such as `nextPageToken,items(id,statistics/viewCount)`. Does not belong here: what a
reply has before it is masked (replies.py). Wildcards are taken as "all".
"""

from __future__ import annotations

import re
from typing import Any

from pleiades_core.simulator.api.error_bodies import Refusal, invalid_value

#: Name -> the mask below it; empty: everything.
Mask = dict[str, "Mask"]

_TOKEN = re.compile(r"[A-Za-z0-9_*]+|[(),/]")
_DEEPEST = 12


def parse(text: str) -> Mask:
    """The mask that a text spells.

    Raises:
        Refusal: the API's, if the text spells none.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise invalid_value("fields", text)
    try:
        mask, rest = _fields(tokens, 0)
    except IndexError:
        raise invalid_value("fields", text) from None
    if rest:
        raise invalid_value("fields", text)
    return mask


def applied(body: Any, mask: Mask) -> Any:
    """A body reduced to the fields of the mask. Lists are reduced element by element."""
    if not mask or "*" in mask:
        return body
    if isinstance(body, list):
        return [applied(element, mask) for element in body]
    if isinstance(body, dict):
        return {name: applied(value, mask[name]) for name, value in body.items() if name in mask}
    return body


def _fields(tokens: list[str], depth: int) -> tuple[Mask, list[str]]:
    if depth > _DEEPEST:
        raise _too_deep()
    mask: Mask = {}
    while True:
        below = mask
        name = ""
        while True:
            name, tokens = tokens[0], tokens[1:]
            if name in "(),/":
                raise IndexError
            below = below.setdefault(name, {})
            if tokens[:1] != ["/"]:
                break
            tokens = tokens[1:]
        if tokens[:1] == ["("]:
            inner, tokens = _fields(tokens[1:], depth + 1)
            if tokens[:1] != [")"]:
                raise IndexError
            tokens = tokens[1:]
            below.update(inner)
        if tokens[:1] != [","]:
            return mask, tokens
        tokens = tokens[1:]


def _too_deep() -> Refusal:
    return invalid_value("fields", "nested too deeply")
