"""Uploads lists: what the channels we follow have published, 50 videos for one unit.

Belongs here: `channels.list` as the detector of change, 50 channels for one unit, and then `playlistItems.list` where the count
moved. Does not belong here: what a count says (channels/counts.py), which lists are worth it (channels/followed.py), how many
units there are (budget.py).

A list costs as much as checking 50 channels, so no channel is listed whose count stands still. Where units are short the
richest lists come first; what is not listed adds up, until it is worth a unit. A reply that is less than the count promised is
no reading: what moved stays, and is asked for again, a few times and ever later. More new uploads than one question shows are
read on like a back catalogue (channels/past_uploads.py).
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
    Due,
    Row,
    check,
    note_checks,
    note_unchecked,
    portions,
)
from pleiades_core.discover.channels.followed import ToList, affordable, uploads_a_day
from pleiades_core.discover.channels.past_uploads import back_catalogue, cost
from pleiades_core.discover.sources.base import Acknowledge, Fault, Find, Source, SourceContext, fault_of
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

#: A channel that something looked at within this is not checked again.
CHECK_AGAIN = timedelta(hours=1)
#: Every channel that nothing else looks at is checked once in so many hunts, lists or no lists. Found within a day of 100,000
#: uploads over 50,000 channels, in a model of this module with Zipf's rates: 0.63 at 20 hours, 0.61 at 12, 0.55 at 30.
SWEEP_HUNTS = 20
#: Unless that took more than this share of the units.
_MOST_CHECKS = 0.5
#: Lists looked at in one hunt: more than any budget pays for.
_MOST_LISTS = 5_000
#: A list that showed nothing, or broke off, though its count moved, is asked again after this, then after twice as long, and so
#: on; after so many times in a row, two and a half days, it is believed. That is what one lasting oddity may cost: 6 units.
LIST_AGAIN = timedelta(hours=2)
MOST_LIST_FAILURES = 6
#: So many lists of a lot, and most of it, are an outage: the others would be paid for in vain.
_OUTAGE = 3

#: Units of the questions that are asked before what they brought is settled.
_LOT = 50

_Request = TypeVar("_Request")


def find(context: SourceContext) -> Iterator[Find]:
    """New uploads, then past ones. Where back catalogues wait, up to half of the units are kept for them."""
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
    """Check and list channels for up to `units` general units, those of describing included; returns the units that are left.

    First the checks that keep the sweep going, then the lists that they and older ones call for; what is left goes into further
    checks and their lists. Questions are asked in lots of 50 units, so that the hunter can settle what they brought before the
    next lot is paid for.

    Lists are asked for whatever becomes of the checks. Raises at once what quota and keys say, and after the finds the first
    error if most checks failed, or most of a lot of lists.
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
        # Half of what is left for further checks: a list, if the count moved, costs as much as the check of 50.
        most = int(left * _MOST_CHECKS) if checks is None else checks
        left -= yield from asking.check(due[: most * IDS_PER_CALL], most)
        due = [row for row in due if row[0] not in asking.checked]
        left -= yield from asking.list(left)
    if (outage := asking.outage) is not None:
        raise outage
    return left


class _Unlisted(NamedTuple):
    """A list that no answer came for."""

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
        self._rng = random.Random(now.isoformat())  # noqa: S311  mixes questions, no secrets; the same instant mixes the same
        #: What this hunt's counts say of channels, until they are in the database: by ordinal.
        self._moved: dict[int, ToList] = {}
        self.checked: set[int] = set()
        self._listed: set[int] = set()
        #: Portions that were answered, what others met, and whether there is any use in further checks.
        self._answered = 0
        self._unchecked: list[ApiError] = []
        self._checking = True
        self._unlisted: ApiError | None = None

    @property
    def outage(self) -> ApiError | None:
        """What this hunt's failures come to."""
        broken = [error for error in self._unchecked if fault_of(error) is Fault.OUTAGE]
        return broken[0] if len(broken) > self._answered else self._unlisted

    def check(self, rows: Sequence[Due], most: int) -> Generator[Find, None, int]:
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
                # Neither believed nor the first thing that the next hunt asks: counts add up, so a late check misses nothing.
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
        # Whether others were answered is known by now, after the last check perhaps.
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
            # In no order: a few that fail for ever would be the first of each lot, and look like an outage.
            self._rng.shuffle(lot)
            failed: list[_Unlisted] = []
            with self._youtube.reserved(
                Bucket.GENERAL, QuotaPool.HUNTING, sum(listing.pages for listing in lot)
            ) as reservation:
                ask = partial(_list, self._youtube, reservation, self._now, failed)
                answers, errors = ask_all(ask, lot, threads=self._parallel)
            yield from (find for find, _ in answers)
            broken = [error for _, error in answers if error is not None and fault_of(error) is Fault.OUTAGE]
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
        if fault_of(error) is Fault.ACCESS:
            raise error


def _lots(requests: Sequence[_Request], cost: Callable[[_Request], int]) -> Iterator[list[_Request]]:
    """Lots of questions that cost 50 units, or one dearer question."""
    lot: list[_Request] = []
    for request in requests:
        if lot and sum(map(cost, lot)) + cost(request) > _LOT:
            yield lot
            lot = []
        lot.append(request)
    if lot:
        yield lot


def _moved(database: Database, now: datetime, checked: Sequence[Row], fresh: Sequence[ChannelDetails]) -> dict[int, ToList]:
    """What the counts of these channels say together with what was known: unseen uploads by channel, 0 included."""
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
    """What a list shows, and what kept it from showing all. Raises what came instead of it."""
    asking = youtube.part()
    try:
        shown, failure, token = _pages(asking, reservation, listing)
    except ApiError as error:
        if fault_of(error) is Fault.OUTAGE:
            failed.append(_Unlisted(listing.channel, error, asking.calls()))
        raise
    fault = failure and fault_of(failure)
    if fault is None or (fault is Fault.REQUEST and not shown):
        # Where it is refused altogether the channel is gone, or hides its uploads: it waits until its count moves again.
        rate = uploads_a_day((candidate.published_at for candidate in shown), IDS_PER_CALL, now)
        rest = BackCatalogue(
            channel_id=listing.channel_id, source="uploads", newest=listing.moved, read=len(shown), passed=len(shown),
            page_token=token, token_at=now,
        )  # fmt: skip
        noting: Acknowledge = partial(_note_list, {"channel": listing.channel, "rate": rate}, rest if token else None)
    elif fault is Fault.ACCESS:
        # What came is paid for; the rest is asked for when there is quota again.
        noting = _nothing
    else:
        noting = partial(_note_list_failure, listing.channel, answered=True)
    found = Find(source="uploads", candidates=shown, calls=asking.calls(), error=str(failure or ""), acknowledge=noting)
    return found, failure


def _pages(
    youtube: YouTube, reservation: Reservation | None, listing: ToList
) -> tuple[tuple[Candidate, ...], ApiError | None, str | None]:
    """What the pages show, what kept them from showing all, and the token of the page where more of what is new begins."""
    shown: dict[VideoId, Candidate] = {}
    token, pages, anew = None, listing.pages, False
    while pages:
        try:
            page = youtube.uploads(listing.channel_id, token, reservation=reservation)
        except ApiError as error:
            if isinstance(error, BadRequest) and token is not None and not anew:
                # The token is refused, and not the list: it is begun once again.
                token, pages, anew = None, listing.pages, True
                continue
            if not shown and fault_of(error) is not Fault.REQUEST:
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
    """What is noted of the channel stays."""


SOURCE = Source(bit=2, order=70, find=find, calls_api=True, group="followed channels", forgets_removed=True)
