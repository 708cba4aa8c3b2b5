"""Files: created once, replaced by compare-and-swap, never half there."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.disks import FailingDisk

from pleiades_core.errors import AlreadyExists, ConfigurationError, CorruptFile, NotFound, PublishConflict, VaultError
from pleiades_core.storage import disk, file_lock
from pleiades_core.storage.objects import LocalObjects, publish, sha256_of


@pytest.fixture
def store(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path)


def test_a_retry_with_the_same_content_succeeds_and_other_content_is_refused(store: LocalObjects) -> None:
    store.put_if_absent("a/b.parquet", b"one")
    store.put_if_absent("a/b.parquet", b"one")
    with pytest.raises(AlreadyExists):
        store.put_if_absent("a/b.parquet", b"two")
    assert store.read("a/b.parquet") == b"one"
    assert store.keys("a") == ["a/b.parquet"]


def test_replacing_needs_the_version_that_was_read(store: LocalObjects) -> None:
    store.replace("d/day.parquet", b"1", expected=None)
    with pytest.raises(PublishConflict):
        store.replace("d/day.parquet", b"2", expected=None)
    store.replace("d/day.parquet", b"2", expected=sha256_of(b"1"))
    with pytest.raises(PublishConflict):
        store.replace("d/day.parquet", b"3", expected=sha256_of(b"1"))
    assert store.read("d/day.parquet") == b"2"


def test_publishing_writes_what_is_new_and_nothing_else(store: LocalObjects) -> None:
    assert publish(store, "m/day.json", b"1")
    written = (store.root / "m/day.json").stat()
    assert not publish(store, "m/day.json", b"1")
    assert (store.root / "m/day.json").stat() == written
    assert publish(store, "m/day.json", b"2")
    assert store.read("m/day.json") == b"2"


def test_a_missing_file_is_not_found(store: LocalObjects) -> None:
    with pytest.raises(NotFound):
        store.read("nothing")


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/x"])
def test_no_key_leaves_the_vault(store: LocalObjects, key: str) -> None:
    with pytest.raises(VaultError):
        store.put_if_absent(key, b"x")


_NUMBERS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE)


def _put(store: LocalObjects) -> None:
    store.put_if_absent("a/b/new", b"new")


def _put_again(store: LocalObjects) -> None:
    store.put_if_absent("a/old", b"old")


def _replace(store: LocalObjects) -> None:
    store.replace("a/old", b"newer", expected=sha256_of(b"old"))


def _delete(store: LocalObjects) -> None:
    store.delete("a/old")


def _read(store: LocalObjects) -> None:
    assert store.read("a/old") == b"old"


def _list(store: LocalObjects) -> None:
    assert store.keys("a") == ["a/old"]
    assert store.irregular("a") == []


def _locate(store: LocalObjects) -> None:
    assert store.uri("a/old").endswith("a/old")


def _tidy(store: LocalObjects) -> None:
    store.remove_unfinished(older_than_s=-60)


@pytest.mark.parametrize("number", _NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("act", [_put, _put_again, _replace, _delete, _read, _list, _locate, _tidy])
def test_every_error_of_the_disk_is_ours_and_the_vault_is_right_afterwards(
    tmp_path: Path, act: Callable[[LocalObjects], None], number: int
) -> None:
    """Each call to the system in turn fails, until there are no more."""
    found: list[VaultError] = []
    for at in itertools.count(1):
        root = tmp_path / str(at)
        store = LocalObjects(root)
        store.put_if_absent("a/old", b"old")
        (root / "a/.tmp-left").write_bytes(b"half")
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, root, at=at, number=number)
            try:
                act(store)
            except VaultError as error:
                found.append(error)
        if not disk.failed:
            break
        content = {key: store.read(key) for key in store.keys("a")}
        assert content.pop("a/old", b"old") in {b"old", b"newer"}, "deleted, replaced or as it was; never half"
        assert content in ({}, {"a/b/new": b"new"})
        if act is not _tidy and disk.failed != "unlink":
            assert [path.name for path in root.rglob(".tmp-*")] == [".tmp-left"]
        if act is _replace:
            publish(store, "a/old", b"newer")
        else:
            act(store)
    assert found
    for shown in found:
        assert errno.errorcode[number] in str(shown)
        assert str(tmp_path) in str(shown)
        assert shown.cure.endswith("; nothing was half-written")


def test_a_file_whose_folder_could_not_be_synced_does_not_count(store: LocalObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer says that nothing was written, and polls the videos again: both polls would be shown."""
    store.put_if_absent("a/first", b"1")
    real = os.fsync

    def fails_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails_for_folders)
        with pytest.raises(VaultError, match="EIO"):
            store.put_if_absent("a/second", b"2")
        with pytest.raises(VaultError, match="EIO"):
            store.put_if_absent("a/first", b"1")
    assert store.keys("a") == ["a/first"]


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    # The name of a socket is limited to 107 bytes, so it is made beside its place.
    with tempfile.TemporaryDirectory(prefix="pls") as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/s")
        Path(short, "s").rename(path)


STRANGERS: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "named pipe": _fifo,
    "socket": _socket,
    "symbolic link": lambda path: path.symlink_to("/etc/hostname"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_file_is_named_and_never_read(store: LocalObjects, kind: str) -> None:
    """A pipe under a key's name held its reader for ever."""
    store.put_if_absent("a/file", b"1")
    STRANGERS[kind](store.root / "a/other")
    assert store.keys("a") == ["a/file"]
    assert store.irregular("a") == store.irregular("") == ([] if kind == "folder" else ["a/other"])
    for use in (
        lambda: store.read("a/other"),
        lambda: store.uri("a/other"),
        lambda: store.put_if_absent("a/other", b"1"),
        lambda: store.replace("a/other", b"1", expected=None),
    ):
        with pytest.raises(CorruptFile, match=rf"a/other is a {kind} and no file"):
            use()


@pytest.mark.timeout(20)
def test_a_lock_file_that_is_a_pipe_does_not_hang(store: LocalObjects) -> None:
    store.put_if_absent("a/file", b"1")
    os.mkfifo(store.root / "a/.lock")
    with pytest.raises(CorruptFile, match="named pipe"):
        store.replace("a/file", b"2", expected=sha256_of(b"1"))
    assert store.irregular("a") == ["a/.lock"]


#: Ends by itself, so that a wait without a limit ends too.
_HOLDER = """
import fcntl, signal, sys
signal.alarm(60)
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()
"""


def test_a_lock_that_another_process_keeps_is_an_error_that_names_it(
    store: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped, or hangs on its disk, kept its successors waiting for ever."""
    monkeypatch.setattr(file_lock, "LOCK_WAIT", timedelta(milliseconds=100))
    store.put_if_absent("a/file", b"1")
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(store.root / "a/.lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            with pytest.raises(VaultError, match=rf"a/\.lock; held by pid {holder.pid}$") as caught:
                store.replace("a/file", b"2", expected=sha256_of(b"1"))
        finally:
            holder.kill()
    assert caught.value.exit_code == 6
    assert str(holder.pid) in caught.value.cure
    assert store.read("a/file") == b"1"
    store.replace("a/file", b"2", expected=sha256_of(b"1"))


def test_a_lock_that_is_given_back_in_time_is_taken(store: LocalObjects) -> None:
    """The holder is a thread: of its locks each opening of the file is an owner of its own."""
    store.put_if_absent("a/file", b"1")
    held, waited_for = threading.Event(), threading.Event()

    def hold() -> None:
        with file_lock.locked(store.root / "a/.lock"):
            held.set()
            waited_for.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    asleep = time.sleep

    def sleeping(seconds: float) -> None:
        waited_for.set()
        asleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", sleeping)
        store.replace("a/file", b"2", expected=sha256_of(b"1"))
    holder.join()
    assert store.read("a/file") == b"2"


def test_the_holder_of_a_lock_is_found_in_the_kernels_list() -> None:
    """A line of a process that waits begins with an arrow; one of a process of another container has pid 0."""
    listed = (
        "1: FLOCK  ADVISORY  WRITE 24078 fe:00:2422160 0 EOF\n"
        "1: -> FLOCK  ADVISORY  WRITE 77 fe:00:2422160 0 EOF\n"
        "2: POSIX  ADVISORY  WRITE 88 fe:00:2422160 0 EOF\n"
        "3: FLOCK  ADVISORY  WRITE 0 fe:01:7 0 EOF\n"
    )
    assert file_lock.lock_holder(listed, os.makedev(0xFE, 0), 2422160) == 24078
    assert file_lock.lock_holder(listed, os.makedev(0xFE, 1), 2422160) is None
    assert file_lock.lock_holder(listed, os.makedev(0xFE, 1), 7) is None


def test_nothing_behind_a_linked_folder_counts(store: LocalObjects) -> None:
    store.put_if_absent("a/one/file", b"1")
    (store.root / "a/two").symlink_to(store.root / "a/one")
    assert store.keys("a") == ["a/one/file"]
    assert store.keys("a/two") == []
    assert store.irregular("a") == ["a/two"]
    with pytest.raises(VaultError, match="a/two is a symbolic link"):
        store.read("a/two/file")


def test_a_vault_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "vault").symlink_to(tmp_path / "disk")
    store = LocalObjects(tmp_path / "vault")
    store.put_if_absent("a/file", b"1")
    assert (store.read("a/file"), store.keys(""), store.irregular("")) == (b"1", ["a/file"], [])


def test_a_folder_that_may_not_be_listed_is_an_error_and_not_an_empty_one(
    store: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_if_absent("a/file", b"1")

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(VaultError, match=r"cannot list .*EACCES"):
        store.keys("a")


def _synced(patch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are synced from now on."""
    found: list[Path] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            found.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        real(descriptor)

    patch.setattr(os, "fsync", noted)
    return found


def test_a_batch_relies_on_no_folder_whose_name_may_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was killed, or is just at it, made home, vault and day and synced none; here they are synced once."""
    (tmp_path / "home/vault/day").mkdir(parents=True)
    store = LocalObjects(tmp_path / "home/vault")
    synced = _synced(monkeypatch)
    store.put_if_absent("day/one", b"1")
    assert {tmp_path, tmp_path / "home", tmp_path / "home/vault", tmp_path / "home/vault/day"} <= set(synced)
    synced.clear()
    store.put_if_absent("day/two", b"2")
    assert synced == [tmp_path / "home/vault/day"]


def test_a_folder_that_was_made_anew_is_synced_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalObjects(tmp_path)
    store.put_if_absent("day/one", b"1")
    (tmp_path / "day").rename(tmp_path / "away")
    synced = _synced(monkeypatch)
    store.put_if_absent("day/one", b"1")
    assert synced == [tmp_path, tmp_path / "day"]


def test_a_home_is_made_durably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = _synced(monkeypatch)
    disk.make_folder(tmp_path / "one/home")
    assert {tmp_path, tmp_path / "one"} <= set(synced)
    assert (tmp_path / "one/home").is_dir()


def test_a_folder_above_that_may_not_be_read_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes stand below folders of others; what is made here must be synced, what stood there cannot be."""
    (tmp_path / "closed/home").mkdir(parents=True)
    real = os.open

    def refuses(path: object, *args: Any, **options: Any) -> int:
        if Path(str(path)) == tmp_path / "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuses)
    LocalObjects(tmp_path / "closed/home").put_if_absent("a", b"1")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        disk.make_folder(tmp_path / "closed/other")
