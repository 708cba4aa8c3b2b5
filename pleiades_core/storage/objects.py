"""Files that survive a crash: created once, or replaced by compare-and-swap; never half there.

Belongs here: the two safe writes and the reads on one kind of store. Does not belong here: what a key means (vault/layout.py).
The local folder is the first adapter of `Objects`; buckets follow with their own create-only and generation preconditions.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Protocol

from pleiades_core.errors import AlreadyExists, NotFound, PublishConflict, VaultError


def sha256_of(content: bytes) -> str:
    """Hex SHA-256. Page checksums of Parquet miss one byte flip in 200 and DuckDB checks none; this misses none."""
    return hashlib.sha256(content).hexdigest()


class Objects(Protocol):
    """A store of immutable and of replaceable objects under slash-separated keys."""

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Create `key`, durable on return. The same content again is a success; other content raises AlreadyExists."""
        ...

    def replace(self, key: str, content: bytes, *, expected: str | None) -> None:
        """Put `content` in place of the version whose SHA-256 is `expected` (None: of nothing).

        Readers see the old or the new content, whole. Raises PublishConflict when somebody else was faster.
        """
        ...

    def read(self, key: str) -> bytes:
        """The content of `key`. Raises NotFound."""
        ...

    def version(self, key: str) -> Hashable:
        """A token that changes whenever the content of `key` does; cheap, nothing is read. Raises NotFound."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins with the folder `prefix`, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove `key`; nothing happens when it is not there."""
        ...

    def location(self, key: str) -> str:
        """What DuckDB and pyarrow can open."""
        ...

    def forget_unfinished(self, *, older_than_s: float) -> int:
        """Remove what killed writers left half-written; how many there were."""
        ...


def publish(store: Objects, key: str, content: bytes) -> bool:
    """Bring `key` to `content`, whatever it says now; True when it said something else. Raises PublishConflict.

    For what can be computed again. Whoever folds the present content into the new one names it to `replace`.
    """
    try:
        present: str | None = sha256_of(store.read(key))
    except NotFound:
        present = None
    if present == sha256_of(content):
        return False
    store.replace(key, content, expected=present)
    return True


class LocalObjects:
    """`Objects` in a folder of a local disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Create `key` durably: write beside it, fsync, link (fails if the name is taken, unlike rename), fsync folder."""
        path = self._path(key)
        with self._temporary(path, content) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                # Our own earlier success, if it says the same: a retry after a lost acknowledgement.
                if sha256_of(path.read_bytes()) != sha256_of(content):
                    raise AlreadyExists(
                        f"{path} exists with other content", cure="nothing was overwritten; verify the vault"
                    ) from None
        _fsync_folder(path.parent)

    def replace(self, key: str, content: bytes, *, expected: str | None) -> None:
        """Compare-and-swap under a lock file, by rename, which is atomic for readers."""
        path = self._path(key)
        _make_folder(path.parent)
        with (path.parent / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            present = sha256_of(path.read_bytes()) if path.exists() else None
            if present != expected:
                raise PublishConflict(f"{path} changed while it was being rebuilt", cure="run the command again")
            with self._temporary(path, content) as temporary:
                temporary.rename(path)
            _fsync_folder(path.parent)

    def read(self, key: str) -> bytes:
        """The content of `key`. Raises NotFound."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"no {key} in the vault at {self.root}") from None

    def version(self, key: str) -> Hashable:
        """Size, time of change and inode of the file. Raises NotFound."""
        try:
            found = self._path(key).lstat()
        except FileNotFoundError:
            raise NotFound(f"no {key} in the vault at {self.root}") from None
        return found.st_size, found.st_mtime_ns, found.st_ino

    def keys(self, prefix: str) -> list[str]:
        """Every key below the folder `prefix`, sorted; temporary and lock files are not keys."""
        folder = self._path(prefix)
        found = (Path(base) / name for base, _, names in os.walk(folder) for name in names if not name.startswith("."))
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def delete(self, key: str) -> None:
        """Remove `key` if it is there."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def location(self, key: str) -> str:
        """The path of `key`."""
        return str(self._path(key))

    def forget_unfinished(self, *, older_than_s: float) -> int:
        """Remove temporary files that nobody has touched for so long, by the machine's clock."""
        before = time.time() - older_than_s
        old = [path for path in self.root.rglob(".tmp-*") if path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _path(self, key: str) -> Path:
        path = self.root / key
        # Keys are built from dates and UUIDs, never from API text; this is the second line of defence.
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise VaultError(f"{key!r} leaves the vault", cure="report this: keys never come from outside")
        return path

    @contextlib.contextmanager
    def _temporary(self, path: Path, content: bytes) -> Iterator[Path]:
        """A durable file beside `path`, gone at the end unless it was renamed."""
        temporary = path.parent / f".tmp-{uuid.uuid4().hex}"
        try:
            _make_folder(path.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(descriptor, view) :]
                # After a failed fsync the kernel may have dropped the pages: never fsync again, write anew.
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield temporary
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS, errno.EACCES}:
                raise VaultError(
                    f"cannot write to {path.parent}: {error.strerror}",
                    cure="free space or mend the disk; nothing was half-written",
                ) from error
            raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def _make_folder(folder: Path) -> None:
    """Make `folder` durably: a new name is on disk once the folder that holds it is synced, all the way up."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        _fsync_folder(each.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
