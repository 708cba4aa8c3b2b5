"""What every road has in common.

Belongs here: `Find`, the roads' names and their bits, what a failed question means for its road. Does not belong here: any
single road.
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
    # `pleiades --help` needs the names of the roads, and no database.
    import psycopg

#: Every road, and its bit in `videos.roads`: which roads came upon a video. Bits are never given to another road.
ROADS = MappingProxyType({"search": 1, "uploads": 2, "charts": 4, "feeds": 8, "push": 16, "manual": 32, "archeology": 64})

#: Details of a video, and when they arrived.
Found = tuple[VideoDetails, datetime]
#: Called in the transaction that makes the candidates durable; the question is asked again if that never happens.
Acknowledge = Callable[["psycopg.Connection", datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """What one question of one road came upon."""

    #: A word of `ROADS`.
    road: str
    #: What of the road was asked, where it has several: a term, a chart, a month. Empty otherwise.
    arm: str = ""
    candidates: tuple[Candidate, ...] = ()
    acknowledge: Acknowledge
    #: Details that came with the candidates, where the road gives some: they need not be asked for again.
    details: tuple[Found, ...] = ()
    #: Why the question brought nothing, where that is a fault. The road went on.
    error: str = ""

    @property
    def name(self) -> str:
        """Where a video was found, as it is kept with it: `search:lofi`, `uploads`."""
        return f"{self.road}:{self.arm}" if self.arm else self.road


class Fault(Enum):
    """Whose fault it is that a question failed, and so what its road does."""

    #: The question's own, and it would fail again: it is passed over and noted, the others are asked.
    QUESTION = "question"
    #: YouTube's, as far as one can see: the question is asked again. A question that brings YouTube down looks the same, so the
    #: road asks another, and stops for now and says so when that fails as well; the next time others come first.
    OUTAGE = "outage"
    #: Nobody's: quota is spent, or no key is taken. The road ends, and nothing is noted of the question.
    ACCESS = "access"


def fault_of(error: PleiadesError) -> Fault:
    """What an error, after all its retries, says about the question that met it. Pure."""
    if isinstance(error, QuotaExhausted | KeyRefused):
        return Fault.ACCESS
    return Fault.OUTAGE if error.retry_helps else Fault.QUESTION
