"""A server without room on its disk, for the rows of one table."""

from __future__ import annotations

from psycopg import sql

from pleiades_core.storage.postgres import Database

_TRIGGER = """
create function no_room() returns trigger language plpgsql as
$$ begin raise exception using errcode = '53100', message = 'could not extend file'; end $$;
create trigger no_room before insert on {} execute function no_room()
"""


def fill_the_disk(database: Database, table: str) -> None:
    """From now on an insert into `table` ends as on a full disk."""
    with database.transaction() as connection:
        connection.execute(sql.SQL(_TRIGGER).format(sql.Identifier(table)))
