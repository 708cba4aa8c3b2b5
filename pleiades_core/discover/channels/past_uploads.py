"""Past uploads of channels that people added: 50 for one unit, page after page, until the list ends.

Belongs here: requesting pages, and what a failed page means for its list. Does not belong here: the cursor and its decisions
(back_catalogues.py), how many units there are (discover/sources/uploads.py).

Videos of a channel that a person added are taken even if they were given up before, or are known and not watched.
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
from pleiades_core.discover.sources.base import FailureCause, Find, cause_of
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

#: The most units of a page: one for itself, one for describing 50 videos.
A_PAGE = 2


class _Answer(NamedTuple):
    """The result of one request: the list as it was in the table, and after the request."""

    held: BackCatalogue
    after: BackCatalogue
    #: Attempts that the page cost.
    calls: Counter[Bucket]
    candidates: tuple[Candidate, ...] = ()
    error: ApiError | None = None


def cost(database: Database, now: datetime) -> float:
    """Units that reading on now would take, descriptions included; 0 if every list is read to its end, or waits."""
    with database.transaction() as connection:
        return sum(A_PAGE + catalogue.cost for catalogue in due(unread(connection), now))


def back_catalogue(
    database: Database, youtube: YouTube, *, now: datetime, units: float, parallel: int,
    only: Sequence[ChannelId] | None = None,
) -> Iterator[Find]:  # fmt: skip
    """Read on in lists that are not at their end.

    Args:
        database: has the cursors.
        youtube: counts the calls.
        now: the present instant.
        units: general units to spend, descriptions included.
        parallel: the most requests at once.
        only: channels whose lists are read; None: all.

    Yields:
        The result for each page.

    Raises:
        ApiError: quota is spent, no key works, or there is an outage.
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
        # The lists of this portion come first: their tokens live.
        going_on = [answer.after for answer in answers if answer.after.finished_at is None and answer.after.failed_at is None]
        waiting.extendleft(reversed(going_on))


def _ask(
    youtube: YouTube, reservation: Reservation | None, now: datetime,
    broken: list[tuple[BackCatalogue, ApiError, Counter[Bucket]]], held: BackCatalogue,
) -> _Answer:  # fmt: skip
    """The next page of one list. Raises errors of quota, keys and outages; an outage's error is added to `broken` too."""
    asking = youtube.part()
    try:
        page = asking.uploads(held.channel_id, held.page_token, reservation=reservation)
    except ApiError as error:
        if isinstance(error, BadRequest) and held.page_token is not None:
            # YouTube refuses the token, not the list.
            return _Answer(held, begun_anew(held, now), asking.calls(), error=error)
        match cause_of(error):
            case FailureCause.REQUEST:
                gone = isinstance(error, ResourceMissing)
                return _Answer(held, (left_early if gone else failed)(held, now), asking.calls(), error=error)
            case FailureCause.OUTAGE:
                broken.append((held, error, asking.calls()))
        raise
    return _Answer(held, advanced(held, page, now), asking.calls(), taken(held, page))


def _reopen(database: Database, answers: Sequence[_Answer]) -> None:
    """Describe and watch again videos of an added channel that were given up or left out."""
    added = [candidate for answer in answers if answer.held.source == "added" for candidate in answer.candidates]
    if added:
        with database.transaction() as connection:
            lock_discovery(connection)
            connection.execute(_VIDEOS.reopen, {"id8s": [decode(candidate.video_id) for candidate in added]})
