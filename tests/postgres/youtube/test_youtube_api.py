"""YouTube's typed surface through everything below it: keys, ledger in PostgreSQL, and HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pydantic import SecretStr
from support.full_disk import fill_the_disk
from support.loopback import Answer, Loopback, json_reply, reply, serve

from pleiades_core.clock import ManualClock
from pleiades_core.errors import (
    BackendError,
    BadRequest,
    ConfigurationError,
    KeyInvalid,
    QuotaExhausted,
    RateLimited,
    ReplyTooLarge,
    ResourceMissing,
)
from pleiades_core.models import Bucket, ChannelId, QuotaPool, Rejected, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.videoid import encode
from pleiades_core.youtube.api import YouTube, open_youtube, quarantine_table
from pleiades_core.youtube.client import Transport
from pleiades_core.youtube.executor import HydraExecutor
from pleiades_core.youtube.keyring import KeyRing, State, parse_pool
from pleiades_core.youtube.quota import Ledger

A = VideoId("dQw4w9WgXcQ")
CHANNEL = ChannelId("UCooVYzDxdwTtGYAkcPmOgOw")
EMPTY = json_reply({"kind": "youtube#listResponse", "items": []})
COUNTED = json_reply({"kind": "youtube#batchGetStatsResponse", "items": [{"id": A, "statistics": {"viewCount": "7"}}]})
TWO_PROJECTS = '[{"key": "key-of-one", "project": "one"}, {"key": "key-of-two", "project": "two"}]'
SINCE = datetime(2026, 2, 1, tzinfo=UTC)


def refusal(
    status: int, reason: str, *, detail: str = "", headers: tuple[tuple[str, str], ...] = (), **metadata: str
) -> Answer:
    """An error in the API's form."""
    details = [{"reason": detail, "metadata": metadata}] if detail else []
    body = json_reply({"error": {"message": "m", "errors": [{"reason": reason}], "details": details}}, status)
    if not headers:
        return body
    return reply(status, b'{"error": {"errors": [{"reason": "%s"}]}}' % reason.encode(), headers=headers)


SPENT = refusal(429, "rateLimitExceeded", detail="RATE_LIMIT_EXCEEDED", quota_unit="1/d/{project}", quota_limit_value="3")
NOT_A_KEY = refusal(400, "badRequest", detail="API_KEY_INVALID")


@dataclass
class Rig:
    """A YouTube against a loopback server, with what it did along the way."""

    youtube: YouTube
    server: Loopback
    ledger: Ledger
    ring: KeyRing
    slept: list[float]
    kept: list[tuple[str, Sequence[Rejected]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        """The method path of every request that arrived."""
        return [urlsplit(one.split()[1].decode()).path.removeprefix("/youtube/v3/") for one in self.server.requests]

    def keys(self) -> list[str]:
        """The key of every request that arrived."""
        return [one.split(b"X-Goog-Api-Key: ")[1].split(b"\r\n")[0].decode() for one in self.server.requests]

    def query(self) -> dict[str, list[str]]:
        """The query of the last request."""
        return parse_qs(urlsplit(self.server.requests[-1].split()[1].decode()).query)


@contextlib.contextmanager
def rigged(database: Database, clock: ManualClock, *answers: Answer, pool: str = '["the-only-key"]') -> Iterator[Rig]:
    """A rig for the length of a block."""
    with serve(*answers) as server:
        transport = Transport(server.base_url, 5)
        ledger = Ledger(database, clock)
        ring = KeyRing(parse_pool(pool), ledger)
        slept: list[float] = []
        kept: list[tuple[str, Sequence[Rejected]]] = []
        executor = HydraExecutor(ring, transport, clock, sleep=slept.append)
        yield Rig(YouTube(executor, lambda source, rows: kept.append((source, rows))), server, ledger, ring, slept, kept)
        transport.close()


def test_the_questions_and_their_prices(database: Database, clock: ManualClock) -> None:
    """Each draws one unit from its bucket; no ids cost nothing."""
    with rigged(database, clock, EMPTY) as rig:
        assert rig.youtube.search("cats & dögs", published_after=SINCE, page_token="CDIQAA").candidates == ()  # noqa: S106
        assert rig.query() == {
            "part": ["snippet"], "type": ["video"], "order": ["date"], "maxResults": ["50"], "q": ["cats & dögs"],
            "publishedAfter": ["2026-02-01T00:00:00Z"], "pageToken": ["CDIQAA"], "alt": ["json"],
        }  # fmt: skip
        rig.youtube.uploads(CHANNEL)
        assert rig.query()["playlistId"] == ["UUooVYzDxdwTtGYAkcPmOgOw"]
        rig.youtube.videos([A])
        assert rig.query()["part"] == ["snippet,contentDetails,statistics"]
        rig.youtube.stats([A])
        rig.youtube.channels([CHANNEL])
        assert rig.query()["part"] == ["statistics"]
        assert rig.youtube.check_keys()[0].ok
        assert (rig.youtube.stats([]), rig.youtube.videos([]), rig.youtube.channels([])) == (((), frozenset()),) * 2 + ((),)
        assert rig.paths() == ["search", "playlistItems", "videos", "videos:batchGetStats", "channels", "videoCategories"]
        left = {bucket: rig.ledger.left("default", bucket) for bucket in (Bucket.SEARCH, Bucket.STATS, Bucket.GENERAL)}
        assert left == {Bucket.SEARCH: 99, Bucket.STATS: 9_999, Bucket.GENERAL: 9_996}


def test_more_than_fifty_ids_are_a_mistake_of_the_caller(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, EMPTY) as rig, pytest.raises(ValueError, match="at most 50"):
        rig.youtube.stats([A] * 51)


def test_a_spent_bucket_is_asked_once(database: Database, clock: ManualClock) -> None:
    """The verdict and the limit go into the ledger; until the reset nothing is sent, after it everything is."""
    with rigged(database, clock, SPENT, EMPTY) as rig:
        for _ in range(3):
            with pytest.raises(QuotaExhausted) as caught:
                rig.youtube.search("x", published_after=SINCE)
        assert caught.value.resets_at == datetime(2026, 3, 2, 8, tzinfo=UTC)
        assert rig.paths() == ["search"]
        assert rig.slept == []
        (row,) = rig.ledger.rows()
        assert (row.limit, row.exhausted, row.spent) == (3, True, 1)
        rig.youtube.videos([A])
        clock.advance(timedelta(days=1))
        rig.youtube.search("x", published_after=SINCE)
        assert rig.paths() == ["search", "videos", "search"]


def test_our_own_count_stops_before_the_api_does(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, EMPTY) as rig:
        assert rig.ledger.debit(
            "default", Bucket.SEARCH, QuotaPool.HUNTING, rig.ledger.left("default", Bucket.SEARCH, QuotaPool.HUNTING)
        )
        with pytest.raises(QuotaExhausted, match="kept for other pools than 'hunting'") as caught:
            rig.youtube.search("x", published_after=SINCE)
        assert caught.value.pool == QuotaPool.HUNTING
        assert rig.server.requests == []
        assert rig.youtube.units_left(Bucket.SEARCH) == rig.youtube.units_left(Bucket.SEARCH, QuotaPool.ARCHEOLOGY) == 17
        rig.youtube.search("x", pool=QuotaPool.ARCHEOLOGY)
        assert rig.ledger.debit("default", Bucket.SEARCH, QuotaPool.ARCHEOLOGY, 16)
        with pytest.raises(QuotaExhausted, match="is spent until") as caught:
            rig.youtube.search("x", pool=QuotaPool.ARCHEOLOGY)
        assert caught.value.pool is None


def test_just_after_midnight_a_verdict_is_not_believed_for_the_whole_day(database: Database, clock: ManualClock) -> None:
    """YouTube's clock may still be on the day before."""
    clock.set(datetime(2026, 3, 1, 8, 0, 30, tzinfo=UTC))
    with rigged(database, clock, SPENT, EMPTY) as rig:
        with pytest.raises(QuotaExhausted):
            rig.youtube.search("x", published_after=SINCE)
        clock.advance(timedelta(minutes=5))
        rig.youtube.search("x", published_after=SINCE)


def test_just_after_midnight_a_reservation_is_not_burnt_on_verdicts(database: Database, clock: ManualClock) -> None:
    """One call hears "spent" once, although the day is left open."""
    clock.set(datetime(2026, 3, 1, 8, 0, 30, tzinfo=UTC))
    with rigged(database, clock, SPENT, COUNTED) as rig:
        with database.transaction() as connection:
            reservation = rig.ledger.reserve(connection, "default", Bucket.STATS, QuotaPool.TRACKING, 10)
        rig.youtube.stats([A], reservation)
        assert rig.paths() == ["videos:batchGetStats", "videos"]
        assert reservation.used == 1


def test_another_project_takes_over(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, SPENT, EMPTY, pool=TWO_PROJECTS) as rig:
        rig.youtube.search("x", published_after=SINCE)
        rig.youtube.search("y", published_after=SINCE)
        assert rig.keys() == ["key-of-one", "key-of-two", "key-of-two"]
        assert rig.ledger.left("two", Bucket.SEARCH) == 98


def test_a_refused_key_is_retired(database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """By its fingerprint in log and description, never by its text."""
    with rigged(database, clock, NOT_A_KEY, EMPTY, pool='["first-key", "second-key"]') as rig:
        rig.youtube.videos([A])
        rig.youtube.videos([A])
        assert rig.keys() == ["first-key", "second-key", "second-key"]
        first, second = rig.ring.states()
        assert (first.state, first.description) == (State.REFUSED, "refused: the key does not exist (API_KEY_INVALID)")
        assert (second.state, second.description, second.reason) == (State.LIVE, "live", "")
        assert rig.ring.refused() == (first,)
        assert first.fingerprint in caplog.text
        assert "first-key" not in caplog.text + str(rig.ring.states())


def test_when_every_key_is_refused_nothing_is_sent(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, NOT_A_KEY) as rig:
        for _ in range(2):
            with pytest.raises(KeyInvalid, match="every key") as caught:
                rig.youtube.videos([A])
        assert len(rig.server.requests) == 1
        assert caught.value.cure


def test_a_pool_without_a_key_is_a_configuration_error(database: Database, clock: ManualClock) -> None:
    with (
        rigged(database, clock, EMPTY, pool='[{"key": "hunts-only", "pools": ["hunting"]}]') as rig,
        pytest.raises(ConfigurationError, match="tracking"),
    ):
        rig.youtube.stats([A])


def test_back_off_grows_and_every_attempt_is_paid(database: Database, clock: ManualClock) -> None:
    """Full jitter: between 0 and 1, 2, 4 seconds."""
    with rigged(database, clock, reply(503)) as rig:
        with pytest.raises(BackendError):
            rig.youtube.videos([A])
        assert len(rig.server.requests) == 4
        assert rig.ledger.left("default", Bucket.GENERAL) == 9_996
        assert [0 <= wait <= longest for wait, longest in zip(rig.slept, (1, 2, 4), strict=True)] == [True] * 3


def test_a_call_that_never_left_costs_nothing(database: Database, clock: ManualClock) -> None:
    """Nobody listens: the ledger, the pool's share and the count of calls are as before, for each way to pay."""
    with rigged(database, clock, EMPTY) as rig:
        pass
    with pytest.raises(BackendError, match="ConnectionRefusedError"):
        rig.youtube.search("cats")
    assert len(rig.slept) == 3, "it is tried again as after any outage"
    with (
        rig.youtube.reserved(Bucket.GENERAL, QuotaPool.HUNTING, 2) as reservation,
        pytest.raises(BackendError, match="ConnectionRefusedError"),
    ):
        rig.youtube.uploads(CHANNEL, reservation=reservation)
    assert reservation is not None
    assert reservation.unused == 2
    # A reservation that was settled meanwhile, by a thread that waited no longer.
    with pytest.raises(BackendError, match="ConnectionRefusedError"):
        rig.youtube.uploads(CHANNEL, reservation=reservation)
    assert [one.ok for one in rig.youtube.check_keys()] == [False]
    assert [(row.spent, row.spent_by[QuotaPool.HUNTING]) for row in rig.ledger.rows()] == [(0, 0)] * 2
    assert not rig.youtube.calls().total()


def test_a_unit_of_a_settled_reservation_goes_back_to_the_ledger(database: Database, clock: ManualClock) -> None:
    """It was settled while the call was on its way: what the call took was kept then."""
    ledger = Ledger(database, clock)
    with database.transaction() as connection:
        reservation = ledger.reserve(connection, "p", Bucket.SEARCH, QuotaPool.HUNTING, 3)
        assert reservation.take()
        ledger.settle(connection, reservation)
    assert not reservation.put_back()
    ledger.give_back("p", Bucket.SEARCH, QuotaPool.HUNTING, now=clock.now())
    assert [(row.spent, row.spent_by[QuotaPool.HUNTING]) for row in ledger.rows()] == [(0, 0)]


def test_the_server_may_ask_for_a_short_wait(database: Database, clock: ManualClock) -> None:
    """Per-minute limits: the daily bucket stays open."""
    slow = refusal(429, "userRateLimitExceeded", headers=(("Retry-After", "7"),))
    failing = reply(503, headers=(("Retry-After", "30"),))
    with rigged(database, clock, slow, failing, EMPTY) as rig:
        rig.youtube.videos([A])
        assert rig.slept == [7.0, 30.0]
        assert not rig.ledger.rows()[0].exhausted
    with rigged(database, clock, slow) as rig, pytest.raises(RateLimited):
        rig.youtube.videos([A])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_asks_for_a_longer_wait_is_not_paid_again(database: Database, clock: ManualClock, status: int) -> None:
    """An attempt before its time is billed and refused."""
    with rigged(database, clock, reply(status, headers=(("Retry-After", "31"),)), EMPTY) as rig:
        with pytest.raises(RateLimited if status == 429 else BackendError) as caught:
            rig.youtube.videos([A])
        assert isinstance(caught.value, RateLimited | BackendError)
        assert caught.value.retry_after == 31.0
        assert (rig.slept, len(rig.server.requests)) == ([], 1)
        assert rig.ledger.left("default", Bucket.GENERAL) == 9_999


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_none_is_not_hammered(database: Database, clock: ManualClock, status: int) -> None:
    """Retry-After: 0 is no less than the back-off of those who were told nothing."""
    with rigged(database, clock, reply(status, headers=(("Retry-After", "0"),)), reply(503), EMPTY) as rig:
        rig.youtube.videos([A])
        assert len(rig.slept) == 2
        assert all(wait > 0 for wait in rig.slept)


def test_a_project_without_search_quota_is_asked_once_a_week(database: Database, clock: ManualClock) -> None:
    """Three weeks of a hunt every six hours, one of them right after the reset, when other verdicts are not believed."""
    clock.set(datetime(2026, 3, 9, 7, 0, 30, tzinfo=UTC))
    none = refusal(429, "rateLimitExceeded", detail="RATE_LIMIT_EXCEEDED", quota_unit="1/d/{project}", quota_limit_value="0")
    with rigged(database, clock, none) as rig:
        for _ in range(21 * 4):
            with pytest.raises(QuotaExhausted, match="daily limit is 0") as caught:
                rig.youtube.search("x", published_after=SINCE)
            assert (caught.value.limit, rig.youtube.units_left(Bucket.SEARCH)) == (0, 0)
            clock.advance(timedelta(hours=6))
        assert rig.paths() == ["search"] * 3


def test_what_a_retry_cannot_help_is_raised_at_once(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, refusal(404, "playlistNotFound")) as rig:
        with pytest.raises(ResourceMissing):
            rig.youtube.uploads(CHANNEL)
        assert len(rig.server.requests) == 1


def test_a_reservation_pays_for_its_calls(database: Database, clock: ManualClock) -> None:
    """A retry takes a second unit of it; when it is used up the ledger pays."""
    with rigged(database, clock, reply(503), COUNTED) as rig:
        with database.transaction() as connection:
            reservation = rig.ledger.reserve(connection, "default", Bucket.STATS, QuotaPool.TRACKING, 3)
        assert rig.youtube.stats([A], reservation)[0][0].views == 7
        assert reservation.used == 2
        assert rig.ledger.left("default", Bucket.STATS) == 9_997
        rig.youtube.stats([A], reservation)
        rig.youtube.stats([A], reservation)
        assert (reservation.used, rig.ledger.left("default", Bucket.STATS)) == (3, 9_996)
        assert len(rig.server.requests) == 4


def test_units_of_yesterday_do_not_pay_for_calls_of_today(database: Database, clock: ManualClock) -> None:
    """The API charges the day on which the call arrives."""
    with rigged(database, clock, COUNTED) as rig:
        with database.transaction() as connection:
            reservation = rig.ledger.reserve(connection, "default", Bucket.STATS, QuotaPool.TRACKING, 10)
        clock.advance(timedelta(days=1))
        rig.youtube.stats([A], reservation)
        assert reservation.used == 0
        assert rig.ledger.left("default", Bucket.STATS) == 9_999


def test_four_threads_share_a_reservation(database: Database, clock: ManualClock) -> None:
    """As the tracker does; every unit is used, none twice."""
    with rigged(database, clock, COUNTED) as rig:
        with database.transaction() as connection:
            reservation = rig.ledger.reserve(connection, "default", Bucket.STATS, QuotaPool.TRACKING, 100)
        views: list[int | None] = []

        def poll() -> None:
            views.extend(rig.youtube.stats([A], reservation)[0][0].views for _ in range(25))

        threads = [threading.Thread(target=poll) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert views == [7] * 100
        assert (reservation.used, len(rig.server.requests), rig.server.connections) == (100, 100, rig.server.connections)
        assert rig.server.connections <= 4
        assert rig.ledger.left("default", Bucket.STATS) == 9_900


@pytest.mark.parametrize(
    "answer", [refusal(404, "notFound"), reply(404, b"<html>"), refusal(400, "x"), refusal(403, "forbidden")]
)
def test_a_refused_method_is_replaced_for_an_hour(database: Database, clock: ManualClock, answer: Answer) -> None:
    with rigged(database, clock, answer, COUNTED) as rig:
        for _ in range(3):
            assert rig.youtube.stats([A])[0][0].views == 7
        assert rig.paths() == ["videos:batchGetStats", "videos", "videos", "videos"]
        clock.advance(timedelta(hours=1))
        rig.youtube.stats([A])
        assert rig.paths()[-1] == "videos:batchGetStats"


def test_when_both_methods_refuse_the_ids_were_at_fault(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, refusal(400, "invalidFilters"), refusal(400, "invalidFilters"), COUNTED) as rig:
        with pytest.raises(BadRequest):
            rig.youtube.stats([A])
        rig.youtube.stats([A])
        assert rig.paths() == ["videos:batchGetStats", "videos", "videos:batchGetStats"]


def test_a_spent_stats_bucket_is_replaced_by_the_general_one(database: Database, clock: ManualClock) -> None:
    """Its reservation is left alone and given back."""
    with rigged(database, clock, SPENT, COUNTED) as rig:
        with database.transaction() as connection:
            reservation = rig.ledger.reserve(connection, "default", Bucket.STATS, QuotaPool.TRACKING, 10)
        for _ in range(3):
            assert rig.youtube.stats([A], reservation)[0][0].views == 7
        assert rig.paths() == ["videos:batchGetStats", "videos", "videos", "videos"]
        rig.ledger.mark_exhausted("default", Bucket.GENERAL, None)
        with pytest.raises(QuotaExhausted):
            rig.youtube.stats([A])
        assert reservation.used == 1
        assert rig.ledger.left("default", Bucket.STATS) == 0


def test_a_spent_stats_bucket_is_asked_again_right_after_the_reset(database: Database, clock: ManualClock) -> None:
    """Spent is not refused: what is remembered for an hour after a refusal must not outlast midnight here."""
    clock.set(datetime(2026, 3, 1, 7, 40, tzinfo=UTC))
    with rigged(database, clock, SPENT, COUNTED) as rig:
        rig.youtube.stats([A])
        clock.advance(timedelta(minutes=30))
        rig.youtube.stats([A])
        assert rig.paths() == ["videos:batchGetStats", "videos", "videos:batchGetStats"]


def test_rejected_rows_are_quarantined_and_the_others_returned(database: Database, clock: ManualClock) -> None:
    rows: list[Any] = [{"id": A, "statistics": {"viewCount": "7"}}, {"id": A}, {"id": "x"}]
    with rigged(database, clock, json_reply({"items": rows})) as rig:
        assert [one.views for one in rig.youtube.stats([A])[0]] == [7]
        ((source, rejected),) = rig.kept
        assert (source, len(rejected)) == ("videos.batchGetStats", 2)


def test_an_unreadable_row_is_not_a_missing_video(database: Database, clock: ManualClock) -> None:
    """Repeated misses make a tombstone; a row that came and could not be read must not count towards one."""
    rows: list[Any] = [{"id": A, "statistics": {"viewCount": "many"}}, {"id": ["x"]}, {"id": "f_________8"}]
    with rigged(database, clock, json_reply({"items": rows})) as rig:
        missing = VideoId("AAAAAAAAAAA")
        assert rig.youtube.stats([A, missing]) == ((), frozenset({A}))


def test_what_was_called_and_what_is_left(database: Database, clock: ManualClock) -> None:
    """Attempts are counted by bucket; units are summed over projects; the next project to pay is the first with units."""
    with rigged(database, clock, reply(503), SPENT, EMPTY, pool=TWO_PROJECTS) as rig:
        rig.youtube.search("x", published_after=SINCE)
        rig.youtube.videos([A])
        assert rig.youtube.calls() == {Bucket.SEARCH: 3, Bucket.GENERAL: 1}
        assert rig.youtube.units_left(Bucket.SEARCH) == 99
        assert rig.youtube.project_for(Bucket.SEARCH, QuotaPool.HUNTING) == "two"
        assert rig.youtube.project_for(Bucket.GENERAL, QuotaPool.HUNTING) == "one"
        for project in ("one", "two"):
            rig.ledger.mark_exhausted(project, Bucket.STATS, None)
        assert rig.youtube.project_for(Bucket.STATS, QuotaPool.TRACKING) is None


def test_the_quarantine_keeps_the_newest_rows(database: Database, clock: ManualClock) -> None:
    """About a thousand, whatever a hostile server sends, and with nothing that PostgreSQL refuses."""
    keep = quarantine_table(database, clock)
    for number in range(30):
        clock.advance(timedelta(seconds=1))
        keep("videos.list", [Rejected(reason="r\x00", row=f"{number}\ud800")] * 50)
    with database.transaction() as connection:
        count, oldest = connection.execute("select count(*), min(noticed_at) from quarantine").fetchone() or (0, None)
        row = connection.execute("select reason, content from quarantine order by noticed_at desc").fetchone()
    assert count == 1_000
    assert oldest is not None
    assert row == ("r\ufffd", "29\ufffd")


def test_the_quarantine_holds_its_bound_for_one_reply_too(database: Database, clock: ManualClock) -> None:
    """All rows of a reply have one instant: dropping what is older dropped none of them, and 100,000 stayed."""
    keep = quarantine_table(database, clock)
    keep("videos.list", [Rejected(reason=str(number), row="x") for number in range(5_000)])
    keep("videos.list", [Rejected(reason="last", row="x" * 9_000), Rejected(reason="and more", row="", rows=99_950)])
    with database.transaction() as connection:
        kept = connection.execute("select reason, rows, length(content) from quarantine order by entry").fetchall()
    assert len(kept) == 1_000
    assert kept[-3:] == [("4999", 1, 1), ("last", 1, 500), ("and more", 99_950, 0)]


def test_writers_of_the_quarantine_hold_its_bound_together(database: Database, clock: ManualClock) -> None:
    keep = quarantine_table(database, clock)
    together = threading.Barrier(4)

    def write(number: int) -> None:
        for _ in range(10):
            together.wait()
            keep(f"writer {number}", [Rejected(reason="r", row="x")] * 60)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.transaction() as connection:
        assert connection.execute("select count(*) from quarantine").fetchone() == (1_000,)


#: What each method is asked for, and the largest reply that it may honestly send.
QUESTIONS: dict[str, Callable[[YouTube], object]] = {
    "search.list": lambda youtube: youtube.search("x"),
    "playlistItems.list": lambda youtube: youtube.uploads(CHANNEL),
    "videos.list": lambda youtube: youtube.videos([A]),
    "channels.list": lambda youtube: youtube.channels([CHANNEL]),
    "videos.batchGetStats": lambda youtube: youtube.stats([A]),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_millions_of_rows_are_refused_before_they_are_parsed(
    question: Callable[[YouTube], object], database: Database, clock: ManualClock
) -> None:
    """8 MB of zeros, each one byte, are 4 million rows; 50 of any method are 2 MB at most."""
    body = b'{"kind":"youtube#x","items":[' + b"0," * 4_000_000 + b"0]}"
    with rigged(database, clock, reply(200, body)) as rig:
        with pytest.raises(ReplyTooLarge):
            question(rig.youtube)
        assert rig.kept == []


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_as_many_rows_as_a_reply_may_hold_are_counted_and_not_kept(
    question: Callable[[YouTube], object], database: Database, clock: ManualClock
) -> None:
    body = b'{"kind":"youtube#x","items":[' + b"0," * 400_000 + b"0]}"
    with rigged(database, clock, reply(200, body)) as rig:
        question(rig.youtube)
        ((_, rejected),) = rig.kept
        assert sum(one.rows for one in rejected) == 400_001
        assert len(rejected) <= 51


def test_the_largest_honest_reply_is_read(database: Database, clock: ManualClock) -> None:
    """Descriptions, twice each, and titles as long as YouTube allows, of characters that JSON writes with six."""
    text, ids = "\x01" * 5_000, [VideoId(encode(number)) for number in range(50)]
    snippet = {"channelId": CHANNEL, "title": text[:100], "description": text, "publishedAt": "2026-02-01T10:00:00Z"}
    localized = {"title": text[:100], "description": text}
    rows = [{"id": one, "snippet": {**snippet, "localized": localized}, "statistics": {}} for one in ids]
    with rigged(database, clock, json_reply({"kind": "youtube#x", "items": rows})) as rig:
        assert len(rig.youtube.videos(ids)[0]) == 50


def test_a_quarantine_out_of_order_does_not_fail_the_call(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    fill_the_disk(database, "quarantine")
    quarantine_table(database, clock)("videos.list", [Rejected(reason="r", row="x")])
    assert "could not be kept: StorageError" in caplog.text


def test_a_defect_in_the_quarantine_is_not_hidden(database: Database, clock: ManualClock) -> None:
    with database.transaction() as connection:
        connection.execute("drop table quarantine")
    with pytest.raises(psycopg.errors.UndefinedTable):
        quarantine_table(database, clock)("videos.list", [Rejected(reason="r", row="x")])


def test_an_event_loop_may_ask_too(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, COUNTED) as rig:
        params = {"part": "id,statistics", "id": A}
        reply_ = asyncio.run(rig.youtube.executor.execute_async("videos.batchGetStats", params, pool=QuotaPool.TRACKING))
        assert reply_["items"][0]["id"] == A


def test_nobody_waits_any_more(database: Database, clock: ManualClock) -> None:
    """A cancelled question ends its attempt, which stays paid for, and makes no further one."""
    arrived, go = threading.Event(), threading.Event()

    def held(connection: socket.socket) -> bool:
        arrived.set()
        go.wait(10)
        return reply(503)(connection)

    async def ask(rig: Rig) -> None:
        params = {"part": "id,statistics", "id": A}
        asked = asyncio.create_task(rig.youtube.executor.execute_async("videos.batchGetStats", params, pool=QuotaPool.TRACKING))
        await asyncio.to_thread(arrived.wait, 10)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        go.set()

    with rigged(database, clock, held, COUNTED) as rig:
        # Leaving the event loop waits for its threads.
        asyncio.run(ask(rig))
        assert len(rig.server.requests) == rig.youtube.calls()[Bucket.STATS] == 1
        assert rig.ledger.left("default", Bucket.STATS) == 9_999
        assert rig.slept == []


def test_many_ask_at_once_from_an_event_loop(database: Database, clock: ManualClock) -> None:
    """One of them is cancelled; every attempt that was sent had been paid for."""

    async def ask(rig: Rig) -> list[dict[str, Any] | BaseException]:
        params = {"part": "id,statistics", "id": A}
        asked = [
            asyncio.create_task(rig.youtube.executor.execute_async("videos.batchGetStats", params, pool=QuotaPool.TRACKING))
            for _ in range(12)
        ]
        asked[5].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    with rigged(database, clock, COUNTED) as rig:
        answers = asyncio.run(ask(rig))
        assert sum(isinstance(answer, dict) for answer in answers) == 11
        assert rig.ledger.left("default", Bucket.STATS) == 10_000 - len(rig.server.requests)


def test_a_campaign_searches_without_a_term(database: Database, clock: ManualClock) -> None:
    """A month of a category by views, paid by its own pool; fractions of a second are not sent."""
    with rigged(database, clock, EMPTY) as rig:
        rig.youtube.search(
            None, published_after=SINCE, published_before=SINCE + timedelta(days=28, microseconds=1), category=10,
            order="viewCount", pool=QuotaPool.ARCHEOLOGY,
        )  # fmt: skip
        assert rig.query() == {
            "part": ["snippet"], "type": ["video"], "order": ["viewCount"], "maxResults": ["50"], "videoCategoryId": ["10"],
            "publishedAfter": ["2026-02-01T00:00:00Z"], "publishedBefore": ["2026-03-01T00:00:00Z"], "alt": ["json"],
        }  # fmt: skip
        (row,) = rig.ledger.rows()
        assert (row.spent_by.get(QuotaPool.HUNTING, 0), row.spent_by[QuotaPool.ARCHEOLOGY], row.spent) == (0, 1, 1)


def test_a_page_of_a_chart(database: Database, clock: ManualClock) -> None:
    """Whole videos, for one general unit; a bad row is kept apart."""
    good = {
        "id": A, "snippet": {"channelId": CHANNEL, "publishedAt": "2026-02-01T10:00:00Z", "title": "t"},
        "statistics": {"viewCount": "7"},
    }  # fmt: skip
    page = {"kind": "youtube#videoListResponse", "items": [good, {"id": "x"}], "nextPageToken": "CDIQAA"}
    with rigged(database, clock, json_reply(page)) as rig:
        chart = rig.youtube.chart("DE", 20, "CDIQAA")
        assert [(one.video_id, one.counts.views, one.channel_id) for one in chart.details] == [(A, 7, CHANNEL)]
        assert chart.next_page_token == "CDIQAA"  # noqa: S105
        assert rig.query() == {
            "part": ["snippet,contentDetails,statistics"], "chart": ["mostPopular"], "regionCode": ["DE"],
            "videoCategoryId": ["20"], "maxResults": ["50"], "pageToken": ["CDIQAA"], "alt": ["json"],
        }  # fmt: skip
        assert [(source, len(rows)) for source, rows in rig.kept] == [("videos.list", 1)]
        assert rig.ledger.left("default", Bucket.GENERAL) == 9_999


def test_a_category_without_a_chart_costs_nothing(database: Database, clock: ManualClock) -> None:
    """Since 21 July 2025 there are three; the API answers 404 for the others, for a unit."""
    with rigged(database, clock, refusal(404, "notFound")) as rig:
        for category in (0, 2, 25, 27):
            with pytest.raises(ResourceMissing, match=str(category)):
                rig.youtube.chart("US", category)
        assert rig.server.requests == []
        with pytest.raises(ResourceMissing):
            rig.youtube.chart("US", 10)
        assert len(rig.server.requests) == 1


@pytest.mark.parametrize("handle", ["@GoogleDevelopers", "GoogleDevelopers", " @GoogleDevelopers\n"])
def test_the_channel_of_a_handle(database: Database, clock: ManualClock, handle: str) -> None:
    row = {"id": CHANNEL, "snippet": {"title": "n"}, "statistics": {"videoCount": "3"}}
    with rigged(database, clock, json_reply({"kind": "youtube#channelListResponse", "items": [row]}), EMPTY) as rig:
        found = rig.youtube.channel_of_handle(handle)
        assert found is not None
        assert (found.channel_id, found.videos) == (CHANNEL, 3)
        assert rig.query()["forHandle"] == ["@GoogleDevelopers"]
        assert rig.youtube.channel_of_handle("@nobody") is None


def test_a_reservation_pays_for_every_kind_of_general_call(database: Database, clock: ManualClock) -> None:
    with rigged(database, clock, EMPTY) as rig, rig.youtube.reserved(Bucket.GENERAL, QuotaPool.HUNTING, 5) as reservation:
        assert reservation is not None
        rig.youtube.channels([CHANNEL], reservation=reservation)
        rig.youtube.uploads(CHANNEL, reservation=reservation)
        rig.youtube.videos([A], reservation=reservation)
        assert (reservation.used, reservation.pool, rig.ledger.left("default", Bucket.GENERAL)) == (3, QuotaPool.HUNTING, 9_995)
    assert rig.ledger.left("default", Bucket.GENERAL) == 9_997


def test_opening_and_closing(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with serve(COUNTED) as server:
        settings = Settings(home=tmp_path).changed(keys__pool=SecretStr('["the-only-key"]'), youtube__url=server.base_url)
        with open_youtube(settings, database, clock) as youtube:
            assert youtube.stats([A])[0][0].views == 7


def test_no_keys_at_all(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """The message says which variable, and what to write into it."""
    with (
        pytest.raises(ConfigurationError, match="YOUTUBE_API_KEY_POOL_JSON") as caught,
        open_youtube(Settings(home=tmp_path).changed(keys__pool=None), database, clock),
    ):
        pass
    assert "YOUTUBE_API_KEY_POOL_JSON=" in caught.value.cure


def test_keys_over_plain_http_to_another_machine_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    Transport("http://simulator.example:8080", 1).close()
    assert "unencrypted to simulator.example" in caplog.text
    caplog.clear()
    Transport("http://127.0.0.1:8080", 1).close()
    Transport("https://youtube.googleapis.com", 1).close()
    assert caplog.text == ""
