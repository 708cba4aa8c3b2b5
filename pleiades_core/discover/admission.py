"""Admission: the one door through which a candidate becomes a known, watched video with a vid of its own.

Belongs here: claiming ids (T1), turning details into registry rows, admitting them (T2). Does not belong here: finding
candidates (sources/), the order of a hunt (hunter.py).

A video gets its vid when it is claimed, by the primary key on its id: found twice, or by two hunters at once, it has one. A
claim whose hunter died keeps its vid and is taken over by the next hunt.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from pleiades_core.discover.sources.source import Acknowledge, Found
from pleiades_core.models import Candidate, SampleStatus, Vid, VideoId, counting_definition
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.journal import WrittenBatch, record_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.videoid import decode, encode
from pleiades_core.watchlist.apply import apply
from pleiades_core.watchlist.leases import QUERIES as WATCHLIST
from pleiades_core.watchlist.leases import Lease, end_lease, hold_lease, take_lease

QUERIES = load_queries("discovery")

#: Characters of a description that the registry keeps: enough for topics and links, a tenth of the bytes.
DESCRIPTION_CHARS = 500
#: A claim that could not be described so often, the last times alone in its call, is given up: it must not cost units for ever.
MOST_ATTEMPTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Ids that this hunt alone may describe and admit, with the vids they will have for ever."""

    lease: Lease
    vids: Mapping[VideoId, Vid]
    #: How often each could not be described before.
    attempts: Mapping[VideoId, int]
    #: Where each was found, as in `Find.name`; by an earlier hunt perhaps.
    found_by: Mapping[VideoId, str]


def unseen(database: Database, candidates: Iterable[Candidate]) -> dict[VideoId, int]:
    """Candidates that are neither admitted nor gone, and the number their id spells; in the order they were found."""
    ids = {candidate.video_id: decode(candidate.video_id) for candidate in candidates}
    with database.transaction() as connection:
        seen = {row[0] for row in connection.execute(QUERIES.seen, {"id8s": list(ids.values())}).fetchall()}
    return {video_id: id8 for video_id, id8 in ids.items() if id8 not in seen}


def claim(
    database: Database, lease_id: uuid.UUID, found_by: Mapping[int, str], *, now: datetime, lasting: timedelta
) -> Claim | None:
    """T1: claim new ids, and keep where each was found. None when others have claimed them all; those are theirs to admit."""
    words = {"id8s": list(found_by), "found_by": list(found_by.values())}
    return _claim(database, lease_id, QUERIES.claim, words, now=now, lasting=lasting)


def take_over(database: Database, lease_id: uuid.UUID, *, limit: int, now: datetime, lasting: timedelta) -> Claim | None:
    """T1 for claims whose hunter died or gave up: they keep their vids. None when there are none."""
    words = {"limit": limit, "most_attempts": MOST_ATTEMPTS}
    return _claim(database, lease_id, QUERIES.reclaim, words, now=now, lasting=lasting)


def _claim(
    database: Database, lease_id: uuid.UUID, query: str, words: Mapping[str, object], *, now: datetime, lasting: timedelta
) -> Claim | None:
    with database.transaction() as connection:
        # In turn: a hunter that waits for the row of another's claim would look for that one's lease in a snapshot older than
        # it, and take the claim for a dead one's. Both then described the video.
        connection.execute(WATCHLIST.in_turn)
        lease = take_lease(connection, lease_id, "hunt", now=now, lasting=lasting)
        rows = connection.execute(query, {**words, "lease_id": lease.lease_id, "now": now}).fetchall()
        if not rows:
            end_lease(connection, lease.lease_id)
            return None
    return Claim(
        lease=lease,
        vids={encode(id8): Vid(vid) for id8, vid, _, _ in rows},
        attempts={encode(id8): attempts for id8, _, attempts, _ in rows},
        found_by={encode(id8): found_by or "" for id8, _, _, found_by in rows},
    )


def admit(
    database: Database, claimed: Claim, written: Sequence[tuple[WrittenBatch, pa.Table]], *,
    gone: Iterable[VideoId], failed: Iterable[VideoId], acknowledge: Iterable[Acknowledge], now: datetime,
) -> None:  # fmt: skip
    """T2: record the files, admit and watch their videos, note what is gone, what failed and where roads go on; all or nothing.

    Raises LeaseLost when the lease is gone; the files stay and get adopted, and the roads are asked again.
    """
    with database.transaction() as connection:
        connection.execute(WATCHLIST.in_turn)
        hold_lease(connection, claimed.lease)
        for batch, table in written:
            record_batch(connection, batch, now=now)
            apply(connection, batch, table)
        connection.execute(QUERIES.gone, {"vids": [claimed.vids[video_id] for video_id in gone]})
        connection.execute(QUERIES.failed, {"vids": [claimed.vids[video_id] for video_id in failed]})
        connection.execute(QUERIES.park, {"most_attempts": MOST_ATTEMPTS})
        for acknowledged in acknowledge:
            acknowledged(connection, now)
        end_lease(connection, claimed.lease.lease_id)


def note(database: Database, acknowledge: Iterable[Acknowledge], *, now: datetime) -> None:
    """Note where each road goes on when all it found was known already."""
    with database.transaction() as connection:
        connection.execute(WATCHLIST.in_turn)
        for acknowledged in acknowledge:
            acknowledged(connection, now)


def give_up(database: Database, lease_id: uuid.UUID) -> None:
    """End a claim that was not admitted; the next hunt takes its ids over. Nothing happens to an ended one."""
    with database.transaction() as connection:
        end_lease(connection, lease_id)


def registry_rows(found: Iterable[Found], claimed: Claim, unwatched: AbstractSet[VideoId] = frozenset()) -> pa.Table:
    """Rows of `REGISTRY_SCHEMA` for details and the instants at which they arrived. `unwatched`: known, and not polled."""
    rows = [
        {
            "vid": claimed.vids[details.video_id], "video_id": details.video_id, "channel_id": details.channel_id,
            "channel_title": details.channel_title, "title": details.title,
            "description": details.description[:DESCRIPTION_CHARS], "tags": list(details.tags),
            "category_id": details.category_id, "language": details.language, "duration_s": details.duration_s,
            "live": details.live, "published_at": details.published_at, "discovered_at": arrived_at,
            "road": claimed.found_by[details.video_id], "watched": details.video_id not in unwatched,
        }
        for details, arrived_at in found
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, REGISTRY.schema)


def first_samples(found: Iterable[Found], vids: Mapping[VideoId, Vid]) -> pa.Table:
    """Rows of `SAMPLE_SCHEMA`: the counts that came with the details cost nothing, and start the series early."""
    rows = [
        {
            "vid": vids[details.video_id], "polled_at": arrived_at.replace(microsecond=0), "status": int(SampleStatus.OK),
            "definition": int(counting_definition(arrived_at)), "views": details.counts.views,
            "likes": details.counts.likes, "comments": details.counts.comments,
        }
        for details, arrived_at in found
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, SAMPLES.schema)
