"""Real PostgreSQL for tests: one server a session, one cloned database a test.

Cloned, never emptied: a template clone takes 0.15 s, a forced drop 1.9 s, and no test can touch a database that is not its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.storage.postgres import Database, ensure_database

_counter = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """URL of a running server whose database `template` has the whole schema."""
    # A short path: a Unix socket's name is limited to 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="plt"))
    try:
        with embedded(root / "pg") as server:
            url = embedded_url(server, "template")
            ensure_database(url)
            with psycopg.connect(url) as connection:
                from pleiades_core.storage.migrate import migrate

                migrate(connection)
            yield url
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def database_url(cluster: str) -> str:
    """URL of a fresh database with the whole schema."""
    name = f"test_{os.getpid()}_{next(_counter)}"
    with psycopg.connect(cluster.replace("/template?", "/postgres?"), autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("create database {} template template").format(psycopg.sql.Identifier(name)))
    return cluster.replace("/template?", f"/{name}?")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database with the whole schema, open."""
    opened = Database(database_url)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon UTC of an ordinary day."""
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
