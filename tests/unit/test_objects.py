"""Files: created once, replaced by compare-and-swap, never half there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pleiades_core.errors import AlreadyExists, NotFound, PublishConflict, VaultError
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


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_or_broken_disk_leaves_nothing_half_written(
    store: LocalObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(VaultError, match="cannot write"):
            store.put_if_absent("a/b", b"content")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    store.put_if_absent("a/b", b"content")
