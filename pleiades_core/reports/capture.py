"""Estimating how many videos no source saw: capture and recapture, where each source is an occasion. Pure.

Belongs here: estimators, their intervals, odds ratios. Does not belong here: where the counts come from (coverage.py).

    Chapman 1951     two occasions: Some properties of the hypergeometric distribution with applications to zoological sample
                     censuses. Univ. California Publ. Statist. 1, 131-160. Its variance: Seber 1970, Biometrika 57, 13-25.
    Chao 1989        more occasions, each with its own chance: Estimating population size for sparse data in capture-recapture
                     experiments. Biometrics 45, 427-438. With two occasions it is Chapman's. If some videos are easier to see
                     than others on every source, it is a lower bound, by the argument of Chao 1987, Biometrics 43, 783-791. The
                     interval of 1987, which cannot fall below the number seen, is used for all estimates. The estimator of
                     1987 assumes equal occasions: with sources of 10,000 and 4,000 of 20,000 videos it gives 24,000.
    Woolf 1955       the interval of an odds ratio, with a half added to each cell (Haldane 1956).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: With this many in both samples Chapman's bias is negligible (Robson and Regier 1964, Trans. Am. Fish. Soc. 93).
FEWEST_IN_BOTH = 7
#: Quantile of the normal distribution, for 95 %.
_Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated number of videos."""

    #: Seen and unseen.
    total: float
    #: Bounds of the 95 % interval.
    low: float
    high: float
    #: Videos that the sources of the estimate saw together.
    seen: int

    @property
    def unseen_share(self) -> float:
        """The share of the total that no source of the estimate saw."""
        return 1 - self.seen / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsRatio:
    """The odds of a kind of video on a source, relative to the other sources; 1: as likely."""

    ratio: float
    #: Of 95 %.
    low: float
    high: float


def chapman(first: int, second: int, both: int) -> Estimate | None:
    """The size of a population, from two independent samples (Chapman 1951).

    Args:
        first: size of the first sample.
        second: size of the second sample.
        both: members that are in both.

    Returns:
        The estimate; None if fewer than FEWEST_IN_BOTH are in both.

    Raises:
        ValueError: the counts are impossible.
    """
    if not 0 <= both <= min(first, second):
        raise ValueError(f"{both} of {first} and {second} cannot be in both")
    if both < FEWEST_IN_BOTH:
        return None
    seen = first + second - both
    total = (first + 1) * (second + 1) / (both + 1) - 1
    variance = (first + 1) * (second + 1) * (first - both) * (second - both) / ((both + 1) ** 2 * (both + 2))
    return _estimate(seen, total - seen, variance)


def chao(masks: Mapping[int, int], occasions: Sequence[int]) -> Estimate | None:
    """A lower bound of the number of videos, by Chao 1989.

    `masks[m]` videos were seen by exactly the sources in the mask m. Each occasion is a mask of sources. None if there are
    fewer than two occasions, or too few videos were seen on exactly two.
    """
    once = [0] * len(occasions)
    twice = seen = 0
    for mask, count in masks.items():
        places = [place for place, sources in enumerate(occasions) if mask & sources]
        seen += count if places else 0
        twice += count if len(places) == 2 else 0  # noqa: PLR2004  twice
        if len(places) == 1:
            once[places[0]] += count
    if twice < FEWEST_IN_BOTH:
        return None
    seen_once = sum(once)
    pairs = sum(count * (seen_once - count) for count in once) / 2
    unseen = pairs / (twice + 1)
    # By the delta method on Poisson counts; for two occasions Seber's variance.
    variance = (
        unseen
        + sum(count * ((seen_once - count) / (twice + 1)) ** 2 for count in once)
        + twice * (pairs / (twice + 1) ** 2) ** 2
    )
    return _estimate(seen, unseen, variance)


def odds_ratio(kind_here: int, here: int, kind_elsewhere: int, elsewhere: int) -> OddsRatio:
    """The odds ratio of a kind of video, with its interval (Woolf 1955, Haldane 1956).

    Args:
        kind_here: videos of the kind on the source.
        here: videos of the source.
        kind_elsewhere: videos of the kind on other sources.
        elsewhere: videos of other sources.

    Returns:
        The ratio.

    Raises:
        ValueError: the counts are impossible.
    """
    cells = [kind_here, here - kind_here, kind_elsewhere, elsewhere - kind_elsewhere]
    if min(cells) < 0:
        raise ValueError(f"{kind_here} of {here} and {kind_elsewhere} of {elsewhere} cannot be")
    a, b, c, d = (cell + 0.5 for cell in cells)
    ratio, spread = a * d / (b * c), math.exp(_Z * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d))
    return OddsRatio(ratio=ratio, low=ratio / spread, high=ratio * spread)


def _estimate(seen: int, unseen: float, variance: float) -> Estimate:
    unseen = max(0.0, unseen)
    if unseen == 0.0:
        return Estimate(total=seen, low=seen, high=seen, seen=seen)
    spread = math.exp(_Z * math.sqrt(math.log1p(variance / unseen**2)))
    return Estimate(total=seen + unseen, low=seen + unseen / spread, high=seen + unseen * spread, seen=seen)
