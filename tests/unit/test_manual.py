"""What people mean by ids, addresses, @handles and files of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.discover.manual import Wanted, meant, meant_by_lines
from pleiades_core.errors import UsageError
from pleiades_core.models import ChannelId, VideoId

_VIDEO, _CHANNEL = VideoId("dQw4w9WgXcQ"), ChannelId("UCuAXFkgsw1L7xaCfnd5JJOw")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dQw4w9WgXcQ", Wanted(video_id=_VIDEO)),
        (" https://youtu.be/dQw4w9WgXcQ?t=3 ", Wanted(video_id=_VIDEO)),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1", Wanted(video_id=_VIDEO)),
        ("youtube.com/shorts/dQw4w9WgXcQ", Wanted(video_id=_VIDEO)),
        (_CHANNEL, Wanted(channel_id=_CHANNEL)),
        (f"https://www.youtube.com/channel/{_CHANNEL}/videos", Wanted(channel_id=_CHANNEL)),
        ("@RickAstleyYT", Wanted(handle="@RickAstleyYT")),
        ("https://m.youtube.com/@RickAstleyYT/shorts", Wanted(handle="@RickAstleyYT")),
        ("https://www.youtube.com/%40%E6%97%A5%E6%9C%AC%E8%AA%9E", Wanted(handle="@日本語")),
    ],
)
def test_what_is_meant(text: str, expected: Wanted) -> None:
    assert meant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@ab",
        "hello",
        "https://example.com/@RickAstleyYT",
        "https://youtube.com/c/Rick",
        "dQw4w9WgXcR",
        "http://[",
        "UC123",
    ],
)
def test_what_is_not_understood_says_so(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        meant(text)
    assert caught.value.cure


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Nothing but a UsageError, whatever somebody pastes."""
    try:
        found = meant(text)
    except UsageError:
        return
    assert sum(part is not None for part in (found.video_id, found.channel_id, found.handle)) == 1


def test_a_file_keeps_its_good_lines_and_names_the_bad_ones() -> None:
    lines = [
        "\ufeffid,title",
        "",
        "# what I like",
        "dQw4w9WgXcQ, Never",
        '"@RickAstleyYT";x',
        "dQw4w9WgXcQ # again",
        "nonsense",
    ]
    wanted, wrong = meant_by_lines(lines)
    assert wanted == [Wanted(video_id=_VIDEO), Wanted(handle="@RickAstleyYT"), Wanted(video_id=_VIDEO)]
    assert [line.split(":")[0] for line in wrong] == ["line 1", "line 7"]
