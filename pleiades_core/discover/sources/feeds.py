"""Atom feeds: the newest 15 uploads of a channel, for no quota at all, from a service that fails now and then.

Belongs here: which feeds are read next, and telling a channel's failure from an outage. Does not belong here: HTTP and XML
(youtube/feeds.py, youtube/atom.py). Feeds answered 404 or 500 for days in 2024 and 2026, so a failure says nothing about the
channel: its feed is requested again, less often, and its video count is checked meanwhile (uploads.py). An empty feed of a
channel that has uploads is such a failure.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

import psycopg

from pleiades_core.discover.channels.followed import LEAST_RATE, uploads_a_day
from pleiades_core.discover.sources.base import FailureCause, Find, Source, SourceContext, cause_of
from pleiades_core.errors import ApiError, BackendError, ResourceMissing
from pleiades_core.models import Candidate, ChannelId
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.atom import Feed
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.parallel import ask_all

log = logging.getLogger(__name__)

_SQL = load_queries("channels")

#: Entries of a whole feed.
ENTRIES = 15
#: A feed is not read again sooner: maintainers of feed readers report that it is some minutes old anyway.
READ_AGAIN = timedelta(minutes=20)
#: Share of uploads that a live subscription is expected to miss. The feed of a subscribed channel is read only for these. An
#: assumption.
LOST_BY_PUSH = 0.02
#: Feeds read before their failures are counted.
_PORTION = 200
#: Seconds for the whole source: a hunt has other sources to ask.
_SOURCE_S = 300.0
#: If this share of a portion fails, it is an outage, and no further feed is read.
_OUTAGE = 0.8

#: Ordinal and id of a channel, and True if it is known to have uploads.
_Row = tuple[int, ChannelId, bool]


def find(context: SourceContext) -> Iterator[Find]:
    """The feeds that are worth reading in this hunt."""
    settings = context.settings
    if settings.discovery.feeds_per_hunt:
        yield from feeds(
            context.database,
            context.feeds,
            now=context.now,
            limit=settings.discovery.feeds_per_hunt,
            parallel=settings.youtube.parallel_calls,
        )


def feeds(database: Database, atom: Feeds, *, now: datetime, limit: int, parallel: int) -> Iterator[Find]:
    """Read the feeds with the most expected unseen uploads.

    Args:
        database: has the channels.
        atom: reads a feed.
        now: the present instant.
        limit: the most feeds.
        parallel: the most requests at once.

    Yields:
        The result for each portion of feeds.

    Raises:
        BackendError: the feeds have an outage.
    """
    parameters = {"now": now, "again": READ_AGAIN, "lost": LOST_BY_PUSH, "least": LEAST_RATE, "limit": limit}
    with database.transaction() as connection:
        rows = connection.execute(_SQL.feeds_due, parameters).fetchall()
    until = time.monotonic() + _SOURCE_S
    for start in range(0, len(rows), _PORTION):
        portion = rows[start : start + _PORTION]
        failures: dict[int, ApiError] = {}
        # A host that hangs costs each thread three deadlines: then `ask_all` stops.
        ask = partial(_read, atom, failures)
        read, errors = ask_all(ask, portion, threads=parallel, within_s=until - time.monotonic())
        failed, first_error = list(failures), next((str(error) for error in failures.values()), "")
        in_time = time.monotonic() < until
        broken_off = (
            in_time
            and any(cause_of(error) is FailureCause.OUTAGE for error in errors)
            and len(read) + len(failed) < len(portion)
        )
        yield Find(
            source="feeds", error=f"{len(failed)} of {len(portion)} feeds failed: {first_error}" if failed else "",
            candidates=tuple(
                Candidate(video_id=entry.video_id, channel_id=row[1], published_at=entry.published_at)
                for row, feed in read for entry in feed.entries
            ),
            acknowledge=partial(_note, read, failed),
        )  # fmt: skip
        if broken_off or (len(failed) >= _OUTAGE * len(portion) and len(portion) >= _PORTION // 10):
            raise BackendError(f"feeds are out: {len(failed)} of {len(portion)} failed, as in: {first_error}")
        if not in_time:
            log.info("feeds: time is up after %d of %d", start + len(portion), len(rows))
            return


def _read(atom: Feeds, failures: dict[int, ApiError], row: _Row) -> tuple[_Row, Feed]:
    channel, channel_id, has_uploads = row
    try:
        feed = atom.read(channel_id)
        if has_uploads and not feed.entries:
            raise ResourceMissing("the feed is empty, and the channel has uploads")
    except ApiError as error:
        failures[channel] = error
        raise
    return row, feed


def _note(read: Sequence[tuple[_Row, Feed]], failed: list[int], connection: psycopg.Connection, now: datetime) -> None:
    published = [[entry.published_at for entry in feed.entries] for _, feed in read]
    rates = [uploads_a_day(instants, ENTRIES, now) or LEAST_RATE for instants in published]
    # Only a full feed can leave out uploads that are older than its oldest entry.
    oldest = [min(instants) if len(instants) >= ENTRIES else None for instants in published]
    connection.execute(
        _SQL.note_feeds,
        {
            "channels": [row[0] for row, _ in read], "rates": rates, "oldest": oldest,
            "entries": [len(instants) for instants in published], "now": now,
        },
    )  # fmt: skip
    connection.execute(_SQL.note_feed_failures, {"channels": failed, "now": now})


SOURCE = Source(bit=8, order=30, find=find, calls_api=False, group="followed channels", forgets_removed=True)
