"""Closing a day: the sensor that requests it, and the automation condition of the assets that are derived from a closed day.

Does not belong here: when a day can be closed (pleiades_core/vault/archive.py).
"""

from datetime import timedelta

import dagster as dg

from pleiades_core.vault.archive import closable
from pleiades_core.vault.layout import Dataset
from pleiades_dagster.automation.conditions import floor
from pleiades_dagster.failures import as_failures
from pleiades_dagster.resources import Opener

#: True after each closing of the day. Plain `eager` looks at the newest partition only, but late batches reach older days. A
#: day whose own file or whose eve's is missing waits; only the first partition has no eve. A day whose blocking check is red
#: waits until it is green.
_RED = dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
WHEN_CLOSED = dg.AutomationCondition.eager().without(
    dg.AutomationCondition.in_latest_time_window()
) & ~dg.AutomationCondition.any_deps_match(_RED)
#: Days in one run of a backfill: a day costs a second, and a run costs five seconds before its first day.
DAYS_PER_RUN = 31


def day_closer(name: str, job_name: str, dataset: Dataset, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor that requests a run for every day that is over and has batches which its file does not hold yet.

    There is a sensor for each dataset: a damaged day of one dataset must not keep the days of the other open.

    Args:
        name: of the sensor.
        job_name: the job to run.
        dataset: samples or registry.
        status: whether it runs without being switched on.

    Returns:
        The sensor.
    """

    @dg.sensor(
        name=name,
        job_name=job_name,
        minimum_interval_seconds=600,
        default_status=status,
        description=f"Closes days of {dataset.name} that are over, and days that late batches reached.",
    )
    def evaluate(installation: dg.ResourceParam[Opener]) -> dg.SensorResult:
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            waiting = [day for kind, day in closable(opened.database, now) if kind is dataset]
        if not waiting:
            return dg.SensorResult(
                skip_reason=f"every day before {now:%Y-%m-%d %H:%M} UTC is closed, and no late batch has come"
            )
        # The hour is in the run key, so a late batch of the same day, or a failed run, causes a new run.
        hour = floor(now, timedelta(hours=1))
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=f"{job_name}:{day}:{hour:%Y-%m-%dT%H}", partition_key=day.isoformat())
                for day in sorted(waiting)
            ]
        )

    return evaluate
