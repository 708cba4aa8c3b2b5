"""The quota ledger in a real PostgreSQL: it never overspends, however many callers ask at once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.quota import BUCKET_OF_METHOD, DEFAULT_LIMITS, TOLD_FOR_DAYS, Ledger, Reservation


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    """A ledger with the usual limits, of a project that only hunts and one, `t`, that only tracks."""
    return Ledger(database, clock, pools_of={"p": frozenset({QuotaPool.HUNTING}), "t": frozenset({QuotaPool.TRACKING})})


def test_a_new_day_has_its_usual_limits(ledger: Ledger) -> None:
    assert [ledger.left("p", bucket) for bucket in (Bucket.SEARCH, Bucket.STATS, Bucket.GENERAL)] == [100, 10_000, 10_000]
    assert set(DEFAULT_LIMITS) == set(BUCKET_OF_METHOD.values()) == set(Bucket)
    assert ledger.rows() == []
    assert [row.bucket for row in ledger.rows(["p"])] == [Bucket.GENERAL, Bucket.SEARCH, Bucket.STATS]


def test_debit_stops_at_the_limit(ledger: Ledger) -> None:
    assert sum(ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING) for _ in range(120)) == 100
    assert ledger.left("p", Bucket.SEARCH) == 0
    assert ledger.debit("p", Bucket.GENERAL, QuotaPool.HUNTING), "buckets are apart"
    assert ledger.debit("q", Bucket.SEARCH, QuotaPool.HUNTING), "projects are apart"


def test_more_than_the_limit_at_once_is_refused_whole(ledger: Ledger) -> None:
    assert not ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 101)
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 100)
    with pytest.raises(ValueError, match="negative"):
        ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, -1)


def test_a_fourth_pool_is_data(ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that neither schema nor SQL has heard of gets its share, keeps it, and lends it."""
    shares = {QuotaPool.HUNTING: 50, "enriching": 50}
    monkeypatch.setattr(ledger, "_weights", lambda _project, _bucket: shares)
    monkeypatch.setattr("pleiades_core.youtube.quota.QuotaPool", str)
    assert ledger.debit("p", Bucket.SEARCH, "enriching", 10)  # type: ignore[arg-type]
    assert not ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 61)
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 50)
    with database.transaction() as connection:
        found = connection.execute("select pool, spent from quota_pool_usage where project = 'p' order by pool").fetchall()
    assert found == [("enriching", 10), ("hunting", 50)]
    (row,) = ledger.rows()
    assert (row.spent, dict(row.spent_by)) == (60, {"enriching": 10, "hunting": 50})


def test_parallel_debits_and_reservations_never_overspend(database: Database, clock: ManualClock) -> None:
    """Twelve threads on real connections want 50 units; 50 are granted, not one more."""
    ledger = Ledger(database, clock, {"p": {Bucket.SEARCH: 50}}, {"p": frozenset({QuotaPool.HUNTING})})
    granted: list[int] = []

    def spend(number: int) -> None:
        for _ in range(10):
            if number % 2:
                granted.append(int(ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)))
            else:
                with database.transaction() as connection:
                    granted.append(ledger.reserve(connection, "p", Bucket.SEARCH, QuotaPool.HUNTING, 3).units)

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50
    assert ledger.left("p", Bucket.SEARCH) == 0


def test_a_reservation_is_undone_with_its_transaction(database: Database, ledger: Ledger) -> None:
    def reserve_and_fail() -> None:
        with database.transaction() as connection:
            assert ledger.reserve(connection, "p", Bucket.STATS, QuotaPool.HUNTING, 100).units == 100
            raise RuntimeError("planning failed")

    with pytest.raises(RuntimeError):
        reserve_and_fail()
    assert ledger.left("p", Bucket.STATS) == 10_000


def test_settling_gives_back_what_no_call_used(database: Database, ledger: Ledger) -> None:
    with database.transaction() as connection:
        reservation = ledger.reserve(connection, "p", Bucket.STATS, QuotaPool.HUNTING, 100)
    assert [reservation.take() for _ in range(3)] == [True] * 3
    with database.transaction() as connection:
        ledger.settle(connection, reservation)
    assert ledger.left("p", Bucket.STATS) == 9_997
    assert not reservation.take(), "a late thread must not use what was given back"


def test_settling_survives_a_rollback(database: Database, ledger: Ledger) -> None:
    """The commit of a slice may have to be tried twice; the units come back once."""
    with database.transaction() as connection:
        reservation = ledger.reserve(connection, "p", Bucket.STATS, QuotaPool.HUNTING, 100)
    reservation.take()

    def settle_and_fail() -> None:
        with database.transaction() as connection:
            ledger.settle(connection, reservation)
            raise RuntimeError("connection lost")

    with pytest.raises(RuntimeError):
        settle_and_fail()
    assert ledger.left("p", Bucket.STATS) == 9_900
    with database.transaction() as connection:
        ledger.settle(connection, reservation)
    assert ledger.left("p", Bucket.STATS) == 9_999


def test_a_reservation_of_yesterday_is_settled_against_yesterday(
    database: Database, ledger: Ledger, clock: ManualClock
) -> None:
    with database.transaction() as connection:
        reservation = ledger.reserve(connection, "p", Bucket.SEARCH, QuotaPool.HUNTING, 100)
    ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)
    clock.advance(timedelta(days=1))
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 40)
    with database.transaction() as connection:
        ledger.settle(connection, reservation)
    assert ledger.left("p", Bucket.SEARCH) == 60
    clock.advance(timedelta(days=-1))
    assert ledger.left("p", Bucket.SEARCH) == 100


@pytest.mark.parametrize(
    ("before", "day", "resets_at"),
    [
        (datetime(2026, 3, 9, 6, 59, 59, tzinfo=UTC), date(2026, 3, 8), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (datetime(2026, 11, 2, 7, 59, 59, tzinfo=UTC), date(2026, 11, 1), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
    ids=["day of 23 hours", "day of 25 hours"],
)
def test_the_quota_day_ends_at_midnight_in_california(
    ledger: Ledger, clock: ManualClock, before: datetime, day: date, resets_at: datetime
) -> None:
    """Also on the two days a year on which its clocks change."""
    clock.set(before)
    ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 100)
    (row,) = ledger.rows()
    assert (row.quota_day, row.resets_at, row.left) == (day, resets_at, 0)
    clock.set(resets_at)
    assert ledger.left("p", Bucket.SEARCH) == 100


def test_the_verdict_of_the_api_closes_the_bucket_for_the_day(ledger: Ledger) -> None:
    """Others may use the same project: what we counted says nothing."""
    ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)
    ledger.mark_exhausted("p", Bucket.SEARCH, 0)
    ledger.mark_exhausted("p", Bucket.SEARCH, None)
    (row,) = ledger.rows()
    assert (row.spent, row.limit, row.left, row.exhausted) == (1, 0, 0, True)
    assert not ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)
    assert ledger.left("p", Bucket.GENERAL) == 10_000


def test_a_closed_bucket_whose_limit_is_not_named_is_open_the_next_day(ledger: Ledger, clock: ManualClock) -> None:
    ledger.mark_exhausted("p", Bucket.SEARCH, None)
    clock.advance(timedelta(days=1))
    assert (ledger.left("p", Bucket.SEARCH), ledger.limit("p", Bucket.SEARCH)) == (100, 100)
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)


@pytest.mark.parametrize("named", [0, 30, 250])
def test_a_named_limit_is_believed_for_a_week(database: Database, ledger: Ledger, clock: ManualClock, named: int) -> None:
    """By every number that is asked for; then the usual one is tried again."""
    ledger.mark_exhausted("p", Bucket.SEARCH, named)
    for _ in range(TOLD_FOR_DAYS - 1):
        clock.advance(timedelta(days=1))
        assert ledger.limit("p", Bucket.SEARCH) == ledger.left("p", Bucket.SEARCH) == named
        assert ledger.left("p", Bucket.SEARCH, QuotaPool.HUNTING) == named
        assert {row.bucket: (row.limit, row.left) for row in ledger.rows(["p"])}[Bucket.SEARCH] == (named, named)
        assert not ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, named + 1)
        with database.transaction() as connection:
            assert ledger.reserve(connection, "p", Bucket.SEARCH, QuotaPool.HUNTING, 1_000).units == named
        (row,) = (row for row in ledger.rows() if row.bucket == Bucket.SEARCH)
        assert (row.limit, row.left, row.exhausted) == (named, 0, False)
        assert ledger.left("q", Bucket.SEARCH) == 100, "projects are apart"
        assert ledger.left("p", Bucket.GENERAL) == 10_000, "buckets are apart"
    clock.advance(timedelta(days=1))
    assert (ledger.limit("p", Bucket.SEARCH), ledger.left("p", Bucket.SEARCH)) == (100, 100)
    with database.transaction() as connection:
        assert ledger.reserve(connection, "p", Bucket.SEARCH, QuotaPool.HUNTING, 1_000).units == 100


def test_the_newest_named_limit_counts(ledger: Ledger, clock: ManualClock) -> None:
    """And a verdict that names none leaves it as it is."""
    for named in (0, 30, None):
        ledger.mark_exhausted("p", Bucket.SEARCH, named)
        clock.advance(timedelta(days=1))
    assert ledger.left("p", Bucket.SEARCH) == 30
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 30)
    assert not ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)


def test_what_a_person_says_of_the_limit_counts_from_the_next_day(database: Database, clock: ManualClock) -> None:
    """On the day itself the API has said that it is wrong."""
    ledger = Ledger(database, clock, {"p": {Bucket.SEARCH: 50}}, {"p": frozenset({QuotaPool.HUNTING})})
    ledger.mark_exhausted("p", Bucket.SEARCH, 30)
    assert (ledger.limit("p", Bucket.SEARCH), ledger.left("p", Bucket.SEARCH)) == (30, 0)
    clock.advance(timedelta(days=1))
    assert (ledger.limit("p", Bucket.SEARCH), ledger.left("p", Bucket.SEARCH)) == (50, 50)
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING, 50)


def test_nothing_is_reserved_of_a_closed_bucket(database: Database, ledger: Ledger) -> None:
    ledger.mark_exhausted("p", Bucket.STATS, None)
    with database.transaction() as connection:
        assert ledger.reserve(connection, "p", Bucket.STATS, QuotaPool.HUNTING, 100).units == 0


def test_threads_share_a_reservation() -> None:
    """Eight threads take 1,000 units between them, no more."""
    reservation = Reservation("p", Bucket.STATS, QuotaPool.TRACKING, date(2026, 3, 1), 1_000)
    taken: list[int] = []
    threads = [threading.Thread(target=lambda: taken.append(sum(reservation.take() for _ in range(500)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == reservation.used == 1_000
    assert reservation.unused == 0


def test_pools_of_a_project_do_not_starve_one_another(database: Database, clock: ManualClock) -> None:
    """Four of 24 hours are over: of archeology's 20 searches 3 have lapsed and are anybody's. In the morning, none had."""
    ledger = Ledger(database, clock)
    clock.set(datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert [
        ledger.left("all", Bucket.SEARCH, pool) for pool in (QuotaPool.HUNTING, QuotaPool.ARCHEOLOGY, QuotaPool.TRACKING)
    ] == [80, 20, 0]
    clock.set(datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert sum(ledger.debit("all", Bucket.SEARCH, QuotaPool.HUNTING) for _ in range(100)) == 83
    assert ledger.left("all", Bucket.SEARCH) == ledger.left("all", Bucket.SEARCH, QuotaPool.ARCHEOLOGY) == 17
    with database.transaction() as connection:
        reservation = ledger.reserve(connection, "all", Bucket.SEARCH, QuotaPool.ARCHEOLOGY, 50)
    assert reservation.units == 17
    (row,) = ledger.rows()
    assert (row.spent, row.spent_by[QuotaPool.HUNTING], row.spent_by[QuotaPool.ARCHEOLOGY]) == (100, 83, 17)
    with database.transaction() as connection:
        ledger.settle(connection, reservation)
    assert (ledger.rows()[0].spent_by[QuotaPool.ARCHEOLOGY], ledger.left("all", Bucket.SEARCH, QuotaPool.HUNTING)) == (0, 0)
    clock.set(datetime(2026, 3, 2, 7, 59, 59, tzinfo=UTC))
    assert ledger.left("all", Bucket.SEARCH, QuotaPool.HUNTING) == 16, "a second before the reset all but one unit may be had"


def test_pools_that_ask_at_once_each_get_theirs(database: Database, clock: ManualClock) -> None:
    """Nine threads of three pools, at the very beginning of a day, when nothing is lent yet."""
    clock.set(datetime(2026, 3, 1, 8, tzinfo=UTC))
    ledger = Ledger(database, clock, {"all": {Bucket.GENERAL: 100}})
    granted: dict[str, list[bool]] = {QuotaPool.HUNTING: [], QuotaPool.TRACKING: [], QuotaPool.ARCHEOLOGY: []}

    def spend(pool: QuotaPool) -> None:
        for _ in range(40):
            granted[pool].append(ledger.debit("all", Bucket.GENERAL, pool))

    threads = [threading.Thread(target=spend, args=(pool,)) for pool in granted for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(granted[pool]) for pool in (QuotaPool.HUNTING, QuotaPool.TRACKING, QuotaPool.ARCHEOLOGY)] == [75, 20, 5]


def test_a_pool_or_bucket_that_does_not_exist_is_a_mistake_of_the_caller(ledger: Ledger) -> None:
    """And no quiet 0."""
    with pytest.raises(ValueError, match="'fishing' is not a valid QuotaPool"):
        ledger.debit("p", Bucket.SEARCH, "fishing")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'fishing' is not a valid QuotaPool"):
        ledger.left("p", Bucket.SEARCH, "fishing")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        ledger.left("p", "serach")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        ledger.debit("p", "serach", QuotaPool.HUNTING)  # type: ignore[arg-type]


def test_buckets_and_pools_are_their_words_wherever_they_go(ledger: Ledger, database: Database) -> None:
    """In SQL, JSON, sentences and as keys."""
    assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)
    with database.transaction() as connection:
        sql = connection.execute("select %s::text, bucket from quota_ledger", [QuotaPool.HUNTING]).fetchone()
    assert sql == ("hunting", "search")
    (row,) = (row for row in ledger.rows() if row.bucket == "search")
    assert (row.bucket, row.spent_by[QuotaPool.HUNTING]) == (Bucket.SEARCH, 1)
    assert f"{Bucket.SEARCH} {Bucket.SEARCH!r} {[QuotaPool.HUNTING]}" == "search 'search' ['hunting']"
    assert json.dumps({Bucket.SEARCH: QuotaPool.HUNTING}) == '{"search": "hunting"}'
    assert orjson.dumps({Bucket.SEARCH: QuotaPool.HUNTING}, option=orjson.OPT_NON_STR_KEYS) == b'{"search":"hunting"}'
    assert {Bucket.SEARCH: 1}["search"] == 1  # type: ignore[index]


def test_old_days_are_forgotten(ledger: Ledger, clock: ManualClock) -> None:
    for _ in range(5):
        assert ledger.debit("p", Bucket.SEARCH, QuotaPool.HUNTING)
        clock.advance(timedelta(days=1))
    assert ledger.prune(date(2026, 3, 4)) == 3
    assert ledger.prune(date(2026, 3, 4)) == 0
    clock.set(datetime(2026, 3, 4, 12, tzinfo=UTC))
    assert ledger.left("p", Bucket.SEARCH) == 99
