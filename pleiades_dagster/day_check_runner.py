"""Data tests of the files of a day. They run after the day is materialised, alone, and by the schedule `verify_daily`.

Belongs here: which days a run of checks is for, which of them have nothing to check, and files that cannot be read. Does not
belong here: the verdicts (day_checks.py), tests of a run (run_checks.py). A test whose failure is an ERROR is blocking: later
steps of the run do not start.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg

from pleiades_core.errors import CorruptFile, DamagedAnswer, MissingFile, NotFound, PleiadesError, VaultError
from pleiades_core.installation import Installation
from pleiades_core.vault.archive import closes_at, has_anything, may_close
from pleiades_core.vault.day_facts import inspect_day, inspect_registry
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset
from pleiades_core.vault.manifest import recorded_day, recorded_files
from pleiades_core.watchlist.cohorts import inspect_cohort
from pleiades_dagster.day_checks import (
    OF_COHORT,
    OF_METRICS,
    OF_VIDEOS,
    DayVerdict,
    cohort_verdicts,
    metrics_verdicts,
    videos_verdicts,
)
from pleiades_dagster.failures import as_failures, refusal
from pleiades_dagster.partitions import day_of
from pleiades_dagster.resources import Opener

#: The newest days that `verify_daily` checks each time; one older day in turn is checked too.
_NEWEST = 2

_ERROR = dg.AssetCheckSeverity.ERROR


def checks_of_files(
    asset: dg.AssetKey,
    days: dg.DailyPartitionsDefinition,
    dataset: Dataset,
    about: Mapping[str, tuple[str, dg.AssetCheckSeverity]],
    judge: Callable[[Installation, date], list[DayVerdict]],
) -> dg.AssetChecksDefinition:
    """The tests of the files of one asset that is partitioned by day. They are one step, which reads the files once.

    Args:
        asset: the asset whose files are tested.
        days: its partitions.
        dataset: the dataset of the files.
        about: name, meaning and severity of each test.
        judge: reads the files of a day and gives the verdicts.

    Returns:
        The checks, each partitioned like the asset.

    """

    @dg.multi_asset_check(
        name=f"{asset.to_python_identifier()}_checks",
        # Dagster lets a test run without its asset only if each test of the step can be left out.
        can_subset=True,
        specs=[
            dg.AssetCheckSpec(name, asset=asset, description=text, partitions_def=days, blocking=severity is _ERROR)
            for name, (text, severity) in about.items()
        ],
    )
    def verify(
        context: dg.AssetCheckExecutionContext, installation: dg.ResourceParam[Opener]
    ) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation]:
        given = _given_days(context, days.start.date())
        selected = {key.name for key in context.selected_asset_check_keys}
        verdicts: list[tuple[date, DayVerdict]] = []
        with as_failures(), installation.open() as opened:
            for day in [_newest_closed(opened, dataset)] if given is None else given:
                if why := _nothing_to_check(opened, dataset, day):
                    # A result would claim that a file was checked. Without a result the check keeps its state.
                    context.log.warning("the checks of %s skip %s: %s", asset.to_user_string(), day, why)
                else:
                    verdicts += [(day, verdict) for verdict in judge(opened, day) if verdict.name in selected]
        for day, verdict in verdicts:
            severity, reason = about[verdict.name][1], verdict.reason or None
            metadata = verdict.metadata | {"day": day.isoformat()}
            if given is not None and len(given) == 1:
                yield dg.AssetCheckResult(
                    asset_key=asset, check_name=verdict.name, passed=verdict.passed, severity=severity, description=reason,
                    metadata=metadata,
                )  # fmt: skip
            else:
                # The result of a run without a partition, or with several, would be stored without a day (dagster 1.13).
                yield dg.AssetCheckEvaluation(
                    asset_key=asset, check_name=verdict.name, passed=verdict.passed, severity=severity, description=reason,
                    metadata=metadata, partition=day.isoformat(), blocking=severity is _ERROR,
                )  # fmt: skip

    return verify


def _given_days(context: dg.AssetCheckExecutionContext, first: date) -> list[date] | None:
    """The days that a run of checks was started for, in order; None if it was started without a partition.

    Dagster does not check the partition of a job of checks, so that a day before the first one arrives here.
    """
    run = context.op_execution_context
    if not (run.has_partition_key or run.has_partition_key_range):
        return None
    start, end = day_of(run.partition_key_range.start), day_of(run.partition_key_range.end)
    if start < first:
        raise refusal(f"there is nothing to check on {start}", cure=f"the first day is {first}: choose it or a later day")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _newest_closed(opened: Installation, dataset: Dataset) -> date:
    """The newest day that was closed, even if its file is missing. Before the first closing: yesterday."""
    closed = [file.day for file in recorded_files(opened.database) if file.dataset is dataset and file.batch_id is None]
    return max(closed, default=opened.clock.now().date() - timedelta(days=1))


def results_of_metrics(opened: Installation, day: date) -> list[DayVerdict]:
    """Every test of one day of samples that is over. A file that cannot be read fails them all."""
    return _judged(opened, SAMPLES, day, OF_METRICS, lambda: metrics_verdicts(inspect_day(opened.database, opened.vault, day)))


def results_of_videos(opened: Installation, day: date) -> list[DayVerdict]:
    """Every test of the registry file of one day that is over. A file that cannot be read fails them all."""
    return _judged(
        opened, REGISTRY, day, OF_VIDEOS, lambda: videos_verdicts(inspect_registry(opened.database, opened.vault, day))
    )


def results_of_cohort(opened: Installation, day: date) -> list[DayVerdict]:
    """Every test of the cohort of one day of discovery. A file of the fold that cannot be read fails them all."""
    return _judged(opened, SAMPLES, day, OF_COHORT, lambda: cohort_verdicts(inspect_cohort(opened.database, opened.vault, day)))


def _judged(
    opened: Installation, dataset: Dataset, day: date, names: Mapping[str, Any], judge: Callable[[], list[DayVerdict]]
) -> list[DayVerdict]:
    """The verdicts of `judge`; if it cannot read a file, each test failed for that reason."""
    try:
        return judge()
    except DamagedAnswer as error:
        files = "; ".join(error.files.values()) or str(error)
        return _all_failed(names, CorruptFile(f"SQL and the samples cannot be compared: {files}", cure=error.cure))
    except NotFound:
        return _all_failed(names, _missing(opened, dataset, day))
    except VaultError as error:
        return _all_failed(names, error)


def _missing(opened: Installation, dataset: Dataset, day: date) -> PleiadesError:
    """Why a day that is over and has rows has no file, and what to do."""
    key = dataset.day_key(day)
    with opened.database.transaction() as connection:
        recorded = recorded_day(connection, dataset, day)
    if recorded is None:
        return NotFound(f"{key} is missing: {day} is not closed yet", cure=f"close the day: `pleiades close-day {day}`")
    return MissingFile(
        f"{key} is missing, although {day} was closed",
        cure="restore it from a copy; or, while journal/ still holds all its batches, close the day again:"
        f" `pleiades close-day {day}`; if neither can be done, `pleiades give-up {day}` shows what is lost",
    )


def _nothing_to_check(opened: Installation, dataset: Dataset, day: date) -> str:
    """Why a day has no file for a good reason; empty for a day that must have one."""
    if not may_close(day, opened.clock.now()):
        return f"the day is not over; it has a file from {closes_at(day):%Y-%m-%d %H:%M} UTC on"
    if not has_anything(opened.database, dataset, day):
        return "nothing was recorded on this day"
    return ""


def _all_failed(names: Mapping[str, Any], error: PleiadesError) -> list[DayVerdict]:
    reason = f"{error}. {error.cure}".strip()
    return [DayVerdict(name=name, passed=False, metadata={"error": type(error).__name__}, reason=reason) for name in names]


def days_to_verify(first_day: date, today: date) -> list[date]:
    """The days whose files are verified on `today`: the newest two that are over, and one older day, another one each day.

    So each of N older days is verified once in N days.
    """
    newest = [today - timedelta(days=n) for n in range(1, _NEWEST + 1)]
    older = (today - first_day).days - _NEWEST
    turn = [first_day + timedelta(days=today.toordinal() % older)] if older > 0 else []
    return [day for day in newest if day >= first_day] + turn
