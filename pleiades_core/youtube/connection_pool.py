"""A thread-safe pool of idle connections; each serves one request at a time.

Belongs here: taking, keeping and closing. Does not belong here: what is pooled (client.py, keyless_client.py), sockets
(connection.py).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Held = TypeVar("Held")


class ConnectionPool(Generic[Held]):
    """A pool without a bound: it has as many connections as there were threads at once. Safe to share between threads."""

    def __init__(self, make: Callable[[], Held], close: Callable[[Held], None]) -> None:
        self._make = make
        self._close_one = close
        self._idle: list[Held] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def borrow(self) -> Iterator[Held]:
        """A connection for the length of a block; kept afterwards, or closed when the block raises."""
        with self._lock:
            held = self._idle.pop() if self._idle else None
        held = self._make() if held is None else held
        try:
            yield held
        except BaseException:
            # After an interrupt, half an answer may wait in the connection for the next request.
            self._close_one(held)
            raise
        with self._lock:
            if not self._closed:
                self._idle.append(held)
                return
        self._close_one(held)

    def close(self) -> None:
        """Close every idle connection; those in use close when their block ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for held in idle:
            self._close_one(held)
