"""A disk that fails: one call of the system below a folder, the Nth, ends with an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: Every call by which the vault meets its disk.
_CALLS = ("open", "write", "fsync", "close", "link", "rename", "unlink", "mkdir", "stat", "lstat", "fstat", "scandir")


class FailingDisk:
    """Makes call number `at` below `root` fail with `number`, and lists all calls there. In force until the patch is undone."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path, *, at: int, number: int) -> None:
        #: Names of the calls so far.
        self.calls: list[str] = []
        self._root, self._at, self._number = root, at, number
        self._opened: set[int] = set()
        for name in _CALLS:
            patch.setattr(os, name, self._wrap(name, getattr(os, name)))

    @property
    def failed(self) -> str:
        """The call that failed; empty: there were fewer calls."""
        return self.calls[self._at - 1] if len(self.calls) >= self._at else ""

    def _wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*args: Any, **options: Any) -> Any:
            if not args or not self._is_below(args[0]):
                return call(*args, **options)
            self.calls.append(name)
            if name == "close":
                self._opened.discard(args[0])
            if len(self.calls) == self._at:
                if name == "close":
                    # The kernel closes the file all the same.
                    call(*args, **options)
                raise OSError(self._number, os.strerror(self._number))
            found = call(*args, **options)
            if name == "open":
                self._opened.add(found)
            return found

        return failing

    def _is_below(self, what: object) -> bool:
        if isinstance(what, int):
            return what in self._opened
        return isinstance(what, str | os.PathLike) and str(what).startswith(str(self._root))
