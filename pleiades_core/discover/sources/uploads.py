"""Uploads lists: what the channels we know have published, 50 videos for one unit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from pleiades_core.discover.queries import QUERIES
from pleiades_core.discover.sources.source import Find
from pleiades_core.errors import BadReply, BadRequest, ResourceMissing
from pleiades_core.models import ChannelId
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import GENERAL, Reservation

log = logging.getLogger(__name__)

#: A channel is not listed again sooner: most publish less than once a day, and a listing costs as much as 50 polls.
RELIST_AFTER = timedelta(hours=6)


def uploads(database: Database, youtube: YouTube, *, now: datetime, channels: int, parallel: int) -> Iterator[Find]:
    """The newest page of the `channels` that have waited longest. Raises the first error, after the finds."""
    with database.transaction() as connection:
        rows = connection.execute(QUERIES.next_channels, {"before": now - RELIST_AFTER, "limit": channels}).fetchall()
    with youtube.reserved(GENERAL, "hunting", len(rows)) as reservation:
        finds, errors = ask_all(partial(_newest, youtube, reservation), rows, threads=parallel)
    yield from finds
    if errors:
        raise errors[0]


def _newest(youtube: YouTube, reservation: Reservation | None, row: tuple[int, ChannelId]) -> Find:
    channel, channel_id = row
    try:
        candidates = youtube.uploads(channel_id, reservation=reservation).candidates
    except (ResourceMissing, BadRequest, BadReply) as error:
        # The channel is gone, hides its uploads, or answers nonsense: it waits for its next turn like the others.
        log.info("uploads of %s: %s", channel_id, error)
        candidates = ()
    return Find(road="uploads", candidates=candidates, acknowledge=partial(_note, channel))


def _note(channel: int, connection: psycopg.Connection, now: datetime) -> None:
    connection.execute(QUERIES.ack_channels, {"channels": [channel], "now": now})
