"""Files and folders of a local disk: opened so that nothing hangs, written so that nothing is half there; and their errors.

Belongs here: calls to the operating system, with the reason for each flag. Does not belong here: waiting for other processes
(file_lock.py), keys, and what a write expects to find under a key (objects/local.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from pleiades_core.errors import ConfigurationError, CorruptFile, VaultError

#: What a person can do about an error of the disk.
_CURES = {
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space, or have the disk quota of this user raised",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit on open files (sysctl fs.file-max)",
    errno.EIO: "look at the kernel's log (dmesg): the disk fails; copy the vault to another one",
    errno.EROFS: "mount that disk for writing",
    errno.EACCES: "give the user that runs Pleiades the right to read and write there (chown -R)",
    errno.EPERM: "give the user that runs Pleiades the right to write there; FAT and exFAT have no links and hold no vault",
    errno.ENOTDIR: "move the file that has a folder's name out of the vault",
    errno.EISDIR: "move the folder that has a file's name out of the vault",
}
_KINDS = (
    (stat.S_ISLNK, "symbolic link"), (stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "named pipe"), (stat.S_ISSOCK, "socket"),
)  # fmt: skip
#: Errors of a folder above ours that this user may not read, or whose file system syncs no folders. We cannot sync it.
_UNSYNCABLE = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS})

#: Folders whose names this process knows to be on disk, by path, device and inode: a folder that was removed and made again is
#: another folder. The kernel does not tell whether a name is durable, so the first use in a process syncs it: another process
#: may have been killed between making the folder and syncing it.
_durable: set[tuple[str, int, int]] = set()


def walk(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Every entry below a folder except the folders themselves; nothing behind a symbolic link.

    Raises:
        OSError: a folder cannot be listed.
    """
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except FileNotFoundError:
        # Not there yet, or removed meanwhile.
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path)
        else:
            yield entry


@contextlib.contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an error of the disk within the block into an error that names the file, the reason and the cure.

    Args:
        action: the verb of the message, such as `write`.
        path: the file that the block is about.

    Raises:
        VaultError: the operating system refused something in the block.
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no code')})"
        raise VaultError(
            f"cannot {action} {path}: {reason}",
            cure=f"{_CURES.get(error.errno or 0, 'mend the disk')}; nothing was half-written",
        ) from error


@contextlib.contextmanager
def temporary_file(path: Path, content: bytes, *, owner: tuple[int, int] | None = None) -> Iterator[Path]:
    """A durable file beside `path`, in a durable folder. It is removed at the end of the block unless the block renamed it.

    Args:
        path: the file beside which it is made.
        content: what it holds.
        owner: user and group that the file belongs to; None: those of this process.

    Yields:
        The path of the temporary file.

    Raises:
        OSError: the disk refuses.
    """
    make_durable(path.parent)
    temporary = path.parent / f".tmp-{uuid.uuid4().hex}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            if owner is not None:
                os.fchown(descriptor, *owner)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            # After a failed fsync the kernel may have dropped the pages: never fsync again, write anew.
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        # If this fails, the janitor removes the file.
        with contextlib.suppress(OSError):
            temporary.unlink()


def replace_file(path: Path, content: bytes, *, owner: tuple[int, int] | None = None) -> None:
    """Put `content` in place of a file, durable on return. Readers see the old or the new content, whole.

    Two writers do not disturb each other: the last one wins.

    Args:
        path: the file, which may be missing.
        content: what it holds afterwards.
        owner: user and group that the file belongs to; None: those of this process.

    Raises:
        OSError: the disk refuses.
    """
    with temporary_file(path, content, owner=owner) as temporary:
        os.rename(temporary, path)  # noqa: PTH104
    sync_folder(path.parent)


def read_file(path: Path) -> bytes:
    """The content of a file. A pipe, which could be read for ever, is refused.

    Raises:
        OSError: the disk refuses, or there is no such file.
        CorruptFile: the name belongs to something that is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # The codes for a symbolic link, and for a socket or a pipe without a reader.
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            require_file(path, path.lstat())
        raise
    try:
        require_file(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def require_file(path: Path, found: os.stat_result) -> None:
    """Refuse anything but a regular file.

    Args:
        path: names it in the error.
        found: its status, as `os.lstat` or `os.fstat` gives it.

    Raises:
        CorruptFile: it is a link, a folder, a pipe, a socket or a device.
    """
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "device")
        raise CorruptFile(
            f"{path} is a {kind} and no file of the vault", cure="move it out of the vault, and restore the file from a copy"
        )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably, for a home.

    Raises:
        ConfigurationError: the folder cannot be made.
    """
    try:
        make_durable(folder)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be made: {error.strerror}", cure="give --home a folder that you may write to"
        ) from None


def make_durable(folder: Path) -> None:
    """Make a folder and those above it where they are missing. Their names are on disk on return.

    Costs one `stat` once the folder is known to be durable.

    Raises:
        OSError: the disk refuses.
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
    """Wait until the names in a folder are on disk.

    Raises:
        OSError: the disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(folder: Path) -> tuple[str, int, int] | None:
    """What tells a folder from another one; None: there is no such folder. Raises OSError if the name is not a folder's."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    return str(folder), found.st_dev, found.st_ino


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk that a folder is on, or will be on."""
    return shutil.disk_usage(_existing_folder(folder)).free


def _existing_folder(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that exists."""
    # Not `Path.exists`, which raises for a folder below one that may not be entered.
    return next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))


def device_of(folder: Path) -> int:
    """The number of the disk that a folder is on, or will be on."""
    return _existing_folder(folder).stat().st_dev
