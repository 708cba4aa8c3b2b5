"""Which of the videos that were described are polled, when quota cannot poll them all.

Belongs here: measuring what is watched and what quota pays for, and naming who is left out. Does not belong here: the
arithmetic (capacity.py), describing and admitting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from pleiades_core.discover.admission import Claim
from pleiades_core.discover.capacity import Decision, decide, in_hourly, is_chosen, room
from pleiades_core.discover.sources.source import ROADS, Found
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.models import Bucket, Pool, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.slices import due_counts
from pleiades_core.youtube.keyring import KeyRing
from pleiades_core.youtube.pool import pools_of

_SQL = load_queries("videos")


def left_out(
    database: Database, ring: KeyRing, settings: Settings, claimed: Claim, found: Sequence[Found], now: datetime
) -> tuple[frozenset[VideoId], Decision]:
    """Videos of `found` that are kept and not polled, and why. What a person added is polled in any case."""
    if not found:
        return frozenset(), Decision(share=1.0, reason="")
    with database.transaction() as connection:
        counts = due_counts(connection, TIERS, now)
        words = {"since": now - timedelta(days=1), "latest": latest(now), "named": ROADS["manual"]}
        young = connection.execute(_SQL.young_since, words).fetchone()
    watched = Counter({tier: count.watched for tier, count in counts.items()})
    # Where every key for it was refused somebody will mend that, and what is left out now is left out for good.
    serving = ring.serving(Pool.TRACKING) or [name for name, pools in pools_of(ring.keys).items() if Pool.TRACKING in pools]
    units = sum(ring.ledger.limit(project, Bucket.STATS) for project in serving)
    others = [one for one, _ in found if claimed.found_by[one.video_id] != "manual"]
    # What a person added takes its room first, and is no part of what is sampled.
    watched.update(TIERS.tier(now - one.published_at, 0) for one, _ in found if claimed.found_by[one.video_id] == "manual")
    decision = decide(
        in_hourly(Counter(TIERS.tier(now - one.published_at, 0) for one in others)), room(watched, units), settings.when_full,
        hourly=watched[TIERS.tier(timedelta(), 0)], a_day=float(young[0]) if young else None,
    )  # fmt: skip
    return frozenset(one.video_id for one in others if not is_chosen(decode(one.video_id), decision.share)), decision
