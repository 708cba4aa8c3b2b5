"""The Hunter: asks every source of discovery, and has new videos admitted.

Belongs here: the policy of a hunt: the order of the sources, how often finds are settled, when the hunt has failed. Does not
belong here: the requests of a source (sources/), admitting a video (admission/pipeline.py).
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial

from pleiades_core.batches.reaper import reap
from pleiades_core.clock import Clock
from pleiades_core.discover.admission.claims import note, waiting
from pleiades_core.discover.admission.pipeline import PORTION, AdmissionPipeline
from pleiades_core.discover.channels.followed import forget
from pleiades_core.discover.hunt_report import HuntReport, Progress
from pleiades_core.discover.search_queue import terms
from pleiades_core.discover.sources import SOURCES, in_order_of_hunt
from pleiades_core.discover.sources.base import Find, Source, SourceContext
from pleiades_core.discover.usage import HuntUsage
from pleiades_core.discover.wrong_clock import mend
from pleiades_core.errors import ApiError, ConfigurationError, StorageError
from pleiades_core.models import Bucket
from pleiades_core.settings import Settings
from pleiades_core.storage.checked_clock import CheckedClock
from pleiades_core.storage.locks import source_lock
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.feeds import Feeds

log = logging.getLogger(__name__)

#: The finds of a source are settled after this many units. With their descriptions, one kill may waste about 100 units.
_UNSETTLED_UNITS = 50


class Hunter:
    """Finds videos. Any number of hunters may run at once: each found id belongs to one of them."""

    def __init__(
        self, database: Database, vault: Vault, youtube: YouTube, feeds: Feeds, clock: Clock, settings: Settings
    ) -> None:
        self._database = database
        self._vault = vault
        self._youtube = youtube
        self._feeds = feeds
        self._clock = CheckedClock(clock, database)
        self._settings = settings

    def hunt(self, only: Collection[str] = ()) -> HuntReport:
        """Ask each source once and admit what is new.

        Spent quota ends the hunt early: what was found before is admitted, and requests without a durable result are sent again
        by the next hunt.

        Args:
            only: names of the sources to ask; empty: all of them.

        Raises:
            ConfigurationError: the clock is wrong; no call was made.
            PleiadesError: the hunt failed: no video was admitted, and either every source failed or every source that calls the
                API failed. The first error of them.

        """
        self._clock.check()
        hunt, youtube = Progress(), self._youtube.part()
        try:
            self._ask_sources(only or tuple(SOURCES), youtube, hunt)
        except BaseException:  # After Ctrl-C too: the calls are billed, and must be recorded in a discovery request.
            self._record_interrupted(youtube.calls() - hunt.usage.units)
            raise
        if hunt.failure is not None:
            raise hunt.failure
        left = {bucket: youtube.units_left(bucket) for bucket in (Bucket.SEARCH, Bucket.GENERAL)}
        return hunt.report(calls=dict(youtube.calls()), units_left=left, waiting=waiting(self._database))

    def _ask_sources(self, only: Collection[str], youtube: YouTube, hunt: Progress) -> None:
        reap(self._database, self._vault, self._clock)
        with self._database.transaction() as connection:
            terms.seed(connection, self._settings.discovery.seed_terms)
        now = self._clock.now()
        mend(self._database, now)  # before any source decides what is due
        pipeline = AdmissionPipeline(self._database, self._vault, youtube, self._clock, self._settings, hunt)
        for name in in_order_of_hunt():
            if name in only:
                context = SourceContext(
                    database=self._database, youtube=youtube.part(), feeds=self._feeds, clock=self._clock,
                    settings=self._settings, now=now, is_only_source=len(set(only)) == 1,
                )  # fmt: skip
                with self._locked(name, SOURCES[name]) as is_granted:
                    if is_granted:
                        self._follow(name, context, pipeline, hunt)
        # `pleiades add` pays for the added videos, not for the claims that other sources left behind.
        pipeline.take_over_claims(only_added=set(only) == {"added"})
        note(self._database, [partial(forget, most=self._settings.discovery.followed_channels)], now=self._clock.now())

    @contextlib.contextmanager
    def _locked(self, name: str, source: Source) -> Iterator[bool]:
        """True if this hunt may ask a source. False: another hunt asks it, and no request is to be paid for twice."""
        if not source.is_exclusive:
            yield True
            return
        with self._database.session() as session, source_lock(session, source.bit) as is_granted:
            if not is_granted:
                log.warning("source %s: another hunt is asking it, this one passes it over", name)
            yield is_granted

    def _follow(self, name: str, context: SourceContext, pipeline: AdmissionPipeline, hunt: Progress) -> None:
        """Ask one source to its end, and settle its finds now and then. Its failure does not stop the next source."""
        finds: list[Find] = []
        usage = HuntUsage()
        counted = Counter[Bucket]()
        try:
            for find in SOURCES[name].find(context):
                finds.append(find)
                usage.add_find(find)
                counted += Counter(find.calls)
                if usage.units.total() >= _UNSETTLED_UNITS or usage.candidates >= PORTION:
                    pipeline.settle(finds, usage)
                    finds, usage = [], HuntUsage()
        except (ApiError, ConfigurationError) as error:
            if isinstance(error, ConfigurationError) and not SOURCES[name].is_optional:
                raise
            log.warning("source %s: %s", name, error)
            hunt.note(name, error)
            usage.add_calls(name, context.youtube.calls() - counted, str(error))
        pipeline.settle(finds, usage)

    def _record_interrupted(self, units: Counter[Bucket]) -> None:
        usage = HuntUsage()
        usage.add_interrupted(units)
        with contextlib.suppress(StorageError):  # If the database failed before, that error is the one to report.
            if usage.requests:
                note(self._database, [usage.record], now=self._clock.now())
