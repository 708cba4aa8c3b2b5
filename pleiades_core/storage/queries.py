"""Named SQL from `.sql` files, and the text of DuckDB's files.

A file holds queries. A line `-- name: x` opens each; comment lines after it say what the query does:

    _SQL = load_queries("watchlist") connection.execute(_SQL.lease_due, {...})

Values are bound by the driver, never formatted into the text. An answer of more than three columns is read by column name
(`records`), so that a new column cannot shift the others. PostgreSQL's queries stand in sql/, a file for each table or reader;
DuckDB's stand beside the module that runs them, with `.duckdb` before the ending. Does not belong here: the queries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import TypeVar

import psycopg
from psycopg.rows import class_row

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)

_Record = TypeVar("_Record")


class Queries:
    """The queries of one file, as attributes."""

    def __init__(self, origin: str, texts: dict[str, str]) -> None:
        self._origin = origin
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        """The text of one query.

        Raises:
            AttributeError: the file has no query of this name.

        """
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"no query {name!r} in {self._origin}") from None


def parse_queries(origin: str, text: str) -> Queries:
    """Split the text of a `.sql` file into its queries.

    Raises:
        ValueError: two queries have the same name.

    """
    parts = _HEAD.split(text)
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query name occurs twice in {origin}")
    return Queries(origin, {name: body.strip() for name, body in zip(names, bodies, strict=True)})


def load_queries(name: str) -> Queries:
    """The PostgreSQL queries of `storage/sql/<name>.sql`."""
    return parse_queries(name, _read("pleiades_core.storage.sql", f"{name}.sql"))


def load_duckdb_queries(name: str, package: str) -> Queries:
    """The DuckDB queries of `<name>.duckdb.sql` in `package`."""
    return parse_queries(name, _read(package, f"{name}.duckdb.sql"))


def load_duckdb_text(name: str, package: str) -> str:
    """The whole text of `<name>.duckdb.sql` in `package`: one query, or a list of views and macros."""
    return _read(package, f"{name}.duckdb.sql")


def records(
    connection: psycopg.Connection, record: type[_Record], query: str, parameters: Mapping[str, object] | None = None
) -> list[_Record]:
    """Run a query and read its answer by column name.

    Args:
        connection: where the query runs.
        record: the class of a row; its fields are the columns.
        query: the text of the query.
        parameters: the values that are bound.

    Returns:
        A record for each row, in order.

    Raises:
        TypeError: the columns are not the fields of the record.
    """
    with connection.cursor(row_factory=class_row(record)) as cursor:
        return cursor.execute(query, parameters).fetchall()


def _read(package: str, file: str) -> str:
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")
