"""Uploads lists: what the channels we follow have published, 50 videos for one unit.

Belongs here: `channels.list` as the detector of change, 50 channels for one unit, and then `playlistItems.list` where the count
moved. Does not belong here: which lists are worth it (channels.py), how many units there are (roads.py).

A list costs as much as checking 50 channels, so no channel is listed whose count stands still. Where units are short the
richest lists come first; what is not listed adds up, until it is worth a unit.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import psycopg

from pleiades_core.discover.channels import LEAST_RATE, QUERIES, ToList, affordable, uploads_a_day
from pleiades_core.discover.sources.source import Find
from pleiades_core.errors import ApiError, BadReply, BadRequest, ResourceMissing
from pleiades_core.models import Candidate, ChannelId
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.parse import ChannelDetails
from pleiades_core.youtube.quota import GENERAL, Reservation

log = logging.getLogger(__name__)

#: A channel that something looked at within this is not checked again.
CHECK_AGAIN = timedelta(hours=1)
#: Every channel that nothing else looks at is checked once in so many hunts, lists or no lists. Found within a day of 100,000
#: uploads over 50,000 channels, in a model of this module with Zipf's rates: 0.63 at 20 hours, 0.61 at 12, 0.55 at 30.
SWEEP_HUNTS = 20
#: Unless that took more than this share of the units.
_MOST_CHECKS = 0.5
#: What a channel's first list is worth beside others: its back catalogue is not what may rise today.
FIRST_LIST = 10
#: Lists looked at in one hunt: more than any budget pays for.
_MOST_LISTS = 5_000

#: Units of the questions that are asked before what they brought is settled.
_LOT = 50

_Row = tuple[int, ChannelId]
_Asked = TypeVar("_Asked")


def uploads(database: Database, youtube: YouTube, *, now: datetime, units: int, parallel: int) -> Iterator[Find]:
    """Check and list channels for up to `units` general units, those of describing what is found included.

    First the checks that keep the sweep going, then the lists that they and older ones call for; what is left goes into further
    checks and their lists. Questions are asked in lots of 50 units, so that the hunter can settle what they brought before the
    next lot is paid for. Raises the first error, after the finds.
    """
    with database.transaction() as connection:
        words = {"now": now, "again": CHECK_AGAIN, "limit": max(0, units) * IDS_PER_CALL}
        due = connection.execute(QUERIES.checks_due, words).fetchall()
        followed = connection.execute(QUERIES.followed).fetchone()
    sweep = math.ceil((followed[0] if followed else 0) / IDS_PER_CALL / SWEEP_HUNTS)
    asking = _Asking(database, youtube, now, parallel)
    left = float(units)
    for checks in (min(sweep, int(units * _MOST_CHECKS)), None):
        # Half of what is left for further checks: a list, if the count moved, costs as much as the check of 50.
        most = int(left * _MOST_CHECKS) if checks is None else checks
        rows, due = due[: most * IDS_PER_CALL], due[most * IDS_PER_CALL :]
        left -= math.ceil(len(rows) / IDS_PER_CALL)
        yield from asking.check(rows)
        left -= yield from asking.list(left)


class _Asking:
    """The two questions of this road, and which channels were listed in this hunt."""

    def __init__(self, database: Database, youtube: YouTube, now: datetime, parallel: int) -> None:
        self._database = database
        self._youtube = youtube
        self._now = now
        self._parallel = parallel
        #: What this hunt's counts say of channels, until they are in the database: by ordinal.
        self._moved: dict[int, ToList] = {}
        self._listed: set[int] = set()

    def check(self, rows: Sequence[_Row]) -> Iterator[Find]:
        """Ask for the counts of channels; a find without candidates for every 50. Raises the first error, after the finds."""
        for lot in _lots([rows[start : start + IDS_PER_CALL] for start in range(0, len(rows), IDS_PER_CALL)], lambda _: 1):
            with self._youtube.reserved(GENERAL, "hunting", len(lot)) as reservation:
                checked, errors = ask_all(partial(_check, self._youtube, reservation), lot, threads=self._parallel)
            rows_of_lot = [row for portion, _ in checked for row in portion]
            self._moved |= _moved(self._database, rows_of_lot, [one for _, details in checked for one in details])
            for portion, details in checked:
                yield Find(road="uploads", acknowledge=partial(_note_checks, portion, details))
            if errors:
                raise errors[0]

    def list(self, units: float) -> Generator[Find, None, float]:
        """List what `units` pay for; what was spent, describing included. Raises the first error, after the finds."""
        with self._database.transaction() as connection:
            known = connection.execute(QUERIES.lists_due, {"limit": _MOST_LISTS}).fetchall()
        waiting = {row[0]: ToList(channel=row[0], channel_id=row[1], moved=row[2]) for row in known} | self._moved
        chosen = affordable([one for one in waiting.values() if one.moved and one.channel not in self._listed], units)
        self._listed |= {one.channel for one in chosen}
        for lot in _lots(chosen, lambda one: one.pages):
            with self._youtube.reserved(GENERAL, "hunting", sum(one.pages for one in lot)) as reservation:
                ask = partial(_list, self._youtube, reservation, self._now)
                finds, errors = ask_all(ask, lot, threads=self._parallel)
            yield from finds
            if errors:
                raise errors[0]
        return sum(one.cost for one in chosen)


def _lots(wanted: Sequence[_Asked], cost: Callable[[_Asked], int]) -> Iterator[list[_Asked]]:
    """Lots of questions that cost 50 units, or one dearer question."""
    lot: list[_Asked] = []
    for one in wanted:
        if lot and sum(map(cost, lot)) + cost(one) > _LOT:
            yield lot
            lot = []
        lot.append(one)
    if lot:
        yield lot


def _check(
    youtube: YouTube, reservation: Reservation | None, rows: Sequence[_Row]
) -> tuple[Sequence[_Row], tuple[ChannelDetails, ...]]:
    return rows, youtube.channels([channel_id for _, channel_id in rows], reservation=reservation)


def _note_checks(
    rows: Sequence[_Row], details: Sequence[ChannelDetails], connection: psycopg.Connection, now: datetime
) -> None:
    channels = {channel_id: channel for channel, channel_id in rows}
    counted = {channels[one.channel_id]: one.videos for one in details if one.videos is not None}
    words = {"channels": list(counted), "videos": [min(videos, 2**31 - 1) for videos in counted.values()]}
    connection.execute(QUERIES.note_checks, {**words, "first": FIRST_LIST, "least": LEAST_RATE, "now": now})
    absent = [channel for channel in channels.values() if channel not in counted]
    connection.execute(QUERIES.note_absent, {"channels": absent, "least": LEAST_RATE, "now": now})


def _moved(database: Database, checked: Sequence[_Row], fresh: Sequence[ChannelDetails]) -> dict[int, ToList]:
    """What the counts of these channels say together with what was known: unseen uploads by channel, 0 included."""
    counts = {one.channel_id: one.videos for one in fresh if one.videos is not None}
    ids = dict(checked)
    with database.transaction() as connection:
        before = connection.execute(QUERIES.counts_moved, {"channels": list(ids)}).fetchall()
    moved: dict[int, ToList] = {}
    for channel, videos, known, was_listed in before:
        count = counts.get(ids[channel])
        if count is not None:
            news = max(0, count - videos) if videos is not None else 0 if was_listed else min(count, FIRST_LIST)
            moved[channel] = ToList(channel=channel, channel_id=ids[channel], moved=known + news)
    return moved


def _list(youtube: YouTube, reservation: Reservation | None, now: datetime, wanted: ToList) -> Find:
    candidates: list[Candidate] = []
    failure: ApiError | None = None
    try:
        token = None
        for _ in range(wanted.pages):
            page = youtube.uploads(wanted.channel_id, token, reservation=reservation)
            candidates += page.candidates
            token = page.next_page_token
            if token is None:
                break
    except (ResourceMissing, BadRequest, BadReply) as error:
        # The channel is gone, hides its uploads, or answers nonsense: it waits until its count moves again.
        log.info("uploads of %s: %s", wanted.channel_id, error)
        failure = error
    except ApiError as error:
        if not candidates:
            raise
        # What came is paid for; the channel is listed again by the next hunt.
        return Find(road="uploads", candidates=tuple(candidates), error=str(error), acknowledge=_nothing)
    rate = uploads_a_day((one.published_at for one in candidates), IDS_PER_CALL, now)
    noting = partial(_note_list, {"channel": wanted.channel, "rate": rate})
    return Find(road="uploads", candidates=tuple(candidates), error=str(failure or ""), acknowledge=noting)


def _note_list(words: dict[str, object], connection: psycopg.Connection, now: datetime) -> None:
    connection.execute(QUERIES.note_list, {**words, "now": now})


def _nothing(_connection: psycopg.Connection, _now: datetime) -> None:
    """The list was not read to its end: what is noted of the channel stays."""
