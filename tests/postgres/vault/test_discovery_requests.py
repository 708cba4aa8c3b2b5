"""Requests on their way from SQL to the vault, on real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pleiades_core.errors import CorruptFile
from pleiades_core.storage.postgres import Database
from pleiades_core.vault import query
from pleiades_core.vault.discovery_requests import export_day, forget_requests, unexported
from pleiades_core.vault.layout import discovery_requests_key
from pleiades_core.vault.vault import Vault, open_vault

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "vault")


def request(database: Database, at: datetime, source: str = "search", target: str = "lofi", **other: object) -> None:
    words = {"bucket": "search", "units": 1, "candidates": 50, "new": 7, "error": None, **other}
    with database.transaction() as connection:
        connection.execute(
            "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new, error) values "
            "(%(at)s, %(source)s, %(target)s, %(bucket)s, %(units)s, %(candidates)s, %(new)s, %(error)s)",
            {"at": at, "source": source, "target": target, **words},
        )


def left_in_sql(database: Database) -> int:
    with database.transaction() as connection:
        row = connection.execute("select count(*) from discovery_requests").fetchone()
    assert row is not None
    return int(row[0])


def test_a_day_is_exported_and_can_be_asked(database: Database, vault: Vault) -> None:
    request(database, NOON)
    request(database, NOON + timedelta(microseconds=1), "feeds", "", bucket=None, units=0, error="404")
    request(database, NOON + timedelta(days=1))
    exported = export_day(database, vault, DAY)
    assert (exported.rows, exported.added, exported.changed) == (2, 2, True)
    rows = query.query(vault, "select * from discovery_requests order by requested_at").to_pylist()
    assert [(row["source"], row["target"], row["bucket"], row["units"], row["new"], row["error"]) for row in rows] == [
        ("search", "lofi", "search", 1, 7, None),
        ("feeds", "", None, 0, 7, "404"),
    ]


def test_a_young_vault_has_no_requests_and_can_be_asked(vault: Vault) -> None:
    assert query.query(vault, "select count(*) as n from discovery_requests").to_pylist() == [{"n": 0}]


def test_exporting_again_gives_the_same_bytes_and_writes_nothing(database: Database, vault: Vault) -> None:
    for minute in range(30):
        request(database, NOON + timedelta(minutes=minute), target=f"t{minute % 3}")
    first = export_day(database, vault, DAY)
    again = export_day(database, vault, DAY)
    assert (again.sha256, again.changed, again.added) == (first.sha256, False, 0)


def test_late_requests_join_and_forgotten_ones_stay(database: Database, vault: Vault) -> None:
    request(database, NOON)
    export_day(database, vault, DAY)
    assert forget_requests(database, vault, NOON + timedelta(days=1)).rows == 1
    request(database, NOON - timedelta(hours=1))
    exported = export_day(database, vault, DAY)
    assert (exported.rows, exported.added) == (2, 1)


def test_an_empty_day_has_an_empty_file(database: Database, vault: Vault) -> None:
    assert export_day(database, vault, DAY).rows == 0
    assert query.query(vault, "select count(*) as n from discovery_requests").to_pylist() == [{"n": 0}]


def test_only_days_in_the_vault_are_forgotten(database: Database, vault: Vault) -> None:
    """Not exported, exported and then joined by a late row, damaged: all stay. The present day too."""
    for back in range(5):
        request(database, NOON - timedelta(days=back))
    for back in (0, 1, 2, 3):
        export_day(database, vault, DAY - timedelta(days=back))
    request(database, NOON - timedelta(days=2, minutes=1))
    damaged = Path(vault.archive.uri(discovery_requests_key(DAY - timedelta(days=3))))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    forgotten = forget_requests(database, vault, NOON)
    assert (forgotten.days, forgotten.rows) == (1, 1)
    assert forgotten.kept == tuple(DAY - timedelta(days=back) for back in (4, 3, 2))
    assert left_in_sql(database) == 5


def test_what_waits_for_its_export_is_named(database: Database, vault: Vault) -> None:
    for back in range(3):
        request(database, NOON - timedelta(days=back))
    export_day(database, vault, DAY - timedelta(days=1))
    assert unexported(database, vault, NOON) == [DAY - timedelta(days=2)]


def test_requests_of_a_restored_database_do_not_displace_older_ones(database: Database, vault: Vault) -> None:
    """`request` is an identity of one database: a new one counts from 1 again."""
    request(database, NOON)
    export_day(database, vault, DAY)
    with database.transaction() as connection:
        connection.execute("truncate discovery_requests restart identity")
    request(database, NOON + timedelta(hours=1))
    assert export_day(database, vault, DAY).rows == 2


def test_a_file_of_another_day_is_refused(database: Database, vault: Vault) -> None:
    export_day(database, vault, DAY)
    content = vault.archive.read(discovery_requests_key(DAY))
    vault.archive.replace(discovery_requests_key(DAY + timedelta(days=1)), content, expected=None)
    with pytest.raises(CorruptFile, match="does not hold the requests"):
        export_day(database, vault, DAY + timedelta(days=1))
