"""Claims: a candidate becomes a known, watched video with a vid of its own.

Belongs here: claiming ids (T1), turning details into registry rows, admitting them (T2). Does not belong here: finding
candidates (sources/), the order of a hunt (hunter.py), when a claim is tried again (retry.py).

A video gets its vid when it is claimed, by the primary key on its id: even if it is found twice, or by two hunters at once, it
gets one vid. A claim of a dead hunter keeps its vid and is taken over by the next hunt.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg
import pyarrow as pa

from pleiades_core.batches.commit import commit_batches
from pleiades_core.batches.leases import Lease, end_lease, hold_lease, take_lease
from pleiades_core.discover.admission.retry import LONGEST_WAIT, FailedAttempts, RetryDecision
from pleiades_core.discover.sources.base import Acknowledge, Found
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.models import Candidate, Sample, Vid, VideoId
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records
from pleiades_core.vault.journal import WrittenBatch
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.videoid import decode, encode

_SQL = load_queries("videos")

#: Characters of a description that the registry keeps: enough for topics and links, a tenth of the bytes.
DESCRIPTION_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Ids that this hunt alone may describe and admit, with the vids they will have for ever."""

    lease: Lease
    vids: Mapping[VideoId, Vid]
    #: Failed attempts to describe each video.
    tries: Mapping[VideoId, FailedAttempts]
    #: Where each video was found, as in `Find.name`, perhaps by an earlier hunt.
    found_by: Mapping[VideoId, str]


class _Row(NamedTuple):
    """A claimed row of table `videos`."""

    id8: int
    vid: int
    attempts: int
    absences: int
    found_by: str | None


class Unseen(NamedTuple):
    """Candidates that a hunt may claim, and the number that the id of each spells; in the order they were found."""

    #: Ids that no source found before.
    new: dict[VideoId, int]
    #: Ids that were given up long ago and are found again.
    again: dict[VideoId, int]


def unseen(database: Database, candidates: Iterable[Candidate], *, now: datetime) -> Unseen:
    """The candidates that are not admitted, do not wait for admission, and were not given up lately.

    Args:
        database: has the videos.
        candidates: what the sources found.
        now: the present instant.

    Returns:
        The candidates that may be claimed, in the order in which they were found.
    """
    ids = {candidate.video_id: decode(candidate.video_id) for candidate in candidates}
    with database.transaction() as connection:
        known = dict(connection.execute(_SQL.known, {"id8s": list(ids.values()), "now": now, "latest": latest(now)}).fetchall())
    return Unseen(
        new={video_id: id8 for video_id, id8 in ids.items() if id8 not in known},
        again={video_id: id8 for video_id, id8 in ids.items() if known.get(id8)},
    )


def claim(
    database: Database, lease_id: uuid.UUID, found_by: Mapping[int, str], *, now: datetime, lasting: timedelta
) -> Claim | None:
    """T1: claim new ids, and record where each was found.

    Args:
        database: has the videos.
        lease_id: made up by the caller.
        found_by: where each id was found, by the number that the id spells.
        now: the present instant.
        lasting: how long the lease lasts.

    Returns:
        The claim; None if other hunters have claimed all of the ids.
    """
    parameters = {"id8s": list(found_by), "found_by": list(found_by.values())}
    return _claim(database, lease_id, _SQL.claim, parameters, now=now, lasting=lasting)


def take_over(
    database: Database, lease_id: uuid.UUID, *, limit: int, only_added: bool, now: datetime, lasting: timedelta
) -> Claim | None:
    """T1 for claims of hunters that died or gave up, if their wait is over. They keep their vids. Added videos go first.

    Args:
        database: has the videos.
        lease_id: made up by the caller.
        limit: the most claims.
        only_added: take only videos that people added.
        now: the present instant.
        lasting: how long the lease lasts.

    Returns:
        The claim; None if there is nothing to take over.
    """
    return _claim(
        database,
        lease_id,
        _SQL.reclaim,
        {"limit": limit, "only_added": only_added, "longest": LONGEST_WAIT},
        now=now,
        lasting=lasting,
    )


def _claim(
    database: Database, lease_id: uuid.UUID, query: str, parameters: Mapping[str, object], *, now: datetime, lasting: timedelta
) -> Claim | None:
    with database.transaction() as connection:
        # Under the lock: a hunter that waits for a row of another claim would look for the lease of that claim in a snapshot
        # older than the lease, and take the claim for a dead hunter's. Both would then describe the video.
        lock_discovery(connection)
        lease = take_lease(connection, lease_id, "hunt", now=now, lasting=lasting)
        rows = records(connection, _Row, query, {**parameters, "lease_id": lease.lease_id, "now": now, "latest": latest(now)})
        if not rows:
            end_lease(connection, lease.lease_id)
            return None
    return Claim(
        lease=lease,
        vids={encode(row.id8): Vid(row.vid) for row in rows},
        tries={encode(row.id8): FailedAttempts(row.attempts, row.absences) for row in rows},
        found_by={encode(row.id8): row.found_by or "" for row in rows},
    )


def admit(
    database: Database, claimed: Claim, written: Sequence[tuple[WrittenBatch, pa.Table]], *,
    decisions: Mapping[VideoId, RetryDecision], acknowledge: Iterable[Acknowledge], now: datetime,
) -> None:  # fmt: skip
    """T2: record the files, admit and watch their videos, record failures and where sources go on; all of it or nothing.

    Args:
        database: has the videos.
        claimed: the claim of T1.
        written: the batch files and their rows.
        decisions: what to do with videos that were not described.
        acknowledge: record where sources go on.
        now: the present instant.

    Raises:
        LeaseLost: the lease is gone. The files stay and are adopted, and the sources are asked again.
    """
    with database.transaction() as connection:
        lock_discovery(connection)
        hold_lease(connection, claimed.lease)
        commit_batches(connection, written, now=now)
        connection.execute(
            _SQL.put_off,
            {
                "vids": [claimed.vids[video_id] for video_id in decisions],
                "attempts": [decision.attempts for decision in decisions.values()],
                "absences": [decision.absences for decision in decisions.values()],
                "retry_at": [decision.retry_at for decision in decisions.values()],
                "given_up": [decision.given_up for decision in decisions.values()],
                "found_by": [claimed.found_by[video_id] for video_id in decisions],
            },
        )  # fmt: skip
        for acknowledged in acknowledge:
            acknowledged(connection, now)
        end_lease(connection, claimed.lease.lease_id)


def note(database: Database, acknowledge: Iterable[Acknowledge], *, now: datetime) -> None:
    """Record where each source goes on if everything it found was known already.

    Args:
        database: has the tables of the sources.
        acknowledge: record where sources go on.
        now: the present instant.
    """
    with database.transaction() as connection:
        lock_discovery(connection)
        for acknowledged in acknowledge:
            acknowledged(connection, now)


def waiting(database: Database) -> int:
    """How many claims wait to be described."""
    with database.transaction() as connection:
        row = connection.execute(_SQL.waiting).fetchone()
    return row[0] if row else 0


def described(connection: psycopg.Connection) -> int:
    """How many videos were described and admitted."""
    row = connection.execute(_SQL.described).fetchone()
    return row[0] if row else 0


def give_up(database: Database, lease_id: uuid.UUID) -> None:
    """End a claim that was not admitted; the next hunt takes its ids over. Nothing happens to a claim that has ended."""
    with database.transaction() as connection:
        end_lease(connection, lease_id)


def registry_rows(found: Iterable[Found], claimed: Claim, unwatched: AbstractSet[VideoId] = frozenset()) -> pa.Table:
    """Rows of `REGISTRY_SCHEMA`.

    Args:
        found: details, and the instants at which they arrived.
        claimed: the claim, with vids and sources.
        unwatched: videos that are kept and not polled.

    Returns:
        A row for each video.
    """
    rows = [
        {
            "vid": claimed.vids[details.video_id], "video_id": details.video_id, "channel_id": details.channel_id,
            "channel_title": details.channel_title, "title": details.title,
            "description": details.description[:DESCRIPTION_CHARS], "tags": list(details.tags),
            "category_id": details.category_id, "language": details.language, "duration_s": details.duration_s,
            "live": details.live, "published_at": details.published_at, "discovered_at": arrived_at,
            "source": claimed.found_by[details.video_id], "watched": details.video_id not in unwatched,
        }
        for details, arrived_at in found
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, REGISTRY.schema)


def first_samples(found: Iterable[Found], vids: Mapping[VideoId, Vid]) -> list[Sample]:
    """The counts that came with the details cost nothing, and start the series early."""
    return [Sample.of(vids[details.video_id], arrived_at, details.counts) for details, arrived_at in found]
