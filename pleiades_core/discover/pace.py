"""How much of what is left may be spent now, so that quota lasts until its reset and none is left over. Pure.

Belongs here: spreading units over the day. Does not belong here: sharing them between pools (youtube/quota.py).
"""

from __future__ import annotations

import math
from datetime import timedelta

#: Hunts come so often by default: Dagster's schedule and the planner go by it. Who hunts oftener spends earlier, never more.
HUNT_EVERY = timedelta(hours=1)


def allowance(left: int, until_reset: timedelta, *, every: timedelta = HUNT_EVERY) -> int:
    """Units for one hunt, when `left` must last for one hunt in each `every` until the reset. The last hunt may have all."""
    hunts = max(1, math.ceil(until_reset / every))
    return math.ceil(max(0, left) / hunts)
