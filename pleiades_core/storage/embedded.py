"""A real PostgreSQL of our own under HOME, from a wheel and on a Unix socket only, for installations without DATABASE_URL.

Belongs here: sharing it between threads and processes, and its address. Does not belong here: starting and stopping it
(cluster.py), what is stored in it (migrations/).

Every process that uses the server holds a lock (flock) on a file of its own in HOME/.postgres.users/. The kernel drops the lock
with the process, however it ends, so the last one to leave is known for certain. A lock on that folder itself lets one process
at a time start or stop the server. The folder is open to its owner only: another user could hold these locks for ever.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable
from pleiades_core.storage import cluster
from pleiades_core.storage.account import account_of
from pleiades_core.storage.disk import make_folder

#: Bytes: with the name of the socket after it, the path stays below the 107 that the kernel allows.
_LONGEST_SOCKET_FOLDER = 90
#: Seconds to wait for another process that starts or stops the server: more than the longest start and stop.
_LONGEST_WAIT_S = 600.0
_LOOK_EVERY_S = 0.01
#: Name of a user's file: the number of its process, and something that tells it from a process of the same number elsewhere.
_USER_FILE = re.compile(r"\d+\..+")


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server."""

    #: Where it keeps its data, and its socket.
    folder: Path
    #: A short and plain path to the same folder, for addresses.
    socket_folder: Path


@dataclass(slots=True)
class _Use:
    """The use of a server by this process, in as many blocks as `blocks` says. `handle` holds the lock on `file`."""

    server: EmbeddedServer
    file: Path
    handle: int
    blocks: int = 0


#: One thread at a time starts or stops: Dagster runs four sensors at once in one process, each of which opens and closes the
#: installation.
_turn_of_threads = threading.Lock()
_uses: dict[Path, _Use] = {}


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[EmbeddedServer]:
    """The running server of `folder` for the length of a block. It is created and started if need be.

    Threads and processes share the server; the last one to leave stops it.

    Raises:
        DatabaseUnreachable: the server does not come up; the message has the end of its log.
        ConfigurationError: there can be no such folder.
    """
    require_usable(folder)
    # Before the path is resolved: a loop of links is an error of the folder.
    make_folder(folder.parent)
    key = folder.resolve()
    with _turn_of_threads:
        use = _enter(key)
        use.blocks += 1
    try:
        yield use.server
    finally:
        with _turn_of_threads:
            # A forked child inherits the block, but does not count as a user.
            if _uses.get(key) is use:
                use.blocks -= 1
                if use.blocks == 0:
                    _leave(key)


def embedded_url(server: EmbeddedServer, database: str) -> str:
    """The URL of one database of the embedded server."""
    return f"postgresql://postgres:@/{database}?host={server.socket_folder}&port={cluster.PORT}"


def require_usable(folder: Path) -> None:
    """Refuse a folder whose path has a line break: PostgreSQL keeps paths in files of lines.

    Raises:
        ConfigurationError: the path has a line break.
    """
    if "\n" in str(folder):
        raise ConfigurationError(
            f"PostgreSQL cannot keep its data in {str(folder)!r}: the path has a line break",
            cure="choose a --home without it, or set DATABASE_URL to a server of your own",
        )


def users_of(folder: Path) -> list[int]:
    """Numbers of the living processes that use the server of `folder`, in order."""
    living, _ = _users(folder.resolve())
    return sorted(int(path.name.partition(".")[0]) for path in living)


def _enter(folder: Path) -> _Use:
    """The use of the server by this process; the server runs. A server that died meanwhile is started again."""
    # First of all, so that nothing is written into another user's home.
    account_of(folder)
    try:
        with _turn_of_processes(folder):
            use = _uses.get(folder) or _begin(folder)
            try:
                cluster.start(folder)
            except BaseException:
                if use.blocks == 0:
                    _end(folder)
                raise
            return use
    except OSError as error:
        raise DatabaseUnreachable(
            f"the embedded PostgreSQL in {folder} did not start: {type(error).__name__}: {error}",
            cure="remove the reason that it gives; or set DATABASE_URL to a server of your own (15 or newer)",
        ) from error


def _leave(folder: Path) -> None:
    try:
        # A server whose folder was removed ends by itself, within a minute.
        with _turn_of_processes(folder) if folder.exists() else contextlib.nullcontext():
            _end(folder)
    except OSError as error:
        raise DatabaseUnreachable(
            f"the embedded PostgreSQL in {folder} was not left in order: {type(error).__name__}: {error}",
            cure="remove the reason that it gives; the next command stops the server",
        ) from error


def _begin(folder: Path) -> _Use:
    """Count this process among the users."""
    handle, name = tempfile.mkstemp(prefix=f"{os.getpid()}.", dir=_users_folder(folder))
    fcntl.flock(handle, fcntl.LOCK_EX)
    # Root may share a user's server: each must be able to look at the other's lock. The folder keeps all other users out.
    os.fchmod(handle, 0o644)
    use = _Use(EmbeddedServer(folder, _socket_folder(folder)), Path(name), handle)
    _uses[folder] = use
    return use


def _end(folder: Path) -> None:
    """Remove this process from the users, and stop the server if it was the last user."""
    use = _uses.pop(folder)
    try:
        use.file.unlink(missing_ok=True)
        living, dead = _users(folder)
        for path in dead:
            path.unlink(missing_ok=True)
        if not living:
            cluster.stop(folder)
    finally:
        _unlock(use.handle)
        if use.server.socket_folder != folder:
            shutil.rmtree(use.server.socket_folder.parent, ignore_errors=True)


def _users(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of the living users, and files of the dead users. Other files are ignored."""
    files = [path for path in _users_folder(folder).glob("*") if _USER_FILE.fullmatch(path.name) and path.is_file()]
    living = [path for path in files if _is_locked(path)]
    return living, [path for path in files if path not in living]


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            # A shared lock: two processes that look at the same time must not take each other for the user.
            return not cluster.try_to_lock(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _users_folder(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.users")


@contextlib.contextmanager
def _turn_of_processes(folder: Path) -> Iterator[None]:
    """A block that one process at a time may enter.

    Raises ConfigurationError when the home is another user's, DatabaseUnreachable when another process stays in the block.
    """
    users = _users_folder(folder)
    try:
        users.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(users, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        # Raises for another user's folder. Root may use it: it shares the server of the folder's owner.
        os.fchmod(handle, 0o700)
    except OSError as error:
        raise ConfigurationError(
            f"{users} cannot be used: {error.strerror}",
            cure="run Pleiades as the owner of the home, or give --home a folder that you may write to",
        ) from None
    try:
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while not cluster.try_to_lock(handle):
            if time.monotonic() > deadline:
                raise DatabaseUnreachable(
                    f"another process has been starting or stopping the embedded PostgreSQL in {folder} for ten minutes",
                    cure="end that process, a `pleiades` with the same --home, and run the command again",
                )
            time.sleep(_LOOK_EVERY_S)
        yield
    finally:
        _unlock(handle)


def _unlock(handle: int) -> None:
    """Release a lock and close its handle. Closing alone is not enough: a forked child may have the same handle."""
    try:
        fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _socket_folder(folder: Path) -> Path:
    """The data folder, in which the socket lies, by a path that fits into an address: its own, or a link's in a private folder.

    A socket's path is limited to 107 bytes, and the readers of URLs disagree about blanks, colons and the like.
    """
    if _is_plain(folder):
        return folder
    base = tempfile.gettempdir() if _is_plain(Path(tempfile.gettempdir(), "pleiades-12345678", "pg")) else "/tmp"  # noqa: S108
    # No other user can enter this folder, so no other user can point the link at a server of his own.
    link = Path(tempfile.mkdtemp(prefix="pleiades-", dir=base)) / "pg"
    link.symlink_to(folder)
    return link


def _is_plain(path: Path) -> bool:
    return re.fullmatch(r"[\w./+-]+", str(path), re.ASCII) is not None and len(os.fsencode(path)) <= _LONGEST_SOCKET_FOLDER


def _leave_all() -> None:
    """At the end of the process: leave every block that is still open."""
    for folder in list(_uses):
        with contextlib.suppress(Exception):
            _leave(folder)


def _forget_in_child() -> None:
    """In a forked child: only the parent uses the server, and the parent's lock must end with the parent."""
    global _turn_of_threads  # noqa: PLW0603  it may be held by a thread that the child does not have
    _turn_of_threads = threading.Lock()
    for use in _uses.values():
        os.close(use.handle)
    _uses.clear()


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_forget_in_child)
