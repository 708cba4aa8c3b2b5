"""The inbox of notices: many that come at once are made durable in one transaction, and each learns whether it was.

Belongs here: collecting, writing, refusing when there is no room or no database. Does not belong here: HTTP and signatures
(receiver.py), what becomes of the rows (discover/inbox.py).

A commit costs a flush to the disk, 1 to 2 ms, whatever it holds. While one is being written the next notices gather, so under
load a commit holds dozens and alone nobody waits for company.
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

#: Rows; three days of 100,000 without a single hunt, 40 MB of SQL. More is refused, and the hub repeats it later.
MOST_ROWS = 300_000
#: Notices that may wait for the database; beyond it they are refused at once.
_MOST_WAITING = 5_000
#: Seconds: a hub gives up on a subscriber that is slow.
DATABASE_WAIT_S = 8.0
#: A full inbox is counted again after so long: hunts empty it.
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
        #: What the last attempt to write came to: None when it succeeded.
        self.trouble: str | None = None
        #: Rows that were new.
        self.kept = 0

    def close(self) -> None:
        """End the thread, once it has written what it holds."""
        self._thread.shutdown()

    async def keep(self, notices: Sequence[Notice]) -> None:
        """Return when the notices are durable. Raises NotKept when they are not, or not in time; repeating is harmless."""
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
            except Exception as error:  # whatever it is, nobody may wait for ever: the hub sends again
                failure = error if isinstance(error, NotKept) else NotKept(f"{type(error).__name__}: {error}")
                if not isinstance(error, psycopg.Error | PleiadesError):
                    log.exception("a defect kept notices from being written")
            self._note(failure)
            for _, written in taken:
                if written.done():
                    continue  # Its sender was told "later" meanwhile.
                if failure:
                    written.set_exception(failure)
                else:
                    written.set_result(None)
        self._writing = None

    def _write(self, notices: Sequence[Notice]) -> int:
        """In the thread: how many were new. Raises NotKept when there is no room, psycopg.Error when the database fails."""
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
        """Warn when trouble begins and say when it is over: a hub sends thousands in between."""
        if failure and str(failure) != self.trouble:
            log.warning("notices are refused, the hub will send them again: %s", failure)
        elif self.trouble and not failure:
            log.warning("notices are kept again")
        self.trouble = str(failure) if failure else None
