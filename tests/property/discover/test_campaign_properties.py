"""The way of a campaign through its cells, whatever search promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.discover.budget import allowance
from pleiades_core.discover.search_queue import campaigns
from pleiades_core.discover.search_queue.campaigns import Campaign, advanced, next_month, next_turn, previous_month, resumed

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)

MONTHS = st.dates(campaigns.FIRST_MONTH, date(2060, 1, 1)).map(lambda day: day.replace(day=1))


@given(MONTHS)
def test_months_follow_each_other(month: date) -> None:
    assert previous_month(next_month(month)) == month
    assert (next_month(month) - month).days in range(28, 32)


@given(
    MONTHS, st.integers(0, 8), st.lists(st.integers(1, 44), min_size=1, max_size=4, unique=True),
    st.lists(st.booleans(), max_size=600),
)  # fmt: skip
def test_a_campaign_always_ends_and_reads_every_cell(first: date, more: int, categories: list[int], tokens: list[bool]) -> None:
    """Whatever pages search promises, each cell is asked for, never past ten pages, and the count of cells falls to 0."""
    last = first
    for _ in range(more):
        last = next_month(last)
    one = Campaign(
        name="x", first_month=first, last_month=last, categories=tuple(categories), month=last, category=categories[0]
    )
    asked: list[str] = []
    promises = iter(tokens)
    while one.finished_at is None:
        asked.append(one.cell)
        left = one.cells_left
        one = advanced(resumed(one, NOW), "T" if next(promises, False) else None, NOW)
        assert one.cells_left in {left, left - 1}
    assert len(set(asked)) == one.cells
    assert max(asked.count(cell) for cell in set(asked)) <= campaigns.PAGES_A_CELL
    assert one.cells_left == 0


def test_a_fresh_token_is_kept_and_one_without_an_instant_is_not() -> None:
    one = Campaign(
        name="x", first_month=JANUARY, last_month=FEBRUARY, categories=(10,), month=FEBRUARY, category=10, pages=3,
        page_token=str(3), token_at=NOW,
    )  # fmt: skip
    assert resumed(one, NOW) == one
    assert resumed(replace(one, token_at=None), NOW).page_token is None


@given(st.integers(1, 12), st.integers(1, 24))
def test_some_cell_is_always_finished(many: int, a_day: int) -> None:
    """However many campaigns share however few searches a day, hour by hour: no call is wasted and nobody is left out."""
    cells = campaigns.PAGES_A_CELL
    known = {
        str(number): Campaign(
            name=str(number),
            first_month=date(2006, 1, 1),
            last_month=FEBRUARY,
            categories=(10, 20),
            month=FEBRUARY,
            category=10,
        )
        for number in range(many)
    }
    now, calls, left = NOW, 0, 0
    for hour in range(24 * 7):
        left = a_day if hour % 24 == 0 else left
        pages = allowance(left, timedelta(hours=24 - hour % 24))
        left -= pages
        for _ in range(pages):
            known = {name: resumed(one, now) for name, one in known.items()}
            one = next_turn(known.values())
            known[one.name] = advanced(one, "T", now)
            calls += 1
        now += timedelta(hours=1)
    finished = sum(one.cells - one.cells_left for one in known.values())
    assert calls == 7 * a_day
    assert finished * cells + sum(one.pages for one in known.values()) >= calls, "a page was asked for twice"
    searches = [one.searches for one in known.values()]
    assert max(searches) - min(searches) <= cells
