"""The daily lesson on a real server: what was asked reaches the vault, terms learn, SQL stays small; without Dagster."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pleiades_core.clock import ManualClock
from pleiades_core.discover.search_queue import terms
from pleiades_core.discover.upkeep import REQUESTS_KEPT, run_upkeep
from pleiades_core.errors import CorruptFile
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.reports.sources import KEPT_IN_SQL
from pleiades_core.storage.postgres import Database
from pleiades_core.vault import query
from pleiades_core.vault.layout import discovery_requests_key
from pleiades_core.vault.vault import Vault, open_vault
from pleiades_core.youtube.quota import Ledger
from pleiades_dagster.cli import app

#: Importing it registers its commands.

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
#: Of the requests: one a day, today's included.
AGES = range(12)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "home" / "vault")


def ledger_of(database: Database, now: datetime) -> Ledger:
    return Ledger(database, ManualClock(now))


def live_in(database: Database, now: datetime) -> None:
    """A search a day, and units spent today and long ago."""
    with database.transaction() as connection:
        terms.seed(connection, ["lofi"])
        for age in AGES:
            connection.execute(
                "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new) "
                "values (%s, 'search', 'lofi', 'search', 1, 50, 20)",
                [now - age * DAY],
            )
            terms.note_search(connection, "lofi", new=20, now=now - age * DAY)
    for age in (0, 89, 92):
        ledger_of(database, now - age * DAY).debit("mine", Bucket.SEARCH, QuotaPool.HUNTING)


def counted(database: Database, table: str) -> int:
    with database.transaction() as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


def in_vault(vault: Vault) -> int:
    return int(query.query(vault, "select count(*) as n from raw_discovery_requests", {}).to_pylist()[0]["n"])


def test_a_lesson_exports_forgets_rewards_and_prunes(database: Database, vault: Vault) -> None:
    live_in(database, NOW)
    report = run_upkeep(database, vault, ledger_of(database, NOW), NOW)
    assert report.exported_days == tuple(NOW.date() - age * DAY for age in reversed(AGES) if age)
    assert (report.exported_requests, in_vault(vault)) == (11, 11)
    assert (report.forgotten.rows, report.forgotten.kept) == (3, ())
    assert counted(database, "discovery_requests") == 9
    assert report.rescored.terms == 1
    assert (report.ledger_pruned, counted(database, "quota_ledger")) == (1, 2)


def test_a_lesson_may_be_repeated(database: Database, vault: Vault) -> None:
    live_in(database, NOW)
    first = run_upkeep(database, vault, ledger_of(database, NOW), NOW)
    again = run_upkeep(database, vault, ledger_of(database, NOW), NOW)
    assert (again.exported_days, again.exported_requests, again.forgotten.rows, again.ledger_pruned) == ((), 0, 0, 0)
    assert again.rescored == first.rescored
    assert in_vault(vault) == 11


def test_an_empty_installation_has_nothing_to_learn(database: Database, vault: Vault) -> None:
    report = run_upkeep(database, vault, ledger_of(database, NOW), NOW)
    assert (report.exported_days, report.exported_requests, report.rescored.terms, report.ledger_pruned) == ((), 0, 0, 0)


def test_a_damaged_file_is_named_and_takes_nothing_from_sql(database: Database, vault: Vault, tmp_path: Path) -> None:
    live_in(database, NOW)
    path = tmp_path / "home" / "vault" / discovery_requests_key(date(2026, 3, 9))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no Parquet")
    with pytest.raises(CorruptFile, match="date=2026-03-09"):
        run_upkeep(database, vault, ledger_of(database, NOW), NOW)
    assert counted(database, "discovery_requests") == len(AGES)


def test_rows_stay_in_sql_for_as_long_as_people_look_at_them_there() -> None:
    assert KEPT_IN_SQL + DAY <= REQUESTS_KEPT


def test_the_command_does_it_and_says_so(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the machine's clock, without any key."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    for name in ("YOUTUBE_API_KEY_POOL_JSON", "PLEIADES_HOME"):
        monkeypatch.delenv(name, raising=False)
    live_in(database, datetime.now(UTC))
    (tmp_path / "home" / "vault").mkdir(parents=True)

    def run(*more: str) -> str:
        done = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), "upkeep", *more])
        assert (done.exit_code, done.exception) == (0, None)
        return done.stdout

    said = json.loads(run("--json"))
    assert (len(said["exported_days"]), said["exported_requests"], said["rescored"]["terms"]) == (11, 11, 1)
    assert counted(database, "discovery_requests") == 12 - said["forgotten"]["rows"] == 9
    assert "requests exported" in run()
