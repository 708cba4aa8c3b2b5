"""Choices about followed channels: how often they upload, which lists are worth their units, which channels are followed.

Belongs here: estimates and choices. Does not belong here: requests (sources/feeds.py, sources/uploads.py), the rows
(storage/sql/channels.sql).
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
#: Older uploads say little about the present rate.
_MEMORY = timedelta(days=30)
#: Uploads a day assumed of a silent channel, so that it is looked at now and then.
LEAST_RATE = 0.02
#: The most pages of one channel in a hunt. More new uploads are a mistake or a bulk upload.
MOST_PAGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ToList:
    """A channel with uploads that no source has seen."""

    channel: int
    channel_id: ChannelId
    #: How many unseen uploads.
    moved: int

    @property
    def pages(self) -> int:
        """Calls of playlistItems.list for these uploads."""
        return min(MOST_PAGES, math.ceil(self.moved / IDS_PER_CALL))

    @property
    def cost(self) -> float:
        """Units for its pages, and for describing their videos."""
        return self.pages + min(self.moved, self.pages * IDS_PER_CALL) / IDS_PER_CALL


def forget(connection: psycopg.Connection, _now: datetime, *, most: int) -> None:
    """Bound the number of followed channels: those that upload least are removed. They come back with their next video.

    Args:
        connection: the caller's transaction.
        _now: not used; `Acknowledge` has it.
        most: the most channels.
    """
    connection.execute(_SQL.forget_channels, {"most": most})


def take_off(connection: psycopg.Connection, admitted: Iterable[VideoDetails]) -> None:
    """Subtract videos that other sources found from the channels' unseen uploads, in the transaction that admits them."""
    pairs = [(details.channel_id, details.published_at) for details in admitted]
    parameters = {"channel_ids": [channel_id for channel_id, _ in pairs], "published": [published for _, published in pairs]}
    connection.execute(_SQL.take_off, parameters)


def uploads_a_day(published: Iterable[datetime | None], page: int, now: datetime) -> float | None:
    """Estimate the rate at which a channel uploads. Pure.

    A full page younger than a month spans exactly the uploads of that time; otherwise the month counts, quiet days included.

    Args:
        published: instants of publication, the newest first.
        page: instants that a full page has.
        now: the present instant.

    Returns:
        Uploads a day; None if it cannot be estimated.
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
    """The channels with most unseen uploads, as many as `units` pay for: their pages, and describing their videos."""
    chosen: list[ToList] = []
    for listed in sorted(waiting, key=lambda row: (-row.moved, row.channel)):
        if listed.cost <= units:
            units -= listed.cost
            chosen.append(listed)
    return chosen
