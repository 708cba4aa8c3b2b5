"""Writing notices into the inbox: notices that arrive together become durable in one transaction.

Belongs here: collecting, writing, refusing when there is no room or no database. Does not belong here: HTTP and signatures
(receiver.py), taking the rows (discover/inbox.py).

A commit costs a flush to the disk, 1 to 2 ms, whatever its size. While a commit is written, the next notices gather: under load
a commit has dozens of notices, and a single notice does not wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import psycopg

from pleiades_core.clock import Clock
from pleiades_core.errors import PleiadesError, StorageError
from pleiades_core.models import ChannelId
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries

_SQL = load_queries("inbox")

#: The most rows: three days of 100,000 videos without a hunt, 40 MB of SQL. Further notices are refused, and the hub repeats
#: them.
MOST_ROWS = 300_000
#: Notices that may wait for the database; beyond it they are refused at once.
_MOST_WAITING = 5_000
#: Seconds: a hub gives up on a subscriber that is slow.
DATABASE_WAIT_S = 8.0
#: Seconds after which a full inbox is counted again: hunts empty it.
_COUNT_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class NotKept(StorageError):
    """The notice is not durable; its sender should send it again."""

    usual_cure = "nothing to do: the hub sends it again; `pleiades doctor` looks at the database"


@dataclass(frozen=True, slots=True)
class Notice:
    """One video that a hub announced, in one of the channels that are followed."""

    id8: int
    channel_id: ChannelId
    #: Aware UTC; None where the notice does not say.
    published_at: datetime | None


class NoticeWriter:
    """Writes notices into the table `inbox`. Used from one event loop; the writing is done in a thread of its own."""

    def __init__(self, database: Database, clock: Clock, *, most_rows: int = MOST_ROWS) -> None:
        self._database = database
        self._clock = clock
        self._most_rows = most_rows
        self._room = 0
        self._counted_at = float("-inf")
        self._waiting: list[tuple[Sequence[Notice], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")
        #: The error of the last attempt to write; None if it succeeded.
        self.trouble: str | None = None
        #: New rows since the start.
        self.kept = 0

    def close(self) -> None:
        """End the thread, once it has written what it holds."""
        self._thread.shutdown()

    async def keep(self, notices: Sequence[Notice]) -> None:
        """Return when the notices are durable. Calling it again is harmless.

        Raises:
            NotKept: the notices are not durable, or not in time.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise NotKept("too many notices wait for the database")
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append((notices, written))
        if self._writing is None:
            self._writing = loop.create_task(self._write_all(loop))
        try:
            await asyncio.wait_for(written, DATABASE_WAIT_S)
        except TimeoutError:
            raise NotKept("the database did not answer in time") from None

    async def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            notices = [notice for several, _ in taken for notice in several]
            failure: NotKept | None = None
            try:
                self.kept += await loop.run_in_executor(self._thread, self._write, notices)
            except Exception as error:  # any error: no notice may wait for ever, and the hub sends it again
                failure = error if isinstance(error, NotKept) else NotKept(f"{type(error).__name__}: {error}")
                if not isinstance(error, psycopg.Error | PleiadesError):
                    log.exception("a defect kept notices from being written")
            self._note(failure)
            for _, written in taken:
                if written.done():
                    continue  # Its sender has got the answer "later" meanwhile.
                if failure:
                    written.set_exception(failure)
                else:
                    written.set_result(None)
        self._writing = None

    def _write(self, notices: Sequence[Notice]) -> int:
        """In the thread: write, and return how many rows were new. Raises NotKept, or psycopg.Error if the database fails."""
        given = {
            "now": self._clock.now(),
            "id8s": [notice.id8 for notice in notices],
            "channel_ids": [notice.channel_id for notice in notices],
            "published": [notice.published_at for notice in notices],
        }
        if self._room < len(notices) and time.monotonic() - self._counted_at >= _COUNT_AGAIN_S:
            with self._database.transaction(within_s=DATABASE_WAIT_S) as connection:
                row = connection.execute(_SQL.room, {"most": self._most_rows}).fetchone()
            self._room, self._counted_at = int(row[0]) if row else 0, time.monotonic()
        if self._room < len(notices):
            raise NotKept(f"the inbox is full ({self._most_rows:,} rows)", cure="run `pleiades hunt`, which empties it")
        with self._database.transaction(within_s=DATABASE_WAIT_S) as connection:
            new = connection.execute(_SQL.keep_notices, given).rowcount
        self._room -= new
        return new

    def _note(self, failure: NotKept | None) -> None:
        """Log the beginning and the end of a failure, not each notice: a hub sends thousands in between."""
        if failure and str(failure) != self.trouble:
            log.warning("notices are refused, the hub will send them again: %s", failure)
        elif self.trouble and not failure:
            log.warning("notices are kept again")
        self.trouble = str(failure) if failure else None
