"""What the sources cost and brought, and the state of the channels, on real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pleiades_core.planner.survey import survey
from pleiades_core.reports.sources import channels_state, sources
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.discovery_requests import export_day, forget_requests
from pleiades_core.vault.vault import Vault, open_vault

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_INSERT = (
    "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new, error)"
    " values (%s, %s, %s, %s, %s, %s, %s, %s)"
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "vault")


@pytest.fixture
def requested(database: Database) -> Database:
    """Two terms, a feed that fails and works again, one request of two weeks ago."""
    rows = [
        (NOW - timedelta(days=14), "search", "lofi", "search", 1, 50, 40, None),
        (NOW - timedelta(hours=3), "search", "lofi", "search", 2, 50, 30, None),
        (NOW - timedelta(hours=2), "search", "news", "search", 1, 50, 45, None),
        (NOW - timedelta(hours=2), "feeds", "", None, 0, 0, 0, "feeds are out"),
        (NOW - timedelta(hours=1), "feeds", "", None, 0, 300, 90, None),
        (NOW - timedelta(hours=1), "uploads", "", "general", 9, 0, 0, None),
    ]
    with database.transaction() as connection:
        for row in rows:
            connection.execute(_INSERT, row)
    return database


def test_sources_are_added_up_over_their_targets(requested: Database, vault: Vault) -> None:
    report = sources(requested, vault, NOW)
    assert [(one.source, one.requests, one.units, one.candidates, one.new) for one in report.sources] == [
        ("feeds", 2, {}, 300, 90),
        ("search", 2, {"search": 3}, 100, 75),
        ("uploads", 1, {"general": 9}, 0, 0),
    ]
    feeds, search, uploads = report.sources
    assert (search.new_per_unit, feeds.new_per_unit, uploads.new_per_unit) == (25, None, 0)
    assert (feeds.last_error, feeds.failed_at) == ("feeds are out", NOW - timedelta(hours=2))
    assert feeds.last_requested_at == NOW - timedelta(hours=1)
    assert search.last_error == ""


def test_targets_stand_for_themselves(requested: Database, vault: Vault) -> None:
    found = {
        one.target: one.new_per_unit for one in sources(requested, vault, NOW, targets=True).sources if one.source == "search"
    }
    assert found == {"lofi": 15, "news": 45}


def test_days_that_sql_forgot_are_read_from_the_vault(requested: Database, vault: Vault) -> None:
    before = sources(requested, vault, NOW, days=30)
    export_day(requested, vault, (NOW - timedelta(days=14)).date())
    assert sources(requested, vault, NOW, days=30) == before, "both places have them: counted once"
    assert forget_requests(requested, vault, NOW - timedelta(days=7)).rows == 1
    assert sources(requested, vault, NOW, days=30) == before
    assert next(one.new for one in before.sources if one.source == "search") == 115


def test_what_waits_to_be_described_is_told(requested: Database, vault: Vault) -> None:
    """After a day with little quota it is what most of the found is; the plan wants the calls for it."""
    with requested.transaction() as connection:
        connection.execute(
            "insert into videos (id8, vid, state, claimed_at)"
            " select n, n, (enum_range(null::video_state))[1 + mod(n, 3)], %s from generate_series(1, 900) n",
            [NOW],
        )
    assert sources(requested, vault, NOW).to_describe == 300
    assert survey(requested, DemoSettings(), NOW, NOW).discovery.to_describe == 300


def test_no_requests_no_sources(database: Database, vault: Vault) -> None:
    report = sources(database, vault, NOW, days=30)
    assert report.sources == ()
    assert report.channels.followed == 0
    assert report.channels.lists_a_day == 0


def test_channels_are_answered_for_by_push_or_feed_or_by_nobody(database: Database) -> None:
    rows = {
        "push": (NOW + timedelta(hours=1), None, 0, 0, 1.0),
        "push and feed": (NOW + timedelta(hours=1), NOW, 0, 0, 1.0),
        "push ran out": (NOW - timedelta(hours=1), None, 0, 120, 2.0),
        "feed": (None, NOW - timedelta(hours=2), 0, 0, 1.0),
        "feed fails": (None, NOW - timedelta(hours=2), 3, 7, 0.5),
        "feed of long ago": (None, NOW - timedelta(days=2), 0, 0, 0.0),
    }
    with database.transaction() as connection:
        for name, values in rows.items():
            connection.execute(
                "insert into channels (channel_id, push_until, feed_at, feed_failures, moved, uploads_a_day) "
                "values (%s, %s, %s, %s, %s, %s)",
                (name, *values),
            )
    state = channels_state(database, NOW)
    assert (state.followed, state.push_live, state.feeds_only, state.unanswered) == (6, 2, 1, 3)
    assert state.feeds_failing == 1
    assert (state.waiting, state.waiting_pages) == (2, 4)
    assert state.uploads_a_day == pytest.approx(5.5)
    assert state.lists_a_day == pytest.approx((1 - 0.1353) + (1 - 0.6065), abs=1e-3)
