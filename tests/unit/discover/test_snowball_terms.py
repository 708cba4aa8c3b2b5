"""Which tags are terms."""

from __future__ import annotations

import unicodedata

import pytest

from pleiades_core.discover.search_queue.snowball import term_of


@pytest.mark.parametrize(
    ("tag", "term"),
    [
        ("LoFi  Hip\tHop", "lofi hip hop"),
        ("#minecraft", "minecraft"),
        ("  -minus", "minus"),
        ('"quoted"|other', "quoted other"),
        ("Straße", "strasse"),
        (unicodedata.normalize("NFD", "Café Olé"), "café olé"),
        ("音楽", "音楽"),
        ("케이팝", "케이팝"),
        ("minecraft 2026", "minecraft 2026"),
        ("best lofi", "best lofi"),
        ("zero\u200bwidth", "zero width"),
    ],
)
def test_a_tag_becomes_one_spelling(tag: str, term: str) -> None:
    assert term_of(tag) == term


@pytest.mark.parametrize(
    "tag",
    [
        "", "  ", "ab", "楽", "2026", "1 000 000", "12:34", "!!!", "x" * 61, "https://example.org/x", "www.example.org",
        "example.com", "youtu.be/abc", "viral video", "YouTube Shorts", "the best", "New Video 2026", "#fyp", "#", "subscribe",
    ],
)  # fmt: skip
def test_what_says_nothing_is_no_term(tag: str) -> None:
    assert term_of(tag) is None
