"""Which roads a hunt takes, in which order, and what each may spend.

Belongs here: order and budgets. Does not belong here: what a road asks (sources/), how units are spread over the day (pace.py),
how pools share a project (youtube/quota.py).

Roads that cost nothing come first, so that what they find is described before the uploads lists take what the hour has left.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from pleiades_core.clock import Clock
from pleiades_core.discover.pace import allowance
from pleiades_core.discover.sources.archeology import archeology
from pleiades_core.discover.sources.charts import charts
from pleiades_core.discover.sources.feeds import feeds
from pleiades_core.discover.sources.inbox import inbox
from pleiades_core.discover.sources.search import search
from pleiades_core.discover.sources.source import Find
from pleiades_core.discover.sources.uploads import uploads
from pleiades_core.models import Candidate
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.quota import GENERAL, SEARCH

#: A road, and its finds once somebody iterates.
Road = tuple[str, Iterator[Find]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roads:
    """The roads of one installation."""

    database: Database
    youtube: YouTube
    feeds: Feeds
    clock: Clock
    settings: Settings

    def take(self, only: Collection[str], fresh: Callable[[], Sequence[Candidate]]) -> Iterator[Road]:
        """The roads of `only`, each with a budget worked out when its turn comes. `fresh`: what is new of the finds so far."""
        now, settings, database = self.clock.now(), self.settings, self.database
        parallel = settings.parallel_calls
        window = timedelta(hours=settings.search_window_hours)
        rng = random.Random(now.isoformat())  # noqa: S311  draws terms, no secrets; the same instant draws the same
        for name in ("manual", "push"):
            if name in only:
                yield name, inbox(database, name)
        if "feeds" in only and settings.feeds_per_hunt:
            yield "feeds", feeds(database, self.feeds, now=now, limit=settings.feeds_per_hunt, parallel=parallel)
        if "charts" in only and settings.chart_regions:
            read = partial(charts, database, self.youtube, self.clock, regions=settings.chart_regions)
            yield "charts", self._paid(GENERAL, "hunting", lambda units: read(units=units))
        if "search" in only and settings.searches_per_hunt:
            ask = partial(search, database, self.youtube, now=now, window=window, rng=rng)
            yield "search", self._paid(SEARCH, "hunting", lambda units: ask(pages=min(units, settings.searches_per_hunt)))
        if "archeology" in only:
            yield "archeology", archeology(database, self.youtube, now=now, pages=self._archeology_pages())
        if "uploads" in only and settings.uploads_per_hunt:
            found = fresh()
            seen = Counter(one.channel_id for one in found if one.channel_id is not None)
            follow = partial(uploads, database, self.youtube, now=now, parallel=parallel, seen=seen)
            details = math.ceil(len(found) / IDS_PER_CALL)
            yield (
                "uploads",
                self._paid(GENERAL, "hunting", lambda units: follow(units=min(units - details, settings.uploads_per_hunt))),
            )

    def _paid(self, bucket: str, pool: str, road: Callable[[int], Iterator[Find]]) -> Iterator[Find]:
        """A road with what it may spend now. Raises QuotaExhausted or KeyInvalid, with the reason, when that is nothing."""
        left = self.youtube.units_left(bucket, pool)
        if not left:
            self.youtube.executor.ring.choose(bucket, pool)
        yield from road(self._allowance(left))

    def _archeology_pages(self) -> int:
        # No complaint when its share is used up, or no key serves it: the past can wait.
        return self._allowance(self.youtube.units_left(SEARCH, "archeology"))

    def _allowance(self, left: int) -> int:
        now = self.clock.now()
        return allowance(left, self.youtube.executor.ledger.resets_at() - now)
