"""Schedules and sensors, asked on a real installation; what they ask for, and what they say when they ask for nothing."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator
from pydantic import SecretStr

from pleiades_core.clock import ManualClock
from pleiades_core.discover.budget import HUNT_EVERY
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import KeyInvalid
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket
from pleiades_core.settings import SEVERAL_PROJECTS
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.vault.layout import SAMPLES
from pleiades_core.videoid import decode
from pleiades_dagster.automation.conditions import floor


@pytest.fixture
def ask(defs: dg.Definitions, instance: dg.DagsterInstance, resources: dict[str, Any]) -> Any:
    """Evaluate a sensor by its name: (run requests, reason to skip)."""
    repository = defs.get_repository_def()

    def evaluate(name: str) -> tuple[list[dg.RunRequest], str | None]:
        with dg.build_sensor_context(
            instance=instance,
            repository_def=repository,
            sensor_name=name,
            resources={"installation": resources["installation"]},
        ) as context:
            found = repository.get_sensor_def(name).evaluate_tick(context)
        return list(found.run_requests or ()), found.skip_message

    return evaluate


@pytest.fixture
def clock(pleiades: Installation) -> ManualClock:
    assert isinstance(pleiades.clock, ManualClock)
    return pleiades.clock


def test_an_idle_tier_says_so_in_numbers(ask: Any) -> None:
    requests, reason = ask("hourly_tier")
    assert requests == []
    assert "nothing due: 0 videos are HOURLY" in reason


def test_a_tier_asks_once_a_tick(ask: Any, run: Any, clock: ManualClock) -> None:
    """Two looks within one tick give one run key, of which Dagster makes one run."""
    run("hunt", clock.now().date())
    clock.advance(timedelta(hours=1))
    (first,), _ = ask("hourly_tier")
    clock.advance(timedelta(minutes=2))
    (second,), _ = ask("hourly_tier")
    assert first.partition_key == "HOURLY"
    assert first.run_key == second.run_key == "HOURLY:2026-09-01T08:00"
    assert int(first.tags["pleiades/due"]) > 0
    clock.advance(timedelta(minutes=15))
    (third,), _ = ask("hourly_tier")
    assert third.run_key != first.run_key


def test_spent_quota_makes_a_tier_wait_for_the_reset(ask: Any, run: Any, pleiades: Installation, clock: ManualClock) -> None:
    run("hunt", clock.now().date())
    clock.advance(timedelta(hours=1))
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.STATS, None)
    assert ask("hourly_tier")[0], "videos.list can stand in as long as its own bucket lasts"
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.GENERAL, None)
    requests, reason = ask("hourly_tier")
    assert requests == []
    assert "all quota spent until 2026-09-02 07:00 UTC (exit code 42)" in reason
    clock.set(datetime(2026, 9, 2, 7, tzinfo=UTC))
    assert ask("hourly_tier")[0]


def test_a_day_is_closed_once_it_can_be(ask: Any, run: Any, clock: ManualClock) -> None:
    day = clock.now().date()
    run("hunt", day)
    assert "every day before" in ask("day_closer")[1]
    clock.set(datetime(2026, 9, 2, 0, 20, tzinfo=UTC))
    assert ask("day_closer")[0] == [], "a lease of yesterday may still be alive"
    clock.set(datetime(2026, 9, 2, 0, 25, tzinfo=UTC))
    (request,), _ = ask("day_closer")
    assert request.partition_key == str(day)
    run("close_day", day)
    assert ask("day_closer")[0] == []
    (request,), _ = ask("registry_closer")
    assert request.partition_key == str(day)
    run("fold_registry", day)
    assert ask("registry_closer")[0] == []


def _scheduled(defs: dg.Definitions, resources: dict[str, Any], name: str, tick: datetime) -> Any:
    repository = defs.get_repository_def()
    with dg.build_schedule_context(scheduled_execution_time=tick, repository_def=repository, resources=resources) as context:
        return repository.get_schedule_def(name).evaluate_tick(context)


def test_the_schedule_hunts_today_by_the_installations_clock(defs: dg.Definitions, resources: dict[str, Any]) -> None:
    (request,) = _scheduled(defs, resources, "hunt_hourly", datetime(2026, 11, 22, 10, 7, tzinfo=UTC)).run_requests
    assert request.partition_key == "2026-09-01"
    assert request.run_key == "hunt:2026-11-22T10:07"


def test_hunts_come_as_often_as_the_planner_and_the_pace_of_spending_take_for_granted(defs: dg.Definitions) -> None:
    cron = defs.get_repository_def().get_schedule_def("hunt_hourly").cron_schedule
    assert isinstance(cron, str)
    begin = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    ticks = list(itertools.islice(cron_string_iterator(begin, cron, "UTC"), 50))
    assert {after - before for before, after in itertools.pairwise(ticks)} == {HUNT_EVERY}


def test_no_hunt_is_started_before_the_reset_once_all_is_spent(
    defs: dg.Definitions, resources: dict[str, Any], pleiades: Installation
) -> None:
    tick = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.SEARCH, None)
    assert _scheduled(defs, resources, "hunt_hourly", tick).run_requests, "other sources draw on another bucket"
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.GENERAL, None)
    skipped = _scheduled(defs, resources, "hunt_hourly", tick)
    assert not skipped.run_requests
    assert "until 2026-09-02 07:00 UTC" in skipped.skip_message


def test_units_that_only_refused_keys_reach_start_no_hunt(
    defs: dg.Definitions, resources: dict[str, Any], pleiades: Installation
) -> None:
    """A second project has all its units and no live key; a third serves only tracking."""
    keys = [
        {"key": "demo-key-1", "project": "demo"}, {"key": "a-key-of-the-dead", "project": "dead"},
        {"key": "a-key-for-polls", "project": "polls", "pools": ["tracking"]},
    ]  # fmt: skip
    changed = {"keys__compliance_mode": SEVERAL_PROJECTS, "keys__pool": SecretStr(json.dumps(keys))}
    pleiades.settings = pleiades.settings.changed(**changed)
    tick = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
    ring = pleiades.key_ring()
    for bucket in Bucket:
        ring.ledger.mark_exhausted("demo", bucket, None)
    assert _scheduled(defs, resources, "hunt_hourly", tick).run_requests, "the second project can be asked"
    ring.retire(ring.keys[1], KeyInvalid("no", reason="keyInvalid"))
    assert "until 2026-09-02 07:00 UTC" in _scheduled(defs, resources, "hunt_hourly", tick).skip_message
    ring.retire(ring.keys[0], KeyInvalid("no", reason="keyInvalid"))
    assert _scheduled(defs, resources, "hunt_hourly", tick).run_requests, "the run says what is wrong with the keys"


def test_notices_that_wait_bring_a_hunt_of_the_inbox(ask: Any, run: Any, pleiades: Installation, clock: ManualClock) -> None:
    """After ten minutes, once in twenty, and only the sources that cost nothing to ask."""
    assert ask("inbox")[0] == []
    video = SimulatorControl(pleiades.settings.youtube.url).uploads(clock.now() - timedelta(days=2), clock.now())[0][0]
    with pleiades.database.transaction() as connection:
        connection.execute("insert into inbox (source, id8, received_at) values ('push', %s, %s)", [decode(video), clock.now()])
    assert ask("inbox")[0] == []
    clock.advance(timedelta(minutes=10))
    (request,), _ = ask("inbox")
    assert request.run_key == "inbox:2026-09-01T07:00"
    result = run("hunt", request.partition_key, run_config=request.run_config)
    assert result.success
    assert pleiades.youtube().calls()[Bucket.SEARCH] == 0
    with pleiades.database.transaction() as connection:
        found = connection.execute("select state, sources from videos where id8 = %s", [decode(video)]).fetchone()
    # Its channel became known with it, and the feed of that was read in the same hunt.
    assert found is not None
    assert (found[0], found[1] & SOURCES["push"].bit) == ("admitted", SOURCES["push"].bit)
    assert ask("inbox")[0] == []


def test_the_daily_lesson_is_of_yesterday(defs: dg.Definitions, resources: dict[str, Any], clock: ManualClock) -> None:
    clock.set(datetime(2026, 9, 3, 1, 20, tzinfo=UTC))
    (request,) = _scheduled(defs, resources, "upkeep_daily", clock.now()).run_requests
    assert request.partition_key == "2026-09-02"


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_closed_day_makes_velocity_and_ranking_eager(
    defs: dg.Definitions, instance: dg.DagsterInstance, run: Any, clock: ManualClock
) -> None:
    """And nothing else: tracking is never asked for by a condition."""
    day = clock.now().date()
    run("hunt", day)
    clock.advance(timedelta(days=2))
    before = dg.evaluate_automation_conditions(defs, instance=instance)
    assert before.total_requested == 0
    run("close_day", day)
    after = dg.evaluate_automation_conditions(defs, instance=instance, cursor=before.cursor)
    assert after.get_requested_partitions(dg.AssetKey("rankings")) == {str(day)}
    assert after.get_requested_partitions(dg.AssetKey("daily_velocity")) == {str(day)}
    assert after.get_requested_partitions(dg.AssetKey("watchlist")) == {str(day)}
    assert after.total_requested == 3
    run("derive_day", day)
    again = dg.evaluate_automation_conditions(defs, instance=instance, cursor=after.cursor)
    assert again.total_requested == 0


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_nothing_is_derived_from_a_day_whose_file_is_damaged(
    defs: dg.Definitions, instance: dg.DagsterInstance, run: Any, pleiades: Installation, clock: ManualClock
) -> None:
    """The check is red after the day was closed, in a run of its own: what derives from the day waits until it is green."""
    day = clock.now().date()
    run("hunt", day)
    clock.advance(timedelta(days=2))
    before = dg.evaluate_automation_conditions(defs, instance=instance)
    assert run("fold_registry", day).success
    assert run("close_day", day).success
    path = pleiades.settings.vault_root / SAMPLES.day_key(day)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 0x10]) + whole[101:])
    assert not run("verify", tags={"dagster/partition": str(day)}).success
    red = dg.evaluate_automation_conditions(defs, instance=instance, cursor=before.cursor)
    assert red.total_requested == 0
    path.write_bytes(whole)
    assert run("verify", tags={"dagster/partition": str(day)}).success
    green = dg.evaluate_automation_conditions(defs, instance=instance, cursor=red.cursor)
    assert green.get_requested_partitions(dg.AssetKey("rankings")) == {str(day)}


@pytest.mark.parametrize(
    ("instant", "tick", "expected"),
    [
        (datetime(2026, 3, 1, 12, 14, 59, tzinfo=UTC), timedelta(minutes=15), datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (datetime(2026, 3, 1, 12, 15, tzinfo=UTC), timedelta(minutes=15), datetime(2026, 3, 1, 12, 15, tzinfo=UTC)),
        (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), timedelta(hours=6), datetime(2026, 3, 1, 18, tzinfo=UTC)),
    ],
)
def test_ticks_begin_at_midnight(instant: datetime, tick: timedelta, expected: datetime) -> None:
    assert floor(instant, tick) == expected
