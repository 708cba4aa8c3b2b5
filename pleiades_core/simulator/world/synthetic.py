"""The synthetic world: seeded channels and videos with heavy tails, and curves in closed form.

Belongs here: drawing the arrays of a world from a seed, and counts as a function of (video, instant). Does not belong here:
words (wording.py), everything that all worlds share (catalogue_world.py). The shapes follow what is known of real series: views
are log-normal over videos, growth decays as a power law of age and comes back in bursts, channels follow Zipf's law.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.world import wording
from pleiades_core.simulator.world.base import VideoText
from pleiades_core.simulator.world.catalogue import Catalogue
from pleiades_core.simulator.world.catalogue_world import CatalogueWorld

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DAY_S = 86_400.0
_VIDEOS_PER_CHANNEL = 12
#: Share of the videos published before `start` that are older than 30 days, up to three years.
_OLD_SHARE = 0.15
_PAST_DAYS = 30.0
_SIGMA_VIEWS = 2.2
_MEDIAN_VIEWS = 900.0
_MOST_VIEWS = 4e9
_REGIONS = ("US", "IN", "BR", "DE", "JP", "MX", "GB", "FR", "KR", "EG")
_BURSTS = 2
#: Shares of all videos with these defects.
HIDDEN_LIKES, COMMENTS_OFF, FROZEN, FALLING, DELETED, PRIVATE_AND_BACK = 0.02, 0.03, 0.01, 0.01, 0.02, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSize:
    """How large a synthetic world is, and when its videos are published."""

    videos: int
    #: Aware UTC; uploads go on until `days_ahead` after it, and none come later.
    start: datetime
    days_ahead: float = 30.0
    #: Uploads a day after `start`; None: the same rate as in the 30 days before.
    uploads_per_day: float | None = None
    #: Channels; None: one for every twelve videos.
    channels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCurves:
    """Counts in closed form, so that any instant can be computed in any order. All arrays are over videos."""

    published_s: Floats
    #: Views in the end, without bursts.
    size: Floats
    #: Power-law decay: seconds, exponent.
    tau_s: Floats
    theta: Floats
    #: Shape (videos, bursts): age at which a burst begins, its height as a share of `size` (0: none), its time constant.
    burst_age_s: Floats
    burst_height: Floats
    burst_span_s: Floats
    #: Counts stand still between these ages.
    frozen_from_s: Floats
    frozen_until_s: Floats
    #: From this age on, views are lower by this share.
    fall_age_s: Floats
    fall_share: Floats
    #: Share of viewers; -1: hidden or switched off.
    like_rate: Floats
    comment_rate: Floats

    def at(self, positions: Ints, at_s: float) -> tuple[Ints, Ints, Ints]:
        """Views, likes and comments; -1 where the API gives none."""
        age = np.maximum(at_s - self.published_s[positions], 0.0)
        frozen_from = self.frozen_from_s[positions]
        age = np.where((age > frozen_from) & (age < self.frozen_until_s[positions]), frozen_from, age)
        grown = 1.0 - (1.0 + age / self.tau_s[positions]) ** -self.theta[positions]
        since = np.maximum(age[:, None] - self.burst_age_s[positions], 0.0)
        grown += (self.burst_height[positions] * -np.expm1(-since / self.burst_span_s[positions])).sum(axis=1)
        reached = np.floor(self.size[positions] * grown)
        fallen = age >= self.fall_age_s[positions]
        views = np.where(fallen, np.floor(reached * (1.0 - self.fall_share[positions])), reached)
        likes = _fraction(reached, self.like_rate[positions])
        comments = _fraction(reached, self.comment_rate[positions])
        return views.astype(np.int64), likes, comments


def _fraction(reached: Floats, rate: Floats) -> Ints:
    return np.where(rate < 0, -1.0, np.floor(reached * rate)).astype(np.int64)


def synthetic_world(size: SyntheticSize, *, seed: int) -> CatalogueWorld:
    """A world drawn from a seed: equal arguments give equal worlds, on every machine with this version of numpy.

    Raises:
        ConfigurationError: the size is impossible.
    """
    channels = max(1, round(size.videos / _VIDEOS_PER_CHANNEL)) if size.channels is None else size.channels
    if size.videos < 1 or channels < 1 or size.days_ahead < 0 or seed < 0:
        raise ConfigurationError(
            "the synthetic world needs at least 1 video and 1 channel, days_ahead ≥ 0 and seed ≥ 0", cure="correct the numbers"
        )
    random = np.random.default_rng(seed)
    count = size.videos
    published = _published(random, size)
    # Zipf-like: the k-th channel uploads in proportion to 1 / (k + 3) ** 0.8.
    weight = 1.0 / (np.arange(channels) + 3.0) ** 0.8
    channel = random.choice(channels, size=count, p=weight / weight.sum())
    topic_of_channel = np.minimum(random.geometric(0.07, channels) - 1, len(wording.TOPICS) - 1)
    # One video in ten is not about its channel's topic.
    strays = random.random(count) < 0.1  # noqa: PLR2004
    topic = np.where(strays, random.integers(0, len(wording.TOPICS), count), topic_of_channel[channel])
    region_of_channel = random.choice(len(_REGIONS), size=channels, p=_shares(len(_REGIONS)))
    patterns = random.integers(0, 14, count)
    details = random.integers(0, 32, count)
    numbers = random.integers(1, 400, count)
    duration = np.exp(random.normal(np.log(260.0), 1.2, count)).astype(np.int64) + 5
    ids = [VideoId(name) for name in _names(random, count, 8)]
    channel_ids = [ChannelId("UC" + name) for name in _names(random, channels, 16)]
    channel_titles = [wording.channel_title(int(topic_of_channel[n]), n + 1) for n in range(channels)]
    category = np.array([topic.category for topic in wording.TOPICS])[topic]
    away_from, away_until = _absences(random, published)
    curves = _curves(random, published, channel, channels)

    def text(n: int) -> VideoText:
        of = int(channel[n])
        about, pattern, detail, number = int(topic[n]), int(patterns[n]), int(details[n]), int(numbers[n])
        return VideoText(
            video_id=ids[n],
            channel_id=channel_ids[of],
            channel_title=channel_titles[of],
            title=wording.title(about, pattern, detail, number),
            description=wording.description(about, channel_titles[of], number),
            tags=wording.tags(about, detail),
            category_id=int(category[n]),
            published_at=datetime.fromtimestamp(float(published[n]), UTC),
            duration_s=int(duration[n]),
            language=wording.language(pattern),
            live="none",
        )

    catalogue = Catalogue(
        ids=ids,
        appears_s=published,
        away_from_s=away_from,
        away_until_s=away_until,
        channel=channel,
        category=category,
        region=region_of_channel[channel],
        regions=_REGIONS,
        duration_s=duration,
        channel_ids=channel_ids,
        channel_titles=channel_titles,
        channel_created_s=size.start.timestamp() - random.uniform(1_200.0, 5_000.0, channels) * _DAY_S,
        text=text,
    )
    facts = {"seed": seed, "start": size.start.isoformat(), "terms": [topic.word for topic in wording.TOPICS[:40]]}
    return CatalogueWorld("synthetic", catalogue, curves, facts, search_seed=seed)


def _published(random: np.random.Generator, size: SyntheticSize) -> Floats:
    """Sorted instants: a back catalogue, 30 days before `start`, and the days ahead; busier in the evening (UTC)."""
    rate = size.uploads_per_day
    if rate is None:
        rate = size.videos * (1.0 - _OLD_SHARE) / (_PAST_DAYS + size.days_ahead)
    ahead = round(rate * size.days_ahead)
    if rate < 0 or ahead > size.videos:
        raise ConfigurationError(
            f"{rate:g} uploads a day for {size.days_ahead:g} days are more than the {size.videos} videos of the world",
            cure="enlarge the world, or lower uploads per day or the days ahead",
        )
    before = size.videos - ahead
    old = round(before * _OLD_SHARE)
    days = np.concatenate(
        [
            random.uniform(0.0, size.days_ahead, ahead),
            -random.uniform(0.0, _PAST_DAYS, before - old),
            -_PAST_DAYS * np.exp(random.uniform(0.0, np.log(36.0), old)),
        ],
    )
    whole = np.floor(days)
    # Makes 17:00 UTC twice as busy as 05:00: the inverse of 1 - a cos is near the identity plus a sine.
    share = days - whole
    share = share + 0.05 * np.sin(2.0 * np.pi * (share - 5.0 / 24.0 + 0.5))
    seconds = np.floor(size.start.timestamp() + (whole + share % 1.0) * _DAY_S)
    return np.sort(seconds)


def _absences(random: np.random.Generator, published: Floats) -> tuple[Floats, Floats]:
    """When videos are away: most never, some deleted for ever, some private for hours or days."""
    count = len(published)
    fate = random.random(count)
    leaves = published + np.exp(random.normal(np.log(4.0 * _DAY_S), 1.3, count))
    span = np.exp(random.normal(np.log(1.5 * _DAY_S), 0.8, count))
    deleted = fate < DELETED
    private = (fate >= DELETED) & (fate < DELETED + PRIVATE_AND_BACK)
    away_from = np.where(deleted | private, leaves, np.inf)
    return away_from, np.where(private, leaves + span, np.inf)


def _curves(random: np.random.Generator, published: Floats, channel: Ints, channels: int) -> SyntheticCurves:
    count = len(published)
    strength = np.exp(random.normal(0.0, 1.0, channels))
    size = np.minimum(_MEDIAN_VIEWS * strength[channel] * np.exp(random.normal(0.0, _SIGMA_VIEWS, count)), _MOST_VIEWS)
    bursting = random.random((count, _BURSTS)) < (0.12, 0.03)
    odd = random.random(count)
    frozen_from = random.uniform(0.2, 6.0, count) * _DAY_S
    frozen = odd < FROZEN
    falling = (odd >= FROZEN) & (odd < FROZEN + FALLING)
    like_rate = np.clip(np.exp(random.normal(np.log(0.035), 0.6, count)), 0.0005, 0.3)
    comment_rate = np.clip(np.exp(random.normal(np.log(0.003), 0.8, count)), 0.00002, 0.08)
    return SyntheticCurves(
        published_s=published,
        size=size,
        tau_s=np.exp(random.normal(np.log(10.0 * 3_600.0), 0.8, count)),
        theta=np.clip(random.normal(0.8, 0.25, count), 0.25, 1.6),
        burst_age_s=np.exp(random.normal(np.log(5.0 * _DAY_S), 1.1, (count, _BURSTS))),
        burst_height=np.where(bursting, np.exp(random.normal(-0.3, 0.9, (count, _BURSTS))), 0.0),
        burst_span_s=np.exp(random.normal(np.log(0.8 * _DAY_S), 0.7, (count, _BURSTS))),
        frozen_from_s=np.where(frozen, frozen_from, np.inf),
        frozen_until_s=np.where(frozen, frozen_from + random.uniform(0.1, 2.0, count) * _DAY_S, np.inf),
        fall_age_s=np.where(falling, random.uniform(0.5, 8.0, count) * _DAY_S, np.inf),
        fall_share=random.uniform(0.01, 0.06, count),
        like_rate=np.where(random.random(count) < HIDDEN_LIKES, -1.0, like_rate),
        comment_rate=np.where(random.random(count) < COMMENTS_OFF, -1.0, comment_rate),
    )


def _names(random: np.random.Generator, count: int, size: int) -> list[str]:
    """Distinct identifiers of `size` random bytes in base64url."""
    names: dict[str, None] = {}
    while len(names) < count:
        raw = random.bytes(size * (count - len(names)))
        names.update(
            (base64.urlsafe_b64encode(raw[at : at + size]).rstrip(b"=").decode(), None) for at in range(0, len(raw), size)
        )
    return list(names)


def _shares(count: int) -> Floats:
    weight = 1.0 / (np.arange(count) + 2.0)
    shares: Floats = weight / weight.sum()
    return shares
