"""`Objects` in a folder of a local disk: created by link, replaced by rename, durable by fsync of file and folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Hashable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pleiades_core.errors import AlreadyExists, NotFound, PublishConflict, VaultError
from pleiades_core.storage.disk import (
    explained,
    free_bytes,
    make_durable,
    read_file,
    replace_file,
    require_file,
    sync_folder,
    temporary_file,
    walk,
)
from pleiades_core.storage.file_lock import locked
from pleiades_core.storage.objects.base import Capabilities, sha256_of


class LocalObjects:
    """A store in a folder. A key is a path below the folder; names that begin with a dot are temporary and lock files."""

    capabilities = Capabilities(holds_a_journal=True)

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.root)

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Create a file: write beside it, fsync, link (which fails if the name is taken, unlike rename), fsync the folder.

        Raises:
            AlreadyExists: the key has other content.
        """
        path = self._path(key)
        with explained("write", path), temporary_file(path, content) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                # The same content is our own earlier success: a retry after a lost acknowledgement.
                if sha256_of(read_file(path)) != sha256_of(content):
                    raise AlreadyExists(
                        f"{path} exists with other content", cure="nothing was overwritten; verify the vault"
                    ) from None
                sync_folder(path.parent)
                return
            try:
                sync_folder(path.parent)
            except OSError:
                # The file can be seen, but a power cut may remove it. The caller gets an error, so the file must not count.
                with contextlib.suppress(OSError):
                    path.unlink()
                raise

    def replace(self, key: str, content: bytes, *, expected: str | None) -> None:
        """Compare-and-swap under a lock file, by rename, which is atomic for readers.

        Args:
            key: names the object.
            content: the new content.
            expected: hex SHA-256 of the version to replace; None: there is no object yet.

        Raises:
            PublishConflict: another writer was faster.
        """
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
        """The content of a file.

        Raises:
            NotFound: there is no such file.
            CorruptFile: the name belongs to something that is no file.
        """
        path = self._path(key)
        with explained("read", path):
            try:
                return read_file(path)
            except FileNotFoundError:
                raise NotFound(f"no {key} in the vault at {self.root}") from None

    def uri(self, key: str) -> str:
        """The path of a file.

        Raises:
            CorruptFile: the name belongs to something that is no file, which might hang a reader.
        """
        path = self._path(key)
        with explained("read", path), contextlib.suppress(FileNotFoundError):
            require_file(path, path.lstat())
        return str(path)

    def version(self, key: str) -> Hashable:
        """Size, time of change and inode of a file.

        Raises:
            NotFound: there is no such file.
        """
        path = self._path(key)
        with explained("look at", path):
            try:
                found = path.lstat()
            except FileNotFoundError:
                raise NotFound(f"no {key} in the vault at {self.root}") from None
        return found.st_size, found.st_mtime_ns, found.st_ino

    def keys(self, prefix: str) -> list[str]:
        """Every key below the folder `prefix`, sorted. Temporary files and lock files are no keys."""
        return sorted(entry.key for entry in self._objects(prefix))

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders directly below the folder `prefix`, sorted; none where there is no such folder."""
        folder = self.root / prefix
        if self._link_above(folder / "_"):
            return []
        with explained("list", folder), contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
            return sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False))
        return []

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Bytes of every file below the folder `prefix`, by key."""
        return {entry.key: entry.path.stat().st_size for entry in self._objects(prefix)}

    def irregular(self, prefix: str) -> list[str]:
        """Links, pipes, sockets and devices below the folder `prefix`, sorted. No reader looks at them."""
        return sorted(entry.key for entry in self._below(prefix) if not entry.is_file)

    def delete(self, key: str) -> None:
        """Remove a file. Nothing happens when there is none."""
        path = self._path(key)
        with explained("remove", path), contextlib.suppress(FileNotFoundError):
            path.unlink()

    def remove_unfinished(self, *, older_than_s: float) -> int:
        """Remove temporary files that were last changed `older_than_s` seconds ago or earlier, by the machine's clock."""
        before = time.time() - older_than_s
        removed = 0
        for path in [entry.path for entry in self._below("") if entry.is_file and entry.path.name.startswith(".tmp-")]:
            # Its writer may finish it, or another janitor remove it, at this moment.
            with explained("remove", path), contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def require_writable(self) -> None:
        """Create a temporary file, which is gone on return.

        Raises:
            VaultError: the folder refuses.
        """
        try:
            # The file has a random name: threads and processes may do this at the same time.
            tempfile.TemporaryFile(dir=self.root).close()
        except OSError as error:
            raise VaultError(
                f"the vault {self.root} cannot be written: {error.strerror}",
                cure="set PLEIADES_VAULT_URL to a folder you may write to",
            ) from None

    def free_bytes(self) -> int:
        """Free bytes of the folder's disk. The folder need not exist yet."""
        return free_bytes(self.root)

    def _path(self, key: str) -> Path:
        """Where an object lies. Raises VaultError for a key that leads out of the vault."""
        parts = PurePosixPath(key)
        # Keys are built from dates and UUIDs, never from API text; this is the second line of defence.
        if parts.is_absolute() or ".." in parts.parts:
            raise VaultError(f"{key!r} leaves the vault", cure="report this: keys never come from outside")
        path = self.root / parts
        if link := self._link_above(path):
            raise VaultError(f"{link} is a symbolic link and no folder of the vault", cure="move it out of the vault")
        return path

    def _link_above(self, path: Path) -> Path | None:
        """The symbolic link, if there is one, between the vault and `path`. The vault's own folder may be a link."""
        between = [folder for folder in path.parents if folder != self.root and folder.is_relative_to(self.root)]
        with explained("reach", path):
            return next((folder for folder in between if folder.is_symlink()), None)

    def _objects(self, prefix: str) -> list[_Entry]:
        return [entry for entry in self._below(prefix) if entry.is_file and not entry.path.name.startswith(".")]

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
