"""What every road has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from pleiades_core.models import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """What one call of one road came upon."""

    #: Where a video was found, kept with it: `search:lofi`, `uploads`.
    road: str
    candidates: tuple[Candidate, ...]
    #: Called in the transaction that makes the candidates durable; the call is repeated if that never happens.
    acknowledge: Callable[[psycopg.Connection, datetime], None]
