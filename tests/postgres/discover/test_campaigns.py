"""Campaigns over the past: cells, the cursor that survives, quota that ends them, two archeologists at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from support.unmetered import Unmetered

from pleiades_core.discover.search_queue import campaigns
from pleiades_core.discover.search_queue.campaigns import Campaign, next_month
from pleiades_core.discover.sources.base import Find
from pleiades_core.discover.sources.past_search import past_search
from pleiades_core.errors import BackendError, BadReply, BadRequest, EmptyReply, NotFound, QuotaExhausted, UsageError
from pleiades_core.models import Candidate, Page, VideoId
from pleiades_core.storage.postgres import Database

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


class FakePast(Unmetered):
    """A search in which every cell has `pages` pages of two videos, unless `answer` says otherwise."""

    def __init__(self, pages: int = 1, answer: Callable[[str], Page | Exception | None] = lambda _cell: None) -> None:
        self.pages = pages
        self.answer = answer
        self.asked: list[str] = []
        self.seen: set[tuple[object, ...]] = set()

    def search(
        self, term: None, /, *, published_after: datetime, published_before: datetime, category: int, order: str,
        page_token: str | None, pool: str,
    ) -> Page:  # fmt: skip
        """A page of the cell that is asked for."""
        assert next_month(published_after.date()) == published_before.date()
        self.seen.add((term, order, pool))
        number = int(page_token or 1)
        cell = f"{published_after:%Y-%m}/{category} p{number}"
        self.asked.append(cell)
        said = self.answer(cell)
        if isinstance(said, Exception):
            raise said
        found = tuple(Candidate(video_id=VideoId(f"{n:011d}"), channel_id=None) for n in range(2))
        return said or Page(candidates=found, next_page_token=str(number + 1) if number < self.pages else None)


def _add(database: Database, name: str = "past", categories: Sequence[int] = (10, 20)) -> None:
    with database.transaction() as connection:
        campaigns.add(connection, name, JANUARY, FEBRUARY, categories, now=NOW)


def _one(database: Database, name: str = "past") -> Campaign:
    with database.transaction() as connection:
        return next(one for one in campaigns.campaigns(connection) if one.name == name)


def _dig(database: Database, past: FakePast, *, pages: int = 100, now: datetime = NOW, acknowledged: bool = True) -> list[Find]:
    finds = list(past_search(database, past.as_youtube(), now=now, pages=pages))
    if acknowledged:
        with database.transaction() as connection:
            for find in finds:
                find.acknowledge(connection, now)
    return finds


def test_a_campaign_goes_from_the_newest_month_to_the_oldest_and_then_rests(database: Database) -> None:
    _add(database)
    past = FakePast(pages=2)
    finds = _dig(database, past)
    assert past.asked == [
        f"{month}/{category} p{page}" for month in ("2026-02", "2026-01") for category in (10, 20) for page in (1, 2)
    ]
    assert past.seen == {(None, "viewCount", "archeology")}
    assert (finds[0].source, finds[0].target, finds[0].name) == ("past_search", "2026-02/10", "past_search:2026-02/10")
    done = _one(database)
    assert (done.searches, done.found, done.finished_at, done.cells_left) == (8, 16, NOW, 0)
    assert _dig(database, past) == []


def test_a_cell_has_ten_pages_however_many_search_promises(database: Database) -> None:
    _add(database, categories=[10])
    past = FakePast(pages=1_000)
    _dig(database, past, pages=11)
    assert past.asked[-2:] == ["2026-02/10 p10", "2026-01/10 p1"]


@pytest.mark.parametrize("step", range(1, 9))
def test_the_cursor_survives_whatever_the_number_of_pages_a_hunt(database: Database, step: int) -> None:
    _add(database)
    past = FakePast(pages=2)
    while _dig(database, past, pages=step):
        pass
    assert len(past.asked) == len(set(past.asked)) == 8
    assert _one(database).finished_at is not None


def test_a_page_that_was_never_durable_is_asked_again(database: Database) -> None:
    _add(database)
    past = FakePast()
    _dig(database, past, pages=2, acknowledged=False)
    _dig(database, past, pages=2)
    assert past.asked[:2] == past.asked[2:]


def test_a_page_in_the_middle_that_is_not_durable_holds_the_cursor_there(database: Database) -> None:
    _add(database)
    finds = _dig(database, FakePast(), pages=3, acknowledged=False)
    with database.transaction() as connection:
        finds[0].acknowledge(connection, NOW)
        finds[2].acknowledge(connection, NOW)
    assert _one(database).cell == "2026-02/20"


def test_two_archeologists_move_the_cursor_once(database: Database) -> None:
    _add(database)
    one = _dig(database, FakePast(pages=2), pages=1, acknowledged=False)
    _dig(database, FakePast(pages=2), pages=2)
    with database.transaction() as connection:
        one[0].acknowledge(connection, NOW)
    assert _one(database).cell == "2026-02/20"
    assert _one(database).searches == 3


@pytest.mark.parametrize(("hours", "asked", "pages", "cut"), [(12, "2026-02/10 p3", 3, 0), (12.1, "2026-02/20 p1", 1, 1)])
def test_a_cell_whose_token_has_died_is_left_with_what_it_gave(
    database: Database, hours: float, asked: str, pages: int, cut: int
) -> None:
    _add(database)
    past = FakePast(pages=5)
    _dig(database, past, pages=2)
    _dig(database, past, pages=1, now=NOW + timedelta(hours=hours))
    assert past.asked[-1] == asked
    after = _one(database)
    assert (after.pages, after.cut, after.searches) == (pages, cut, 3)


def test_the_last_cell_may_be_left_too(database: Database) -> None:
    _add(database, categories=[10])
    past = FakePast(pages=5)
    _dig(database, past, pages=6)
    later = NOW + timedelta(hours=13)
    assert _dig(database, past, now=later) == []
    assert (_one(database).cut, _one(database).finished_at) == (1, later)


def test_a_refused_token_starts_its_cell_anew_within_its_ten_calls(database: Database) -> None:
    """What the most viewed of a cell are is not given up for one token, nor is a token asked for for ever."""
    _add(database, categories=[10])
    refused = [BadRequest("invalidPageToken")]
    past = FakePast(pages=3, answer=lambda cell: refused.pop() if refused and cell.endswith("p2") else None)
    finds = _dig(database, past, pages=5)
    assert past.asked == [f"2026-02/10 p{page}" for page in (1, 2, 1, 2, 3)]
    assert [find.error for find in finds] == ["", "invalidPageToken", "", "", ""]
    assert _one(database).cell == "2026-01/10"
    past = FakePast(pages=3, answer=lambda cell: BadRequest("invalidPageToken") if cell.endswith("p2") else None)
    _dig(database, past)
    assert past.asked == [f"2026-01/10 p{page}" for page in (1, 2)] * 5
    assert _one(database).finished_at is not None


def test_spent_quota_ends_the_dig_without_complaint(database: Database) -> None:
    _add(database)
    spent = QuotaExhausted("p", "search", NOW)
    finds = _dig(database, FakePast(answer=lambda cell: spent if cell.startswith("2026-01") else None))
    assert [find.target for find in finds] == ["2026-02/10", "2026-02/20"]
    assert _one(database).cell == "2026-01/10"


def test_a_refused_cell_is_passed_over_with_its_reason(database: Database) -> None:
    _add(database)
    finds = _dig(database, FakePast(answer=lambda cell: BadRequest("no such category") if "/20" in cell else None))
    assert [(find.target, find.error) for find in finds] == [
        ("2026-02/10", ""), ("2026-02/20", "no such category"), ("2026-01/10", ""), ("2026-01/20", "no such category"),
    ]  # fmt: skip
    assert _one(database).finished_at is not None


OUTAGES = [BackendError("503"), BadReply("HTML"), EmptyReply("none")]


@pytest.mark.parametrize("error", OUTAGES)
def test_an_outage_leaves_the_cursors_and_lets_other_campaigns_go_first(database: Database, error: Exception) -> None:
    for name in ("a", "b", "c"):
        _add(database, name)
    for _ in range(campaigns.MOST_FAILURES + 1):
        finds: list[Find] = []
        source = past_search(database, FakePast(answer=lambda _: error).as_youtube(), now=NOW, pages=5)
        with pytest.raises(type(error)):
            finds.extend(source)
        with database.transaction() as connection:
            for find in finds:
                find.acknowledge(connection, NOW)
    with database.transaction() as connection:
        known = campaigns.campaigns(connection)
    assert {(one.cell, one.cut, one.failures) for one in known} == {("2026-02/10", 0, 0)}
    assert sum(one.searches for one in known) >= campaigns.MOST_FAILURES + 1
    assert max(one.searches for one in known) - min(one.searches for one in known) <= 1, "one campaign is asked again and again"


@pytest.mark.parametrize("error", OUTAGES)
@pytest.mark.parametrize("alone", [True, False])
def test_a_cell_that_fails_for_ever_is_left_after_three_hunts(database: Database, error: Exception, alone: bool) -> None:
    """Where it is the only campaign, its next cell tells that searches are answered otherwise."""
    _add(database, "a")
    if not alone:
        _add(database, "b", [20])
    past = FakePast(answer=lambda cell: error if cell.startswith("2026-02/10") else None)
    for hours in range(6):
        _dig(database, past, pages=2, now=NOW + timedelta(hours=hours))
    assert past.asked.count("2026-02/10 p1") == campaigns.MOST_FAILURES
    assert {"2026-02/20 p1", "2026-01/10 p1", "2026-01/20 p1"} <= set(past.asked)
    assert (_one(database, "a").cut, _one(database, "a").failures) == (1, 0)
    assert _one(database, "a").finished_at is not None


def test_a_cell_that_is_answered_again_begins_to_count_anew(database: Database) -> None:
    _add(database, categories=[10])
    sick = True
    past = FakePast(pages=2, answer=lambda cell: BackendError("503") if sick and cell == "2026-02/10 p1" else None)
    for _ in range(campaigns.MOST_FAILURES - 1):
        _dig(database, past, pages=2)
    assert _one(database).failures == campaigns.MOST_FAILURES - 1
    sick = False
    _dig(database, past, pages=1)
    assert (_one(database).failures, _one(database).pages, _one(database).cut) == (0, 1, 0)


def test_other_searches_tell_too(database: Database) -> None:
    """Asked for one page a hunt, a campaign has no second request; the Hunter's searches were answered a moment ago."""
    _add(database, categories=[10])
    past = FakePast(answer=lambda cell: BackendError("503") if cell.startswith("2026-02") else None)
    for minutes in range(5):
        now = NOW + timedelta(minutes=minutes)
        finds: list[Find] = []
        source = past_search(database, past.as_youtube(), now=now, pages=1)
        with contextlib.suppress(BackendError):
            finds.extend(source)
        with database.transaction() as connection:
            connection.execute(
                "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new)"
                " values (%s, 'search', 'x', 'search', 1, 0, 0)",
                [now],
            )
            for find in finds:
                find.acknowledge(connection, now)
    assert past.asked == ["2026-02/10 p1"] * campaigns.MOST_FAILURES + ["2026-01/10 p1"]


def test_a_page_that_fails_gives_its_token_no_precedence(database: Database) -> None:
    for name, category in (("a", 10), ("b", 20)):
        _add(database, name, [category])
    past = FakePast(pages=3, answer=lambda cell: BackendError("503") if cell == "2026-02/10 p2" else None)
    _dig(database, past, pages=4)
    assert past.asked == ["2026-02/10 p1", "2026-02/10 p2", "2026-02/20 p1", "2026-02/20 p2"]
    _dig(database, past, pages=1)
    assert past.asked[-1] == "2026-02/20 p3"


def test_campaigns_take_turns_cell_by_cell(database: Database) -> None:
    _add(database, "a", [10])
    _add(database, "b", [20])
    past = FakePast(pages=2)
    _dig(database, past, pages=4)
    assert past.asked == ["2026-02/10 p1", "2026-02/10 p2", "2026-02/20 p1", "2026-02/20 p2"]


def test_no_page_is_asked_for_when_there_is_no_budget(database: Database) -> None:
    _add(database)
    assert _dig(database, FakePast(), pages=0) == []


def test_a_campaign_is_added_once_and_removed_once(database: Database) -> None:
    _add(database)
    with pytest.raises(UsageError, match="already"):
        _add(database)
    with database.transaction() as connection:
        campaigns.remove(connection, "past")
        with pytest.raises(NotFound):
            campaigns.remove(connection, "past")


@pytest.mark.parametrize(
    ("name", "first", "last", "categories"),
    [
        ("", JANUARY, FEBRUARY, ()),
        ("x\n", date(2025, 1, 1), date(2024, 1, 1), ()),
        ("x", date(2005, 3, 1), FEBRUARY, ()),
        ("x", JANUARY, date(2026, 3, 1), ()),
        ("x", JANUARY, FEBRUARY, (0,)),
    ],
)
def test_an_impossible_campaign_is_refused(
    database: Database, name: str, first: date, last: date, categories: tuple[int, ...]
) -> None:
    with database.transaction() as connection, pytest.raises(UsageError):
        campaigns.add(connection, name, first, last, categories, now=NOW)


def test_the_usual_categories_are_the_seeds() -> None:
    assert campaigns.CATEGORIES == (10, 20, 24, 28, 27)
