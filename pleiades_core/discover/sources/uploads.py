"""Uploads lists: what the channels we know have published, 50 videos for one unit."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from pleiades_core.discover.queries import QUERIES
from pleiades_core.discover.sources.source import Find
from pleiades_core.errors import ResourceMissing
from pleiades_core.models import Candidate, ChannelId
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube

#: A channel is not listed again sooner: most publish less than once a day, and a listing costs as much as 50 polls.
RELIST_AFTER = timedelta(hours=6)


def uploads(database: Database, youtube: YouTube, *, now: datetime, channels: int, parallel: int) -> Iterator[Find]:
    """The newest page of the `channels` that have waited longest. Raises what `YouTube.uploads` raises."""
    with database.transaction() as connection:
        rows = connection.execute(QUERIES.next_channels, {"before": now - RELIST_AFTER, "limit": channels}).fetchall()
    with concurrent.futures.ThreadPoolExecutor(parallel, thread_name_prefix="uploads") as pool:
        futures = {pool.submit(_newest, youtube, ChannelId(channel_id)): channel for channel, channel_id in rows}
        try:
            for future in concurrent.futures.as_completed(futures):
                yield Find(road="uploads", candidates=future.result(), acknowledge=partial(_note, futures[future]))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _newest(youtube: YouTube, channel_id: ChannelId) -> tuple[Candidate, ...]:
    try:
        return youtube.uploads(channel_id).candidates
    except ResourceMissing:
        # The channel is gone or has no uploads list: listed, nothing found.
        return ()


def _note(channel: int, connection: psycopg.Connection, now: datetime) -> None:
    connection.execute(QUERIES.ack_channels, {"channels": [channel], "now": now})
