"""What every source of discovery has in common: its declaration, the result of one request, and the meaning of a failed one.

Does not belong here: any single source. Each is one module of this package, which declares `SOURCE`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

import psycopg

from pleiades_core.clock import Clock
from pleiades_core.discover.budget import allowance
from pleiades_core.errors import KeyRefused, PleiadesError, QuotaExhausted
from pleiades_core.models import Bucket, Candidate, QuotaPool, VideoDetails
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.feeds import Feeds

#: Details of a video, and when they arrived.
Found = tuple[VideoDetails, datetime]
#: Called in the transaction that makes the candidates durable. The request is sent again if that never happens.
Acknowledge = Callable[[psycopg.Connection, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """The result of one discovery request."""

    #: Name of the source.
    source: str
    #: What the source asked for, where it has several targets: a term, a chart, a month. Empty otherwise.
    target: str = ""
    candidates: tuple[Candidate, ...] = ()
    acknowledge: Acknowledge
    #: Attempts that the request cost, by bucket; empty where it cost none.
    calls: Mapping[Bucket, int] = field(default_factory=Counter)
    #: Details that came with the candidates, where the source gives some: no call is needed for them.
    details: tuple[Found, ...] = ()
    #: The error, where the request failed and the source went on with the next one.
    error: str = ""

    @property
    def name(self) -> str:
        """Source and target as they are kept with a video: `search:lofi`, `uploads`."""
        return f"{self.source}:{self.target}" if self.target else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What a hunt hands to a source: an installation, and what the source may spend."""

    database: Database
    #: Counts the calls of this source alone.
    youtube: YouTube
    feeds: Feeds
    clock: Clock
    settings: Settings
    #: The beginning of the hunt, aware UTC.
    now: datetime
    #: Whether the hunt asks this source and no other one.
    is_only_source: bool

    def units_for_hunt(self, bucket: Bucket, pool: QuotaPool) -> int:
        """Units of a bucket that this hunt may spend for a pool, when the rest must last until the reset."""
        left = self.youtube.units_left(bucket, pool)
        return allowance(left, self.youtube.ledger.resets_at() - self.clock.now())

    def require_units(self, bucket: Bucket, pool: QuotaPool) -> int:
        """The same, for a source that cannot do without.

        Raises:
            QuotaExhausted: the pool has no units left until the reset.
            KeyInvalid: no key that serves the pool is left.
            ConfigurationError: no key is set.

        """
        self.youtube.require(bucket, pool)
        return self.units_for_hunt(bucket, pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The declaration of a source. The name of its module is its name."""

    #: Its bit in `videos.sources`. A bit is never given to another source.
    bit: int
    #: Position in a hunt. Sources without cost come first, so that their videos are described before uploads lists take what
    #: the hour has left.
    order: int
    #: Sends its requests: one `Find` for each. Ends with an error when asking on is of no use.
    find: Callable[[SourceContext], Iterator[Find]]
    #: Whether its requests are calls of YouTube's API: an outage of the API is one, whatever feeds and inbox bring.
    calls_api: bool
    #: Whether one hunt at a time may ask it, so that no request is paid for twice.
    is_exclusive: bool = True
    #: Sources of one group see the same videos: for estimates of coverage they count as one. None: its videos are no sample.
    group: str | None
    #: Whether a removed video leaves it within hours. A search shows removed videos for weeks.
    forgets_removed: bool = False
    #: Whether its videos are admitted whatever their age: a person asked for them.
    admits_any_age: bool = False
    #: Whether a missing key or a refused one ends this source alone, and not the hunt.
    is_optional: bool = False


class Fault(Enum):
    """What a failed request says about its source, and so what the source does next."""

    #: The request is at fault and would fail again: the source notes it and goes on with the next one.
    REQUEST = "request"
    #: YouTube is at fault, as far as one can see: the request is sent again later. A request that brings YouTube down looks the
    #: same, so the source sends another one, and stops with an error when that fails as well.
    OUTAGE = "outage"
    #: Quota is spent, or no key is accepted. The source ends, and nothing is noted about the request.
    ACCESS = "access"


def fault_of(error: PleiadesError) -> Fault:
    """What an error, after all its retries, says about the request that met it. Pure."""
    if isinstance(error, QuotaExhausted | KeyRefused):
        return Fault.ACCESS
    return Fault.OUTAGE if error.retry_helps else Fault.REQUEST
