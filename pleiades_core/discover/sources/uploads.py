"""Uploads lists: new videos of followed channels, 50 videos for one unit.

Belongs here: `channels.list` as the detector of change, 50 channels for one unit, and then `playlistItems.list` for channels
whose video count rose. Does not belong here: the meaning of a count (channels/counts.py), the choice of lists
(channels/followed.py), how many units there are (budget.py).

A list costs as much as checking 50 channels, so a channel is listed only if its count rose. If units are short, the lists with
most new videos come first; new videos of the other channels add up until they are worth a unit. A list shorter than the
channel's video count is treated as a failed read: the channel stays due and is retried with growing delays. If a channel has
more new videos than one request shows, the rest is read like a back catalogue (channels/past_uploads.py).
"""

from __future__ import annotations

import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

import psycopg

from pleiades_core.discover.channels.back_catalogues import BackCatalogue, begin
from pleiades_core.discover.channels.counts import (
    FIRST_LIST,
    WITNESSES,
    Check,
    DueChannel,
    Row,
    check,
    note_checks,
    note_unchecked,
    portions,
)
from pleiades_core.discover.channels.followed import ToList, affordable, uploads_a_day
from pleiades_core.discover.channels.past_uploads import back_catalogue, cost
from pleiades_core.discover.sources.base import Acknowledge, FailureCause, Find, Source, SourceContext, cause_of
from pleiades_core.errors import ApiError, BadRequest, EmptyReply
from pleiades_core.models import Bucket, Candidate, QuotaPool, VideoId
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.parse import ChannelDetails
from pleiades_core.youtube.quota import Reservation

log = logging.getLogger(__name__)

_SQL = load_queries("channels")

#: A channel that was checked, listed or read as a feed within this time is not checked again.
CHECK_AGAIN = timedelta(hours=1)
#: Hunts in which every channel is checked once, unless a feed or a list of it was read. Share found within a day of 100,000
#: uploads over 50,000 channels, in a model of this module with Zipf's rates: 0.63 at 20 hours, 0.61 at 12, 0.55 at 30.
SWEEP_HUNTS = 20
#: The most units that checks may take, as a share.
_MOST_CHECKS = 0.5
#: Lists looked at in one hunt: more than any budget pays for.
_MOST_LISTS = 5_000
#: A list that is shorter than the count says, or failed, is requested again after this time, then after twice as long, and so
#: on. After several times in a row, two and a half days, it is believed. So one lasting oddity costs 6 units.
LIST_AGAIN = timedelta(hours=2)
MOST_LIST_FAILURES = 6
#: If this many lists of a portion fail, and most of the portion, it is an outage, and no further list is requested.
_OUTAGE = 3

#: Units of the requests that are made before their finds are settled.
_LOT = 50

_Request = TypeVar("_Request")


def find(context: SourceContext) -> Iterator[Find]:
    """New uploads, then past ones. If back catalogues wait, up to half of the units are kept for them."""
    database, youtube, settings, now = context.database, context.youtube, context.settings, context.now
    if not settings.discovery.uploads_per_hunt:
        return
    units = min(context.require_units(Bucket.GENERAL, QuotaPool.HUNTING), settings.discovery.uploads_per_hunt)
    kept = min(units / 2, cost(database, now))
    left = yield from uploads(database, youtube, now=now, units=units - kept, parallel=settings.youtube.parallel_calls)
    if kept:
        yield from back_catalogue(database, youtube, now=now, units=kept + left, parallel=settings.youtube.parallel_calls)


def uploads(
    database: Database, youtube: YouTube, *, now: datetime, units: float, parallel: int
) -> Generator[Find, None, float]:
    """Check and list followed channels.

    First come the checks that keep the sweep going, then the lists that these and older checks call for. The rest of the units
    goes into further checks and their lists. Requests are made in portions of 50 units, so that the hunter can settle their
    finds before the next portion is paid for. Lists are requested even if the checks fail.

    Args:
        database: has the channels.
        youtube: counts the calls.
        now: the present instant.
        units: general units to spend, descriptions included.
        parallel: the most requests at once.

    Yields:
        The result for each list, and for each portion of checks.

    Returns:
        The units that are left.

    Raises:
        ApiError: at once for quota and keys; after the finds, if most checks, or most lists of a portion, failed.
    """
    with database.transaction() as connection:
        parameters = {"now": now, "again": CHECK_AGAIN, "limit": max(0, units) * IDS_PER_CALL}
        due = connection.execute(_SQL.checks_due, parameters).fetchall()
        followed = connection.execute(_SQL.followed).fetchone()
        there = connection.execute(_SQL.witnesses, {"limit": WITNESSES}).fetchall()
    sweep = math.ceil((followed[0] if followed else 0) / IDS_PER_CALL / SWEEP_HUNTS)
    asking = _Asking(database, youtube, now, parallel, there)
    left = float(units)
    for checks in (min(sweep, int(units * _MOST_CHECKS)), None):
        # At most half of the rest for further checks: a list, if the count rose, costs as much as the check of 50 channels.
        most = int(left * _MOST_CHECKS) if checks is None else checks
        left -= yield from asking.check(due[: most * IDS_PER_CALL], most)
        due = [row for row in due if row[0] not in asking.checked]
        left -= yield from asking.list(left)
    if (outage := asking.outage) is not None:
        raise outage
    return left


class _Unlisted(NamedTuple):
    """A list that was requested and not answered."""

    channel: int
    error: ApiError
    calls: Counter[Bucket]


class _Asking:
    """The two kinds of request of this source, and which channels were checked and listed in this hunt."""

    def __init__(self, database: Database, youtube: YouTube, now: datetime, parallel: int, there: Sequence[Row]) -> None:
        self._database = database
        self._youtube = youtube
        self._now = now
        self._parallel = parallel
        self._there = there
        self._rng = random.Random(now.isoformat())  # noqa: S311  mixes requests, no secrets; repeatable for an instant
        #: Unseen uploads by this hunt's counts, until they are in the database: by ordinal of the channel.
        self._moved: dict[int, ToList] = {}
        self.checked: set[int] = set()
        self._listed: set[int] = set()
        #: Portions that were answered, errors of other portions, and whether further checks are of use.
        self._answered = 0
        self._unchecked: list[ApiError] = []
        self._checking = True
        self._unlisted: ApiError | None = None

    @property
    def outage(self) -> ApiError | None:
        """The error of an outage, by this hunt's failures; None: there was no outage."""
        broken = [error for error in self._unchecked if cause_of(error) is FailureCause.OUTAGE]
        return broken[0] if len(broken) > self._answered else self._unlisted

    def check(self, rows: Sequence[DueChannel], most: int) -> Generator[Find, None, int]:
        """Ask for the counts of channels, by `most` calls; a find without candidates for every 50. How many calls it took."""
        calls = 0
        for lot in _lots(portions(rows, self._there, most, self._rng) if self._checking else [], lambda _: 1):
            failed: list[Check] = []
            with self._youtube.reserved(Bucket.GENERAL, QuotaPool.HUNTING, len(lot)) as reservation:
                checked, errors = ask_all(partial(check, self._youtube, reservation, failed), lot, threads=self._parallel)
            self.checked |= {row[0] for portion in lot for row in portion}
            rows_of_lot = [row for answer in checked for row in answer.rows]
            fresh = [channel for answer in checked for channel in answer.details]
            self._moved |= _moved(self._database, self._now, rows_of_lot, fresh)
            self._answered += len(checked)
            self._unchecked += [failure.error for failure in failed if failure.error]
            for answer in checked:
                noting: Acknowledge = partial(note_checks, answer.rows, answer.details)
                yield Find(source="uploads", acknowledge=noting, calls=answer.calls)
            for failure in failed:
                # Not believed, and not first in the next hunt: counts add up, so a late check misses nothing.
                noting = partial(self._note_failed, failure.rows)
                yield Find(source="uploads", acknowledge=noting, calls=failure.calls, error=str(failure.error))
            _raise_access(errors)
            attempts = len(checked) + len(failed)
            calls += attempts
            if attempts < len(lot):
                self._checking = False
                break
        return calls

    def _note_failed(self, rows: Sequence[Row], connection: psycopg.Connection, now: datetime) -> None:
        # Called later, when it is known whether other checks were answered.
        note_unchecked([row[0] for row in rows], connection, now, answered_for_some=self._answered > 0, absent=False)

    def list(self, units: float) -> Generator[Find, None, float]:
        """List what `units` pay for; what was spent, describing included."""
        if self._unlisted is not None:
            return 0
        with self._database.transaction() as connection:
            parameters = {"now": self._now, "again": LIST_AGAIN, "limit": _MOST_LISTS}
            known = connection.execute(_SQL.lists_due, parameters).fetchall()
        waiting = {row[0]: ToList(channel=row[0], channel_id=row[1], moved=row[2]) for row in known} | self._moved
        chosen = affordable(
            [channel for channel in waiting.values() if channel.moved and channel.channel not in self._listed],
            units,
        )
        self._listed |= {listing.channel for listing in chosen}
        for lot in _lots(chosen, lambda row: row.pages):
            # Mixed: a few lists that always fail would be the first of each portion, and look like an outage.
            self._rng.shuffle(lot)
            failed: list[_Unlisted] = []
            with self._youtube.reserved(
                Bucket.GENERAL, QuotaPool.HUNTING, sum(listing.pages for listing in lot)
            ) as reservation:
                ask = partial(_list, self._youtube, reservation, self._now, failed)
                answers, errors = ask_all(ask, lot, threads=self._parallel)
            yield from (find for find, _ in answers)
            broken = [error for _, error in answers if error is not None and cause_of(error) is FailureCause.OUTAGE]
            broken += [failure.error for failure in failed]
            most = len(broken) >= _OUTAGE and len(broken) > (len(answers) + len(failed)) / 2
            out = most or (bool(failed) and not answers and not self._answered)
            for failure in [] if out else failed:
                noting = partial(_note_list_failure, failure.channel, answered=False)
                yield Find(source="uploads", acknowledge=noting, calls=failure.calls, error=str(failure.error))
            _raise_access(errors)
            if out:
                self._unlisted = broken[0]
                break
        return sum(listing.cost for listing in chosen)


def _raise_access(errors: Sequence[ApiError]) -> None:
    for error in errors:
        if cause_of(error) is FailureCause.ACCESS:
            raise error


def _lots(requests: Sequence[_Request], cost: Callable[[_Request], int]) -> Iterator[list[_Request]]:
    """Portions of requests that cost 50 units, or one dearer request."""
    lot: list[_Request] = []
    for request in requests:
        if lot and sum(map(cost, lot)) + cost(request) > _LOT:
            yield lot
            lot = []
        lot.append(request)
    if lot:
        yield lot


def _moved(database: Database, now: datetime, checked: Sequence[Row], fresh: Sequence[ChannelDetails]) -> dict[int, ToList]:
    """Unseen uploads by channel, from these counts and those in the database; 0 included."""
    counts = {channel.channel_id: channel.videos for channel in fresh if channel.videos is not None}
    ids = dict(checked)
    with database.transaction() as connection:
        parameters = {"channels": list(ids), "now": now, "again": LIST_AGAIN}
        before = connection.execute(_SQL.counts_moved, parameters).fetchall()
    moved: dict[int, ToList] = {}
    for channel, videos, known, was_listed in before:
        count = counts.get(ids[channel])
        if count is not None:
            news = max(0, count - videos) if videos is not None else 0 if was_listed else min(count, FIRST_LIST)
            moved[channel] = ToList(channel=channel, channel_id=ids[channel], moved=known + news)
    return moved


def _list(
    youtube: YouTube, reservation: Reservation | None, now: datetime, failed: list[_Unlisted], listing: ToList
) -> tuple[Find, ApiError | None]:
    """The videos of a list, and the error that cut it short. Raises the error if nothing came."""
    asking = youtube.part()
    try:
        shown, failure, token = _pages(asking, reservation, listing)
    except ApiError as error:
        if cause_of(error) is FailureCause.OUTAGE:
            failed.append(_Unlisted(listing.channel, error, asking.calls()))
        raise
    fault = failure and cause_of(failure)
    if fault is None or (fault is FailureCause.REQUEST and not shown):
        # A refused list: the channel is gone, or hides its uploads. It waits until its count rises again.
        rate = uploads_a_day((candidate.published_at for candidate in shown), IDS_PER_CALL, now)
        rest = BackCatalogue(
            channel_id=listing.channel_id, source="uploads", newest=listing.moved, read=len(shown), passed=len(shown),
            page_token=token, token_at=now,
        )  # fmt: skip
        noting: Acknowledge = partial(_note_list, {"channel": listing.channel, "rate": rate}, rest if token else None)
    elif fault is FailureCause.ACCESS:
        # The pages that came are paid for; the rest is requested when there is quota again.
        noting = _nothing
    else:
        noting = partial(_note_list_failure, listing.channel, answered=True)
    found = Find(source="uploads", candidates=shown, calls=asking.calls(), error=str(failure or ""), acknowledge=noting)
    return found, failure


def _pages(
    youtube: YouTube, reservation: Reservation | None, listing: ToList
) -> tuple[tuple[Candidate, ...], ApiError | None, str | None]:
    """The videos of the pages, the error that cut them short, and the token of the page after them."""
    shown: dict[VideoId, Candidate] = {}
    token, pages, anew = None, listing.pages, False
    while pages:
        try:
            page = youtube.uploads(listing.channel_id, token, reservation=reservation)
        except ApiError as error:
            if isinstance(error, BadRequest) and token is not None and not anew:
                # YouTube refuses the token, not the list: the list begins again, once.
                token, pages, anew = None, listing.pages, True
                continue
            if not shown and cause_of(error) is not FailureCause.REQUEST:
                raise
            log.info("uploads of %s: %s", listing.channel_id, error)
            return tuple(shown.values()), error, None
        shown |= {candidate.video_id: candidate for candidate in page.candidates}
        token = page.next_page_token
        pages = pages - 1 if token else 0
    empty = None if shown else EmptyReply(f"the uploads list is empty, and {listing.moved} were expected")
    return tuple(shown.values()), empty, token if shown and len(shown) < listing.moved else None


def _note_list(
    parameters: dict[str, object], rest: BackCatalogue | None, connection: psycopg.Connection, now: datetime
) -> None:
    connection.execute(_SQL.note_list, {**parameters, "now": now})
    if rest is not None:
        begin(connection, rest, now)


def _note_list_failure(channel: int, connection: psycopg.Connection, now: datetime, *, answered: bool) -> None:
    parameters = {"channel": channel, "answered": answered, "most": MOST_LIST_FAILURES, "now": now}
    connection.execute(_SQL.note_list_failure, parameters)


def _nothing(_connection: psycopg.Connection, _now: datetime) -> None:
    """Nothing to record: the row of the channel stays as it is."""


SOURCE = Source(bit=2, order=70, find=find, calls_api=True, group="followed channels", forgets_removed=True)
