"""Incomplete answers: empty lists, feeds and counts with status 200; lists and charts that break off."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.unmetered import Unmetered

from pleiades_core.clock import ManualClock
from pleiades_core.discover.channels import followed
from pleiades_core.discover.channels.followed import LEAST_RATE
from pleiades_core.discover.sources.base import Find
from pleiades_core.discover.sources.charts import charts
from pleiades_core.discover.sources.feeds import ENTRIES, feeds
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.discover.usage import HuntUsage
from pleiades_core.errors import ApiError, BackendError, BadReply, BadRequest, EmptyReply, ReplyTooLarge, ResourceMissing
from pleiades_core.models import Bucket, Candidate, ChannelId, Page, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import encode
from pleiades_core.youtube.api import CHART_CATEGORIES, ChannelDetails, ChartPage, YouTube
from pleiades_core.youtube.atom import Feed, FeedEntry
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.quota import Reservation

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_SQL = load_queries("channels")

#: An answer to a question, by what was asked: a token, ids.
Answer = Callable[[str], Page | ApiError]


def _page(*numbers: int, more: bool = False) -> Page:
    found = tuple(Candidate(video_id=encode(n), channel_id=None, published_at=NOW - HOUR) for n in numbers)
    return Page(candidates=found, next_page_token="more" if more else None)


class Lists(Unmetered, YouTube):
    """A YouTube of uploads lists alone; counts are as the test says."""

    def __init__(self, answer: Answer = lambda _: _page(), counts: Callable[[int], int | None] = lambda _: None) -> None:
        self.answer = answer
        self.counts = counts
        self.listed: list[tuple[ChannelId, str | None]] = []
        self.checked: list[Sequence[ChannelId]] = []

    def uploads(
        self, channel_id: ChannelId, page_token: str | None = None, *, with_title: bool = False,
        reservation: Reservation | None = None,
    ) -> Page:  # fmt: skip
        """What the test says."""
        assert not with_title
        assert reservation is None
        self.listed.append((channel_id, page_token))
        said = self.answer(page_token or "")
        if isinstance(said, ApiError):
            raise said
        return said

    def channels(self, ids: Sequence[ChannelId], *, reservation: Reservation | None = None) -> tuple[ChannelDetails, ...]:
        """Those of which the test has a count."""
        assert reservation is None
        self.checked.append(ids)
        counted = [(channel_id, self.counts(int(channel_id[2:]))) for channel_id in ids]
        if len(ids) >= 10 and all(count is None for _, count in counted):
            raise EmptyReply("none of them")
        return tuple(ChannelDetails(channel_id=one, videos=count) for one, count in counted if count is not None)

    @contextlib.contextmanager
    def reserved(self, bucket: Bucket, pool: QuotaPool, units: int) -> Iterator[None]:
        """Nothing: units are no matter here."""
        assert bucket
        assert pool
        assert units
        yield None


def _channels(database: Database, count: int, **columns: object) -> None:
    """Channels whose ids say which they are."""
    names, values = ", ".join(["channel_id", *columns]), ", ".join(["%s"] * (1 + len(columns)))
    with database.transaction() as connection:
        for number in range(count):
            connection.execute(f"insert into channels ({names}) values ({values})", [f"UC{number:022d}", *columns.values()])


def _rows(database: Database, columns: str) -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        return connection.execute(f"select {columns} from channels order by channel").fetchall()


def _follow(database: Database, source: Iterator[Find], now: datetime = NOW) -> tuple[list[Find], ApiError | None]:
    """What a source brought, noted and recorded, and the error that it ended with."""
    finds: list[Find] = []
    usage = HuntUsage()
    ended = None
    try:
        for find in source:
            finds.append(find)
            usage.add_find(find)
    except ApiError as error:
        ended = error
        usage.add_calls(finds[0].source if finds else "uploads", Counter(), str(error))
    with database.transaction() as connection:
        for find in finds:
            find.acknowledge(connection, now)
        usage.record(connection, now)
    return finds, ended


def _list(database: Database, youtube: Lists, now: datetime = NOW) -> tuple[list[Find], ApiError | None]:
    return _follow(database, uploads(database, youtube, now=now, units=100, parallel=1), now)


LISTED = {"moved": 3, "videos": 10, "checked_at": NOW, "listed_at": NOW - 2 * HOUR, "uploads_a_day": 5.0}


def test_an_empty_list_is_no_reading_and_is_asked_ever_later(database: Database) -> None:
    """What moved stays; two and a half days and six units later the list is believed, until the count moves again."""
    _channels(database, 1, **LISTED)
    youtube = Lists(counts=lambda _: 10)
    asked_after = []
    for hours in range(5 * 24):
        before = len(youtube.listed)
        finds, ended = _list(database, youtube, NOW + hours * HOUR)
        if len(youtube.listed) > before:
            asked_after.append(hours)
            assert [find.error for find in finds if find.error] == ["the uploads list is empty, and 3 were expected"]
            assert ended is None, "one list is no outage"
    assert asked_after == [0, 2, 6, 14, 30, 62]
    assert _rows(database, "moved, list_failures, uploads_a_day") == [(0, 0, pytest.approx(5 * math.exp(-5 / 7), rel=0.05))], (
        "a count that stands still for five days says what there is to say of the rate, and empty lists nothing"
    )
    youtube.counts = lambda _: 11
    youtube.answer = lambda _: _page(1)
    _list(database, youtube, NOW + 130 * HOUR)
    assert len(youtube.listed) == 7
    assert _rows(database, "moved") == [(0,)]


@pytest.mark.parametrize("error", [BackendError("503"), BadReply("HTML"), ReplyTooLarge("20 MB"), ResourceMissing("gone")])
def test_a_list_that_breaks_off_is_not_read(database: Database, error: ApiError) -> None:
    """What came is claimed, what did not is asked for later, and not in every hunt."""
    _channels(database, 1, **{**LISTED, "moved": 70})
    youtube = Lists(lambda token: error if token else _page(1, 2, more=True), counts=lambda _: 10)
    finds, ended = _list(database, youtube)
    assert [len(find.candidates) for find in finds] == [2]
    assert (finds[0].error, ended) == (str(error), None)
    assert _rows(database, "moved, listed_at") == [(70, NOW - 2 * HOUR)]
    _list(database, youtube, NOW + HOUR)
    assert len(youtube.listed) == 2
    youtube.answer = lambda token: _page(3) if token else _page(1, 2, more=True)
    _list(database, youtube, NOW + 2 * HOUR)
    assert _rows(database, "moved, listed_at, list_failures") == [(0, NOW + 2 * HOUR, 0)]


def test_a_refused_token_begins_its_list_once_again(database: Database) -> None:
    _channels(database, 1, **{**LISTED, "moved": 70})
    refused: list[ApiError] = [BadRequest("invalidPageToken")]
    youtube = Lists(lambda token: (refused.pop() if refused else _page(3)) if token else _page(1, 2, more=True))
    finds, _ = _list(database, youtube)
    assert [token for _, token in youtube.listed] == [None, "more", None, "more"]
    assert [len(find.candidates) for find in finds] == [3]
    assert _rows(database, "moved, list_failures") == [(0, 0)]
    refused += [BadRequest("invalidPageToken")] * 2
    with database.transaction() as connection:
        connection.execute("update channels set moved = 70")
    _list(database, youtube)
    assert len(youtube.listed) == 8
    assert _rows(database, "moved, list_failures") == [(70, 1)]


@pytest.mark.parametrize("error", [BackendError("503"), BadReply("HTML")])
def test_lists_in_an_outage_keep_what_moved(database: Database, error: ApiError) -> None:
    """Whatever the status: the source ends, and the next hunt asks the same."""
    _channels(database, 12, **LISTED)
    youtube = Lists(lambda _: error)
    assert _list(database, youtube)[1] is error
    assert len(youtube.listed) == 3
    assert _rows(database, "moved, listed_at, list_failures") == [(3, NOW - 2 * HOUR, 0)] * 12


def test_empty_lists_all_over_are_an_outage(database: Database) -> None:
    _channels(database, 60, **LISTED)
    youtube = Lists(counts=lambda _: 10)
    _, ended = _list(database, youtube)
    assert isinstance(ended, EmptyReply)
    assert len(youtube.listed) == 50, "the lot that was asked"
    youtube.answer = lambda _: _page(1)
    _list(database, youtube, NOW + 2 * HOUR)
    assert _rows(database, "moved") == [(0,)] * 60


def test_counts_of_nobody_are_no_counts(database: Database) -> None:
    """Rates stay, the source says so, and the next hunt asks for others first."""
    _channels(database, 200, uploads_a_day=5.0)
    youtube = Lists()
    finds, ended = _follow(database, uploads(database, youtube, now=NOW, units=2, parallel=1))
    assert isinstance(ended, EmptyReply)
    assert [find.error for find in finds] == [str(ended)]
    assert _rows(database, "uploads_a_day") == [(5.0,)] * 200
    first = {one for ids in youtube.checked for one in ids}
    assert len(first) == 50
    _follow(database, uploads(database, youtube, now=NOW + HOUR / 2, units=2, parallel=1))
    assert first.isdisjoint(youtube.checked[-1])


@pytest.mark.parametrize(("there", "rates"), [(0, [5.0] * 7), (1, [5.0] + [2.5] * 6)])
def test_absence_from_a_reply_counts_where_others_were_in_it(database: Database, there: int, rates: list[float]) -> None:
    _channels(database, 7, uploads_a_day=5.0)
    youtube = Lists(counts=lambda number: 0 if number < there else None)
    assert _list(database, youtube)[1] is None
    assert _rows(database, "uploads_a_day, coalesce(checked_at, check_failed_at)") == [(rate, NOW) for rate in rates]
    assert _rows(database, "check_failures") == [(int(rate < 5),) for rate in rates]


class Atoms(Feeds):
    """Feeds with the entries that the test gives."""

    def __init__(self, *published: datetime) -> None:
        self.published = published

    def read(self, channel_id: ChannelId) -> Feed:
        """The same for all."""
        return Feed(
            entries=tuple(
                FeedEntry(video_id=encode(n), channel_id=channel_id, published_at=at) for n, at in enumerate(self.published)
            ),
            rejected=(),
        )


def _read(database: Database, atom: Feeds, now: datetime = NOW) -> tuple[list[Find], ApiError | None]:
    return _follow(database, feeds(database, atom, now=now, limit=100, parallel=1), now)


def test_an_empty_feed_of_a_channel_with_uploads_has_failed(database: Database) -> None:
    """As if it had answered 404: its rate stays, its count is checked, and most of a portion is an outage."""
    _channels(database, 25, uploads_a_day=5.0, feed_at=NOW - 3 * HOUR, checked_at=NOW - 2 * HOUR, videos=7)
    finds, ended = _read(database, Atoms())
    assert "25 of 25 feeds failed: the feed is empty" in finds[0].error
    assert isinstance(ended, BackendError)
    assert set(_rows(database, "uploads_a_day, feed_failures, feed_at")) == {(5.0, 1, NOW - 3 * HOUR)}
    with database.transaction() as connection:
        assert len(connection.execute(_SQL.checks_due, {"now": NOW, "again": HOUR, "limit": 50}).fetchall()) == 25


@pytest.mark.parametrize("columns", [{"videos": 0, "uploads_a_day": 5.0}, {"uploads_a_day": LEAST_RATE}])
def test_an_empty_feed_of_a_channel_without_uploads_is_one(database: Database, columns: dict[str, object]) -> None:
    _channels(database, 25, **columns)
    finds, ended = _read(database, Atoms())
    assert ([find.error for find in finds], ended) == ([""], None)
    assert set(_rows(database, "uploads_a_day, feed_failures, feed_at")) == {(LEAST_RATE, 0, NOW)}


@pytest.mark.parametrize(("hidden", "moved"), [(True, ENTRIES + 1), (False, 0)])
def test_what_a_full_feed_may_hide_is_listed(database: Database, hidden: bool, moved: int) -> None:
    """After failures too: what counts is when the feed was last read, not when it last failed."""
    _channels(database, 1, uploads_a_day=100.0, feed_at=NOW)
    with database.transaction() as connection:
        for hours in (1, 3):
            connection.execute(_SQL.note_feed_failures, {"channels": [1], "now": NOW + hours * HOUR})
    back = NOW + 7 * HOUR
    oldest = NOW + 2 * HOUR if hidden else NOW - HOUR
    _read(database, Atoms(*(oldest + n * timedelta(minutes=10) for n in range(ENTRIES))), back)
    assert _rows(database, "moved, feed_failures, feed_at") == [(moved, 0, back)]


def test_a_failed_feed_is_asked_ever_later(database: Database) -> None:
    _channels(database, 1, feed_at=NOW - 9 * HOUR, feed_failed_at=NOW, feed_failures=3)
    words = {"again": timedelta(minutes=20), "lost": 0.02, "least": LEAST_RATE, "limit": 5}
    with database.transaction() as connection:
        due = [len(connection.execute(_SQL.feeds_due, {**words, "now": NOW + hours * HOUR}).fetchall()) for hours in (1, 2, 3)]
    assert due == [0, 0, 1]


class Charts(Unmetered, YouTube):
    """Charts of which one page is refused."""

    def __init__(self) -> None:
        self.refused: dict[tuple[int, str | None], ApiError] = {}
        self.asked: list[tuple[int, str | None]] = []

    def chart(self, region: str, category: int, page_token: str | None = None) -> ChartPage:
        """Two empty pages, unless refused."""
        assert region == "US"
        self.asked.append((category, page_token))
        if error := self.refused.get((category, page_token)):
            raise error
        return ChartPage(details=(), next_page_token=None if page_token else "more")


FIRST = next(iter(CHART_CATEGORIES))


@pytest.mark.parametrize("error", [BackendError("503"), BadReply("HTML")])
@pytest.mark.parametrize("token", [None, "more"])
def test_a_chart_that_fails_alone_was_read_such_as_it_is(database: Database, error: ApiError, token: str | None) -> None:
    """It does not stand in the way of the others, and is asked for as often as they are."""
    youtube = Charts()
    youtube.refused[FIRST, token] = error
    for hours in range(3):
        now = NOW + hours * HOUR
        _, ended = _follow(database, charts(database, youtube, ManualClock(now), regions=["US"], units=100), now)
        assert ended is None
    assert {category for category, _ in youtube.asked} == set(CHART_CATEGORIES)
    assert youtube.asked.count((FIRST, None)) == 1


@pytest.mark.parametrize("error", [BackendError("503"), BadReply("HTML")])
@pytest.mark.parametrize("token", [None, "more"])
def test_charts_that_met_an_outage_are_due_and_come_last(database: Database, error: ApiError, token: str | None) -> None:
    youtube = Charts()
    one, two, three = CHART_CATEGORIES
    youtube.refused |= {(one, token): error, (two, token): error}

    def read(now: datetime) -> list[int]:
        youtube.asked.clear()
        _follow(database, charts(database, youtube, ManualClock(now), regions=["US"], units=100), now)
        return list(dict.fromkeys(category for category, _ in youtube.asked))

    assert read(NOW) == [one, two], "one may be what brings the service down"
    assert read(NOW + HOUR) == [three, one, two]
    assert read(NOW + 2 * HOUR) == [one, two]
    youtube.refused.clear()
    assert read(NOW + 3 * HOUR) == [one, two]
    assert read(NOW + 4 * HOUR) == []


def test_a_chart_that_is_not_there_is_not_asked_for_in_every_hunt(database: Database) -> None:
    youtube = Charts()
    youtube.refused[FIRST, None] = ResourceMissing("no such chart")
    for hours in range(3):
        now = NOW + hours * HOUR
        _follow(database, charts(database, youtube, ManualClock(now), regions=["US"], units=100), now)
    assert youtube.asked.count((FIRST, None)) == 1


def test_what_a_person_follows_is_not_forgotten(database: Database) -> None:
    """Not even where that alone is more than may be followed."""
    _channels(database, 5, uploads_a_day=9.0)
    with database.transaction() as connection:
        for name in ("a", "b"):
            words = {"channel_id": name, "total": 7, "shown": 7, "rate": LEAST_RATE, "now": NOW}
            connection.execute(_SQL.follow, words)
        followed.forget(connection, NOW, most=5)
        assert _kept(connection) == [
            "UC0000000000000000000000",
            "UC0000000000000000000001",
            "UC0000000000000000000002",
            "a",
            "b",
        ]
        followed.forget(connection, NOW, most=1)
        assert _kept(connection) == ["a", "b"]


def _kept(connection: psycopg.Connection) -> list[str]:
    return [row[0] for row in connection.execute("select channel_id from channels order by 1").fetchall()]
