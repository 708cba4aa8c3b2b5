"""What people mean by ids, addresses, @handles and files of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.discover.add.parse_targets import AddTarget, ParsedTargets, parse_arguments, parse_lines, parse_target
from pleiades_core.errors import UsageError
from pleiades_core.models import ChannelId, VideoId

_IFRAME = (
    '<iframe width="560" height="315" src="https://www.youtube.com/embed/dQw4w9WgXcQ?si=x&amp;start=3" title="Never, ever"'
    ' frameborder="0" allow="accelerometer; autoplay" allowfullscreen></iframe>'
)
_VIDEO, _CHANNEL = VideoId("dQw4w9WgXcQ"), ChannelId("UCuAXFkgsw1L7xaCfnd5JJOw")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dQw4w9WgXcQ", AddTarget(video_id=_VIDEO)),
        (" https://youtu.be/dQw4w9WgXcQ?t=3 ", AddTarget(video_id=_VIDEO)),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1", AddTarget(video_id=_VIDEO)),
        ("youtube.com/shorts/dQw4w9WgXcQ", AddTarget(video_id=_VIDEO)),
        (_CHANNEL, AddTarget(channel_id=_CHANNEL)),
        (f"https://www.youtube.com/channel/{_CHANNEL}/videos", AddTarget(channel_id=_CHANNEL)),
        ("@RickAstleyYT", AddTarget(handle="@RickAstleyYT")),
        ("https://m.youtube.com/@RickAstleyYT/shorts", AddTarget(handle="@RickAstleyYT")),
        ("https://www.youtube.com/%40%E6%97%A5%E6%9C%AC%E8%AA%9E", AddTarget(handle="@日本語")),
        ("@हिन्दी", AddTarget(handle="@हिन्दी")),
        ("https://www.youtube.com/@%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80", AddTarget(handle="@हिन्दी")),
        ("@ข่าวไทย", AddTarget(handle="@ข่าวไทย")),
        ("@தமிழ்", AddTarget(handle="@தமிழ்")),
        ("@क्‍ष_", AddTarget(handle="@क्‍ष_")),
        ("@ve\u0302t", AddTarget(handle="@v\u00eat")),
        ("https://www.youtube.com/@ve%CC%82t", AddTarget(handle="@v\u00eat")),
        (f"https://music.youtube.com/channel/{_CHANNEL}", AddTarget(channel_id=_CHANNEL)),
        (f"https://studio.youtube.com/channel/{_CHANNEL}/videos/upload", AddTarget(channel_id=_CHANNEL)),
        ("https://studio.youtube.com/video/dQw4w9WgXcQ/edit", AddTarget(video_id=_VIDEO)),
        (f"https://www.youtube.com/feeds/videos.xml?channel_id={_CHANNEL}", AddTarget(channel_id=_CHANNEL)),
        (f"https://www.youtube.com/feeds/videos.xml?playlist_id=UU{_CHANNEL[2:]}", AddTarget(channel_id=_CHANNEL)),
        (f"https://www.youtube.com/playlist?list=UU{_CHANNEL[2:]}", AddTarget(channel_id=_CHANNEL)),
        (f"https://www.youtube.com/playlist?list=UULF{_CHANNEL[2:]}", AddTarget(channel_id=_CHANNEL)),
        (f"https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=UU{_CHANNEL[2:]}", AddTarget(video_id=_VIDEO)),
        ("https://www.youtube.com/watch?list=PLx&amp;v=dQw4w9WgXcQ", AddTarget(video_id=_VIDEO)),
        ("https://www.youtube.com/watch?list=PLx&region=US&#38;v=dQw4w9WgXcQ&copy=1", AddTarget(video_id=_VIDEO)),
        (f"UU{_CHANNEL[2:]}", AddTarget(channel_id=_CHANNEL)),
        (_IFRAME, AddTarget(video_id=_VIDEO)),
        (
            "http://www.youtube.com/attribution_link?a=x&u=/watch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
            AddTarget(video_id=_VIDEO),
        ),
    ],
)
def test_what_is_meant(text: str, expected: AddTarget) -> None:
    assert parse_target(text) == expected


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
        "https://www.youtube.com/playlist?list=PLFgquLnL59alCl_2TQvOiD5Vgm1hCaGSI",
        "https://www.youtube.com/feeds/videos.xml?user=Rick",
        "http://www.youtube.com/attribution_link?u=/attribution_link?u=/watch",
        "<iframe src=>",
    ],
)
def test_what_is_not_understood_says_so(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert caught.value.cure


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Nothing but a UsageError, whatever somebody pastes."""
    try:
        found = parse_target(text)
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
    wanted, wrong, heading = parse_lines(lines)
    assert wanted == [AddTarget(video_id=_VIDEO), AddTarget(handle="@RickAstleyYT"), AddTarget(video_id=_VIDEO)]
    assert [line.split(":")[0] for line in wrong] == ["line 7"]
    assert heading.startswith("line 1: ")


@pytest.mark.parametrize("first", ["video_id", "Channel URL;Name", "Адрес", '"url"'])
def test_a_heading_is_no_fault(first: str) -> None:
    understood = parse_lines([first, "dQw4w9WgXcQ"])
    assert (understood.targets, understood.wrong) == ([AddTarget(video_id=_VIDEO)], [])
    assert understood.heading


@pytest.mark.parametrize("lines", [["video_id"], ["video_id", "hello"], ["dQw4w9WgXc", "x"], ["dQw4w9WgXcQ", "video_id"]])
def test_only_a_first_line_before_others_that_mean_something_is_a_heading(lines: list[str]) -> None:
    understood = parse_lines(lines)
    assert not understood.heading
    assert len(understood.targets) + len(understood.wrong) == len(lines)


def test_a_mistyped_id_is_no_heading() -> None:
    assert parse_lines(["dQw4w9WgXc", "dQw4w9WgXcQ"]).wrong


def test_an_embedded_player_is_a_line_of_its_own() -> None:
    """Its commas and semicolons separate no columns."""
    assert parse_lines(['<iframe style="border:0; x, y" src="//youtube.com/embed/dQw4w9WgXcQ"></iframe>']).targets == [
        AddTarget(video_id=_VIDEO)
    ]


def test_arguments_are_counted_apart() -> None:
    assert [word.split(":")[0] for word in parse_arguments(["dQw4w9WgXcQ", "nonsense"]).wrong] == ["argument 2"]


def test_several_may_stand_in_one_argument() -> None:
    understood = parse_arguments(["dQw4w9WgXcQ,@RickAstleyYT, nonsense,", _CHANNEL, _IFRAME])
    assert understood.targets == [
        AddTarget(video_id=_VIDEO), AddTarget(handle="@RickAstleyYT"), AddTarget(channel_id=_CHANNEL),
        AddTarget(video_id=_VIDEO),
    ]  # fmt: skip
    assert [word.split(":")[0] for word in understood.wrong] == ["argument 1"]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_an_argument_has_no_columns(mark: str) -> None:
    """What stands after the mark would be lost without a word."""
    assert parse_arguments([f"dQw4w9WgXcQ{mark}@RickAstleyYT"]).wrong


@pytest.mark.parametrize("understood", [parse_arguments, parse_lines])
def test_an_address_out_of_a_page_s_source_is_whole(understood: Callable[[list[str]], ParsedTargets]) -> None:
    assert understood(["https://www.youtube.com/watch?list=PLx&amp;v=dQw4w9WgXcQ"]) == ParsedTargets(
        [AddTarget(video_id=_VIDEO)], []
    )
