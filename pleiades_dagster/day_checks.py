"""The tests of the files of a day, and the verdict of each: name, meaning, severity, reason and cure.

Belongs here: thresholds, and pure verdicts on measured facts. Does not belong here: measuring
(pleiades_core/vault/day_facts.py, pleiades_core/watchlist/cohorts.py), running the checks (day_check_runner.py), tests of a run
(run_checks.py).
"""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from pleiades_core.vault.day_facts import DayInspection, RegistryInspection
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.watchlist.cohorts import CohortReport
from pleiades_dagster.run_checks import MOST_DEAD

#: Our own choice: YouTube removes spam views and recounts, so some views fall; one pair in fifty would be a defect of Pleiades.
MOST_FALLS = 0.02
#: Hours of the day with a sample: two missing ones are a restart, three are an outage.
LEAST_COVERAGE = 22 / 24

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
#: What to do about a file that is not the one that was closed.
_CURE = "restore it from a copy; or, while journal/ still holds all its batches, move it away and close the day again"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayVerdict:
    """One test of one day."""

    name: str
    passed: bool
    #: The figures behind the verdict.
    metadata: dict[str, Any]
    #: For a failed test: the file, what is wrong with it, and the cure.
    reason: str = ""


#: Name, meaning and severity of every test of a closed day of samples.
OF_METRICS = {
    "rows_equal_batches": ("The file has as many rows as its batches gave, each key once.", _ERROR),
    "keys_unique": ("No (video, second) occurs twice.", _ERROR),
    "checksum_matches": ("The file's SHA-256 is the one in the manifest and in SQL.", _ERROR),
    "times_inside_day": ("Every sample was taken on the day of its partition.", _ERROR),
    "share_of_falls": (f"At most {MOST_FALLS:.0%} of consecutive samples show fewer views than the one before.", _WARN),
    "coverage": (f"At least {LEAST_COVERAGE:.0%} of the day's hours have a sample.", _WARN),
}
#: Every test of the registry file of a closed day.
OF_VIDEOS = {
    "rows_equal_batches": ("The file has as many rows as its batches gave, each key once.", _ERROR),
    "keys_unique": ("No video is described twice in the same way.", _ERROR),
    "checksum_matches": ("The file's SHA-256 is the one in the manifest and in SQL.", _ERROR),
    "ids_valid": ("Every video id is one of YouTube's, and no two videos share one.", _ERROR),
}
#: Every test of the cohort of a day of discovery.
OF_COHORT = {
    "schedule_is_the_fold": ("The schedule of each video in SQL agrees with its samples.", _ERROR),
    "cohort_dead_share": (f"At most {MOST_DEAD:.0%} of the day's videos were missing when last polled.", _WARN),
}


def metrics_verdicts(found: DayInspection) -> list[DayVerdict]:
    """Every test of a closed day of samples, in the order of `OF_METRICS`."""
    file = SAMPLES.day_key(found.day)
    hours = {"hours_with_samples": found.hours, "coverage": round(found.coverage, 4), "videos": found.distinct_videos}
    falls = {"falls": found.falls, "pairs": found.pairs, "share": round(found.share_of_falls, 5), "misses": found.misses}
    return [
        *_of_file(file, found),
        DayVerdict(
            name="times_inside_day", passed=found.outside == 0, metadata={"outside": found.outside} | _span(found),
            reason=f"{file} holds {found.outside:,} samples of other days; {_CURE}" if found.outside else "",
        ),
        DayVerdict(name="share_of_falls", passed=found.share_of_falls <= MOST_FALLS, metadata=falls),
        DayVerdict(name="coverage", passed=found.coverage >= LEAST_COVERAGE, metadata=hours),
    ]  # fmt: skip


def videos_verdicts(found: RegistryInspection) -> list[DayVerdict]:
    """Every test of the registry file of a closed day, in the order of `OF_VIDEOS`."""
    file = REGISTRY.day_key(found.day)
    wrong = found.invalid_ids + found.shared_ids
    return [
        *_of_file(file, found),
        DayVerdict(
            name="ids_valid", passed=not wrong, metadata={"invalid_ids": found.invalid_ids, "shared_ids": found.shared_ids},
            reason=f"{file} holds {found.invalid_ids:,} malformed ids, and {found.shared_ids:,} that two videos share; {_CURE}"
            if wrong else "",
        ),
    ]  # fmt: skip


def cohort_verdicts(found: CohortReport) -> list[DayVerdict]:
    """Every test of a cohort, in the order of `OF_COHORT`."""
    share = found.missing / found.videos if found.videos else 0.0
    return [
        DayVerdict(
            name="schedule_is_the_fold", passed=not found.disagreements,
            metadata={"disagreements": found.disagreements, "videos": found.videos, "through": found.through.isoformat()},
            reason=f"SQL and the samples disagree on {found.disagreements:,} videos of {found.day}; the samples are right: "
            "run `pleiades doctor`, and report it" if found.disagreements else "",
        ),
        DayVerdict(
            name="cohort_dead_share", passed=share <= MOST_DEAD,
            metadata={"dead": found.missing, "videos": found.videos, "share": round(share, 5)},
        ),
    ]  # fmt: skip


def _of_file(file: str, found: DayInspection | RegistryInspection) -> list[DayVerdict]:
    """The three tests that every file of a closed day has."""
    # Once batch rows were deleted from SQL, the row of the closed day is what to compare with.
    promised = found.expected_rows if not found.unknown_batches else found.recorded_rows
    noted = {"the manifest": found.manifest_sha256, "SQL": found.recorded_sha256}
    against = [name for name, sha256 in noted.items() if sha256 not in (None, found.sha256)]
    if found.manifest_sha256 is None:
        against.append("the manifest, which is missing,")
    doubled = found.rows - found.distinct_keys
    rows = f"{file} has {found.rows:,} rows, its batches gave {promised or 0:,}; {_CURE}"
    return [
        DayVerdict(
            name="rows_equal_batches", passed=found.rows == promised, metadata={"rows": found.rows, "expected": promised or 0},
            reason="" if found.rows == promised else rows,
        ),
        DayVerdict(
            name="keys_unique", passed=not doubled, metadata={"rows": found.rows, "distinct_keys": found.distinct_keys},
            reason=f"{file} has {doubled:,} rows whose key another row has too; {_CURE}" if doubled else "",
        ),
        DayVerdict(
            name="checksum_matches", passed=not against, metadata={"sha256": found.sha256, "file": file},
            reason=f"{file} is not the file that was closed, by {' and '.join(against)}; {_CURE}" if against else "",
        ),
    ]  # fmt: skip


def _span(found: DayInspection) -> dict[str, Any]:
    if found.first_polled_at is None or found.last_polled_at is None:
        return {}
    return {
        "first": dg.MetadataValue.timestamp(found.first_polled_at),
        "last": dg.MetadataValue.timestamp(found.last_polled_at),
    }
