"""How many more videos can be watched, and which ones if not all can.

Belongs here: the arithmetic, which is pure, and measuring what is watched and what quota pays for. Does not belong here:
admitting (claims.py), forecasts (planner/).

A video's demand only falls as it ages (24 polls a day, then 1, then 1/7). So videos that fit today fit on every later day, and
the room can be measured on the present demand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pleiades_core.discover.admission.claims import Claim
from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.sources.base import Found
from pleiades_core.discover.wrong_clock import latest
from pleiades_core.models import Bucket, QuotaPool, Tier, VideoId
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import decode
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts
from pleiades_core.youtube.api import IDS_PER_CALL
from pleiades_core.youtube.key_pool import pools_of
from pleiades_core.youtube.keyring import KeyRing

#: Share of the units that is kept for losses: the last call of a tick is not full (up to `TIERS.ticks_a_day` units), failed
#: calls are repeated, and a sample has its size only on average.
MARGIN = 0.05

_DAY = timedelta(days=1)
_MASK = (1 << 64) - 1
#: Makes our sample independent of any other use of an id's bits.
_SALT = 0x506C656961646573


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which part of a batch of new videos is watched, and why."""

    #: The part of the new videos that is watched: 0 to 1.
    share: float
    #: Why not all of them, or why all of them although they do not fit. Empty if they fit.
    reason: str


def polls_a_day(tier: Tier) -> float:
    """How often a day a video of this tier is polled."""
    return _DAY / TIERS.interval(tier)


def demand(watched: Mapping[Tier, int]) -> float:
    """Polls a day that these videos need."""
    return sum(videos * polls_a_day(tier) for tier, videos in watched.items())


def in_hourly(videos: Mapping[Tier, int]) -> float:
    """The number of HOURLY videos that need as many polls: 168 videos that are years old count as one new video."""
    return demand(videos) / polls_a_day(Tier.HOURLY)


def room(watched: Mapping[Tier, int], units_a_day: float, *, margin: float = MARGIN) -> int:
    """How many more HOURLY videos can be watched. Pure.

    Args:
        watched: the watched videos by tier.
        units_a_day: units of `videos.batchGetStats` a day, of every project in use that serves the pool `tracking`.
        margin: the part that is kept for losses.

    Returns:
        HOURLY videos; never negative.
    """
    polls = units_a_day * IDS_PER_CALL * (1 - margin)
    return max(0, int((polls - demand(watched)) / polls_a_day(Tier.HOURLY)))


def decide(
    new: float, room: int, when_full: Literal["sample", "refuse", "admit"], *, hourly: int = 0, a_day: float | None = None
) -> Decision:
    """Decide what share of new videos is watched. Pure. All numbers are HOURLY videos (`in_hourly`).

    If `hourly` and `a_day` are given, a sample is spread over the day. Without that the first hunts of a day would take the
    whole room and later ones nothing, and the hour of publication would decide which videos are watched.

    Args:
        new: new videos.
        room: how many more can be watched.
        when_full: what to do if not all fit: watch a sample, none, or all.
        hourly: videos that are watched hourly now.
        a_day: new videos that come in a day; None: not known.

    Returns:
        The share, and the reason.
    """
    share = min(1.0, room / new) if new > 0 else 1.0
    # Counted in HOURLY videos: a hundred old videos may need fewer polls than one of today.
    cause = f"the new videos ask for as many polls as {_some(new)} HOURLY ones, room for {room:,}"
    # HOURLY lasts a day, so a steady flow keeps as many HOURLY videos as come in a day.
    if a_day is not None and a_day > 0 and (steady := (room + hourly) / a_day) < share:
        share, cause = steady, f"{a_day:,.0f} fresh videos come in a day, room for {room + hourly:,} under HOURLY at once"
    if share >= 1:
        return Decision(share=1.0, reason="")
    if when_full == "admit":
        return Decision(share=1.0, reason=f"{cause}: all are watched, and polls will be late")
    if when_full == "refuse":
        return Decision(share=0.0, reason=f"{cause}: none is watched")
    return Decision(share=share, reason=f"{cause}: {share:.1%} are watched, chosen by a hash of the id")


def is_chosen(id8: int, share: float) -> bool:
    """True when the video with this id (signed 64 bits, videoid.py) is in a sample of this share.

    The answer never changes, and it is monotone: a video in a sample is in every larger sample.
    """
    return _mixed(id8) < share * (_MASK + 1)


def _some(videos: float) -> str:
    """A number of HOURLY videos, which may be far below one."""
    return f"{videos:,.0f}" if videos >= 10 else f"{videos:.2g}"  # noqa: PLR2004  two digits say enough


def _mixed(id8: int) -> int:
    """The id's bits, spread evenly: the finaliser of SplitMix64 (Steele, Lea and Flood 2014), which is a bijection."""
    mixed = (id8 ^ _SALT) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


_SQL = load_queries("videos")


def left_out(
    database: Database, ring: KeyRing, settings: Settings, claimed: Claim, found: Sequence[Found], now: datetime
) -> tuple[frozenset[VideoId], Decision]:
    """Choose the videos that are kept and not polled. Videos that a person added are polled in any case.

    Args:
        database: has the watchlist.
        ring: knows which projects serve tracking.
        settings: say what to do when the room is full.
        claimed: the claim.
        found: the described videos of the claim.
        now: the present instant.

    Returns:
        The videos that are not polled, and the decision.
    """
    if not found:
        return frozenset(), Decision(share=1.0, reason="")
    with database.transaction() as connection:
        counts = due_counts(connection, TIERS, now)
        parameters = {"since": now - timedelta(days=1), "latest": latest(now), "named": SOURCES["added"].bit}
        young = connection.execute(_SQL.young_since, parameters).fetchone()
    watched = Counter({tier: count.watched for tier, count in counts.items()})
    # If every key for tracking was refused, a person will mend that; but a video that is left out now is left out for good.
    serving = ring.serving(QuotaPool.TRACKING) or [
        name for name, pools in pools_of(ring.keys).items() if QuotaPool.TRACKING in pools
    ]
    units = sum(ring.ledger.limit(project, Bucket.STATS) for project in serving)
    sampled = [video for video, _ in found if claimed.found_by[video.video_id] != "added"]
    # Videos that a person added take their room first, and are not sampled.
    watched.update(TIERS.tier(now - video.published_at, 0) for video, _ in found if claimed.found_by[video.video_id] == "added")
    decision = decide(
        in_hourly(Counter(TIERS.tier(now - video.published_at, 0) for video in sampled)), room(watched, units),
        settings.discovery.when_full,
        hourly=watched[TIERS.tier(timedelta(), 0)], a_day=float(young[0]) if young else None,
    )  # fmt: skip
    return frozenset(video.video_id for video in sampled if not is_chosen(decode(video.video_id), decision.share)), decision
