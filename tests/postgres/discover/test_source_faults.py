"""Every error at every source that asks something: whose fault it is decides what the source does and where it goes on."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.unmetered import Unmetered

from pleiades_core.batches.leases import Lease
from pleiades_core.clock import ManualClock
from pleiades_core.discover.admission.claims import Claim
from pleiades_core.discover.admission.describe import describe
from pleiades_core.discover.admission.retry import FailedAttempts
from pleiades_core.discover.search_queue import campaigns, terms
from pleiades_core.discover.sources.base import FailureCause, Find, cause_of
from pleiades_core.discover.sources.charts import charts
from pleiades_core.discover.sources.feeds import feeds
from pleiades_core.discover.sources.past_search import past_search
from pleiades_core.discover.sources.search import search
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.errors import ApiError, QuotaExhausted, RateLimited, ReplyTooLarge
from pleiades_core.models import Bucket, Candidate, ChannelId, Counts, Page, QuotaPool, Vid, VideoDetails, VideoId
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import CHART_CATEGORIES, ChannelDetails, ChartPage, YouTube
from pleiades_core.youtube.atom import Feed, FeedEntry
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import Reservation

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _kinds(kind: type[ApiError] = ApiError) -> Iterator[type[ApiError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


ERRORS: list[ApiError] = [
    QuotaExhausted("p", "search", NOW) if issubclass(kind, QuotaExhausted) else kind("it broke") for kind in _kinds()
]
CAUSES = {
    **dict.fromkeys(["ApiError", "BadRequest", "ResourceMissing", "ReplyTooLarge"], FailureCause.REQUEST),
    **dict.fromkeys(["RateLimited", "BackendError", "BadReply", "EmptyReply"], FailureCause.OUTAGE),
    **dict.fromkeys(["QuotaExhausted", "KeyRefused", "KeyInvalid", "KeyBlocked", "ApiDisabled"], FailureCause.ACCESS),
}
_PAGE = Page(candidates=(Candidate(video_id=VideoId("00000000000"), channel_id=None),), next_page_token=None)


class Sick(Unmetered, YouTube):
    """A YouTube whose first question of a method is refused, and whose others are answered, unless all are."""

    def __init__(self, method: str, error: ApiError) -> None:
        self.method = method
        self.error = error
        self.out = False
        self.asked: list[Any] = []

    def _ask(self, method: str, what: object) -> None:
        if method == self.method:
            self.asked.append(what)
            if self.out or self.asked[0] == what:
                raise self.error

    def search(self, term: str | None, **asked: Any) -> Page:
        """One page of anything."""
        self._ask("search", term or asked["category"])
        return _PAGE

    def chart(self, region: str, category: int, page_token: str | None = None) -> ChartPage:
        """An empty chart."""
        self._ask("chart", (region, category, page_token))
        return ChartPage(details=(), next_page_token=None)

    def channels(self, ids: Sequence[ChannelId], *, reservation: Reservation | None = None) -> tuple[ChannelDetails, ...]:
        """Channels of one upload each."""
        assert reservation is None
        self._ask("channels", tuple(ids))
        return tuple(ChannelDetails(channel_id=channel_id, videos=1) for channel_id in ids)

    def uploads(
        self, channel_id: ChannelId, page_token: str | None = None, *, with_title: bool = False,
        reservation: Reservation | None = None,
    ) -> Page:  # fmt: skip
        """One upload."""
        assert page_token is None
        assert not with_title
        assert reservation is None
        self._ask("uploads", channel_id)
        return _PAGE

    def videos(
        self, ids: Sequence[VideoId], *, reservation: Reservation | None = None
    ) -> tuple[tuple[VideoDetails, ...], frozenset[VideoId]]:
        """Videos that are gone."""
        assert reservation is None
        self._ask("videos", tuple(ids))
        return (), frozenset()

    def stats(
        self, ids: Sequence[VideoId], reservation: Reservation | None = None, *, again: bool = False
    ) -> tuple[tuple[Counts, ...], frozenset[VideoId]]:
        """They are there after all."""
        assert ids
        assert reservation is None
        assert not again
        return (), frozenset(ids)

    @contextlib.contextmanager
    def reserved(self, bucket: Bucket, pool: QuotaPool, units: int) -> Iterator[None]:
        """Nothing: units are no matter here."""
        assert bucket
        assert pool
        assert units
        yield None


class SickFeeds(Feeds):
    """Feeds of which the first is refused."""

    def __init__(self, error: ApiError) -> None:
        self.error = error
        self.asked: list[ChannelId] = []

    def read(self, channel_id: ChannelId) -> Feed:
        """A feed of one upload."""
        self.asked.append(channel_id)
        if channel_id == self.asked[0]:
            raise self.error
        return Feed(entries=(FeedEntry(video_id=VideoId("00000000000"), channel_id=channel_id, published_at=NOW),), rejected=())


def _channels(database: Database, count: int, moved: int = 0) -> None:
    with database.transaction() as connection:
        for number in range(count):
            connection.execute(
                "insert into channels (channel_id, moved, checked_at) values (%s, %s, %s)",
                [f"UC{number:022d}", moved, NOW if moved else None],
            )


def _search(database: Database, error: ApiError) -> tuple[Callable[[], Iterator[Find]], Sick]:
    with database.transaction() as connection:
        terms.seed(connection, ["lofi", "news"])
    youtube = Sick("search", error)
    rng = random.Random(1)  # noqa: S311  tests must be repeatable
    return lambda: search(database, youtube, now=NOW, pages=2, window=HOUR, rng=rng), youtube


def _past_search(database: Database, error: ApiError) -> tuple[Callable[[], Iterator[Find]], Sick]:
    with database.transaction() as connection:
        campaigns.add(connection, "past", date(2026, 1, 1), date(2026, 1, 1), (10, 20), now=NOW)
    youtube = Sick("search", error)
    return lambda: past_search(database, youtube, now=NOW, pages=2), youtube


def _charts(database: Database, error: ApiError) -> tuple[Callable[[], Iterator[Find]], Sick]:
    youtube = Sick("chart", error)
    return lambda: charts(database, youtube, ManualClock(NOW), regions=["US"], units=100), youtube


def _checks(database: Database, error: ApiError) -> tuple[Callable[[], Iterator[Find]], Sick]:
    _channels(database, 100)
    youtube = Sick("channels", error)
    return lambda: uploads(database, youtube, now=NOW, units=4, parallel=1), youtube


def _lists(database: Database, error: ApiError) -> tuple[Callable[[], Iterator[Find]], Sick]:
    _channels(database, 2, moved=1)
    youtube = Sick("uploads", error)
    return lambda: uploads(database, youtube, now=NOW, units=10, parallel=1), youtube


def _feeds(database: Database, error: ApiError) -> tuple[Callable[[], Iterator[Find]], SickFeeds]:
    _channels(database, 20)
    atom = SickFeeds(error)
    return lambda: feeds(database, atom, now=NOW, limit=20, parallel=1), atom


#: Each source, and how many questions it has for the sick service.
SOURCES = {
    "search": (_search, 2), "past_search": (_past_search, 2), "charts": (_charts, len(CHART_CATEGORIES)),
    "checks": (_checks, 2), "lists": (_lists, 2),
}  # fmt: skip


def _follow(database: Database, source: Iterator[Find]) -> tuple[list[Find], ApiError | None]:
    """What a source brought, noted, and the error that it ended with."""
    finds: list[Find] = []
    ended = None
    try:
        finds.extend(source)
    except ApiError as error:
        ended = error
    with database.transaction() as connection:
        for find in finds:
            find.acknowledge(connection, NOW)
    return finds, ended


def test_every_error_is_somebodys_fault() -> None:
    assert {type(error).__name__: cause_of(error) for error in ERRORS} == CAUSES


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_question_that_fails_costs_its_source_what_it_is_guilty_of(database: Database, name: str, error: ApiError) -> None:
    make, questions = SOURCES[name]
    source, youtube = make(database, error)
    finds, ended = _follow(database, source())
    said = [find for find in finds if find.error]
    asked = len(set(youtube.asked))
    fault = cause_of(error)
    if fault is FailureCause.REQUEST:
        assert (ended, asked, len(said)) == (None, questions, 1), "one question stopped the others"
        assert said[0].error == str(error)
        first, youtube.asked = youtube.asked[0], [None]
        _follow(database, source())
        assert first not in youtube.asked or name in {"charts", "search"}, "it sticks"
    elif fault is FailureCause.OUTAGE:
        assert (ended, asked, [find.error for find in said]) == (None, questions, [str(error)]), "others were answered"
    else:
        assert (ended, said) == (None if name == "past_search" and isinstance(error, QuotaExhausted) else error, [])
        assert asked == 1


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "error", [error for error in ERRORS if cause_of(error) is FailureCause.OUTAGE], ids=lambda e: type(e).__name__
)
def test_in_an_outage_a_source_asks_twice_and_says_so(database: Database, name: str, error: ApiError) -> None:
    """A question that brings YouTube down looks the same, so another is asked; checks and lists are asked in lots."""
    make, _ = SOURCES[name]
    source, youtube = make(database, error)
    youtube.out = True
    finds, ended = _follow(database, source())
    assert ended is error
    assert len(set(youtube.asked)) == 2
    assert {find.error for find in finds} <= {str(error)}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_feed_that_fails_is_no_outage_and_waits(database: Database, error: ApiError) -> None:
    source, atom = _feeds(database, error)
    finds, ended = _follow(database, source())
    assert ended is None or cause_of(error) is FailureCause.ACCESS, "a service without keys and quota cannot refuse either"
    assert [find.error for find in finds] == [f"1 of 20 feeds failed: {error}"]
    with database.transaction() as connection:
        waiting = connection.execute("select channel_id from channels where feed_failures > 0").fetchall()
    assert waiting == [(atom.asked[0],)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_video_is_not_blamed_for_quota_and_keys(tmp_path: Path, error: ApiError) -> None:
    """What could not be asked for waits; a video that fails by itself is asked for in smaller company, and given up one day."""
    ids = [VideoId(f"{number:011d}") for number in range(3)]
    claimed = Claim(
        lease=Lease(lease_id=uuid.uuid4(), epoch=uuid.uuid4()), vids={video_id: Vid(n) for n, video_id in enumerate(ids)},
        tries=dict.fromkeys(ids, FailedAttempts()), found_by=dict.fromkeys(ids, "search"),
    )  # fmt: skip
    settings = DemoSettings(home=tmp_path).changed(youtube__url="http://127.0.0.1:9", youtube__parallel_calls=1)
    described = describe(Sick("videos", error), ManualClock(NOW), settings, claimed, {})
    swells = isinstance(error, ReplyTooLarge)
    assert described.errors == (() if swells else (error,))
    # A reply that swells is halved at once: the first half is one video, and the others are not there.
    blameless = swells or isinstance(error, RateLimited) or cause_of(error) is FailureCause.ACCESS
    assert set(described.failed) == (set() if blameless else set(ids))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_several_questions_stop_where_no_other_could_be_answered(error: ApiError) -> None:
    """At once without quota or keys, after three failures in a row in an outage, never for the questions' own faults."""
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        raise error

    answers, errors = ask_all(ask, range(10), threads=1)
    assert (answers, errors) == ([], [error] * len(asked))
    assert len(asked) == {FailureCause.ACCESS: 1, FailureCause.OUTAGE: 3, FailureCause.REQUEST: 10}[cause_of(error)]
