"""Which columns of a table are shown in a narrow terminal, and how wide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.cli.tables import PROSE, Column, Kind, column, needed, widths

IDS = column("video", ["dQw4w9WgXcQ", "-abcdhfgXi0"])
TITLES = column("title", ["A title of some length, as titles are, 日本語 and all", "Short"])
NUMBERS = column("views per hour", ["1,234,567.8", "2.0"])
ERRORS = column("last error", ["the list UUabcdefghijklmnopqrstuv could not be read: it was cut off"], prose=True)


def test_the_kind_of_a_column_follows_from_its_texts() -> None:
    assert [one.kind for one in (IDS, TITLES, NUMBERS, ERRORS)] == [Kind.EXACT, Kind.TITLE, Kind.EXACT, Kind.PROSE]
    assert column("at", ["2026-03-01 12:00:00"]).kind is Kind.EXACT
    assert column("sha256", ["0" * 64]).kind is Kind.EXACT
    assert column("list", ["PL" + "x" * 32]).kind is Kind.EXACT
    assert column("estimate", ["8,950 (8,875 to 9,025)", "1,234,567,890 to 2,234,567,890"]).kind is Kind.EXACT
    assert column("odds", ["123.45 (100.25 to 1,200.75)", "-"]).kind is Kind.EXACT
    assert column("title", ["10 of 12 ways to be of use", "x"]).kind is Kind.TITLE
    assert column("page", ["x" * 5_000]).kind is Kind.TITLE


def test_what_must_not_be_cut_needs_all_of_its_room() -> None:
    """A heading of several words may be wrapped between them."""
    assert (IDS.narrowest, NUMBERS.narrowest, NUMBERS.widest) == (11, 11, 14)
    assert ERRORS.narrowest == len("UUabcdefghijklmnopqrstuv")


def test_expendable_columns_go_first_and_then_those_on_the_right() -> None:
    columns = [column("#", ["1"]), IDS, TITLES, NUMBERS, column("age", ["3.0 h"])]
    assert list(widths(columns, 200)) == [0, 1, 2, 3, 4]
    assert list(widths(columns, 60, ["title"])) == [0, 1, 2, 3, 4]
    assert list(widths(columns, 50, ["title"])) == [0, 1, 3, 4]
    assert list(widths(columns, 50)) == [0, 1, 2]
    assert list(widths(columns, 20, ["#", "title", "age", "views per hour"])) == [1]
    assert widths(columns, 1, ["#", "title", "age", "views per hour"]) == {1: 11}


def test_without_a_bound_everything_is_shown_and_prose_keeps_to_a_line() -> None:
    long = column("found", ["word " * 200], prose=True)
    assert widths([IDS, TITLES, long], None) == {0: 11, 1: TITLES.widest, 2: PROSE}


@given(
    st.lists(
        st.builds(
            lambda kind, narrow, more: Column("c", kind, narrow, narrow + (0 if kind is Kind.EXACT else more)),
            st.sampled_from(Kind), st.integers(1, 40), st.integers(0, 200),
        ),
        min_size=1, max_size=9,
    ),
    st.integers(1, 300),
)  # fmt: skip
def test_a_table_fits_and_no_column_is_narrower_than_it_may_be(columns: list[Column], room: int) -> None:
    found = widths(columns, room)
    assert found
    assert all(columns[place].narrowest <= width <= columns[place].widest for place, width in found.items())
    assert needed(found.values()) <= room or len(found) == 1
    if needed(one.widest for one in columns) <= room:
        assert [found[place] for place in range(len(columns))] == [one.widest for one in columns]


@pytest.mark.parametrize("prose", [False, True])
def test_an_empty_table_has_headings(prose: bool) -> None:
    assert column("failed at", [], prose=prose).narrowest == len("failed")
