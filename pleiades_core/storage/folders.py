"""Folders that survive a power cut: a new folder is on disk once the folder that holds its name is synced, all the way up.

Belongs here: making folders. Does not belong here: what is written into them (objects.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from pleiades_core.errors import ConfigurationError

#: A folder above ours that this user may not read, or whose file system syncs no folders: nothing there can be synced by us.
_UNSYNCABLE = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS})

#: Folders whose names this process knows to be on disk, by path, device and inode: one that was removed and made again is
#: another folder. The kernel does not tell whether a name is durable, so the first use in a process syncs it: another process
#: may have been killed between making the folder and syncing it.
_durable: set[tuple[str, int, int]] = set()


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, durably. Raises ConfigurationError when there can be no such folder."""
    try:
        make_durable(folder)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be made: {error.strerror}", cure="give --home a folder that you may write to"
        ) from None


def make_durable(folder: Path) -> None:
    """Make `folder` and those above it where they are missing; their names are on disk on return. Raises OSError.

    Costs one `stat` once the folder is known to be durable.
    """
    steps: list[Path] = []
    for step in (folder.absolute(), *folder.absolute().parents):
        if _identity(step) in _durable or os.path.ismount(step):
            break
        steps.append(step)
    for step in reversed(steps):
        made = _identity(step) is None
        if made:
            # Another process may make it at the same moment.
            with contextlib.suppress(FileExistsError):
                step.mkdir()
        try:
            sync_folder(step.parent)
        except OSError as error:
            if made or error.errno not in _UNSYNCABLE:
                raise
        if identity := _identity(step):
            _durable.add(identity)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(folder: Path) -> tuple[str, int, int] | None:
    """None: there is no such folder. Raises OSError when something else has its name."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    return str(folder), found.st_dev, found.st_ino
