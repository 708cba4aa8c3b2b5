"""Checks of the files of a day: run alone on any day, red when a byte is wrong, and asked for by the schedule."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from support.failures import shown_failure

from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation
from pleiades_core.vault.day_facts import RegistryInspection, inspect_registry
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset
from pleiades_core.watchlist.cohorts import CohortReport
from pleiades_dagster.day_check_runner import days_to_verify
from pleiades_dagster.day_checks import OF_COHORT, OF_METRICS, OF_VIDEOS, cohort_verdicts, videos_verdicts
from pleiades_dagster.definitions import build_defs

Alone = Callable[..., dg.ExecuteInProcessResult]
Run = Callable[..., dg.ExecuteInProcessResult]
ALL = {"daily_metrics": OF_METRICS, "discovered_videos": OF_VIDEOS, "watchlist": OF_COHORT}
FILES = {"daily_metrics": SAMPLES, "discovered_videos": REGISTRY}
GOOD = RegistryInspection(
    day=date(2026, 3, 1), rows=10, expected_rows=10, unknown_batches=0, recorded_rows=10, distinct_keys=10, invalid_ids=0,
    shared_ids=0, sha256="a" * 64, manifest_sha256="a" * 64, recorded_sha256="a" * 64,
)  # fmt: skip
COHORT = CohortReport(
    day=date(2026, 3, 1), through=date(2026, 3, 2), videos=100, polls=900, missing=25, disagreements=0, bytes=0
)


@pytest.fixture
def alone(defs: dg.Definitions, instance: dg.DagsterInstance) -> Alone:
    """Run checks of one asset and nothing else, as *Execute* in the UI does; `names`: all that can run alone."""
    job = defs.get_repository_def().get_implicit_global_asset_job_def()

    def execute(asset: str, key: str | None, *names: str) -> dg.ExecuteInProcessResult:
        chosen = {dg.AssetCheckKey(dg.AssetKey(asset), name) for name in names or ALL[asset]}
        tags = {"dagster/partition": key} if key else {}
        subset = job.get_subset(asset_selection=set(), asset_check_selection=chosen)
        return subset.execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    return execute


@pytest.fixture
def closed(run: Any, pleiades: Installation) -> str:
    """A day that is over and closed: found, polled, folded."""
    clock = pleiades.clock
    assert isinstance(clock, ManualClock)
    day = clock.now().date()
    assert run("hunt", day).success
    clock.advance(timedelta(hours=1))
    assert run("track", "HOURLY").success
    clock.advance(timedelta(days=1))
    for job in ("fold_registry", "close_day", "derive_day"):
        assert run(job, day).success
    return str(day)


def _found(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def _flip(pleiades: Installation, key: str, where: int) -> None:
    path = pleiades.settings.vault_root / key
    content = bytearray(path.read_bytes())
    content[where] ^= 0x10
    path.write_bytes(content)


def test_each_asset_is_checked_alone_on_a_day(alone: Alone, closed: str) -> None:
    """No asset is materialised, every check is evaluated for its day, all at once or one by one."""
    for asset, about in ALL.items():
        result = alone(asset, closed)
        assert result.success, asset
        assert result.get_asset_materialization_events() == []
        found = _found(result)
        assert {name: found[name].partition for name in found} == dict.fromkeys(about, closed)
        # Two polls cannot cover a day.
        assert [name for name in found if not found[name].passed] == (["coverage"] if asset == "daily_metrics" else [])
    assert list(_found(alone("daily_metrics", closed, "keys_unique"))) == ["keys_unique"]


@pytest.mark.parametrize("where", [100, -30])
def test_one_flipped_byte_turns_the_check_red(alone: Alone, pleiades: Installation, closed: str, where: int) -> None:
    """In the data and in the footer. The check names the file and the cure, and its run fails because it is blocking."""
    for asset, dataset in FILES.items():
        key = dataset.day_key(date.fromisoformat(closed))
        _flip(pleiades, key, where)
        result = alone(asset, closed, "checksum_matches")
        red = _found(result)["checksum_matches"]
        assert not result.success
        assert not red.passed
        assert (red.severity, red.blocking, red.partition) == (dg.AssetCheckSeverity.ERROR, True, closed)
        assert key in str(red.description)
        assert "copy" in str(red.description) or "move it" in str(red.description)


def test_a_file_that_is_gone_fails_every_check(alone: Alone, pleiades: Installation, closed: str) -> None:
    """Each check names the file and says what to do."""
    for asset, dataset in FILES.items():
        key = dataset.day_key(date.fromisoformat(closed))
        (pleiades.settings.vault_root / key).unlink()
        found = _found(alone(asset, closed))
        assert {name for name in found if not found[name].passed} == set(ALL[asset])
        for check in found.values():
            assert str(check.description).startswith(f"{key} is missing, although {closed} was closed. restore it from a copy")
            assert f"`pleiades give-up {closed}`" in str(check.description)


def test_a_day_that_was_never_closed_says_so(alone: Alone, run: Run, pleiades: Installation) -> None:
    """Its batches are recorded, and it is over, so it must have a file; the file was not lost."""
    clock = pleiades.clock
    assert isinstance(clock, ManualClock)
    day = clock.now().date()
    assert run("hunt", day).success
    clock.advance(timedelta(days=2))
    red = _found(alone("discovered_videos", str(day), "checksum_matches"))["checksum_matches"]
    assert not red.passed
    assert f"{day} is not closed yet" in str(red.description)
    assert f"`pleiades close-day {day}`" in str(red.description)


@pytest.mark.parametrize("dataset", [SAMPLES, REGISTRY], ids=["samples", "registry"])
@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_fold_that_lacks_a_file_is_not_compared_with_sql(
    alone: Alone, pleiades: Installation, closed: str, dataset: Dataset, harm: str
) -> None:
    """Neither SQL nor the samples are called wrong; the check names the file and says what to do."""
    key = dataset.day_key(date.fromisoformat(closed))
    if harm == "missing":
        (pleiades.settings.vault_root / key).unlink()
    else:
        _flip(pleiades, key, 100)
    red = _found(alone("watchlist", closed, "schedule_is_the_fold"))["schedule_is_the_fold"]
    said = str(red.description)
    assert not red.passed
    assert "disagree" not in said
    assert said.startswith(f"SQL and the samples cannot be compared: {key} ")
    assert "copy" in said


def test_a_derived_day_names_a_damaged_file_once(run: Run, pleiades: Installation, closed: str) -> None:
    _flip(pleiades, SAMPLES.day_key(date.fromisoformat(closed)), 100)
    failure = shown_failure(run("derive_day", closed), "daily_velocity")
    assert failure.description.count("left out") == 1
    assert failure.description.count(SAMPLES.day_key(date.fromisoformat(closed))) == 1


def test_a_schedule_that_is_not_the_fold_turns_the_check_red(alone: Alone, pleiades: Installation, closed: str) -> None:
    with pleiades.database.transaction() as connection:
        connection.execute("update watchlist set misses = misses + 1 where vid = (select min(vid) from watchlist)")
    result = alone("watchlist", closed, "schedule_is_the_fold")
    red = _found(result)["schedule_is_the_fold"]
    assert not result.success
    assert not red.passed
    assert red.metadata["disagreements"].value == 1
    assert f"disagree on 1 videos of {closed}" in str(red.description)


def test_a_day_that_has_no_file_for_a_good_reason_has_no_result(
    alone: Alone, pleiades: Installation, instance: dg.DagsterInstance, closed: str
) -> None:
    """Today, and a day on which nothing was recorded: a passed check would say that a file was looked at."""
    clock = pleiades.clock
    assert isinstance(clock, ManualClock)
    today = clock.now().date()
    clock.advance(timedelta(days=3))
    idle = today + timedelta(days=1)
    for day, now in ((today, today), (idle, clock.now().date())):
        clock.advance(datetime.combine(now, time(12), UTC) - clock.now())
        for asset in ALL:
            result = alone(asset, str(day))
            assert result.success
            assert _found(result) == {}, (asset, day)
    stored = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("daily_metrics"), "checksum_matches"), limit=10
    )
    assert {record.partition for record in stored if record.status is AssetCheckExecutionRecordStatus.SUCCEEDED} == {closed}


def test_checks_without_a_day_are_those_of_the_newest_closed_day(
    alone: Alone, run: Run, pleiades: Installation, instance: dg.DagsterInstance, closed: str
) -> None:
    """*Execute all* in the UI, and the job `verify` without a tag. Each result is stored for its day, and names it."""
    for asset, about in ALL.items():
        found = _found(alone(asset, None))
        assert {name: found[name].partition for name in found} == dict.fromkeys(about, closed)
        assert {check.metadata["day"].value for check in found.values()} == {closed}
    key = SAMPLES.day_key(date.fromisoformat(closed))
    assert run("verify").success
    (pleiades.settings.vault_root / key).unlink()
    lost = run("verify")
    assert not lost.success, "a lost file does not make an older day the newest one"
    assert key in str(_found(lost)["times_inside_day"].description)
    summary = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("daily_metrics"), "times_inside_day"), limit=1
    )
    assert [(record.status, record.partition) for record in summary] == [(AssetCheckExecutionRecordStatus.FAILED, closed)]


def test_checks_before_the_first_closing_have_no_result(alone: Alone) -> None:
    result = alone("daily_metrics", None)
    assert result.success
    assert _found(result) == {}


def test_checks_of_a_day_before_the_first_one_name_the_first_one(alone: Alone, world_start: datetime) -> None:
    before = world_start.date() - timedelta(days=2)
    for asset in ALL:
        failure = shown_failure(alone(asset, str(before)), f"{asset}_checks")
        assert failure.metadata["exit_code"] == 2
        assert f"nothing to check on {before}" in failure.description
        assert f"the first day is {world_start.date()}" in failure.description


def test_assets_after_a_check_that_is_skipped_are_made(
    defs: dg.Definitions, pleiades: Installation, instance: dg.DagsterInstance
) -> None:
    """Materialising today's videos and the live ranking together: the blocking checks of today have nothing to say."""
    repository = defs.get_repository_def()
    job = repository.get_implicit_global_asset_job_def()
    chosen = {dg.AssetKey("discovered_videos"), dg.AssetKey("live_ranking")}
    checks = {key for key in repository.asset_graph.asset_check_keys if key.asset_key in chosen}
    result = job.get_subset(asset_selection=chosen, asset_check_selection=checks).execute_in_process(
        instance=instance, partition_key=str(pleiades.clock.now().date()), raise_on_error=False
    )
    assert result.success
    assert {event.asset_key for event in result.get_asset_materialization_events()} == chosen


def test_a_range_is_checked_day_by_day(
    pleiades: Installation, resources: dict[str, Any], instance: dg.DagsterInstance, closed: str
) -> None:
    """A backfill of several days in one run: each result has its day, and a red one fails the run."""
    first = date.fromisoformat(closed) - timedelta(days=1)
    defs = build_defs(home=str(pleiades.settings.home), first_day=first, **resources)
    span = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": closed}

    def derive() -> tuple[bool, dict[str | None, bool]]:
        job = defs.resolve_job_def("derive_day")
        result = job.execute_in_process(instance=instance, tags=span, raise_on_error=False)
        found = [one for one in result.get_asset_check_evaluations() if one.check_name == "schedule_is_the_fold"]
        return result.success, {check.partition: check.passed for check in found}

    assert derive() == (True, {closed: True}), "nothing was recorded on the first day"
    with pleiades.database.transaction() as connection:
        connection.execute("update watchlist set misses = misses + 1")
    assert derive() == (False, {closed: False})


def test_the_daily_verification_runs_the_checks_of_its_days(
    defs: dg.Definitions, run: Any, resources: dict[str, Any], pleiades: Installation, closed: str
) -> None:
    """What the schedule asks for is run as its daemon would: by tags, in a job of checks alone."""
    repository = defs.get_repository_def()
    tick = pleiades.clock.now()
    with dg.build_schedule_context(scheduled_execution_time=tick, repository_def=repository, resources=resources) as context:
        requests = repository.get_schedule_def("verify_daily").evaluate_tick(context).run_requests
    assert requests is not None
    assert [request.tags["dagster/partition"] for request in requests] == [closed]
    (request,) = requests
    good = run("verify", tags=request.tags)
    assert good.success
    assert good.get_asset_materialization_events() == []
    assert {(check.asset_key.to_user_string(), check.check_name) for check in good.get_asset_check_evaluations()} == {
        (asset, name) for asset, about in ALL.items() for name in about
    }
    _flip(pleiades, SAMPLES.day_key(date.fromisoformat(closed)), 100)
    assert not run("verify", tags=request.tags).success


def test_every_day_is_verified_in_turn() -> None:
    """The newest two each day, and within as many days as there are older ones each of these."""
    first, today = date(2026, 3, 1), date(2026, 3, 20)
    assert days_to_verify(today, today) == []
    assert days_to_verify(today - timedelta(days=1), today) == [date(2026, 3, 19)]
    newest, eve, _ = days_to_verify(first, today)
    assert (newest, eve) == (date(2026, 3, 19), date(2026, 3, 18))
    older = [first + timedelta(days=n) for n in range(17)]
    # The installation stands still here, so that the older days stay the same ones; a real one has one more each day.
    turns = [days_to_verify(day, day + (today - first))[2] - day for day in (first + timedelta(days=n) for n in range(17))]
    assert sorted(turns) == [day - first for day in older]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"expected_rows": 11}, "rows_equal_batches"),
        ({"unknown_batches": 1, "recorded_rows": 9}, "rows_equal_batches"),
        ({"distinct_keys": 9}, "keys_unique"),
        ({"sha256": "b" * 64}, "checksum_matches"),
        ({"manifest_sha256": None}, "checksum_matches"),
        ({"recorded_sha256": "b" * 64}, "checksum_matches"),
        ({"invalid_ids": 1}, "ids_valid"),
        ({"shared_ids": 1}, "ids_valid"),
    ],
)
def test_each_check_of_the_registry_fails_for_its_own_reason(changed: dict[str, Any], name: str) -> None:
    assert [verdict.name for verdict in videos_verdicts(GOOD) if not verdict.passed] == []
    red = [verdict for verdict in videos_verdicts(dataclasses.replace(GOOD, **changed)) if not verdict.passed]
    assert [verdict.name for verdict in red] == [name]
    assert all("videos/date=2026-03-01/day.parquet" in verdict.reason for verdict in red)


@pytest.mark.parametrize(
    ("changed", "red"),
    [
        ({}, []),
        ({"missing": 26}, ["cohort_dead_share"]),
        ({"disagreements": 1}, ["schedule_is_the_fold"]),
        ({"videos": 0, "missing": 0}, []),
    ],
)
def test_each_check_of_a_cohort_fails_for_its_own_reason(changed: dict[str, Any], red: list[str]) -> None:
    verdicts = cohort_verdicts(dataclasses.replace(COHORT, **changed))
    assert [verdict.name for verdict in verdicts] == list(OF_COHORT)
    assert [verdict.name for verdict in verdicts if not verdict.passed] == red


def test_an_inspection_counts_what_the_registry_file_holds(pleiades: Installation, closed: str) -> None:
    found = inspect_registry(pleiades.database, pleiades.vault, date.fromisoformat(closed))
    assert found.rows == found.expected_rows == found.recorded_rows == found.distinct_keys > 0
    assert (found.invalid_ids, found.shared_ids, found.unknown_batches) == (0, 0, 0)
    assert found.sha256 == found.manifest_sha256 == found.recorded_sha256
