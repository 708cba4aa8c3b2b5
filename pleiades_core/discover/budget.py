"""How many of the units that are left one hunt may spend, so that quota lasts until its reset and none is left over. Pure.

Does not belong here: how pools share a project (youtube/quota.py), what a source does with its units (sources/).
"""

from __future__ import annotations

import math
from datetime import timedelta

#: Time between two hunts by default: Dagster's schedule and the planner go by it. An operator who hunts more often spends
#: earlier, never more.
HUNT_EVERY = timedelta(hours=1)


def allowance(left: int, until_reset: timedelta, *, every: timedelta = HUNT_EVERY) -> int:
    """Units for one hunt, when `left` must last for one hunt in each `every` until the reset. The last hunt may have all."""
    hunts = max(1, math.ceil(until_reset / every))
    return math.ceil(max(0, left) / hunts)
