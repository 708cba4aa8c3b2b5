"""The days that Dagster offers: from the first day of the installation to the last one that can be made, by its own clock."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation
from pleiades_core.settings import DemoSettings, Settings
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.demo.home import note_clock, write_settings
from pleiades_dagster.partitions import ahead_of_machine, utc_days

DAY = timedelta(days=1)
CLOSING = ["daily_metrics", "watchlist", "daily_velocity", "rankings", "discovery_requests"]


def _keys(defs: dg.Definitions, asset: str) -> list[str]:
    days = defs.get_repository_def().asset_graph.get(dg.AssetKey(asset)).partitions_def
    assert days is not None
    return list(days.get_partition_keys())


@pytest.mark.parametrize(
    ("first", "today", "ahead", "begun", "over"),
    [
        (date(2026, 3, 1), date(2026, 3, 4), timedelta(), ("2026-03-01", "2026-03-04"), ("2026-03-01", "2026-03-03")),
        (date(2026, 3, 1), date(2026, 3, 1), timedelta(), ("2026-03-01", "2026-03-01"), None),
        # A simulated world of the past, of the future, and one that is hours behind: rounded up to the same day.
        (date(2026, 3, 1), date(2026, 3, 9), -5 * DAY, ("2026-03-01", "2026-03-04"), ("2026-03-01", "2026-03-03")),
        (date(2026, 3, 5), date(2026, 3, 1), 6 * DAY, ("2026-03-05", "2026-03-07"), ("2026-03-05", "2026-03-06")),
        (date(2026, 3, 1), date(2026, 3, 4), -DAY / 2, ("2026-03-01", "2026-03-04"), ("2026-03-01", "2026-03-03")),
        # Not known: to the machine's today, or two months of a world that has not begun for the machine.
        (date(2026, 3, 1), date(2026, 3, 4), None, ("2026-03-01", "2026-03-04"), ("2026-03-01", "2026-03-03")),
        (date(2026, 3, 1), date(2026, 1, 1), None, ("2026-03-01", "2026-05-01"), ("2026-03-01", "2026-04-30")),
    ],
)
def test_the_two_sets_of_days(
    first: date, today: date, ahead: timedelta | None, begun: tuple[str, str], over: tuple[str, str] | None
) -> None:
    noon = dt.datetime.combine(today, dt.time(12), UTC)
    days = utc_days(first, ahead=ahead, machine_today=today)
    keys = days.begun.get_partition_keys(current_time=noon)
    assert (keys[0], keys[-1]) == begun
    keys = days.over.get_partition_keys(current_time=noon)
    assert ((keys[0], keys[-1]) if keys else None) == over


def test_a_new_installation_has_no_phantom_days(tmp_path: Path) -> None:
    """Neither a home nor a database: the only day is today, and no day can be closed."""
    defs = build_defs(home=str(tmp_path / "nowhere"))
    assert _keys(defs, "discovered_videos") == [datetime.now(UTC).date().isoformat()]
    assert {name: _keys(defs, name) for name in CLOSING} == {name: [] for name in CLOSING}


def test_days_begin_with_the_installation_and_closing_ends_with_yesterday(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    (tmp_path / "installation.json").write_text(f'{{"first_day": "{today - 3 * DAY}"}}')
    defs = build_defs(home=str(tmp_path))
    assert _keys(defs, "discovered_videos") == [str(today - n * DAY) for n in (3, 2, 1, 0)]
    for name in CLOSING:
        assert _keys(defs, name) == [str(today - n * DAY) for n in (3, 2, 1)], name


def test_a_demos_days_end_where_its_clock_stands(tmp_path: Path) -> None:
    """Its simulator does not run here, so the clock is where the play left it; not so of another simulator's."""
    today = datetime.now(UTC).date()
    stood = datetime.combine(today - 10 * DAY, dt.time(1), UTC)
    write_settings(tmp_path, youtube_url="http://127.0.0.1:9", first_day=today - 13 * DAY, terms=("news",))
    note_clock(tmp_path, stood)
    defs = build_defs(home=str(tmp_path))
    last = max(map(date.fromisoformat, _keys(defs, "daily_metrics")))
    # Rounded up: in the first hour of the machine's day the demo's clock is less than ten days behind.
    assert last in {today - 11 * DAY, today - 10 * DAY}
    assert max(map(date.fromisoformat, _keys(defs, "discovered_videos"))) == last + DAY
    simulated = DemoSettings(clock="simulator").changed(youtube__url="http://127.0.0.1:9")
    assert ahead_of_machine(simulated) is None
    assert ahead_of_machine(Settings(clock="system")) == timedelta()


def test_a_backfill_of_all_days_succeeds(
    pleiades: Installation, resources: dict[str, Any], instance: dg.DagsterInstance, world_start: datetime
) -> None:
    """Every day that Dagster offers of an asset made from closed days, today's clock being the installation's."""
    clock = pleiades.clock
    assert isinstance(clock, ManualClock)
    first = world_start.date()

    def wired() -> dg.Definitions:
        ahead = clock.now() - datetime.now(UTC)
        return build_defs(home=str(pleiades.settings.home), first_day=first, ahead=ahead, **resources)

    def materialise(defs: dg.Definitions, asset: str, key: str) -> dg.ExecuteInProcessResult:
        job = defs.get_repository_def().get_implicit_global_asset_job_def()
        selected = job.get_subset(asset_selection={dg.AssetKey(asset)})
        return selected.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)

    for _ in range(2):
        assert materialise(wired(), "discovered_videos", str(clock.now().date())).success
        assert materialise(wired(), "tracking", "HOURLY").success
        clock.set(datetime.combine(clock.now().date() + DAY, dt.time(1), UTC))
    defs = wired()
    for asset in ["discovered_videos", *CLOSING]:
        keys = _keys(defs, asset)
        assert keys[:2] == [str(first), str(first + DAY)]
        # The machine's clock may be at an earlier time of day: then the difference is rounded up to one day more.
        offered = [key for key in keys if key <= str(clock.now().date() - (DAY if asset in CLOSING else 0 * DAY))]
        assert len(keys) - len(offered) <= 1
        for key in offered:
            result = materialise(defs, asset, key)
            assert result.success, (asset, key)
            assert [event.partition for event in result.get_asset_materialization_events()] == [key], asset
