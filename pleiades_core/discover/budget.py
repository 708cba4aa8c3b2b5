"""The budget of a hunt: how many units it may spend, so that quota lasts until its reset and is used up by then. Pure.

Does not belong here: how pools share a project (youtube/shares.py), how a source spends its units (sources/).
"""

from __future__ import annotations

import math
from datetime import timedelta

#: Time between two hunts by default: Dagster's schedule and the planner go by it. An operator who hunts more often spends
#: earlier, never more.
HUNT_EVERY = timedelta(hours=1)


def allowance(left: int, until_reset: timedelta, *, every: timedelta = HUNT_EVERY) -> int:
    """Units for one hunt. The last hunt before the reset may have all that are left.

    Args:
        left: units until the reset.
        until_reset: the time until the reset.
        every: the time between two hunts.

    Returns:
        Units.
    """
    hunts = max(1, math.ceil(until_reset / every))
    return math.ceil(max(0, left) / hunts)
