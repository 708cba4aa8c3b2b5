"""Repeatable chance: numbers that a seed and some names decide.

Belongs here: drawing. Does not belong here: the use of the numbers (simulator/feeds/hub.py, simulator/feeds/feeds.py). Worlds
over arrays draw arrays (finding.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws for one seed. Equal names give equal numbers, at any time and in any order."""

    seed: int

    def uniform(self, *names: object) -> float:
        """Above 0 and below 1."""
        digest = blake2b("\x1f".join(map(str, (self.seed, *names))).encode("utf-8", "surrogatepass"), digest_size=6).digest()
        return (int.from_bytes(digest, "big") + 0.5) / 2**48

    def log_normal(self, median: float, sigma: float, *names: object) -> float:
        """A log-normal number.

        Args:
            median: half of all draws are below it.
            sigma: one draw in six is above `median` times e to the `sigma`.
            *names: decide the number.

        Returns:
            A number above 0.
        """
        return median * math.exp(sigma * _NORMAL.inv_cdf(self.uniform(*names)))
