"""Rules that stand in Python and in SQL: each SQL function, and each DuckDB macro, equals its twin in Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.paths import ROOT

from pleiades_core.discover.search_queue import bandit
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_duckdb_text
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.shares import POOLS, Elapsed, QuotaAccount, lapses, set_aside, weights

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_OFFSETS = st.integers(-40 * 86_400, 40 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
_INSTANTS = _OFFSETS.map(lambda offset: NOW + offset)
# PostgreSQL refuses a product that underflows to 0; a sum of rewards comes near that after 20,000 days without a request.
_SUMS = st.floats(0, 1e4, allow_nan=False, allow_subnormal=False)
_CASES = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.transaction() as opened:
        yield opened


def _value(connection: psycopg.Connection, expression: str, **parameters: object) -> object:
    row = connection.execute(f"select {expression}", parameters).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def macros() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the macros that stand for the SQL functions."""
    with duckdb.connect() as duck:
        duck.execute(load_duckdb_text("rules", "pleiades_core.discover.search_queue"))
        yield duck


def _macro(macros: duckdb.DuckDBPyConnection, expression: str, *values: object) -> object:
    row = macros.execute(f"select {expression}", list(values)).fetchone()
    assert row is not None
    return row[0]


@_CASES
@given(published=_INSTANTS, polled=st.none() | _INSTANTS, misses=st.integers(0, 5))
def test_tiers(connection: psycopg.Connection, published: datetime, polled: datetime | None, misses: int) -> None:
    parameters = {**TIERS.parameters(), "published": published, "polled": polled, "misses": misses, "now": NOW}
    counted = TIERS.counted(polled, NOW)
    assert _value(connection, "counted_poll(%(polled)s, %(now)s, %(ahead)s)", **parameters) == counted
    parameters["polled"] = counted
    tier = TIERS.tier((counted or NOW) - published, misses)
    rule = "tier_of(%(published)s, %(polled)s, %(misses)s, %(now)s, %(hourly_below)s, %(daily_below)s, %(misses_until_weekly)s)"
    assert _value(connection, rule, **parameters) == tier.value
    due = _value(connection, f"next_poll_at(%(polled)s, {rule}, %(hourly)s, %(daily)s, %(weekly)s)", **parameters)
    assert due == TIERS.due_at(published, counted, misses)


@_CASES
@given(value=_SUMS, since=st.none() | _INSTANTS, kept=st.sampled_from([bandit.KEPT_A_DAY, bandit.MENTIONS_KEPT_A_DAY]))
def test_discounted(
    connection: psycopg.Connection, macros: duckdb.DuckDBPyConnection, value: float, since: datetime | None, kept: float
) -> None:
    expected = pytest.approx(bandit.discounted(value, since, NOW, kept))
    parameters = {"value": value, "since": since, "now": NOW, "kept": kept}
    assert _value(connection, "discounted(%(value)s, %(since)s, %(now)s, %(kept)s)", **parameters) == expected
    seconds = since.timestamp() if since else None
    assert _macro(macros, "discounted(?, ?, ?, ?)", value, seconds, NOW.timestamp(), kept) == expected


@_CASES
@given(requests=_SUMS, reward=_SUMS, prior=_SUMS, mentions=_SUMS)
def test_rewards(
    connection: psycopg.Connection, macros: duckdb.DuckDBPyConnection,
    requests: float, reward: float, prior: float, mentions: float,
) -> None:  # fmt: skip
    expected = pytest.approx(bandit.expected_reward(requests, reward, prior))
    evidence = {"requests": requests, "reward": reward, "prior": prior, "worth": bandit.PRIOR_REQUESTS}
    assert _value(connection, "expected_reward(%(requests)s, %(reward)s, %(prior)s, %(worth)s)", **evidence) == expected
    assert _macro(macros, "expected_reward(?, ?, ?, ?)", *evidence.values()) == expected
    mean = pytest.approx(bandit.mean_reward(reward, requests))
    sums = {"yields": reward, "weights": requests, "usual": bandit.USUAL_REWARD, "terms": bandit.POOL_TERMS}
    assert _value(connection, "mean_reward(%(yields)s, %(weights)s, %(usual)s, %(terms)s)", **sums) == mean
    assert _macro(macros, "mean_reward(?, ?, ?, ?)", *sums.values()) == mean
    lift = _value(connection, "mention_lift(%(mentions)s, %(most)s)", mentions=mentions, most=bandit.MOST_MENTIONS)
    assert lift == pytest.approx(bandit.mention_lift(mentions))


@_CASES
@given(
    bucket=st.sampled_from(Bucket), limit=st.integers(0, 20_000), spent=st.integers(0, 5_000), lapsed=st.integers(0, 5_000),
    seconds=st.integers(0, 86_400), pools=st.sets(st.sampled_from(QuotaPool), min_size=1),
)  # fmt: skip
def test_shares(
    connection: psycopg.Connection, bucket: Bucket, limit: int, spent: int, lapsed: int, seconds: int, pools: set[QuotaPool]
) -> None:
    shares = weights(bucket, pools)
    elapsed = Elapsed(seconds=seconds, of=86_400)
    account = QuotaAccount(limit=limit, spent=spent, by_pool=dict.fromkeys(POOLS, spent), lapsed=dict.fromkeys(POOLS, lapsed))
    parameters = {"limit": limit, "shares": max(1, sum(shares.values())), "spent": spent, "lapsed": lapsed}
    for pool, share in shares.items():
        of_pool = {**parameters, "share": share, "elapsed": seconds, "day": 86_400}
        gone = "pool_lapsed(%(limit)s, %(share)s, %(shares)s, %(spent)s, %(lapsed)s, %(elapsed)s, %(day)s)"
        assert _value(connection, gone, **of_pool) == lapses(account, shares, elapsed)[pool]
        kept = f"pool_set_aside(%(limit)s, %(share)s, %(shares)s, %(spent)s, {gone})"
        assert _value(connection, kept, **of_pool) == set_aside(account, shares, elapsed)[pool]


def test_no_query_repeats_a_rule() -> None:
    """Tiers, discounts and shares are spelled out in the schema and in the macros alone."""
    spelled = re.compile(r"'WEEKLY'|'DAILY'|power\(|\bpow\(|\bln\(|hunting|archeology")
    allowed = {"0001_base.sql", "rules.duckdb.sql"}
    files = [path for path in (ROOT / "pleiades_core").rglob("*.sql") if path.name not in allowed]
    found = {
        f"{path.name}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        if spelled.search(line)
        and not line.lstrip().startswith("--")
        and "failures" not in line
        and "push_refusals" not in line
    }
    assert found == set()
