"""Video counts of channels: 50 channels for one unit, and what it means if a channel has none.

Belongs here: which channels are requested together, the request, and what is recorded of its answer. Does not belong here: how
many requests there are, and which lists are read after them (sources/uploads.py).

A channel that makes its request fail, and channels that are gone, must be told from an outage. So channels whose check failed
are requested again in smaller groups, together with channels that are known to exist.
"""

from __future__ import annotations

import logging
import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg

from pleiades_core.discover.channels.followed import LEAST_RATE
from pleiades_core.discover.sources.base import FailureCause, cause_of
from pleiades_core.errors import ApiError
from pleiades_core.models import Bucket, ChannelId
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parse import ChannelDetails
from pleiades_core.youtube.quota import Reservation

log = logging.getLogger(__name__)

_SQL = load_queries("channels")

#: Uploads that a channel's first list counts as: its back catalogue is not what may rise today.
FIRST_LIST = 10
#: Failed channels are requested again in at least this many portions, so that one channel does not block 49 for long.
_PORTIONS_IN_DOUBT = 5
#: Channels that are known to exist in each of these portions; two, because one may be deleted just now.
WITNESSES = 2

Row = tuple[int, ChannelId]
#: The channel's number, its id, and True if its last check gave no count.
DueChannel = tuple[int, ChannelId, bool]


def portions(rows: Sequence[DueChannel], there: Sequence[Row], most: int, rng: random.Random) -> list[list[Row]]:
    """Choose the channels of each call. Pure.

    Channels that waited longest come first: the sure ones, then those whose last check failed, with `WITNESSES`.

    Args:
        rows: channels that are due, those that waited longest first.
        there: channels that are known to exist.
        most: the most calls.
        rng: mixes the channels.

    Returns:
        The channels of each call.
    """
    sure = [(channel, channel_id) for channel, channel_id, in_doubt in rows if not in_doubt]
    doubtful = [(channel, channel_id) for channel, channel_id, in_doubt in rows if in_doubt]
    # Sure channels come first, until a doubtful one has waited longest: then a call is kept for it.
    kept = int(bool(rows) and rows[0][2])
    calls = max(0, min(most - kept, math.ceil(len(sure) / IDS_PER_CALL)))
    sure = sure[: calls * IDS_PER_CALL]
    # Mixed: channels that upload least come last, deleted ones among them, and a call for these alone would have no answer.
    together = [sure[start::calls] for start in range(calls)]
    room = IDS_PER_CALL - len(there)
    doubtful = doubtful[: max(0, most - calls) * room]
    # In a new order each time, so that two channels that always fail are separated one day.
    rng.shuffle(doubtful)
    parts = max(math.ceil(len(doubtful) / room), min(_PORTIONS_IN_DOUBT, len(doubtful)))
    return together + [[*doubtful[start::parts], *there] for start in range(min(parts, most - calls))]


class Check(NamedTuple):
    """One call for the counts of channels, and its result."""

    rows: Sequence[Row]
    details: tuple[ChannelDetails, ...]
    calls: Counter[Bucket]
    error: ApiError | None = None


def check(youtube: YouTube, reservation: Reservation | None, failed: list[Check], rows: Sequence[Row]) -> Check:
    """Ask for the counts of one portion of channels.

    Args:
        youtube: counts the calls.
        reservation: pays for the call; None: the ledger does.
        failed: gets the check if it fails, unless quota or keys are the reason.
        rows: up to 50 channels.

    Returns:
        The check that was answered.

    Raises:
        ApiError: the call failed.

    """
    asking = youtube.part()
    try:
        details = asking.channels([channel_id for _, channel_id in rows], reservation=reservation)
    except ApiError as error:
        if cause_of(error) is not FailureCause.ACCESS:
            log.warning("a check of %d channels failed: %s", len(rows), error)
            failed.append(Check(rows, (), asking.calls(), error))
        raise
    return Check(rows, details, asking.calls())


def note_checks(rows: Sequence[Row], details: Sequence[ChannelDetails], connection: psycopg.Connection, now: datetime) -> None:
    """Record a reply, and which channels were absent from it.

    Args:
        rows: the channels that were requested.
        details: the channels in the reply.
        connection: the caller's transaction.
        now: when the check was made.
    """
    channels = {channel_id: channel for channel, channel_id in rows}
    counted = {channels[video.channel_id]: video.videos for video in details if video.videos is not None}
    parameters = {"channels": list(counted), "videos": [min(videos, 2**31 - 1) for videos in counted.values()]}
    connection.execute(_SQL.note_checks, {**parameters, "first": FIRST_LIST, "least": LEAST_RATE, "now": now})
    absent = [channel for channel in channels.values() if channel not in counted]
    # A reply without any of the channels says nothing about them: the reply of a gateway looks the same.
    note_unchecked(absent, connection, now, answered_for_some=bool(counted), absent=True)


def note_unchecked(
    channels: Sequence[int], connection: psycopg.Connection, now: datetime, *, answered_for_some: bool, absent: bool
) -> None:
    """Note that a check of these channels gave no count.

    Args:
        channels: Internal ids of the channels.
        connection: An open connection; the caller commits.
        now: UTC, when the check was made.
        answered_for_some: The reply gave counts of other channels.
        absent: The reply came and left these channels out. False: there was no reply.
    """
    parameters = {
        "channels": list(channels),
        "answered_for_some": answered_for_some,
        "absent": absent,
        "least": LEAST_RATE,
        "now": now,
    }
    connection.execute(_SQL.note_unchecked, parameters)
