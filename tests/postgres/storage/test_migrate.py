"""The schema: steps are applied once, checked for ever."""

from __future__ import annotations

import psycopg
import pytest

from pleiades_core.errors import DatabaseUnreachable, SchemaMismatch
from pleiades_core.storage.migrate import Migration, check_schema, migrate, migrations
from pleiades_core.storage.postgres import Database, without_password


def test_applying_again_changes_nothing(database: Database) -> None:
    assert database.migrate() == []
    database.check()


def test_a_newer_schema_is_refused_with_the_cure(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into schema_migrations (version, title, sha256) values (9999, 'future', 'x')")
        with pytest.raises(SchemaMismatch, match="9999") as caught:
            check_schema(connection)
        assert "newer Pleiades" in caught.value.cure
        with pytest.raises(SchemaMismatch):
            migrate(connection)


def test_an_edited_step_is_refused(database_url: str) -> None:
    first, *rest = migrations()
    edited = Migration(first.version, first.title, first.text + "-- changed")
    with psycopg.connect(database_url) as connection, pytest.raises(SchemaMismatch, match="not the one"):
        migrate(connection, (edited, *rest))


def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    broken = Migration(9000, "broken", "create table half (a int); select 1/0")
    with psycopg.connect(database_url) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(connection, (*migrations(), broken))
        row = connection.execute("select to_regclass('half')").fetchone()
        assert row == (None,)


@pytest.mark.parametrize("url", ["postgresql://u:secret@127.0.0.1:1/x"])
def test_an_unreachable_database_is_named_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        Database(url).open()
    assert "secret" not in str(caught.value)
    assert "DATABASE_URL" in caught.value.cure


def test_a_password_is_never_shown() -> None:
    assert without_password("postgresql://u:secret@h:1/x") == "postgresql://u:***@h:1/x"
