"""Which sources a hunt takes, in which order, and what each may spend.

Belongs here: order and budgets, and spreading units over the day. Does not belong here: what a source asks (sources/), how
pools share a project (youtube/quota.py).

Sources that cost nothing come first, so that what they find is described before the uploads lists take what the hour has left.
"""

from __future__ import annotations

import contextlib
import logging
import math
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from pleiades_core.clock import Clock
from pleiades_core.discover.sources.base import SOURCES, Find
from pleiades_core.discover.sources.charts import A_CHART, charts
from pleiades_core.discover.sources.feeds import feeds
from pleiades_core.discover.sources.inbox import inbox
from pleiades_core.discover.sources.past_search import past_search
from pleiades_core.discover.sources.past_uploads import back_catalogue, cost
from pleiades_core.discover.sources.search import search
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.discover.wrong_clock import mend
from pleiades_core.models import Bucket, Pool
from pleiades_core.settings import Settings
from pleiades_core.storage.locks import asking
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.feeds import Feeds

log = logging.getLogger(__name__)

#: Sources that ask nobody.
_INBOX = ("added", "push")
#: A source, and its finds once somebody iterates.
Source = tuple[str, Iterator[Find]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The sources of one installation."""

    database: Database
    youtube: YouTube
    feeds: Feeds
    clock: Clock
    settings: Settings

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Whether a source is this hunter's for the block. No: another one is asking, and the same questions are not paid
        twice.

        What waits in the inbox costs nothing, and whoever put it there counts on the hunt that comes next: that is anybody's.
        """
        if name in _INBOX:
            yield True
            return
        with self.database.session() as session, asking(session, SOURCES[name]) as ours:
            if not ours:
                log.warning("source %s: another hunt is on it, this one passes it over", name)
            yield ours

    def take(self, only: Collection[str]) -> Iterator[Source]:
        """The sources of `only`, each with a budget worked out when its turn comes: what the ones before found is described."""
        now, settings, database = self.clock.now(), self.settings, self.database
        parallel = settings.parallel_calls
        window = timedelta(hours=settings.search_window_hours)
        # Before it is decided what is due.
        mend(database, now)
        rng = random.Random(now.isoformat())  # noqa: S311  draws terms, no secrets; the same instant draws the same
        for name in _INBOX:
            if name in only:
                yield name, inbox(database, name)
        if "feeds" in only and settings.feeds_per_hunt:
            yield "feeds", feeds(database, self.feeds, now=now, limit=settings.feeds_per_hunt, parallel=parallel)
        if "charts" in only and settings.chart_regions:
            read = partial(charts, database, self.youtube, self.clock, regions=settings.chart_regions)
            # One chart at least: small allowances would never reach the price of any.
            yield "charts", self._paid(Bucket.GENERAL, Pool.HUNTING, lambda units: read(units=max(units, A_CHART)))
        if "search" in only and settings.searches_per_hunt:
            ask = partial(search, database, self.youtube, now=now, window=window, rng=rng)
            pages = settings.searches_per_hunt
            yield "search", self._paid(Bucket.SEARCH, Pool.HUNTING, lambda units: ask(pages=min(units, pages)))
        if "past_search" in only:
            dig = partial(past_search, database, self.youtube, now=now)
            # No complaint when its share is used up, or no key serves it: the past can wait. Unless it was asked for alone.
            alone = set(only) == {"past_search"}
            share = Bucket.SEARCH, Pool.ARCHEOLOGY
            left = 0 if alone else self._allowance(*share)
            yield "past_search", self._paid(*share, lambda units: dig(pages=units)) if alone else dig(pages=left)
        if "uploads" in only and settings.uploads_per_hunt:
            most = settings.uploads_per_hunt
            yield "uploads", self._paid(Bucket.GENERAL, Pool.HUNTING, lambda units: self._uploads(min(units, most), now))

    def _paid(self, bucket: Bucket, pool: Pool, source: Callable[[int], Iterator[Find]]) -> Iterator[Find]:
        """A source with what it may spend now. Raises QuotaExhausted or KeyInvalid, with the reason, when that is nothing."""
        self.youtube.require(bucket, pool)
        yield from source(self._allowance(bucket, pool))

    def _uploads(self, units: int, now: datetime) -> Iterator[Find]:
        """What is new comes first, but where back catalogues wait, up to half of the units are kept for them."""
        database, youtube, parallel = self.database, self.youtube, self.settings.parallel_calls
        kept = min(units / 2, cost(database, now))
        left = yield from uploads(database, youtube, now=now, units=units - kept, parallel=parallel)
        if kept:
            yield from back_catalogue(database, youtube, now=now, units=kept + left, parallel=parallel)

    def _allowance(self, bucket: Bucket, pool: Pool) -> int:
        left = self.youtube.units_left(bucket, pool)
        return allowance(left, self.youtube.ledger.resets_at() - self.clock.now())


#: Hunts come so often by default: Dagster's schedule and the planner go by it. Who hunts oftener spends earlier, never more.
HUNT_EVERY = timedelta(hours=1)


def allowance(left: int, until_reset: timedelta, *, every: timedelta = HUNT_EVERY) -> int:
    """Units for one hunt, when `left` must last for one hunt in each `every` until the reset. The last hunt may have all."""
    hunts = max(1, math.ceil(until_reset / every))
    return math.ceil(max(0, left) / hunts)
