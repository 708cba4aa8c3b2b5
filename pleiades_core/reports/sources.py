"""The sources: what each cost, how many videos it found, and its last error.

Belongs here: adding up table `discovery_requests`, and the state of the followed channels. Does not belong here: which share of
all videos was found (coverage.py), the coming days (planner/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pleiades_core.discover.admission.claims import waiting
from pleiades_core.discover.channels.back_catalogues import unread
from pleiades_core.discover.channels.followed import MOST_PAGES
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_duckdb_text, load_queries, records
from pleiades_core.vault import query
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.api import IDS_PER_CALL

#: Younger requests are all in SQL; older ones are deleted from it once they are in the vault (discover/upkeep.REQUESTS_KEPT).
KEPT_IN_SQL = timedelta(days=7)

_SQL = load_queries("sources")
_OLDER = load_duckdb_text("sources", "pleiades_core.reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceYield:
    """A source, or one target of it, over some days."""

    source: str
    #: A term, a chart, a month. Empty for a whole source.
    target: str
    #: Requests that were made.
    requests: int
    #: Units by bucket; empty for a source that costs nothing.
    units: dict[str, int]
    #: Videos found; a video counts as often as it was found.
    candidates: int
    #: Videos that were not known before.
    new: int
    #: None if no unit was spent.
    new_per_unit: float | None
    last_requested_at: datetime
    #: The newest error; empty if there was none.
    last_error: str
    failed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsState:
    """The followed channels."""

    followed: int
    #: Channels with a live push subscription.
    push_live: int
    feeds_failing: int
    #: Channels whose feed was read within a day, without a subscription.
    feeds_only: int
    #: Channels with neither: only checks and lists find their uploads.
    unanswered: int
    #: How many of the unanswered are expected to upload within a day.
    lists_a_day: float
    #: Channels with uploads that no list has shown yet, and the pages for these uploads.
    waiting: int
    waiting_pages: int
    #: Estimate for all channels.
    uploads_a_day: float
    #: Channels whose past uploads are being read, and how many of these uploads are not read yet.
    back_catalogues: int = 0
    back_catalogue_uploads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesReport:
    """Sources and channels."""

    since: datetime
    until: datetime
    sources: tuple[SourceYield, ...]
    #: Videos that were found and not described yet: they wait for quota, for a full call, or for their next attempt.
    to_describe: int
    channels: ChannelsState


class _Row(NamedTuple):
    """A row of `by_target`."""

    source: str
    target: str
    bucket: str
    requests: int
    units: int
    candidates: int
    new: int
    last_requested_at: datetime
    error: str | None
    failed_at: datetime | None


def sources(database: Database, vault: Vault, now: datetime, *, days: float = 7, targets: bool = False) -> SourcesReport:
    """The cost and yield of the sources in the last days. Days that SQL has deleted are read from the vault.

    Args:
        database: has the recent requests.
        vault: has the older ones.
        now: the present instant.
        days: how far to look back.
        targets: a row for each target, not for each source.

    Returns:
        The report; rows with most new videos come first.
    """
    since = now - timedelta(days=days)
    with database.transaction() as connection:
        within = {"since": since, "latest": latest(now)}
        rows = records(connection, _Row, _SQL.by_target, within)
        if now - since > KEPT_IN_SQL:
            kept = [row[0].isoformat() for row in connection.execute(_SQL.days_in_sql, within).fetchall()]
            last = now.date()
            older = query.query(vault, _OLDER, {"since": since, "kept": kept}, first=last, last=last)
            rows += [_Row(**row) for row in older.to_pylist()]
    groups: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.source, row.target if targets else ""), []).append(row)
    found = [_yield(source, target, parts) for (source, target), parts in groups.items()]
    found.sort(key=lambda row: (-row.new, row.source, row.target))
    return SourcesReport(
        since=since, until=now, sources=tuple(found), to_describe=waiting(database), channels=channels_state(database, now)
    )


def channels_state(database: Database, now: datetime) -> ChannelsState:
    """The state of the followed channels."""
    with database.transaction() as connection:
        parameters = {"now": now, "most_pages": MOST_PAGES, "page": IDS_PER_CALL}
        (state,) = records(connection, ChannelsState, _SQL.channels, parameters)
        lists = unread(connection)
    return replace(state, back_catalogues=len(lists), back_catalogue_uploads=sum(list_.left for list_ in lists))


def _yield(source: str, target: str, parts: Sequence[_Row]) -> SourceYield:
    units = Counter[str]()
    for part in parts:
        if part.units:
            units[part.bucket] += part.units
    new = sum(part.new for part in parts)
    failures = [part for part in parts if part.failed_at]
    failed = max(failures, key=lambda part: part.failed_at or part.last_requested_at, default=None)
    return SourceYield(
        source=source, target=target, requests=sum(part.requests for part in parts), units=dict(units), new=new,
        candidates=sum(part.candidates for part in parts), new_per_unit=new / units.total() if units else None,
        last_requested_at=max(part.last_requested_at for part in parts),
        last_error=(failed.error or "") if failed else "", failed_at=failed.failed_at if failed else None,
    )  # fmt: skip
