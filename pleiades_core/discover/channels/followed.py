"""Followed channels: how often they upload, which lists are worth their units, and which are followed at all.

Belongs here: estimates and choices, pure but for forgetting. Does not belong here: asking (sources/feeds.py,
sources/uploads.py), the rows (storage/sql/channels.sql).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from pleiades_core.models import ChannelId, VideoDetails
from pleiades_core.storage.queries import load_queries
from pleiades_core.youtube.api import IDS_PER_CALL

_SQL = load_queries("channels")

_DAY = timedelta(days=1)
#: What a feed or a list shows of longer ago says little about today.
_MEMORY = timedelta(days=30)
#: Even a channel that is silent for a month is looked at now and then.
LEAST_RATE = 0.02
#: A search gives 500; so many pages of one channel at once are a mistake or a bulk upload.
MOST_PAGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ToList:
    """A channel with uploads that nobody has seen."""

    channel: int
    channel_id: ChannelId
    #: How many.
    moved: int

    @property
    def pages(self) -> int:
        """Calls of playlistItems.list that show them."""
        return min(MOST_PAGES, math.ceil(self.moved / IDS_PER_CALL))

    @property
    def cost(self) -> float:
        """Units for its pages, and for describing what they show."""
        return self.pages + min(self.moved, self.pages * IDS_PER_CALL) / IDS_PER_CALL


def forget(connection: psycopg.Connection, _now: datetime, *, most: int) -> None:
    """Follow `most` channels at most: those that upload least are forgotten, and come back with their next video."""
    connection.execute(_SQL.forget_channels, {"most": most})


def take_off(connection: psycopg.Connection, admitted: Iterable[VideoDetails]) -> None:
    """Take what other sources brought off what the uploads lists would be asked for, in the transaction that admits it."""
    pairs = [(details.channel_id, details.published_at) for details in admitted]
    parameters = {"channel_ids": [channel_id for channel_id, _ in pairs], "published": [published for _, published in pairs]}
    connection.execute(_SQL.take_off, parameters)


def uploads_a_day(published: Iterable[datetime | None], page: int, now: datetime) -> float | None:
    """The rate at which a channel uploads, from the newest `page` instants of publication or fewer. None: it cannot be said.

    A full page younger than a month spans exactly what the channel did; otherwise the month counts, quiet days included.
    """
    known = [instant for instant in published if instant is not None]
    if not known:
        return None
    recent = [instant for instant in known if now - instant <= _MEMORY]
    oldest = min(known)
    if len(known) >= page and now - oldest < _MEMORY:
        return max(LEAST_RATE, len(known) / max((now - oldest) / _DAY, 1 / 24))
    return max(LEAST_RATE, len(recent) / (_MEMORY / _DAY))


def affordable(waiting: Sequence[ToList], units: float) -> list[ToList]:
    """Of channels with unseen uploads the richest, as many as `units` pay for: their pages, and describing what they show."""
    chosen: list[ToList] = []
    for listed in sorted(waiting, key=lambda row: (-row.moved, row.channel)):
        if listed.cost <= units:
            units -= listed.cost
            chosen.append(listed)
    return chosen
