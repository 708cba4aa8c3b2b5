"""A request that fails at every attempt does not stop the rest: each source asks for everything else within a few hunts."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from support.unmetered import Unmetered

from pleiades_core.clock import ManualClock
from pleiades_core.discover.channels.counts import WITNESSES, portions
from pleiades_core.discover.search_queue import campaigns, terms
from pleiades_core.discover.sources.base import Find
from pleiades_core.discover.sources.charts import charts
from pleiades_core.discover.sources.feeds import feeds
from pleiades_core.discover.sources.past_search import past_search
from pleiades_core.discover.sources.search import search
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.discover.usage import HuntUsage
from pleiades_core.errors import ApiError, BackendError, BadReply, EmptyReply
from pleiades_core.models import Bucket, Candidate, ChannelId, Page, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.videoid import encode
from pleiades_core.youtube.api import CHART_CATEGORIES, ChannelDetails, ChartPage, YouTube
from pleiades_core.youtube.atom import Feed, FeedEntry
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.quota import Reservation

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OUTAGES = [BackendError("503"), BadReply("HTML"), EmptyReply("none")]
every_outage = pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)


class Sick(Unmetered, YouTube):
    """A YouTube that answers everything but what the test calls sick."""

    def __init__(self, error: ApiError, sick: Callable[[object], bool]) -> None:
        self.error = error
        self.sick = sick
        self.asked: Counter[object] = Counter()
        #: What was asked for and answered.
        self.answered: Counter[object] = Counter()
        #: Channels of which there is nothing any more.
        self.gone: Callable[[int], bool] = lambda _: False
        self.checks = 0

    def _ask(self, *what: object) -> None:
        self.asked.update(what)
        if any(self.sick(one) for one in what):
            raise self.error
        self.answered.update(what)

    def search(self, term: str | None, **words: object) -> Page:
        """One page of one video."""
        month = words["published_after"]
        assert isinstance(month, datetime)
        self._ask(term or f"{month:%Y-%m}/{words['category']}")
        return _page()

    def chart(self, region: str, category: int, page_token: str | None = None) -> ChartPage:
        """An empty chart."""
        assert page_token is None
        self._ask((region, category))
        return ChartPage(details=(), next_page_token=None)

    def channels(self, ids: Sequence[ChannelId], *, reservation: Reservation | None = None) -> tuple[ChannelDetails, ...]:
        """Ten uploads each, but for those that are gone; as the real one, it does not believe a reply with none of many."""
        assert reservation is None
        assert len(ids) <= 50
        self.checks += 1
        self._ask(*ids)
        there = [one for one in ids if not self.gone(int(one[2:]))]
        if len(ids) >= 10 and not there:
            raise EmptyReply("none of them")
        return tuple(ChannelDetails(channel_id=one, videos=10) for one in there)

    def uploads(
        self, channel_id: ChannelId, page_token: str | None = None, *, with_title: bool = False,
        reservation: Reservation | None = None,
    ) -> Page:  # fmt: skip
        """One page of one video."""
        assert page_token is None
        assert not with_title
        assert reservation is None
        self._ask("list", ("list", channel_id))
        return _page()

    @contextlib.contextmanager
    def reserved(self, bucket: Bucket, pool: QuotaPool, units: int) -> Iterator[None]:
        """Nothing: units are no matter here."""
        assert (bucket, pool) == (Bucket.GENERAL, "hunting")
        assert units
        yield None


def _page() -> Page:
    return Page(candidates=(Candidate(video_id=encode(1), channel_id=None, published_at=NOW - HOUR),), next_page_token=None)


def _id(number: int) -> ChannelId:
    return ChannelId(f"UC{number:022d}")


def _channels(database: Database, numbers: Sequence[int], **columns: object) -> None:
    names, values = ", ".join(["channel_id", *columns]), ", ".join(["%s"] * (1 + len(columns)))
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(
            f"insert into channels ({names}) values ({values})", [[_id(one), *columns.values()] for one in numbers]
        )


def _rows(database: Database, columns: str, where: str = "true") -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        return connection.execute(f"select {columns} from channels where {where} order by channel").fetchall()


def _hunt(database: Database, name: str, source: Iterator[Find], now: datetime) -> ApiError | None:
    """Follow a source as the Hunter does; the error that it ended with."""
    finds: list[Find] = []
    usage, ended = HuntUsage(), None
    try:
        for find in source:
            finds.append(find)
            bucket = Bucket.SEARCH if name in {"search", "past_search"} else Bucket.GENERAL
            usage.add_find(replace(find, calls=Counter({bucket: 1})))
    except ApiError as error:
        ended = error
        usage.add_calls(name, Counter(), str(error))
    with database.transaction() as connection:
        for find in finds:
            find.acknowledge(connection, now)
        usage.record(connection, now)
        for term, new in usage.new_of("search").items():
            terms.note_search(connection, term, new=new, now=now)
    return ended


@every_outage
def test_a_priority_term(database: Database, error: ApiError) -> None:
    """It comes first whenever it has rested, and the other terms have the other searches all the same."""
    with database.transaction() as connection:
        terms.seed(connection, [f"term{number}" for number in range(20)])
        terms.add(connection, "poison", priority=10, now=NOW)
    youtube = Sick(error, lambda what: what == "poison")
    for hours in range(12):
        now, rng = NOW + hours * HOUR, random.Random(hours)  # noqa: S311  tests must be repeatable
        assert _hunt(database, "search", search(database, youtube, now=now, pages=4, window=24 * HOUR, rng=rng), now) is None
    assert {f"term{number}" for number in range(20)} <= set(youtube.answered)
    assert youtube.asked["poison"] <= 4, "it rests"
    assert youtube.asked.total() == 4 * 12


@every_outage
def test_a_chart(database: Database, error: ApiError) -> None:
    youtube = Sick(error, lambda what: what == ("DE", next(iter(CHART_CATEGORIES))))
    for hours in range(3):
        now = NOW + hours * HOUR
        ended = _hunt(database, "charts", charts(database, youtube, ManualClock(now), regions=["DE", "US"], units=12), now)
        assert ended is None
    assert len(youtube.answered) == 2 * len(CHART_CATEGORIES) - 1
    assert youtube.asked.total() == 2 * len(CHART_CATEGORIES)


@every_outage
def test_a_cell_of_a_campaign(database: Database, error: ApiError) -> None:
    with database.transaction() as connection:
        campaigns.add(connection, "a", date(2020, 1, 1), date(2020, 2, 1), [10, 20], now=NOW)
    youtube = Sick(error, lambda what: what == "2020-02/10")
    for hours in range(6):
        now = NOW + hours * HOUR
        assert _hunt(database, "past_search", past_search(database, youtube, now=now, pages=2), now) is None
    assert set(youtube.answered) == {"2020-02/20", "2020-01/10", "2020-01/20"}
    assert youtube.asked["2020-02/10"] == campaigns.MOST_FAILURES


@every_outage
@pytest.mark.parametrize("others", [299, 49, 9])
def test_a_check(database: Database, error: ApiError, others: int) -> None:
    """The lists are read in the first hunt, and before long those that it was asked together with are counted."""
    _channels(database, range(others + 1), moved=3, videos=10, checked_at=NOW - 9 * HOUR, listed_at=NOW - 20 * HOUR)
    youtube = Sick(error, lambda what: what == _id(0))
    ended = []
    for hours in range(16):
        now = NOW + hours * HOUR
        ended.append(_hunt(database, "uploads", uploads(database, youtube, now=now, units=400, parallel=1), now))
        if hours == 0:
            assert youtube.asked["list"] == others + 1
        # What is listed need not be checked: here the counts alone are looked at.
        with database.transaction() as connection:
            connection.execute("update channels set listed_at = %s", [NOW - 20 * HOUR])
    assert _rows(database, "channel_id", f"checked_at < '{NOW - HOUR:%c} UTC'") == [(_id(0),)]
    assert ended[-1] is None
    assert youtube.asked[_id(0)] < 10, "it waits ever longer"


@every_outage
def test_the_richest_list(database: Database, error: ApiError) -> None:
    _channels(database, range(300), moved=3, videos=10, checked_at=NOW, listed_at=NOW - 2 * HOUR)
    with database.transaction() as connection:
        connection.execute("update channels set moved = 40 where channel_id = %s", [_id(0)])
    youtube = Sick(error, lambda what: what == ("list", _id(0)))
    assert _hunt(database, "uploads", uploads(database, youtube, now=NOW, units=400, parallel=1), NOW) is None
    assert youtube.asked["list"] == 300
    for hours in range(1, 100):
        now = NOW + hours * HOUR
        assert _hunt(database, "uploads", uploads(database, youtube, now=now, units=400, parallel=1), now) is None
    assert youtube.asked["list", _id(0)] < 9, "it waits ever longer"
    assert _rows(database, "channel_id, moved", "moved > 0") == [(_id(0), 40)], "what was never answered is never believed"


@every_outage
def test_three_lists_in_a_row_are_no_outage(database: Database, error: ApiError) -> None:
    """Though they are the richest, and one thread asks."""
    _channels(database, range(50), moved=3, videos=10, checked_at=NOW, listed_at=NOW - 2 * HOUR)
    with database.transaction() as connection:
        connection.execute("update channels set moved = 40 where channel_id = any(%s)", [[_id(one) for one in range(3)]])
    youtube = Sick(error, lambda what: what in [("list", _id(one)) for one in range(3)])
    for hours in range(4):
        now = NOW + hours * HOUR
        _hunt(database, "uploads", uploads(database, youtube, now=now, units=400, parallel=1), now)
    assert _rows(database, "channel_id", "moved > 0") == [(_id(one),) for one in range(3)]


class SickFeeds(Feeds):
    """Feeds of one upload, but for one channel's."""

    def __init__(self, error: ApiError) -> None:
        self.error = error
        self.asked: Counter[ChannelId] = Counter()

    def read(self, channel_id: ChannelId) -> Feed:
        """A feed."""
        self.asked[channel_id] += 1
        if channel_id == _id(0):
            raise self.error
        return Feed(entries=(FeedEntry(video_id=encode(1), channel_id=channel_id, published_at=NOW - HOUR),), rejected=())


@every_outage
def test_a_feed(database: Database, error: ApiError) -> None:
    """The one that promises most."""
    _channels(database, [0], uploads_a_day=99.0, feed_at=NOW - 3 * HOUR)
    _channels(database, range(1, 40), uploads_a_day=5.0, feed_at=NOW - 3 * HOUR)
    atom = SickFeeds(error)
    for hours in range(4):
        now = NOW + hours * HOUR
        assert _hunt(database, "feeds", feeds(database, atom, now=now, limit=20, parallel=1), now) is None
    assert len(atom.asked) == 40


@pytest.mark.parametrize("gone", [1, 12, 60])
def test_channels_that_are_gone_stop_no_list_and_are_looked_at_less_and_less(database: Database, gone: int) -> None:
    """Their feeds answer 404, so they are what is left to be checked: first that is an outage, and then there is a witness."""
    _channels(database, range(200), uploads_a_day=5.0, feed_at=NOW, checked_at=NOW - 30 * HOUR, videos=10)
    columns = {"uploads_a_day": 1.0, "feed_failures": 5, "feed_failed_at": NOW, "checked_at": NOW - 3 * HOUR, "videos": 10}
    _channels(database, range(200, 200 + gone), **columns)
    with database.transaction() as connection:
        connection.execute("update channels set moved = 16, listed_at = %s where channel <= 30", [NOW - 9 * HOUR])
    youtube = Sick(BackendError("never"), lambda _: False)
    youtube.gone = lambda number: number >= 200
    ended = []
    for hours in range(7 * 24):
        now = NOW + hours * HOUR
        with database.transaction() as connection:
            connection.execute("update channels set feed_at = %s where feed_failures = 0", [now])
        ended.append(_hunt(database, "uploads", uploads(database, youtube, now=now, units=40, parallel=1), now))
        if hours == 1:
            assert _rows(database, "channel", "moved > 0") == []
    assert [error for error in ended[5:] if error is not None] == []
    assert max(youtube.asked[_id(number)] for number in range(200, 200 + gone)) <= 12
    assert _rows(database, "channel", "feed_failures > 0 and uploads_a_day > 0.1") == []
    assert set(_rows(database, "check_failures", "feed_failures = 0")) == {(0,)}


def test_an_outage_takes_the_witnesses_along_and_no_rate(database: Database) -> None:
    """Replies without any of many, hour by hour; afterwards all are counted at once."""
    _channels(database, range(200), uploads_a_day=5.0, checked_at=NOW - 3 * HOUR, videos=10)
    youtube = Sick(BackendError("never"), lambda _: False)
    youtube.gone = lambda _: True
    for hours in range(12):
        now = NOW + hours * HOUR
        assert isinstance(
            _hunt(database, "uploads", uploads(database, youtube, now=now, units=40, parallel=1), now), EmptyReply
        )
    assert set(_rows(database, "uploads_a_day, checked_at, check_failures")) == {(5.0, NOW - 3 * HOUR, 0)}
    assert youtube.checks <= 12 * 4, "three in a row end a lot, and the sweep asks once"
    youtube.gone = lambda _: False
    back = NOW + 13 * HOUR
    assert _hunt(database, "uploads", uploads(database, youtube, now=back, units=40, parallel=1), back) is None
    assert set(_rows(database, "checked_at")) == {(back,)}


@pytest.mark.parametrize("most", range(7))
@pytest.mark.parametrize(("sure", "doubtful"), [(0, 0), (0, 1), (0, 50), (0, 400), (1, 1), (60, 3), (260, 400)])
def test_portions_are_within_what_is_paid_for(most: int, sure: int, doubtful: int) -> None:
    """Nobody is asked twice but the witnesses, and who waited longest is asked."""
    there = [(9_000 + number, _id(9_000 + number)) for number in range(WITNESSES)]
    for in_doubt_first in (True, False):
        rows = [(number, _id(number), number >= sure) for number in range(sure + doubtful)]
        rows = rows[::-1] if in_doubt_first else rows
        made = portions(rows, there, most, random.Random(1))  # noqa: S311  tests must be repeatable
        asked = Counter(row for portion in made for row in portion)
        assert len(made) <= most
        assert all(0 < len(portion) <= 50 for portion in made)
        assert all(asked[row] == 1 for row in asked.keys() - set(there))
        if most and rows:
            assert any(row[2] == rows[0][2] for row in rows if row[:2] in asked), "who waited longest waits for ever"
