"""Data tests that are part of a run: tests of a hunt, a tick, a plan and SQL when the asset is materialised.

Belongs here: specs, thresholds and verdicts. Does not belong here: measuring (the reports of the core), tests of the files of a
day, which can run alone (day_checks.py). ERROR means that data are wrong; WARN means that data are right, but fewer or later
than expected.
"""

from datetime import datetime
from typing import Any

import dagster as dg

from pleiades_core.discover.hunt_report import HuntReport
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, Tier
from pleiades_core.planner.report import Plan
from pleiades_core.reports.footprint import MOST_SQL_BYTES, footprint
from pleiades_core.storage.postgres import Database
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import missing, polled_in_future

#: Seconds that a poll may be late before the check warns: a third of its interval.
MOST_LATENESS_S = {Tier.HOURLY: 20 * 60.0, Tier.DAILY: 8 * 3600.0, Tier.WEEKLY: 56 * 3600.0}
#: The most watched videos that may be missing at their last polls: beyond this, discovery or the account has a problem.
MOST_DEAD = 0.25

_Check = dg.AssetCheckResult
_WARN = dg.AssetCheckSeverity.WARN


def units_left_spec(asset: dg.AssetKey, partitions: dg.PartitionsDefinition[str]) -> dg.AssetCheckSpec:
    """The check that warns when quota ran out during the run."""
    return dg.AssetCheckSpec(
        "units_left",
        asset=asset,
        partitions_def=partitions,
        description="Quota sufficed; a warning means a clean partial result.",
    )


def units_left_result(left: dict[Bucket, int], resets_at: datetime | None) -> _Check:
    """The verdict: passed unless quota is spent until a reset."""
    metadata: dict[str, Any] = {f"left_{bucket}": units for bucket, units in left.items()}
    if resets_at is not None:
        metadata["resets_at"] = dg.MetadataValue.timestamp(resets_at)
    return _Check(
        check_name="units_left",
        passed=resets_at is None,
        severity=_WARN,
        metadata=metadata,
        description=None if resets_at is None else f"spent until {resets_at:%Y-%m-%d %H:%M} UTC; answers before that are kept",
    )


def hunt_specs(asset: dg.AssetKey, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """The checks of a hunt: spent quota, failed sources, videos that are not watched, refused keys."""
    text = {
        "sources_answered": "Every source of discovery answered; a warning names sources that did not, and their errors.",
        "all_watched": "Quota has room to poll every video that was admitted.",
        "keys_live": "YouTube accepts every key of the pool; `pleiades doctor --call` tries refused ones again.",
    }
    specs = [dg.AssetCheckSpec(name, asset=asset, partitions_def=partitions, description=d) for name, d in text.items()]
    return [units_left_spec(asset, partitions), *specs]


def hunt_results(opened: Installation, report: HuntReport | None, resets_at: datetime | None) -> list[_Check]:
    """The verdicts on one hunt.

    Args:
        opened: the installation.
        report: of the hunt; None: quota was spent before anything was done.
        resets_at: when spent quota is available again; None: it is not spent.

    Returns:
        The results of the checks.
    """
    refused = opened.key_ring().refused()
    failures = dict(report.failures) if report else {}
    unwatched, full = (report.unwatched, report.full) if report else (0, "")
    return [
        units_left_result(dict(report.units_left) if report else {}, resets_at),
        _Check(check_name="sources_answered", passed=not failures, severity=_WARN, metadata=failures or {"failed": 0}),
        _Check(
            check_name="all_watched", passed=not unwatched, severity=_WARN, metadata={"unwatched": unwatched}, description=full
        ),
        _Check(
            check_name="keys_live", passed=not refused, severity=_WARN,
            metadata={key.fingerprint: f"{key.project}: {key.description}" for key in refused} or {"refused": 0},
        ),
    ]  # fmt: skip


def plan_fits_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that warns when a consumer will get too few units."""
    return dg.AssetCheckSpec(
        "plan_fits",
        asset=asset,
        description="The units that today and the next 30 days need fit into the quota of every bucket.",
    )


def plan_fits_result(report: Plan) -> _Check:
    """The verdict, and the consumers that get too few units."""
    text = "; ".join(f"{shortfall.consumer} from {shortfall.day}: {shortfall.why}" for shortfall in report.starved)
    return _Check(
        check_name="plan_fits", passed=report.fits, severity=_WARN, description=text or None,
        metadata={"starved": len(report.starved), "watched": report.watched, "found_a_day": report.found_a_day},
    )  # fmt: skip


def lateness_spec(asset: dg.AssetKey, partitions: dg.PartitionsDefinition[str]) -> dg.AssetCheckSpec:
    """The check that warns when polls are late."""
    return dg.AssetCheckSpec(
        "lateness",
        asset=asset,
        partitions_def=partitions,
        description="The median poll came at most a third of its interval late.",
    )


def lateness_result(tier: Tier, median_s: float | None, max_s: float | None) -> _Check:
    """The verdict on one tick. A tick without polls is not late.

    Args:
        tier: of the tick.
        median_s: seconds by which the median poll was late; None: there was none.
        max_s: seconds by which the latest poll was late.

    Returns:
        The result of the check.
    """
    metadata = {"allowed_s": MOST_LATENESS_S[tier], "median_s": median_s or 0.0, "max_s": max_s or 0.0}
    return _Check(check_name="lateness", passed=(median_s or 0.0) <= MOST_LATENESS_S[tier], severity=_WARN, metadata=metadata)


def footprint_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that warns before SQL is larger than promised."""
    return dg.AssetCheckSpec(
        "footprint", asset=asset, description=f"All databases of Pleiades hold < {MOST_SQL_BYTES:,} bytes."
    )


def footprint_result(database: Database) -> _Check:
    """Bytes of the installation's database and, on the same server, of Dagster's."""
    held = footprint(database)
    return _Check(
        check_name="footprint",
        passed=held.bytes < MOST_SQL_BYTES,
        severity=_WARN,
        metadata={
            "sql_bytes": held.bytes, "pleiades_bytes": held.pleiades_bytes, "dagster_bytes": held.dagster_bytes,
            "alarm_bytes": MOST_SQL_BYTES,
        },
    )  # fmt: skip


def dead_share_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that warns when many watched videos are missing."""
    return dg.AssetCheckSpec(
        "dead_share", asset=asset, description=f"At most {MOST_DEAD:.0%} of the watchlist was missing when last polled."
    )


def dead_share_result(database: Database) -> _Check:
    """Videos whose last poll was a miss, among all that were polled."""
    with database.transaction() as connection:
        dead, polled = missing(connection)
    share = dead / polled if polled else 0.0
    return _Check(
        check_name="dead_share",
        passed=share <= MOST_DEAD,
        severity=_WARN,
        metadata={"dead": dead, "polled": polled, "share": round(share, 5)},
    )


def no_future_polls_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that warns when a clock was wrong."""
    return dg.AssetCheckSpec(
        "no_future_polls",
        asset=asset,
        description="No video has a last poll in the future, which a wrong clock writes. Such videos are due.",
    )


def no_future_polls_result(database: Database, now: datetime) -> _Check:
    """Videos whose last poll lies after `now`."""
    with database.transaction() as connection:
        future = polled_in_future(connection, TIERS, now)
    return _Check(check_name="no_future_polls", passed=future == 0, severity=_WARN, metadata={"polled_in_future": future})
