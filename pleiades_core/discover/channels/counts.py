"""Counts of channels: 50 for one unit, and what it means when a channel has none.

Belongs here: which channels are asked for together, the question, what is noted of its answer. Does not belong here: how many
questions there are, and what is listed after them (sources/uploads.py).

A channel that brings its question down, and channels that are gone, are told from an outage by others that are answered for:
what failed is asked again in smaller company, together with channels that are there.
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
from pleiades_core.discover.sources.base import Fault, fault_of
from pleiades_core.errors import ApiError
from pleiades_core.models import Bucket, ChannelId
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parse import ChannelDetails
from pleiades_core.youtube.quota import Reservation

log = logging.getLogger(__name__)

_SQL = load_queries("channels")

#: What a channel's first list is worth beside others: its back catalogue is not what may rise today.
FIRST_LIST = 10
#: What failed is asked again in so many portions at least, so that one channel does not stand in the way of 49 for long.
_PORTIONS_IN_DOUBT = 5
#: Channels that are there, in each of these portions: one may go just now.
WITNESSES = 2

Row = tuple[int, ChannelId]
#: And whether its last check said nothing of it.
Due = tuple[int, ChannelId, bool]


def portions(rows: Sequence[Due], there: Sequence[Row], most: int, rng: random.Random) -> list[list[Row]]:
    """The channels of each of `most` calls or fewer, from those that waited longest on: the sure ones, then those whose last
    check failed, with witnesses. Pure.
    """
    sure = [(channel, channel_id) for channel, channel_id, in_doubt in rows if not in_doubt]
    doubtful = [(channel, channel_id) for channel, channel_id, in_doubt in rows if in_doubt]
    # Others come first, until what is in doubt has waited longest: then a call is kept for it.
    kept = int(bool(rows) and rows[0][2])
    calls = max(0, min(most - kept, math.ceil(len(sure) / IDS_PER_CALL)))
    sure = sure[: calls * IDS_PER_CALL]
    # Mixed: those that upload least come last, those that are gone among them, and a call for these alone has no answer.
    together = [sure[start::calls] for start in range(calls)]
    room = IDS_PER_CALL - len(there)
    doubtful = doubtful[: max(0, most - calls) * room]
    # In other company each time: two that fail for ever part one day.
    rng.shuffle(doubtful)
    parts = max(math.ceil(len(doubtful) / room), min(_PORTIONS_IN_DOUBT, len(doubtful)))
    return together + [[*doubtful[start::parts], *there] for start in range(min(parts, most - calls))]


class Check(NamedTuple):
    """One call for the counts of channels, and what came of it."""

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
        if fault_of(error) is not Fault.ACCESS:
            log.warning("a check of %d channels failed: %s", len(rows), error)
            failed.append(Check(rows, (), asking.calls(), error))
        raise
    return Check(rows, details, asking.calls())


def note_checks(rows: Sequence[Row], details: Sequence[ChannelDetails], connection: psycopg.Connection, now: datetime) -> None:
    """Note a reply, and who was absent from it."""
    channels = {channel_id: channel for channel, channel_id in rows}
    counted = {channels[video.channel_id]: video.videos for video in details if video.videos is not None}
    parameters = {"channels": list(counted), "videos": [min(videos, 2**31 - 1) for videos in counted.values()]}
    connection.execute(_SQL.note_checks, {**parameters, "first": FIRST_LIST, "least": LEAST_RATE, "now": now})
    absent = [channel for channel in channels.values() if channel not in counted]
    # A reply without any of them says nothing of each: a gateway's looks the same.
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
