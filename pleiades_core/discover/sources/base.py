"""What every source has in common.

Belongs here: `Find`, the sources' names and their bits, what a failed question means for its source. Does not belong here: any
single source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from pleiades_core.errors import KeyRefused, PleiadesError, QuotaExhausted
from pleiades_core.models import Candidate, VideoDetails

if TYPE_CHECKING:
    # `pleiades --help` needs the names of the sources, and no database.
    import psycopg

#: Every source, and its bit in `videos.sources`: which sources came upon a video. Bits are never given to another source.
SOURCES = MappingProxyType({"search": 1, "uploads": 2, "charts": 4, "feeds": 8, "push": 16, "added": 32, "past_search": 64})

#: Details of a video, and when they arrived.
Found = tuple[VideoDetails, datetime]
#: Called in the transaction that makes the candidates durable; the question is asked again if that never happens.
Acknowledge = Callable[["psycopg.Connection", datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """What one question of one source came upon."""

    #: A word of `SOURCES`.
    source: str
    #: What of the source was asked, where it has several: a term, a chart, a month. Empty otherwise.
    target: str = ""
    candidates: tuple[Candidate, ...] = ()
    acknowledge: Acknowledge
    #: Details that came with the candidates, where the source gives some: they need not be asked for again.
    details: tuple[Found, ...] = ()
    #: Why the question brought nothing, where that is a fault. The source went on.
    error: str = ""

    @property
    def name(self) -> str:
        """Where a video was found, as it is kept with it: `search:lofi`, `uploads`."""
        return f"{self.source}:{self.target}" if self.target else self.source


class Fault(Enum):
    """Whose fault it is that a question failed, and so what its source does."""

    #: The question's own, and it would fail again: it is passed over and noted, the others are asked.
    QUESTION = "question"
    #: YouTube's, as far as one can see: the question is asked again. A question that brings YouTube down looks the same, so the
    #: source asks another, and stops for now and says so when that fails as well; the next time others come first.
    OUTAGE = "outage"
    #: Nobody's: quota is spent, or no key is taken. The source ends, and nothing is noted of the question.
    ACCESS = "access"


def fault_of(error: PleiadesError) -> Fault:
    """What an error, after all its retries, says about the question that met it. Pure."""
    if isinstance(error, QuotaExhausted | KeyRefused):
        return Fault.ACCESS
    return Fault.OUTAGE if error.retry_helps else Fault.QUESTION
