"""Data tests of the files of a day. They run after the day is materialised, alone, and by the schedule `verify_daily`.

Belongs here: what is asserted of a closed day of samples, of discovered videos and of a cohort, and which failure is an error.
Does not belong here: measuring (pleiades_core/vault/inspect.py, pleiades_core/vault/inspect_registry.py,
pleiades_core/watchlist/cohorts.py), tests of a run (checks.py). A test whose failure is an ERROR is blocking: what follows in
the same run does not start.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg

from pleiades_core.errors import NotFound, PleiadesError, VaultError
from pleiades_core.installation import Installation
from pleiades_core.vault.archive import closes_at, has_anything, may_close
from pleiades_core.vault.inspect import DayInspection, inspect_day
from pleiades_core.vault.inspect_registry import RegistryInspection, inspect_registry
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset
from pleiades_core.watchlist.cohorts import CohortReport, inspect_cohort
from pleiades_dagster.checks import MOST_DEAD
from pleiades_dagster.failures import as_failures, refusal
from pleiades_dagster.partitions import day_of
from pleiades_dagster.resources import Opener

#: Judgement: spam is taken away and counts are recounted, so some views fall; one pair in fifty would be a fault of ours.
MOST_FALLS = 0.02
#: Hours of the day with a sample: two missing ones are a restart, three are an outage.
LEAST_COVERAGE = 22 / 24
#: Days that `verify_daily` looks at each time, newest first; one older day in turn comes on top.
_NEWEST = 2

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
#: What to do about a file that is not the one that was closed.
_CURE = "restore it from a copy; or, while journal/ still holds all its batches, move it away and close the day again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One test of one day."""

    name: str
    passed: bool
    #: Figures that the verdict rests on.
    words: dict[str, Any]
    #: Of a failed test: the file, what is wrong with it, and the cure.
    said: str = ""


#: Name, meaning and severity of every test of a closed day of samples.
OF_METRICS = {
    "rows_equal_batches": ("The file has as many rows as its batches gave, each key once.", _ERROR),
    "keys_unique": ("No (video, second) occurs twice.", _ERROR),
    "checksum_matches": ("The file's SHA-256 is the one in the manifest and in SQL.", _ERROR),
    "times_inside_day": ("Every sample was taken on the day of its partition.", _ERROR),
    "share_of_falls": (f"At most {MOST_FALLS:.0%} of consecutive samples show fewer views than the one before.", _WARN),
    "coverage": (f"At least {LEAST_COVERAGE:.0%} of the day's hours have a sample.", _WARN),
}
#: Of the registry file of a closed day.
OF_VIDEOS = {
    "rows_equal_batches": ("The file has as many rows as its batches gave, each key once.", _ERROR),
    "keys_unique": ("No video is described twice in the same way.", _ERROR),
    "checksum_matches": ("The file's SHA-256 is the one in the manifest and in SQL.", _ERROR),
    "ids_valid": ("Every video id is one of YouTube's, and no two videos share one.", _ERROR),
}
#: Of the cohort of a day of discovery.
OF_COHORT = {
    "schedule_is_the_fold": ("Where SQL says that a video stands is what its samples say.", _ERROR),
    "cohort_dead_share": (f"At most {MOST_DEAD:.0%} of the day's videos were missing when last polled.", _WARN),
}


def day_checks(
    metrics: dg.AssetKey, videos: dg.AssetKey, watchlist: dg.AssetKey, *, begun: dg.DailyPartitionsDefinition,
    over: dg.DailyPartitionsDefinition,
) -> list[dg.AssetChecksDefinition]:  # fmt: skip
    """The tests of the three assets that are cut by day; each asset's tests are one step, which reads the files once."""
    return [
        _checks(metrics, over, OF_METRICS, results_of_metrics),
        _checks(videos, begun, OF_VIDEOS, results_of_videos),
        _checks(watchlist, over, OF_COHORT, results_of_cohort),
    ]


def _checks(
    asset: dg.AssetKey,
    days: dg.DailyPartitionsDefinition,
    about: Mapping[str, tuple[str, dg.AssetCheckSeverity]],
    judge: Callable[[Installation, date], list[Verdict]],
) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{asset.to_python_identifier()}_checks",
        # Dagster lets a test run without its asset only where each test of the step can be left out.
        can_subset=True,
        specs=[
            dg.AssetCheckSpec(name, asset=asset, description=text, partitions_def=days, blocking=severity is _ERROR)
            for name, (text, severity) in about.items()
        ],
    )
    def verify(
        context: dg.AssetCheckExecutionContext, installation: dg.ResourceParam[Opener]
    ) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation]:
        keys = _keys(context, asset)
        wanted = {key.name for key in context.selected_asset_check_keys}
        with as_failures(), installation.open() as opened:
            verdicts = [(key, verdict) for key in keys for verdict in judge(opened, day_of(key)) if verdict.name in wanted]
        for key, verdict in verdicts:
            severity, said = about[verdict.name][1], verdict.said or None
            if len(keys) == 1:
                yield dg.AssetCheckResult(
                    asset_key=asset, check_name=verdict.name, passed=verdict.passed, severity=severity, description=said,
                    metadata=verdict.words,
                )  # fmt: skip
            else:
                # The result of a run of several days would be stored without a day (dagster 1.13).
                yield dg.AssetCheckEvaluation(
                    asset_key=asset, check_name=verdict.name, passed=verdict.passed, severity=severity, description=said,
                    metadata=verdict.words, partition=key, blocking=severity is _ERROR,
                )  # fmt: skip

    return verify


def _keys(context: dg.AssetCheckExecutionContext, asset: dg.AssetKey) -> list[str]:
    """The days that a run of checks is for."""
    run = context.op_execution_context
    if run.has_partition_key or run.has_partition_key_range:
        return sorted(run.partition_keys)
    raise refusal(
        f"the checks of {asset.to_user_string()} are checks of one day",
        cure="choose a partition; in the launchpad set the tag dagster/partition to a day such as 2026-03-01",
    )


def results_of_metrics(opened: Installation, day: date) -> list[Verdict]:
    """Every test of one closed day of samples. A file that cannot be read fails them all, with the reason and the cure."""
    if (nothing := _nothing_to_check(opened, SAMPLES, day, OF_METRICS)) is not None:
        return nothing
    try:
        return metrics_verdicts(inspect_day(opened.database, opened.vault, day))
    except (VaultError, NotFound) as error:
        return _all_failed(OF_METRICS, error)


def results_of_videos(opened: Installation, day: date) -> list[Verdict]:
    """Every test of the registry file of one day; likewise."""
    if (nothing := _nothing_to_check(opened, REGISTRY, day, OF_VIDEOS)) is not None:
        return nothing
    try:
        return videos_verdicts(inspect_registry(opened.database, opened.vault, day))
    except (VaultError, NotFound) as error:
        return _all_failed(OF_VIDEOS, error)


def results_of_cohort(opened: Installation, day: date) -> list[Verdict]:
    """Every test of the cohort of one day of discovery; likewise."""
    if (nothing := _nothing_to_check(opened, SAMPLES, day, OF_COHORT)) is not None:
        return nothing
    try:
        return cohort_verdicts(inspect_cohort(opened.database, opened.vault, day))
    except (VaultError, NotFound) as error:
        return _all_failed(OF_COHORT, error)


def _nothing_to_check(opened: Installation, dataset: Dataset, day: date, names: Mapping[str, Any]) -> list[Verdict] | None:
    """Passed tests of a day that has no file for a good reason; None for a day that must have one."""
    if not may_close(day, opened.clock.now()):
        why = f"the day is not over; it has a file from {closes_at(day):%Y-%m-%d %H:%M} UTC on"
    elif not has_anything(opened.database, dataset, day):
        why = "nothing was recorded on this day"
    else:
        return None
    return [Verdict(name=name, passed=True, words={}, said=why) for name in names]


def _all_failed(names: Mapping[str, Any], error: PleiadesError) -> list[Verdict]:
    said = f"{error}. {error.cure}".strip()
    return [Verdict(name=name, passed=False, words={"error": type(error).__name__}, said=said) for name in names]


def metrics_verdicts(found: DayInspection) -> list[Verdict]:
    """Every test of a closed day of samples, in the order of `OF_METRICS`."""
    file = SAMPLES.day_key(found.day)
    hours = {"hours_with_samples": found.hours, "coverage": round(found.coverage, 4), "videos": found.distinct_videos}
    falls = {"falls": found.falls, "pairs": found.pairs, "share": round(found.share_of_falls, 5), "misses": found.misses}
    return [
        *_of_file(file, found),
        Verdict(
            name="times_inside_day", passed=found.outside == 0, words={"outside": found.outside} | _span(found),
            said=f"{file} holds {found.outside:,} samples of other days; {_CURE}" if found.outside else "",
        ),
        Verdict(name="share_of_falls", passed=found.share_of_falls <= MOST_FALLS, words=falls),
        Verdict(name="coverage", passed=found.coverage >= LEAST_COVERAGE, words=hours),
    ]  # fmt: skip


def videos_verdicts(found: RegistryInspection) -> list[Verdict]:
    """Every test of the registry file of a closed day, in the order of `OF_VIDEOS`."""
    file = REGISTRY.day_key(found.day)
    wrong = found.invalid_ids + found.shared_ids
    return [
        *_of_file(file, found),
        Verdict(
            name="ids_valid", passed=not wrong, words={"invalid_ids": found.invalid_ids, "shared_ids": found.shared_ids},
            said=f"{file} holds {found.invalid_ids:,} malformed ids, and {found.shared_ids:,} that two videos share; {_CURE}"
            if wrong else "",
        ),
    ]  # fmt: skip


def cohort_verdicts(found: CohortReport) -> list[Verdict]:
    """Every test of a cohort, in the order of `OF_COHORT`."""
    share = found.missing / found.videos if found.videos else 0.0
    return [
        Verdict(
            name="schedule_is_the_fold", passed=not found.disagreements,
            words={"disagreements": found.disagreements, "videos": found.videos, "through": found.through.isoformat()},
            said=f"SQL and the samples disagree on {found.disagreements:,} videos of {found.day}; the samples are right: "
            "run `pleiades doctor`, and report it" if found.disagreements else "",
        ),
        Verdict(
            name="cohort_dead_share", passed=share <= MOST_DEAD,
            words={"dead": found.missing, "videos": found.videos, "share": round(share, 5)},
        ),
    ]  # fmt: skip


def _of_file(file: str, found: DayInspection | RegistryInspection) -> list[Verdict]:
    """The three tests that every file of a closed day has."""
    # Once batch rows were swept from SQL, the row of the closed day is the witness.
    promised = found.expected_rows if not found.unknown_batches else found.recorded_rows
    noted = {"the manifest": found.manifest_sha256, "SQL": found.recorded_sha256}
    against = [name for name, sha256 in noted.items() if sha256 not in (None, found.sha256)]
    if found.manifest_sha256 is None:
        against.append("the manifest, which is missing,")
    doubled = found.rows - found.distinct_keys
    rows = f"{file} has {found.rows:,} rows, its batches gave {promised or 0:,}; {_CURE}"
    return [
        Verdict(
            name="rows_equal_batches", passed=found.rows == promised, words={"rows": found.rows, "expected": promised or 0},
            said="" if found.rows == promised else rows,
        ),
        Verdict(
            name="keys_unique", passed=not doubled, words={"rows": found.rows, "distinct_keys": found.distinct_keys},
            said=f"{file} has {doubled:,} rows whose key another row has too; {_CURE}" if doubled else "",
        ),
        Verdict(
            name="checksum_matches", passed=not against, words={"sha256": found.sha256, "file": file},
            said=f"{file} is not the file that was closed, by {' and '.join(against)}; {_CURE}" if against else "",
        ),
    ]  # fmt: skip


def _span(found: DayInspection) -> dict[str, Any]:
    if found.first_polled_at is None or found.last_polled_at is None:
        return {}
    return {
        "first": dg.MetadataValue.timestamp(found.first_polled_at),
        "last": dg.MetadataValue.timestamp(found.last_polled_at),
    }


def days_to_verify(first_day: date, today: date) -> list[date]:
    """The days whose files are verified on `today`: the newest two that are over, and an older one, another on each day.

    After as many days as there are older days each of them was verified once.
    """
    newest = [today - timedelta(days=n) for n in range(1, _NEWEST + 1)]
    older = (today - first_day).days - _NEWEST
    turn = [first_day + timedelta(days=today.toordinal() % older)] if older > 0 else []
    return [day for day in newest if day >= first_day] + turn
