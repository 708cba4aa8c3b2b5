"""Chance that is the same every time: numbers decided by a seed and the names of what they are about.

Belongs here: drawing. Does not belong here: what is drawn for (simulator/feeds/hub.py, simulator/feeds/feeds.py). Worlds over
arrays draw arrays (finding.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws for one seed. The same names give the same number, whenever and in whatever order they are asked for."""

    seed: int

    def uniform(self, *names: object) -> float:
        """Above 0 and below 1."""
        digest = blake2b("\x1f".join(map(str, (self.seed, *names))).encode("utf-8", "surrogatepass"), digest_size=6).digest()
        return (int.from_bytes(digest, "big") + 0.5) / 2**48

    def log_normal(self, median: float, sigma: float, *names: object) -> float:
        """Above 0: half of all draws are below `median`, one in six above `median` times e to the `sigma`."""
        return median * math.exp(sigma * _NORMAL.inv_cdf(self.uniform(*names)))
