"""The planner's word for tomorrow beside what tomorrow then costs: three days of hunting and tracking on the simulator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation
from pleiades_core.models import Tier
from pleiades_core.planner.plan import plan
from pleiades_core.youtube.pool import pools_of
from pleiades_core.youtube.quota import GENERAL, SEARCH, STATS

#: Hours after which tomorrow is forecast: in the evening of the second quota day.
_PLAN_AFTER = 42


def run(pleiades: Installation, hours: int) -> None:
    """A hunt and a tick of each tier at the same minute of every hour, as the schedules have it."""
    assert isinstance(pleiades.clock, ManualClock)
    for _ in range(hours):
        pleiades.hunter().hunt()
        for tier in Tier:
            pleiades.tracker().track(tier)
        pleiades.clock.advance(timedelta(hours=1))


def test_tomorrow_costs_what_the_plan_said(pleiades: Installation) -> None:
    """Units of videos.batchGetStats within 10 %; of the general bucket no fewer than are spent, and at most twice as many.

    Lists are expected to take what they took lately, and a small world runs out of channels whose first list is to be read.
    """
    assert isinstance(pleiades.clock, ManualClock)
    ring = pleiades.key_ring()
    pleiades.clock.advance(timedelta(minutes=7))
    run(pleiades, _PLAN_AFTER)
    made = plan(pleiades.database, ring.ledger, pleiades.settings, pleiades.clock.now(), projects=pools_of(ring.keys), days=1)
    assert made.fits
    tomorrow = {row.bucket: sum(row.gets.values()) for row in made.rows if row.day > made.rows[0].day}
    run(pleiades, 48 - _PLAN_AFTER)
    assert not any(row.spent for row in ring.ledger.rows(ring.projects)), "a new quota day"
    run(pleiades, 24)
    # Back into the day that has just ended, whose ledger it is.
    pleiades.clock.advance(-timedelta(minutes=30))
    spent = {row.bucket: row.spent for row in ring.ledger.rows(ring.projects)}
    assert tomorrow[STATS] == pytest.approx(spent[STATS], rel=0.1)
    assert 0.9 * spent[GENERAL] <= tomorrow[GENERAL] <= 2 * spent[GENERAL]
    assert tomorrow[SEARCH] == pytest.approx(spent[SEARCH], abs=2)
