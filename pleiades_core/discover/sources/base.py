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
    #: The target of the request, if the source has several: a term, a chart, a month. Empty otherwise.
    target: str = ""
    candidates: tuple[Candidate, ...] = ()
    acknowledge: Acknowledge
    #: Attempts that the request cost, by bucket; empty if it cost none.
    calls: Mapping[Bucket, int] = field(default_factory=Counter)
    #: Details that came with the candidates, if the source gives them: no call is needed for them.
    details: tuple[Found, ...] = ()
    #: The error, if the request failed and the source went on with the next one.
    error: str = ""

    @property
    def name(self) -> str:
        """Source and target as they are kept with a video: `search:lofi`, `uploads`."""
        return f"{self.source}:{self.target}" if self.target else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What a hunt gives to a source: an installation, and the units that the source may spend."""

    database: Database
    #: Counts the calls of this source alone.
    youtube: YouTube
    feeds: Feeds
    clock: Clock
    settings: Settings
    #: The beginning of the hunt, aware UTC.
    now: datetime
    #: True if the hunt asks this source alone.
    is_only_source: bool

    def units_for_hunt(self, bucket: Bucket, pool: QuotaPool) -> int:
        """Units of a bucket that this hunt may spend for a pool, when the rest must last until the reset."""
        left = self.youtube.units_left(bucket, pool)
        return allowance(left, self.youtube.ledger.resets_at() - self.clock.now())

    def require_units(self, bucket: Bucket, pool: QuotaPool) -> int:
        """As `units_for_hunt`, for a source that needs units.

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
    #: Sends its requests, and yields a `Find` for each. Raises an error if further requests are of no use.
    find: Callable[[SourceContext], Iterator[Find]]
    #: True if its requests are calls of YouTube's API.
    calls_api: bool
    #: True if one hunt at a time may ask it, so that no request is paid for twice.
    is_exclusive: bool = True
    #: Sources of one group see the same videos: for estimates of coverage they count as one. None: its videos are no sample.
    group: str | None
    #: True if a removed video leaves it within hours. A search shows removed videos for weeks.
    forgets_removed: bool = False
    #: True if its videos are admitted whatever their age: a person added them.
    admits_any_age: bool = False
    #: True if a missing or refused key ends this source alone, and not the hunt.
    is_optional: bool = False


class FailureCause(Enum):
    """The cause of a failed request, which decides what the source does next."""

    #: The request would fail again: the source records that and goes on with the next one.
    REQUEST = "request"
    #: YouTube seems to have an outage: the request is sent again later. A request that makes YouTube fail looks like this too,
    #: so the source sends another one, and stops with an error if that fails as well.
    OUTAGE = "outage"
    #: Quota is spent, or no key is accepted. The source ends, and nothing is recorded about the request.
    ACCESS = "access"


def cause_of(error: PleiadesError) -> FailureCause:
    """The cause of a request's error, after all retries. Pure."""
    if isinstance(error, QuotaExhausted | KeyRefused):
        return FailureCause.ACCESS
    return FailureCause.OUTAGE if error.retry_helps else FailureCause.REQUEST
