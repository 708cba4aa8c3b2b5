"""The plan from a real database, beside a brute-force run of the cadence."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.planner import forecast
from pleiades_core.planner.plan import plan
from pleiades_core.planner.survey import survey
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import Database
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.youtube.quota import Ledger
from pleiades_core.youtube.shares import POOLS

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = DemoSettings(home=Path("nowhere"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def ledger(database: Database, clock: ManualClock) -> Ledger:
    return Ledger(database, clock)


Row = tuple[datetime, datetime | None, int]


def watch(database: Database, rows: list[Row]) -> None:
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into watchlist (vid, id8, published_at, polled_at, misses) values (%s, %s, %s, %s, %s)",
            [(vid, vid, *row) for vid, row in enumerate(rows, start=1)],
        )


def ticked(rows: list[Row], hours: int) -> Counter[int]:
    """Polls in each hour when what is due is polled at half past every hour: the cadence itself, video by video."""
    polls = Counter[int]()
    for published, polled, misses in rows:
        last = polled
        for hour in range(hours):
            now = NOW + hour * HOUR
            if TIERS.is_due(published, last, now, misses):
                polls[hour] += 1
                last = now
    return polls


def some(videos: int, seed: int) -> list[Row]:
    """Of any age up to three weeks, polled at a tick as the cadence would have it, some never, some missing."""
    draw = random.Random(seed)  # noqa: S311
    rows: list[Row] = []
    for _ in range(videos):
        age = timedelta(hours=draw.choice([draw.uniform(0, 30), draw.uniform(0, 180), draw.uniform(0, 500)]))
        published, misses = NOW - age, draw.choice([0, 0, 0, 0, 3])
        polled = NOW - draw.randint(1, 200) * HOUR
        if draw.random() < 0.05 or polled < published:
            rows.append((published, None, 0))
            continue
        while (due := TIERS.due_at(published, polled, misses)) is not None and due < NOW:
            polled = due
        rows.append((published, polled, misses))
    return rows


def test_the_forecast_is_what_the_cadence_does(database: Database) -> None:
    """Hour by hour over nine days; a video whose age lies between two ticks may change its tier one tick sooner or later."""
    rows = some(2_000, seed=7)
    watch(database, rows)
    when = forecast.horizon(NOW, 9)
    stands = survey(database, SETTINGS, NOW, when.first)
    assert stands.videos == 2_000
    assert {one.tick for one in stands.watched if one.tier is Tier.HOURLY} == {2}, "polled at half past: the third quarter"
    asked = forecast.of_watched(stands.watched, when.hours)
    truth = ticked(rows, when.hours)
    total = sum(asked.values(), start=forecast.nothing(when.hours))
    assert total.sum() == pytest.approx(truth.total(), rel=0.02)
    for begin, end in when.spans:
        assert total[begin:end].sum() == pytest.approx(sum(truth[hour] for hour in range(begin, end)), rel=0.05)


def test_tiers_are_counted_as_the_watchlist_counts_them(database: Database) -> None:
    rows = some(500, seed=8)
    watch(database, rows)
    stands = survey(database, SETTINGS, NOW, NOW.replace(minute=0))
    counted = Counter(TIERS.tier((polled or NOW) - published, misses) for published, polled, misses in rows)
    assert stands.by_tier == {tier: counted[tier] for tier in Tier}


def test_what_was_found_lately_is_what_will_be_found(database: Database, ledger: Ledger) -> None:
    """840 found in the last three days, half of them watched: 280 and 140 a day."""
    with database.transaction() as connection:
        connection.execute(
            "insert into videos (id8, vid, state, published_at, claimed_at) "
            "select n, n, 'admitted', at - interval '90 minutes', at "
            "from generate_series(1, 840) as n, lateral (select %(now)s - n * interval '3 days' / 840 as at) as found",
            {"now": NOW},
        )
        connection.execute(
            "insert into watchlist (vid, id8, published_at, polled_at) select vid, id8, published_at, claimed_at from videos "
            "where mod(vid, 2) = 0"
        )
    made = plan(database, ledger, SETTINGS, NOW)
    assert made.found_a_day == pytest.approx(280, rel=0.01)
    assert made.watched_a_day == pytest.approx(140, rel=0.01)
    assert made.fits
    assert len({row.day for row in made.rows}) == 31
    more = plan(database, ledger, SETTINGS, NOW, found_a_day=200_000)
    assert {one.consumer for one in more.starved} == {"tracking"}
    assert more.found_a_day == 200_000
    assert plan(database, ledger, SETTINGS, NOW, found_a_day=200_000, suppose=20).projects[-1] == "supposed 20"


def test_limits_and_what_is_spent_come_from_the_ledger(database: Database, ledger: Ledger) -> None:
    ledger.debit("mine", Bucket.STATS, QuotaPool.TRACKING, 9_000)
    ledger.mark_exhausted("mine", Bucket.SEARCH, 0)
    with database.transaction() as connection:
        connection.execute("insert into search_queue (term) values ('lofi')")
    made = plan(database, ledger, SETTINGS, NOW, projects={"mine": POOLS}, days=1)
    supply = {(row.bucket, row.day.day): row.supply for row in made.rows}
    assert supply == {
        ("search", 1): 0, ("stats", 1): 1_000, ("general", 1): 10_000,
        ("search", 2): 0, ("stats", 2): 10_000, ("general", 2): 10_000,
    }  # fmt: skip


def test_terms_that_the_first_hunt_will_seed_are_counted_on(database: Database, ledger: Ledger) -> None:
    """Before the first hunt the queue is empty, and its searches are to come all the same; a seed is counted once."""
    made = plan(database, ledger, SETTINGS, NOW, days=1)
    assert [row.gets["searches"] for row in made.rows if row.bucket == "search"][1] == 100
    with database.transaction() as connection:
        connection.execute("insert into search_queue (term) values ('news'), ('lofi')")
    seeds = SETTINGS.changed(discovery__seed_terms=("News", "  news ", "jazz", ""))
    assert survey(database, seeds, NOW, NOW.replace(minute=0)).discovery.terms == 3
    nothing = SETTINGS.changed(discovery__seed_terms=())
    assert survey(database, nothing, NOW, NOW.replace(minute=0)).discovery.terms == 2


def test_a_chart_costs_what_it_cost_lately_and_four_pages_at_most(database: Database, ledger: Ledger) -> None:
    """5 regions, 3 categories, twice a day; some charts have one page, failures with retries more than four units."""

    def tomorrow() -> float:
        return [row.gets["charts"] for row in plan(database, ledger, SETTINGS, NOW, days=1).rows if row.bucket == "general"][1]

    assert tomorrow() == 120
    insert = (
        "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new) "
        "values (%s, 'charts', %s, 'general', %s, 9, 9)"
    )
    with database.transaction() as connection:
        for target, units in (("US/10", 1), ("US/20", 2)):
            connection.execute(insert, [NOW - HOUR, target, units])
    assert tomorrow() == 45
    with database.transaction() as connection:
        connection.execute(insert, [NOW - HOUR, "US/1", 30])
    assert tomorrow() == 120


def test_a_campaign_and_the_channels_are_in_it(database: Database, ledger: Ledger) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into campaigns (name, first_month, last_month, categories, month, category, pages) "
            "values ('past', '2025-01-01', '2025-12-01', '{10,20}', '2025-02-01', 20, 4)"
        )
        connection.execute(
            "insert into channels (channel_id, moved) select 'c' || n, mod(n, 2) from generate_series(1, 500) as n"
        )
    stands = survey(database, SETTINGS, NOW, NOW.replace(minute=0))
    assert stands.discovery.campaign_pages == 26
    assert (stands.discovery.channels.unanswered, stands.discovery.channels.waiting_pages) == (500, 250)
    tomorrow = [row for row in plan(database, ledger, SETTINGS, NOW).rows if row.bucket == "general"][1]
    assert tomorrow.gets["checks"] == 10
    assert tomorrow.gets["lists"] >= 196
