"""Keys -> projects -> buckets, and their reset at Pacific midnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.clock import pacific_day, quota_resets_at
from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.api.error_bodies import Refusal
from pleiades_core.simulator.api.quota import QuotaBook, SimulatedKey, parse_keys

NOON = datetime(2026, 9, 1, 19, tzinfo=UTC)


def two_keys_of_one_project(limit: int) -> QuotaBook:
    limits = {"stats": limit}
    return QuotaBook(
        [
            SimulatedKey(key="a", project="p", limits=limits),
            SimulatedKey(key="b", project="p"),
            SimulatedKey(key="c", project="q"),
        ]
    )


def spend(book: QuotaBook, key: str, method: str, at: datetime) -> bool:
    try:
        book.charge(key, method, at)
    except Refusal:
        return False
    return True


def test_two_keys_of_one_project_share_its_buckets() -> None:
    book = two_keys_of_one_project(3)
    spent = [spend(book, key, "videos.batchGetStats", NOON) for key in ("a", "b", "a", "b", "a")]
    assert spent == [True, True, True, False, False]
    assert spend(book, "c", "videos.batchGetStats", NOON)
    assert spend(book, "a", "videos.list", NOON)


@given(
    calls=st.lists(
        st.tuples(st.sampled_from("abcx"), st.sampled_from(["search.list", "videos.list"]), st.integers(0, 60)), max_size=60
    ),
)
def test_no_bucket_is_ever_overspent_and_every_known_call_is_counted(calls: list[tuple[str, str, int]]) -> None:
    book = QuotaBook(
        [SimulatedKey(key=k, project=p, limits={"search": 3, "general": 5}) for k, p in (("a", "p"), ("b", "p"), ("c", "q"))]
    )
    for key, method, hours in calls:
        spend(book, key, method, NOON + timedelta(hours=hours))
    ledger = book.ledger()
    assert all(row["units"] == min(row["calls"], row["limit"]) for row in ledger["calls"])
    assert sum(row["calls"] for row in ledger["calls"]) == sum(key != "x" for key, _, _ in calls)
    assert sum(ledger["by_key"].values()) == sum(ledger["by_method"].values()) == len(calls) - ledger["unknown_key_calls"]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  the zone comes beside
def test_a_spent_bucket_is_new_at_the_reset_and_not_a_microsecond_before(at: datetime) -> None:
    book = two_keys_of_one_project(1)
    assert spend(book, "a", "videos.batchGetStats", at)
    reset = quota_resets_at(at)
    assert pacific_day(reset) > pacific_day(at)
    assert not spend(book, "b", "videos.batchGetStats", reset - timedelta(microseconds=1))
    assert spend(book, "b", "videos.batchGetStats", reset)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 9, 1), 24)])
def test_quota_days_have_23_or_25_hours_when_the_clocks_change(day: tuple[int, int, int], hours: int) -> None:
    book = two_keys_of_one_project(1)
    noon = datetime(*day, 20, tzinfo=UTC)
    begin = quota_resets_at(noon - timedelta(days=1))
    assert spend(book, "a", "videos.batchGetStats", begin)
    assert not spend(book, "a", "videos.batchGetStats", begin + timedelta(hours=hours) - timedelta(seconds=1))
    assert spend(book, "a", "videos.batchGetStats", begin + timedelta(hours=hours))


def test_a_minute_has_its_own_limit_where_one_is_set() -> None:
    """The calls beyond it are counted but cost nothing; the next minute is free again."""
    book = QuotaBook(
        [SimulatedKey(key="a", project="p"), SimulatedKey(key="b", project="p"), SimulatedKey(key="c", project="q")],
        calls_per_minute=3,
    )
    assert [spend(book, key, "videos.list", NOON) for key in "abab"] == [True, True, True, False]
    with pytest.raises(Refusal) as caught:
        book.charge("a", "search.list", NOON)
    assert caught.value.status == 429
    assert caught.value.body["error"]["details"][0]["metadata"]["quota_unit"] == "1/min/{project}"
    assert spend(book, "c", "videos.list", NOON)
    assert spend(book, "a", "videos.list", NOON + timedelta(seconds=60))
    rows = {(row["project"], row["bucket"]): row for row in book.ledger()["calls"]}
    assert (rows["p", "general"]["calls"], rows["p", "general"]["units"]) == (5, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        [{"key": "a"}],
        [{"key": "", "project": "p"}],
        ["a"],
        [{"key": "a", "project": "p", "limits": {"searches": 3}}],
        [{"key": "a", "project": "p", "limits": {"search": -1}}],
        [{"key": "a", "project": "p"}, {"key": "a", "project": "q"}],
    ],
)
def test_keys_that_cannot_be_are_refused_with_a_cure(wrong: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_keys(wrong)
    assert caught.value.cure
