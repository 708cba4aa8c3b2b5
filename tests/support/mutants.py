"""Replies with something wrong in them, as hypothesis strategies: one wrong value, a wrong row, a wrong reply, wrong bytes."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from support.replies import CHANNELS, IDS, STRANGERS, Kind

#: Values that stand where another should: of the wrong type, too large, too small, hostile, or right and somewhere else.
HOSTILE: list[Any] = [
    None, True, False, 0, 1, -1, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, -0.0, 1e308, "", " ", "0", "00", "-1", "+1", "1e5",
    "1.0", "9223372036854775807", "9223372036854775808", "18446744073709551616", "\uff19", "\u00b2", "\u0663", "1_000", "0x10",
    "nan", "x" * 30_000, "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\U0001f3b5", "<script>", "'; drop table videos; --", [],
    [None], [[[]]], {}, {"videoId": "x"}, {"": {"": []}}, "P0D", "PT", "PT99999999999999999S", "2026-02-01T10:00:00Z",
    "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", IDS[0], IDS[1], STRANGERS[0],
    "dQw4w9WgXcR", CHANNELS[0], "UC", "UC" + "A" * 22,
]  # fmt: skip


@dataclass
class Mutant:
    """A body, and what is known of it."""

    body: bytes
    #: The reply that the body spells; None where the bytes themselves are damaged.
    reply: Any
    #: Rows that nobody touched, as they are in a good reply.
    untouched: list[dict[str, Any]] = field(default_factory=list)
    packed: bool = False


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a row, the row itself left out."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [path for name, one in inner for path in ((*here, name), *_paths(one, (*here, name)))]


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at one place; `...` takes the place away."""
    copy = dict(value) if isinstance(value, dict) else list(value)
    name, *rest = path
    if rest:
        copy[name] = _changed(copy[name], tuple(rest), new)
    elif new is ...:
        del copy[name]
    else:
        copy[name] = new
    return copy


@st.composite
def _rows(draw: st.DrawFn, kind: Kind) -> tuple[list[Any], list[dict[str, Any]]]:
    """Rows of which some are wrong, in any order, and those of them that are not."""
    rows: list[tuple[Any, bool]] = [(row, True) for row in kind.rows]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(rows) - 1))
        row, _ = rows[place]
        what = draw(st.sampled_from(["value", "value", "value", "value", "without", "whole", "twice", "mixed", "moved"]))
        paths = _paths(row)
        if what in {"value", "without"} and paths:
            new = draw(st.sampled_from(HOSTILE)) if what == "value" else ...
            rows[place] = (_changed(row, draw(st.sampled_from(paths)), new), False)
        elif what == "whole":
            rows[place] = (draw(st.sampled_from(HOSTILE)), False)
        elif what == "twice":
            rows.insert(draw(st.integers(0, len(rows))), (row, False))
        elif what == "mixed" and isinstance(row, dict):
            # Somebody else's id on this row's content.
            other = kind.rows[draw(st.integers(0, len(kind.rows) - 1))]
            rows[place] = ({**row, **{name: other[name] for name in ("id", "contentDetails") if name in other}}, False)
        else:
            rows.insert(draw(st.integers(0, len(rows) - 1)), rows.pop(place))
    return [row for row, _ in rows], [row for row, good in rows if good]


@st.composite
def _replies(draw: st.DrawFn, kind: Kind) -> Mutant:
    """A reply with wrong rows, or wrong around them."""
    rows, untouched = draw(_rows(kind))
    reply: Any = {"kind": "youtube#listResponse", "etag": "e", "items": rows, "pageInfo": {"totalResults": 6}}
    where = draw(st.sampled_from(["rows"] * 9 + ["around"]))
    if where == "around":
        name = draw(st.sampled_from(["kind", "items", "error", "nextPageToken", "pageInfo", "reply"]))
        value = draw(st.sampled_from(HOSTILE))
        reply = value if name == "reply" else {**reply, name: value}
        untouched = untouched if name in {"kind", "nextPageToken", "pageInfo"} else []
    # Escapes as the API writes them, or the text itself where it has a UTF-8.
    body = json.dumps(reply, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return Mutant(body=body, reply=reply, untouched=untouched)


@st.composite
def _damaged(draw: st.DrawFn, kind: Kind) -> Mutant:
    """Bytes that are not what the API sends, whatever they were."""
    body = draw(_replies(kind)).body
    how = draw(st.sampled_from(["cut", "flip", "page", "tail", "utf-16", "nan", "digits", "deep", "nothing", "bom", "lists"]))
    place = draw(st.integers(0, len(body)))
    damaged = {
        "cut": body[:place],
        "flip": body[:place] + bytes([body[place] ^ (1 << draw(st.integers(0, 7)))]) + body[place + 1 :]
        if place < len(body) else body[:-1],
        "page": b"<!DOCTYPE html><html><title>Sign in</title>" + body[:200],
        "tail": body + b"}",
        "utf-16": body.decode("utf-8", "replace").encode("utf-16"),
        "nan": body[:-1] + b', "x": NaN}',
        "digits": body[:-1] + b', "x": ' + b"9" * 5_000 + b"}",
        "deep": b'{"items": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "nothing": b"",
        "bom": b"\xef\xbb\xbf" + body,
        "lists": b"[" + body + b"]",
    }[how]  # fmt: skip
    return Mutant(body=damaged, reply=None)


@st.composite
def _packed(draw: st.DrawFn, kind: Kind) -> Mutant:
    """Compressed bodies: good ones, cut ones, bombs."""
    body = draw(_replies(kind)).body
    how = draw(st.sampled_from(["cut", "flip", "bomb", "tail", "plain", "twice"]))
    packed = gzip.compress(body, 1, mtime=0)
    place = draw(st.integers(0, len(packed) - 1))
    return Mutant(
        body={
            "cut": packed[:place],
            "flip": packed[:place] + bytes([packed[place] ^ 0x10]) + packed[place + 1 :],
            "bomb": _BOMB,
            "tail": packed + b"\x00",
            "plain": body,
            "twice": packed + packed,
        }[how],
        reply=None,
        packed=True,
    )  # fmt: skip


_BOMB = gzip.compress(b'{"items": [' + b" " * 20_000_000 + b"]}", 9, mtime=0)


def mutants(kind: Kind) -> st.SearchStrategy[Mutant]:
    """Mutants of one method's reply; most of them are damaged in their rows."""
    return st.one_of(_replies(kind), _replies(kind), _replies(kind), _replies(kind), _damaged(kind), _packed(kind))
