"""Files that survive a crash: created once, or replaced by compare-and-swap; never half there.

Belongs here: the two safe writes and the reads on one kind of store. Does not belong here: what a key means (vault/layout.py).
The local folder is the first adapter of `Objects`; buckets follow with their own create-only and generation preconditions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from pleiades_core.errors import AlreadyExists, NotFound, PublishConflict, VaultError
from pleiades_core.storage.disk import explained, locked, read_file, replace_file, require_file, temporary_file, walk
from pleiades_core.storage.folders import make_durable, sync_folder


def sha256_of(content: bytes) -> str:
    """Hex SHA-256. Page checksums of Parquet miss one byte flip in 200 and DuckDB checks none; this misses none."""
    return hashlib.sha256(content).hexdigest()


class Objects(Protocol):
    """A store of immutable and of replaceable objects under slash-separated keys.

    Every method raises VaultError, with the reason and the cure, when the store itself fails.
    """

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

    def irregular(self, prefix: str) -> list[str]:
        """What lies below the folder `prefix` and is no object, such as symbolic links; sorted, named like keys."""
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

    For what can be computed again. A caller that folds the present content into the new one names it to `replace`.
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
        with explained("write", path), temporary_file(path, content) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                # Our own earlier success, if it says the same: a retry after a lost acknowledgement.
                if sha256_of(read_file(path)) != sha256_of(content):
                    raise AlreadyExists(
                        f"{path} exists with other content", cure="nothing was overwritten; verify the vault"
                    ) from None
                sync_folder(path.parent)
                return
            try:
                sync_folder(path.parent)
            except OSError:
                # It can be seen, and may be gone after a power cut: a file that its writer will call a failure must not count.
                with contextlib.suppress(OSError):
                    path.unlink()
                raise

    def replace(self, key: str, content: bytes, *, expected: str | None) -> None:
        """Compare-and-swap under a lock file, by rename, which is atomic for readers."""
        path = self._path(key)
        with explained("write", path):
            make_durable(path.parent)
            with locked(path.parent / ".lock"):
                try:
                    present: str | None = sha256_of(read_file(path))
                except FileNotFoundError:
                    present = None
                if present != expected:
                    raise PublishConflict(f"{path} changed while it was being rebuilt", cure="run the command again")
                replace_file(path, content)

    def read(self, key: str) -> bytes:
        """The content of `key`. Raises NotFound, or CorruptFile when something other than a file has its name."""
        path = self._path(key)
        with explained("read", path):
            try:
                return read_file(path)
            except FileNotFoundError:
                raise NotFound(f"no {key} in the vault at {self.root}") from None

    def version(self, key: str) -> Hashable:
        """Size, time of change and inode of the file. Raises NotFound."""
        path = self._path(key)
        with explained("look at", path):
            try:
                found = path.lstat()
            except FileNotFoundError:
                raise NotFound(f"no {key} in the vault at {self.root}") from None
        return found.st_size, found.st_mtime_ns, found.st_ino

    def keys(self, prefix: str) -> list[str]:
        """Every key below the folder `prefix`, sorted. Only files are keys; temporary and lock files are not."""
        return sorted(entry.key for entry in self._below(prefix) if entry.is_file and not entry.path.name.startswith("."))

    def irregular(self, prefix: str) -> list[str]:
        """What lies below the folder `prefix` and is neither file nor folder: links, pipes, sockets. No reader looks at it."""
        return sorted(entry.key for entry in self._below(prefix) if not entry.is_file)

    def delete(self, key: str) -> None:
        """Remove `key` if it is there."""
        path = self._path(key)
        with explained("remove", path), contextlib.suppress(FileNotFoundError):
            path.unlink()

    def location(self, key: str) -> str:
        """The path of `key`. Raises CorruptFile when something other than a file has its name: it might hang a reader."""
        path = self._path(key)
        with explained("read", path), contextlib.suppress(FileNotFoundError):
            require_file(path, path.lstat())
        return str(path)

    def forget_unfinished(self, *, older_than_s: float) -> int:
        """Remove temporary files that nobody has touched for so long, by the machine's clock."""
        before = time.time() - older_than_s
        removed = 0
        for path in [entry.path for entry in self._below("") if entry.is_file and entry.path.name.startswith(".tmp-")]:
            # Its writer may end it, or another janitor remove it, at this moment.
            with explained("remove", path), contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, key: str) -> Path:
        """Where `key` is. Raises VaultError for one that leads out of the vault."""
        parts = PurePosixPath(key)
        # Keys are built from dates and UUIDs, never from API text; this is the second line of defence.
        if parts.is_absolute() or ".." in parts.parts:
            raise VaultError(f"{key!r} leaves the vault", cure="report this: keys never come from outside")
        path = self.root / parts
        if link := self._link_above(path):
            raise VaultError(f"{link} is a symbolic link and no folder of the vault", cure="move it out of the vault")
        return path

    def _link_above(self, path: Path) -> Path | None:
        """The symbolic link, if there is one, between the vault and `path`. The vault's own folder may be one."""
        between = [folder for folder in path.parents if folder != self.root and folder.is_relative_to(self.root)]
        with explained("reach", path):
            return next((folder for folder in between if folder.is_symlink()), None)

    def _below(self, prefix: str) -> list[_Entry]:
        """Everything but folders below the folder `prefix`; nothing behind a symbolic link. Raises VaultError."""
        folder = self.root / prefix
        if self._link_above(folder / "_"):
            return []
        with explained("list", folder):
            return [
                _Entry(
                    Path(entry.path).relative_to(self.root).as_posix(), Path(entry.path), entry.is_file(follow_symlinks=False)
                )
                for entry in walk(folder)
            ]


class _Entry(NamedTuple):
    """Something in the vault that is no folder."""

    key: str
    path: Path
    #: False: a symbolic link, a pipe, a socket or a device.
    is_file: bool
