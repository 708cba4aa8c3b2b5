"""The protocol of a store of objects, and what every store shares.

Belongs here: promises that hold on each kind of store. Does not belong here: paths, buckets, repositories. A caller reaches
those through keys and addresses alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pleiades_core.errors import NotFound


def sha256_of(content: bytes) -> str:
    """Hex SHA-256. Page checksums of Parquet miss one byte flip in 200 and DuckDB checks none; this misses none."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a kind of store can do besides the promises of `Objects`."""

    #: Thousands of small writes an hour are cheap and durable, so the journal may lie here. The archive may lie on any store.
    holds_a_journal: bool


class Objects(Protocol):
    """A store of immutable and of replaceable objects under slash-separated keys.

    Every method raises VaultError, with the reason and the cure, when the store itself fails.
    """

    capabilities: Capabilities

    @property
    def address(self) -> str:
        """Where the store is, as people write it: a path or a URL."""
        ...

    def put_if_absent(self, key: str, content: bytes) -> None:
        """Create an object, durable on return. A second call with the same content succeeds.

        Raises:
            AlreadyExists: the key has other content.
        """
        ...

    def replace(self, key: str, content: bytes, *, expected: str | None) -> None:
        """Replace one version of an object. Readers see the old or the new content, whole.

        Args:
            key: names the object.
            content: the new content.
            expected: hex SHA-256 of the version to replace; None: there is no object yet.

        Raises:
            PublishConflict: another writer was faster.
        """
        ...

    def read(self, key: str) -> bytes:
        """The content of an object.

        Raises:
            NotFound: there is no such object.
        """
        ...

    def uri(self, key: str) -> str:
        """The address at which DuckDB and pyarrow open an object: a path or a URL. The object need not exist."""
        ...

    def version(self, key: str) -> Hashable:
        """A token that changes whenever the content does; nothing is read.

        Raises:
            NotFound: there is no such object.
        """
        ...

    def keys(self, prefix: str) -> list[str]:
        """Every key below the folder `prefix`, sorted."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders directly below the folder `prefix`, sorted. Cheaper than `keys` where keys are many."""
        ...

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Bytes of every object below the folder `prefix`, by key."""
        ...

    def irregular(self, prefix: str) -> list[str]:
        """What lies below the folder `prefix` and is no object, such as symbolic links; sorted, named like keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object. Nothing happens when there is none."""
        ...

    def remove_unfinished(self, *, older_than_s: float) -> int:
        """Remove what killed writers left half-written, if it is older than `older_than_s` seconds. Returns how many."""
        ...

    def require_writable(self) -> None:
        """Try to write, and leave nothing behind.

        Raises:
            VaultError: the store refuses.
        """
        ...

    def free_bytes(self) -> int | None:
        """Bytes that can still be written; None where the store does not know."""
        ...


def publish(store: Objects, key: str, content: bytes) -> bool:
    """Bring an object to `content`, whatever it holds now. For content that can be computed again.

    A caller that computes the new content from the present one calls `replace` and names the version that it read.

    Args:
        store: where the object is.
        key: names the object.
        content: the new content.

    Returns:
        True if the object was created or changed; False if it had this content already.

    Raises:
        PublishConflict: another writer changed the object at this moment.
    """
    try:
        present: str | None = sha256_of(store.read(key))
    except NotFound:
        present = None
    if present == sha256_of(content):
        return False
    store.replace(key, content, expected=present)
    return True
