"""The planner's word for tomorrow beside what tomorrow then costs: three days of hunting and tracking on the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.simulators import ForkedSimulator, Simulators

from pleiades_core.clock import ManualClock
from pleiades_core.discover.budget import HUNT_EVERY
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.planner.plan import plan
from pleiades_core.simulator.config import SimulatorConfig
from pleiades_core.watchlist.cadence import TIERS

#: Hours after which tomorrow is forecast: in the evening of the second quota day.
_PLAN_AFTER = 42
#: Uploads a day: of a small world no call is full, and fewer than 50 videos are HOURLY whatever is found.
_MANY, _FEW = 700, 35


@pytest.fixture
def simulator(simulators: Simulators, tmp_path: Path, world_start: datetime, uploads_a_day: int) -> Iterator[ForkedSimulator]:
    """As the common one, of another size."""
    config = SimulatorConfig(
        videos=round(4_000 * uploads_a_day / _MANY), seed=7, start=world_start, days_ahead=4, uploads_per_day=uploads_a_day
    )
    with simulators.running(config, log_path=tmp_path / "simulator.log") as running:
        yield running


def run(pleiades: Installation, hours: int, *, moving: bool) -> None:
    """Ticks of each tier and hunts as they are shipped. `moving`: each hunt in another quarter of its hour than the last."""
    assert isinstance(pleiades.clock, ManualClock)
    step = TIERS.tick(Tier.HOURLY)
    for tick in range(hours * timedelta(hours=1) // step):
        since = tick * step
        hunts, into = divmod(since, HUNT_EVERY)
        if into == hunts * step * moving % HUNT_EVERY:
            pleiades.hunter().hunt()
        for tier in Tier:
            if since % TIERS.tick(tier) == timedelta(0):
                pleiades.tracker().track(tier)
        pleiades.clock.advance(step)


@pytest.mark.parametrize(
    ("uploads_a_day", "moving"),
    [pytest.param(_MANY, False, marks=pytest.mark.sweep), pytest.param(_FEW, False, marks=pytest.mark.sweep), (_FEW, True)],
)
def test_tomorrow_costs_what_the_plan_said(pleiades: Installation, *, moving: bool) -> None:
    """Units of videos.batchGetStats within 10 %; of the general bucket no fewer than are spent, and at most twice as many.

    Lists are expected to take what they took lately, and a small world runs out of channels whose first list is to be read.
    """
    assert isinstance(pleiades.clock, ManualClock)
    ring = pleiades.key_ring()
    pleiades.clock.advance(timedelta(minutes=7))
    run(pleiades, _PLAN_AFTER, moving=moving)
    made = plan(pleiades.database, ring.ledger, pleiades.settings, pleiades.clock.now(), projects=ring.living(), days=1)
    assert made.fits
    tomorrow = {row.bucket: sum(row.gets.values()) for row in made.rows if row.day > made.rows[0].day}
    run(pleiades, 48 - _PLAN_AFTER, moving=moving)
    assert not any(row.spent for row in ring.ledger.rows(ring.projects)), "a new quota day"
    run(pleiades, 24, moving=moving)
    # Back into the day that has just ended, whose ledger it is.
    pleiades.clock.advance(-timedelta(minutes=30))
    spent = {row.bucket: row.spent for row in ring.ledger.rows(ring.projects)}
    assert tomorrow[Bucket.STATS] == pytest.approx(spent[Bucket.STATS], rel=0.1)
    assert 0.9 * spent[Bucket.GENERAL] <= tomorrow[Bucket.GENERAL] <= 2 * spent[Bucket.GENERAL]
    assert tomorrow[Bucket.SEARCH] == pytest.approx(spent[Bucket.SEARCH], abs=2)


@pytest.mark.sweep
@pytest.mark.parametrize("uploads_a_day", [_MANY])
def test_polls_that_stats_units_do_not_pay_for_cost_the_general_units_that_the_plan_said(pleiades: Installation) -> None:
    """20 stats units a day, and everything that is found is watched all the same."""
    assert isinstance(pleiades.clock, ManualClock)
    few = {"discovery__when_full": "admit", "keys__quota_limits": {"demo": {"stats": 20}}}
    pleiades.settings = pleiades.settings.changed(**few)
    ring = pleiades.key_ring()
    pleiades.clock.advance(timedelta(minutes=7))
    run(pleiades, _PLAN_AFTER, moving=False)
    made = plan(pleiades.database, ring.ledger, pleiades.settings, pleiades.clock.now(), projects=ring.living(), days=1)
    assert made.fits
    (tomorrow,) = (row for row in made.rows if row.bucket == Bucket.GENERAL and row.day > made.rows[0].day)
    run(pleiades, 48 - _PLAN_AFTER + 24, moving=False)
    pleiades.clock.advance(-timedelta(minutes=30))
    spent = {row.bucket: row for row in ring.ledger.rows(ring.projects)}
    assert spent[Bucket.STATS].spent_by[QuotaPool.TRACKING] == 20
    assert spent[Bucket.GENERAL].spent_by[QuotaPool.TRACKING] > 100
    assert tomorrow.gets["tracking"] == pytest.approx(spent[Bucket.GENERAL].spent_by[QuotaPool.TRACKING], rel=0.15)
