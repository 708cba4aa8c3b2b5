"""The assets, materialised on an instance in memory against a simulator and a real PostgreSQL."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest
from support.failures import shown_failure

from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_dagster.day_check_runner import results_of_metrics
from pleiades_dagster.day_checks import OF_METRICS


def _metadata(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(node)
    return {name: getattr(value, "value", value) if name != "top" else value for name, value in event.metadata.items()}


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


@pytest.fixture
def clock(pleiades: Installation) -> ManualClock:
    """The clock of the installation, which moves its simulator's."""
    assert isinstance(pleiades.clock, ManualClock)
    return pleiades.clock


@pytest.fixture
def first_day(run: Any, clock: ManualClock) -> str:
    """A day on which something was found and polled, and which may be closed now."""
    day = clock.now().date()
    for _ in range(3):
        assert run("hunt", day).success
        clock.advance(timedelta(hours=1))
    assert run("track", "HOURLY").success
    clock.advance(timedelta(days=1))
    return str(day)


def test_todays_key_hunts_and_reports_numbers(run: Any, clock: ManualClock) -> None:
    result = run("hunt", clock.now().date())
    words = _metadata(result, "discovered_videos")
    assert result.success
    assert words["admitted"] > 0
    assert words["calls_search"] >= 1
    assert words["calls_total"] >= words["calls_search"]
    assert words["units_left_search"] < 100
    assert words["status"] == "complete"
    assert _checks(result)["units_left"].passed
    assert _checks(result)["units_left"].partition == str(clock.now().date())


def test_a_past_key_folds_the_registry_and_calls_nobody(run: Any, pleiades: Installation, first_day: str) -> None:
    before = pleiades.key_ring().ledger.rows()
    result = run("hunt", first_day)
    assert result.success
    assert _metadata(result, "discovered_videos")["rows"] > 0
    assert pleiades.vault.archive.keys("videos") == [f"videos/date={first_day}/day.parquet"]
    assert pleiades.key_ring().ledger.rows() == before
    again = run("hunt", first_day)
    assert _metadata(again, "discovered_videos")["changed"] is False


def test_tracking_polls_what_is_due_now(run: Any, clock: ManualClock) -> None:
    run("hunt", clock.now().date())
    clock.advance(timedelta(hours=1))
    result = run("track", "HOURLY")
    words = _metadata(result, "tracking")
    assert result.success
    assert words["samples"] == words["due"] > 0
    assert words["calls_stats"] >= 1
    assert _checks(result)["lateness"].passed
    assert _metadata(run("track", "HOURLY"), "tracking")["samples"] == 0


@pytest.mark.parametrize("tag", [{"dagster/backfill": "b"}, {}])
def test_a_backfill_of_tracking_is_refused_with_the_reason(run: Any, pleiades: Installation, tag: dict[str, str]) -> None:
    span = {} if tag else {"dagster/asset_partition_range_start": "HOURLY", "dagster/asset_partition_range_end": "WEEKLY"}
    result = run("track", "HOURLY" if tag else None, tags={**tag, **span})
    failure = shown_failure(result, "tracking")
    assert not result.success
    assert "the past cannot be polled" in failure.description
    assert failure.metadata["retry_helps"] is False
    assert failure.metadata["exit_code"] == 2
    assert pleiades.key_ring().ledger.rows() == []


def test_a_day_closes_with_every_check_passed(run: Any, pleiades: Installation, first_day: str) -> None:
    result = run("close_day", first_day)
    found = _checks(result)
    words = _metadata(result, "daily_metrics")
    assert result.success
    assert words["rows"] == words["dagster/row_count"] > 0
    assert {name for name, check in found.items() if not check.passed} == {"coverage"}, "two polls cannot cover a day"
    assert found["coverage"].severity == dg.AssetCheckSeverity.WARN
    assert {check.partition for check in found.values() if check.asset_key == dg.AssetKey("daily_metrics")} == {first_day}
    assert pleiades.vault.archive.keys("metrics") == [SAMPLES.day_key(_date(first_day))]
    version = result.asset_materializations_for_node("daily_metrics")[0].tags["dagster/data_version"]
    assert version == words["sha256"]


def test_closing_again_gives_the_same_bytes(run: Any, pleiades: Installation, first_day: str) -> None:
    for job in ("fold_registry", "close_day"):
        run(job, first_day)
    keys = [SAMPLES.day_key(_date(first_day)), REGISTRY.day_key(_date(first_day))]
    before = [pleiades.vault.archive.read(key) for key in keys]
    assert _metadata(run("close_day", first_day), "daily_metrics")["changed"] is False
    assert _metadata(run("fold_registry", first_day), "discovered_videos")["changed"] is False
    assert [pleiades.vault.archive.read(key) for key in keys] == before


@pytest.mark.parametrize(
    ("job", "nodes", "ahead"),
    [
        ("close_day", ["daily_metrics"], 0),
        ("derive_day", ["watchlist", "daily_velocity", "rankings"], 0),
        ("upkeep", ["discovery_requests"], 0),
        ("hunt", ["discovered_videos"], 1),
    ],
)
def test_a_day_that_is_not_over_is_skipped(run: Any, clock: ManualClock, job: str, nodes: list[str], ahead: int) -> None:
    """The run succeeds, nothing is materialised, no check fails, and the asset's page says from when on the day can be made."""
    day = clock.now().date() + timedelta(days=ahead)
    result = run(job, day)
    assert result.success
    assert [check.check_name for check in result.get_asset_check_evaluations() if not check.passed] == []
    for node in nodes:
        assert result.asset_materializations_for_node(node) == []
        (seen,) = result.asset_observations_for_node(node)
        assert seen.partition == str(day)
        assert seen.metadata["status"].value == "skipped"
        assert f"{day} is skipped: it is 2026-09-01 07:00 UTC for this installation" in str(seen.description)
        assert f"can be closed from {day + timedelta(days=1)} 00:25 UTC on" in str(seen.description)


@pytest.mark.parametrize("where", [100, -30])
def test_checks_notice_one_flipped_byte(run: Any, pleiades: Installation, first_day: str, where: int) -> None:
    """In the data and in the footer: a damaged file is a failed check that says so, never an unexplained crash."""
    run("close_day", first_day)
    path = pleiades.settings.vault_root / SAMPLES.day_key(_date(first_day))
    content = bytearray(path.read_bytes())
    content[where] ^= 0x10
    path.write_bytes(content)
    found = {verdict.name: verdict for verdict in results_of_metrics(pleiades, _date(first_day))}
    assert not found["checksum_matches"].passed
    assert set(found) == set(OF_METRICS)


def test_a_day_whose_file_is_no_parquet_is_not_closed_over(run: Any, pleiades: Installation, first_day: str) -> None:
    run("close_day", first_day)
    # The journal could give the day again.
    shutil.rmtree(pleiades.settings.vault_root / SAMPLES.batch_folder(_date(first_day)))
    with pleiades.database.transaction() as connection:
        connection.execute("delete from batches where dataset = 'samples'")
    (pleiades.settings.vault_root / SAMPLES.day_key(_date(first_day))).write_bytes(b"not Parquet")
    result = run("close_day", first_day)
    failure = shown_failure(result, "daily_metrics")
    assert not result.success
    assert failure.metadata["error"] == "CorruptFile"
    assert failure.metadata["exit_code"] == 6
    assert failure.metadata["retry_helps"] is False


def test_velocity_and_ranking_follow_and_show_a_table(run: Any, first_day: str) -> None:
    run("close_day", first_day)
    result = run("derive_day", first_day)
    words = _metadata(result, "rankings")
    assert result.success
    assert words["rows"] > 0
    speeds = [record.data["views_per_hour"] for record in words["top"].records]
    assert speeds == sorted(speeds, reverse=True)
    assert _metadata(result, "daily_velocity")["rows"] >= words["rows"]


def test_the_live_ranking_needs_no_closed_day(run: Any, clock: ManualClock) -> None:
    run("hunt", clock.now().date())
    clock.advance(timedelta(hours=1))
    run("track", "HOURLY")
    result = run("rank_now")
    assert result.success
    assert _metadata(result, "live_ranking")["rows"] > 0


def test_maintenance_measures_the_footprint(run: Any, first_day: str) -> None:
    result = run("maintain")
    assert result.success
    assert _checks(result)["footprint"].passed
    sql_bytes = _checks(result)["footprint"].metadata["sql_bytes"].value
    assert isinstance(sql_bytes, int)
    assert sql_bytes > 1_000_000
    assert _checks(result)["dead_share"].passed
    assert _checks(result)["no_future_polls"].passed
    assert first_day


def test_spent_quota_is_a_clean_partial_result(run: Any, pleiades: Installation, clock: ManualClock) -> None:
    """Not a failure, no retry, nothing half-written; a warning that says until when."""
    run("hunt", clock.now().date())
    clock.advance(timedelta(hours=1))
    for bucket in Bucket:
        pleiades.key_ring().ledger.mark_exhausted("demo", bucket, None)
    for job, key, node in (("track", "HOURLY", "tracking"), ("hunt", clock.now().date(), "discovered_videos")):
        result = run(job, key)
        units = _checks(result)["units_left"]
        assert result.success
        assert _metadata(result, node)["status"] == "partial"
        assert not units.passed
        assert units.severity == dg.AssetCheckSeverity.WARN
        assert "spent until" in str(units.description)


def _date(key: str) -> date:
    return date.fromisoformat(key)


def test_an_unknown_source_is_refused(run: Any, clock: ManualClock) -> None:
    config = {"ops": {"discovered_videos": {"config": {"sources": ["astrology"]}}}}
    result = run("hunt", clock.now().date(), run_config=config)
    assert not result.success
    assert "no such sources: astrology" in shown_failure(result, "discovered_videos").description


def test_a_failing_source_and_a_full_quota_are_warnings(run: Any, pleiades: Installation, clock: ManualClock) -> None:
    """The hunt is good and says what people should look at."""
    pleiades.settings = pleiades.settings.changed(discovery__when_full="refuse", keys__quota_limits={"demo": {"stats": 1}})
    fault = Fault(method="search.list", status=503, body="{}")
    SimulatorControl(pleiades.settings.youtube.url).set_faults(FaultPlan(faults=(fault,)))
    result = run("hunt", clock.now().date())
    assert result.success
    checks = _checks(result)
    assert not checks["sources_answered"].passed
    assert "search" in checks["sources_answered"].metadata
    assert not checks["all_watched"].passed
    assert checks["keys_live"].passed


def test_a_day_is_learnt_from(run: Any, pleiades: Installation, first_day: str) -> None:
    """Requests go to the vault, terms are scored, coverage is estimated, quota is planned; and again, to the same end."""
    assert run("close_day", first_day).success
    assert run("hunt", first_day).success
    result = run("upkeep", first_day)
    assert result.success
    words = _metadata(result, "discovery_requests")
    assert words["rows"] > 0
    assert pleiades.vault.archive.keys("discovery_requests") == [f"discovery_requests/date={first_day}/day.parquet"]
    assert _metadata(result, "search_terms")["terms"] > 0
    assert _metadata(result, "coverage")["videos"] > 0
    assert _metadata(result, "quota_plan")["watched"] > 0
    assert _checks(result)["plan_fits"].passed
    again = run("upkeep", first_day)
    assert _metadata(again, "discovery_requests")["changed"] is False
    assert _metadata(again, "search_terms") == _metadata(result, "search_terms")
