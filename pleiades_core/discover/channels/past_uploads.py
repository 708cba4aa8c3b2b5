"""Past uploads of channels that people added: 50 for one unit, page after page, until the list ends.

Belongs here: asking for pages, and what a failed page means for its list. Does not belong here: the cursor and its decisions
(back_catalogues.py), how many units there are (discover/sources/uploads.py).

What a person named is taken although it was given up before, or is known and not watched.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pleiades_core.discover.channels.back_catalogues import (
    BackCatalogue,
    advance,
    advanced,
    begun_anew,
    due,
    failed,
    left_early,
    taken,
    unread,
)
from pleiades_core.discover.sources.base import Fault, Find, fault_of
from pleiades_core.errors import ApiError, BadRequest, ResourceMissing
from pleiades_core.models import Bucket, Candidate, ChannelId, QuotaPool
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import Reservation

log = logging.getLogger(__name__)

_VIDEOS = load_queries("videos")

#: What a page costs at most: itself, and describing 50 videos.
A_PAGE = 2


class _Answer(NamedTuple):
    """What one question came to: the list as it stood in the table, and after it."""

    held: BackCatalogue
    after: BackCatalogue
    #: What the page cost.
    calls: Counter[Bucket]
    candidates: tuple[Candidate, ...] = ()
    error: ApiError | None = None


def cost(database: Database, now: datetime) -> float:
    """Units that reading on now would take, descriptions included; 0 where every list is read to its end, or waits."""
    with database.transaction() as connection:
        return sum(A_PAGE + catalogue.cost for catalogue in due(unread(connection), now))


def back_catalogue(
    database: Database, youtube: YouTube, *, now: datetime, units: float, parallel: int,
    only: Sequence[ChannelId] | None = None,
) -> Iterator[Find]:  # fmt: skip
    """Read on in lists that are not at their end, or in those of the channels `only`, for up to `units` general units.

    The units include those of describing what is found. Raises at once what quota and keys say, and in an outage its error.
    """
    with database.transaction() as connection:
        waiting = deque(catalogue for catalogue in due(unread(connection), now) if only is None or catalogue.channel_id in only)
    answered = False
    while waiting and units >= A_PAGE:
        lot = [waiting.popleft() for _ in range(min(len(waiting), parallel, int(units // A_PAGE)))]
        broken: list[tuple[BackCatalogue, ApiError, Counter[Bucket]]] = []
        with youtube.reserved(Bucket.GENERAL, QuotaPool.HUNTING, len(lot)) as reservation:
            ask = partial(_ask, youtube, reservation, now, broken)
            answers, errors = ask_all(ask, lot, threads=len(lot))
        answered = answered or bool(answers)
        attempts = len(answers) + len(broken)
        answers += [_Answer(held, failed(held, now, to_blame=answered), calls, error=error) for held, error, calls in broken]
        _reopen(database, answers)
        for answer in answers:
            units -= 1 + len(answer.candidates) / IDS_PER_CALL
            yield Find(
                source=answer.held.source, candidates=answer.candidates, calls=answer.calls, error=str(answer.error or ""),
                acknowledge=partial(advance, answer.held, answer.after),
            )  # fmt: skip
        if errors and (attempts < len(lot) or not answered):
            raise errors[0]
        # The lists of this lot come first: their tokens live.
        going_on = [answer.after for answer in answers if answer.after.finished_at is None and answer.after.failed_at is None]
        waiting.extendleft(reversed(going_on))


def _ask(
    youtube: YouTube, reservation: Reservation | None, now: datetime,
    broken: list[tuple[BackCatalogue, ApiError, Counter[Bucket]]], held: BackCatalogue,
) -> _Answer:  # fmt: skip
    """The next page of one list. Raises what quota, keys and outages say; an outage's error is in `broken`, too."""
    asking = youtube.part()
    try:
        page = asking.uploads(held.channel_id, held.page_token, reservation=reservation)
    except ApiError as error:
        if isinstance(error, BadRequest) and held.page_token is not None:
            # The token is refused, and not the list.
            return _Answer(held, begun_anew(held, now), asking.calls(), error=error)
        match fault_of(error):
            case Fault.REQUEST:
                gone = isinstance(error, ResourceMissing)
                return _Answer(held, (left_early if gone else failed)(held, now), asking.calls(), error=error)
            case Fault.OUTAGE:
                broken.append((held, error, asking.calls()))
        raise
    return _Answer(held, advanced(held, page, now), asking.calls(), taken(held, page))


def _reopen(database: Database, answers: Sequence[_Answer]) -> None:
    """Describe again, and watch, what a person wants of what was given up or left out."""
    added = [candidate for answer in answers if answer.held.source == "added" for candidate in answer.candidates]
    if added:
        with database.transaction() as connection:
            lock_discovery(connection)
            connection.execute(_VIDEOS.reopen, {"id8s": [decode(candidate.video_id) for candidate in added]})
