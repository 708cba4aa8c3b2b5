"""Named SQL from `.sql` files.

A file holds queries, each opened by a line `-- name: what it is for`, whose name becomes an attribute:

    _SQL = load_queries("watchlist")
    connection.execute(_SQL.lease_due, {...})

Values are bound by the driver, never formatted into the text. An answer of more than three columns is read by their names
(`records`): one that is put in between must not shift the others. Does not belong here: the queries, which stand in sql/, a
file for each table or reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import TypeVar

import psycopg
from psycopg.rows import class_row

_HEAD = re.compile(r"^-- (\w+): .+$", re.MULTILINE)


_Record = TypeVar("_Record")


class Queries:
    """The queries of one file, as attributes."""

    def __init__(self, origin: str, texts: dict[str, str]) -> None:
        self._origin = origin
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        """The text of one query. Raises AttributeError that names the file."""
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"no query {name!r} in {self._origin}") from None


def parse_queries(origin: str, text: str) -> Queries:
    """Split the text of a `.sql` file. Raises ValueError for a name that is used twice."""
    parts = _HEAD.split(text)
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a query name occurs twice in {origin}")
    return Queries(origin, {name: body.strip() for name, body in zip(names, bodies, strict=True)})


def load_queries(name: str, package: str = "pleiades_core.storage.sql") -> Queries:
    """The queries of `<name>.sql` in `package`."""
    return parse_queries(name, resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8"))


def records(
    connection: psycopg.Connection, record: type[_Record], query: str, words: Mapping[str, object] | None = None
) -> list[_Record]:
    """The answer, each row as a `record` whose fields are the columns. Raises TypeError when they are not."""
    with connection.cursor(row_factory=class_row(record)) as cursor:
        return cursor.execute(query, words).fetchall()
