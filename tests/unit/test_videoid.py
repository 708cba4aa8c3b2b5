"""Identifiers: the exact syntax, both ways, and in what people paste."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core import videoid
from pleiades_core.errors import UsageError


@pytest.mark.parametrize(
    ("video_id", "number"),
    [
        ("AAAAAAAAAAA", 0),
        ("f_________8", 2**63 - 1),
        ("gAAAAAAAAAA", -(2**63)),
        ("__________8", -1),
        ("dQw4w9WgXcQ", 8434178615911931332),
    ],
)
def test_known_ids(video_id: str, number: int) -> None:
    assert videoid.decode(video_id) == number
    assert videoid.encode(number) == video_id


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_number_has_one_id(number: int) -> None:
    assert videoid.decode(videoid.encode(number)) == number


@pytest.mark.parametrize("text", ["dQw4w9WgXcR", "dQw4w9WgXcQ\n", "dQw4w9WgXc", "", "dQw4w9WgXcQQ", "dQw4w9WgX Q", "\0" * 11])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a YouTube video id"):
        videoid.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        "dQw4w9WgXcQ",
        " https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s ",
        "https://youtu.be/dQw4w9WgXcQ?si=x",
        "youtube.com/shorts/dQw4w9WgXcQ",
        "https://m.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
    ],
)
def test_any_address_of_a_video_will_do(text: str) -> None:
    assert videoid.from_text(text) == "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "text",
    ["", "https://vimeo.com/dQw4w9WgXcQ", "https://youtube.com/watch", "https://evil.example/watch?v=dQw4w9WgXcQ", "[::"],
)
def test_other_text_says_what_to_give(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        videoid.from_text(text)
    assert "youtu.be" in caught.value.cure
