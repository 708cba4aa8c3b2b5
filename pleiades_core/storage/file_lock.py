"""A lock file: one process at a time, a wait with a limit, and an error that names the process which holds the lock.

Does not belong here: locks of the database (locks.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pleiades_core.errors import VaultError
from pleiades_core.storage.disk import require_file

#: How long to wait for a lock file: as long as for a lock of the database (postgres.py). It is held for one write of a file.
LOCK_WAIT = timedelta(seconds=30)
#: `flock` has no time limit, so it is tried again after this pause.
_LOCK_AGAIN_S = 0.05
_KERNEL_LOCKS = Path("/proc/locks")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time into the block, by a lock file.

    Raises:
        OSError: the disk refuses.
        CorruptFile: the name belongs to something that is no file.
        VaultError: another process keeps the lock for `LOCK_WAIT`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        require_file(path, os.fstat(descriptor))
        _lock(path, descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> None:
    until = time.monotonic() + LOCK_WAIT.total_seconds()
    while not _try_lock(descriptor):
        if time.monotonic() >= until:
            raise _lock_error(path, os.fstat(descriptor))
        time.sleep(_LOCK_AGAIN_S)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_error(path: Path, found: os.stat_result) -> VaultError:
    message = f"waited {LOCK_WAIT.total_seconds():g} s for the lock {path}"
    pid = None
    # The list is Linux's; without it the error names the file alone.
    with contextlib.suppress(OSError):
        pid = lock_holder(_KERNEL_LOCKS.read_text(encoding="ascii"), found.st_dev, found.st_ino)
    if pid is None:
        return VaultError(
            f"{message}; another process holds it",
            cure=f"`fuser {path}` names the process: let it end, or end it; then run the command again. Nothing was written",
        )
    return VaultError(
        f"{message}; held by pid {pid}",
        cure=f"let process {pid} end, or end it (kill {pid}); then run the command again. Nothing was written",
    )


def lock_holder(listed: str, device: int, inode: int) -> int | None:
    """Find the process that holds the `flock` lock of a file. Pure.

    A line of /proc/locks reads `1: FLOCK ADVISORY WRITE 24078 fe:00:2422160 0 EOF`. A waiting process has `->` after the
    number. Pid 0 is a process of another container.

    Args:
        listed: the text of /proc/locks.
        device: number of the file's device.
        inode: number of the file.

    Returns:
        The process id; None if the list does not name the file.
    """
    file = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for line in listed.splitlines():
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[5:6] == [file] and fields[4] != "0":
            return int(fields[4])
    return None
