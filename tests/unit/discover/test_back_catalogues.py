"""The cursor of an uploads list that is read to its end: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.discover.channels.back_catalogues import (
    MOST_FAILURES,
    MOST_LISTED,
    MOST_RESTARTS,
    READ_AGAIN,
    BackCatalogue,
    advanced,
    begun_anew,
    due,
    failed,
    taken,
)
from pleiades_core.discover.search_queue.terms import TOKEN_LIVES
from pleiades_core.models import Candidate, ChannelId, Page
from pleiades_core.videoid import encode

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANNEL = ChannelId("UCooVYzDxdwTtGYAkcPmOgOw")
NEW = BackCatalogue(channel=1, channel_id=CHANNEL, source="added")


def page(first: int, count: int, *, of: int, ends: bool = False) -> Page:
    """A page of a list of so many videos."""
    shown = tuple(Candidate(video_id=encode(number), channel_id=CHANNEL) for number in range(first, first + count))
    more = first + count < of and not ends
    return Page(candidates=shown, next_page_token=f"page-{first + count}" if more else None, total=of)


def read(held: BackCatalogue, of: int, now: datetime = NOW) -> tuple[BackCatalogue, int]:
    """The list after all its pages, and how many of its videos were taken."""
    count = 0
    while held.finished_at is None:
        first = int((held.page_token or "page-0").removeprefix("page-"))
        answer = page(first, min(50, of - first), of=of)
        count += len(taken(held, answer))
        held = advanced(held, answer, now)
    return held, count


@given(of=st.integers(0, 400), wanted=st.none() | st.integers(1, 500))
def test_a_list_is_read_to_its_end_or_to_what_is_wanted(of: int, wanted: int | None) -> None:
    after, count = read(replace(NEW, newest=wanted), of)
    assert count == after.read == (of if wanted is None else min(of, wanted))
    assert (after.left, after.cut) == (0, False)


def test_what_is_left_is_what_is_wanted_of_what_there_is() -> None:
    first = advanced(NEW, page(0, 50, of=1_200), NOW)
    assert (first.read, first.left, first.page_token) == (50, 1_150, "page-50")
    assert advanced(replace(NEW, newest=120), page(0, 50, of=1_200), NOW).left == 70
    assert advanced(NEW, page(0, 50, of=90_000), NOW).left == MOST_LISTED - 50


def test_a_dead_token_begins_the_list_anew_and_keeps_how_deep_it_came() -> None:
    held = replace(NEW, total=1_200, read=500, passed=500, page_token="page-500", token_at=NOW)  # noqa: S106
    nothing = Page(candidates=(), next_page_token=None, total=1_200)
    assert advanced(held, nothing, NOW + TOKEN_LIVES).page_token == held.page_token
    again = advanced(held, nothing, NOW + TOKEN_LIVES + timedelta(seconds=1))
    assert again == begun_anew(held, NOW)
    assert (again.page_token, again.passed, again.read, again.left, again.restarts) == (None, 0, 500, 700, 1)
    assert read(again, 1_200)[0].read == 1_200


def test_a_list_whose_passes_come_no_deeper_is_left() -> None:
    held = replace(NEW, total=1_200, read=500)
    for _ in range(MOST_RESTARTS):
        held = begun_anew(held, NOW)
        assert held.finished_at is None
        held = advanced(held, page(0, 50, of=1_200), NOW)
    assert begun_anew(held, NOW).cut
    # One that came deeper begins with a clean sheet.
    deeper = replace(held, passed=500, page_token="page-500")  # noqa: S106
    assert advanced(deeper, page(500, 50, of=1_200), NOW).restarts == 0


def test_an_end_that_leaves_out_a_page_is_not_believed_at_once() -> None:
    held = replace(NEW, total=1_200, passed=100, read=100, page_token="page-100", token_at=NOW)  # noqa: S106
    for answer in (page(100, 50, of=1_200, ends=True), Page(candidates=(), next_page_token="x", total=1_200)):  # noqa: S106
        after = advanced(held, answer, NOW)
        assert (after.finished_at, after.failures, after.page_token, after.read) == (None, 1, "page-100", 100)
    # A few that are hidden are none that are left out.
    assert advanced(replace(held, passed=1_130), page(1_130, 30, of=1_200, ends=True), NOW).finished_at == NOW


def test_what_failed_waits_and_is_left_in_the_end() -> None:
    held = failed(NEW, NOW)
    assert due([held], NOW + READ_AGAIN - timedelta(seconds=1)) == []
    assert due([held], NOW + READ_AGAIN) == [held]
    for _ in range(MOST_FAILURES - 1):
        held = failed(held, NOW)
    assert held.cut


def test_a_list_is_left_only_where_it_is_to_blame() -> None:
    held = NEW
    for _ in range(3 * MOST_FAILURES):
        held = failed(held, NOW, to_blame=False)
    assert (held.cut, held.failures) == (False, MOST_FAILURES - 1)


def test_what_is_added_again_is_read_again_only_where_that_may_bring_more() -> None:
    some = replace(NEW, newest=120)
    assert (some.covers(120), some.covers(121), some.covers(None)) == (True, False, False)
    assert (NEW.covers(None), NEW.covers(7)) == (True, True)
    assert not replace(NEW, cut=True).covers(None)


def test_live_tokens_come_first_then_the_shortest() -> None:
    live = replace(NEW, channel=2, total=9_000, page_token="x", token_at=NOW)  # noqa: S106
    short, long = replace(NEW, channel=3, total=60), replace(NEW, channel=4, total=6_000)
    assert due([long, short, live], NOW) == [live, short, long]
