"""Page tokens and field masks."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.simulator.api import masks, paging
from pleiades_core.simulator.api.error_bodies import Refusal


def test_tokens_are_those_seen_in_the_wild() -> None:
    assert paging.token(50) == "CDIQAA"
    assert paging.token(25, backward=True) == "CBkQAQ"
    assert paging.token(5) == "CAUQAA"
    assert paging.playlist_token(50) == "EAAaBlBUOkNESQ"


@given(offset=st.integers(0, 9_000_000), size=st.integers(0, 50))
def test_a_token_leads_where_it_was_made_for(offset: int, size: int) -> None:
    assert paging.start_of(paging.token(offset), size) == offset
    assert paging.playlist_start_of(paging.playlist_token(offset), size) == offset
    assert paging.start_of(paging.token(offset, backward=True), size) == max(0, offset - size)
    assert paging.playlist_start_of(paging.playlist_token(offset, backward=True), size) == max(0, offset - size)


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[A-Za-z0-9_-]{0,24}", fullmatch=True)))
def test_rubbish_is_refused_and_never_raises_anything_else(text: str) -> None:
    for start_of in (paging.start_of, paging.playlist_start_of):
        with contextlib.suppress(Refusal):
            assert start_of(text, 5) >= 0


BODY = {"etag": "e", "items": [{"id": "a", "statistics": {"viewCount": "1", "likeCount": "2"}}, {"id": "b"}]}


@pytest.mark.parametrize(
    ("mask", "left"),
    [
        ("etag", {"etag": "e"}),
        ("items/id", {"items": [{"id": "a"}, {"id": "b"}]}),
        ("items(id,statistics/viewCount)", {"items": [{"id": "a", "statistics": {"viewCount": "1"}}, {"id": "b"}]}),
        ("items(statistics(likeCount)),etag", {"etag": "e", "items": [{"statistics": {"likeCount": "2"}}, {}]}),
        ("*", BODY),
    ],
)
def test_masks_leave_what_they_name(mask: str, left: object) -> None:
    assert masks.applied(BODY, masks.parse(mask)) == left


#: Masks as they may be spelled: names with what is wanted below them, by a slash or in brackets.
MASKS = st.recursive(
    st.sampled_from(["a", "b", "*"]),
    lambda inner: st.one_of(
        st.builds("{}/{}".format, st.sampled_from("ab"), inner.filter(lambda text: "," not in text)),
        st.builds("{}({})".format, st.sampled_from("ab"), inner),
        st.builds("{},{}".format, inner, inner),
    ),
    max_leaves=6,
)


@given(MASKS)
def test_every_mask_of_the_grammar_is_understood(text: str) -> None:
    masks.applied(BODY, masks.parse(text))


@given(MASKS, st.sampled_from(["{},", ",{}", "({})", "{})", "a({}", "{}/", "/{}", "{}()", "{}a(", "{}!", "a(,{})"]))
def test_masks_that_are_none_are_refused_in_the_api_s_words(text: str, spoiled: str) -> None:
    with pytest.raises(Refusal) as caught:
        masks.parse(spoiled.format(text))
    assert (caught.value.status, caught.value.reason) == (400, "badRequest")


@given(st.text(alphabet="ab(),/*", max_size=40))
def test_any_text_is_a_mask_or_refused_and_raises_nothing_else(text: str) -> None:
    with contextlib.suppress(Refusal):
        masks.applied(BODY, masks.parse(text))


def test_a_bad_token_is_refused_by_its_name() -> None:
    with pytest.raises(Refusal) as caught:
        paging.start_of("rubbish", 5)
    assert (caught.value.status, caught.value.reason) == (400, "invalidPageToken")
