"""Closing a day, and what follows from it: the sensor that asks for it, and the automation condition of derived assets.

Does not belong here: when a day can be closed (pleiades_core/vault/archive.py).
"""

from datetime import timedelta

import dagster as dg

from pleiades_core.vault.archive import closable
from pleiades_core.vault.layout import Dataset
from pleiades_dagster.automation.conditions import floor
from pleiades_dagster.failures import as_failures
from pleiades_dagster.resources import Opener

#: Whenever the day was closed, or closed again for late batches. Plain `eager` looks at the newest partition only, and a late
#: batch reaches older days.
#: A day whose own file or whose eve's is missing waits; only the first partition has no eve.
#: A day whose blocking check is red waits until it is green.
_RED = dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
WHEN_CLOSED = dg.AutomationCondition.eager().without(
    dg.AutomationCondition.in_latest_time_window()
) & ~dg.AutomationCondition.any_deps_match(_RED)
#: Days of one run of a backfill: they cost a second each, a run five before its first.
DAYS_PER_RUN = 31


def day_closer(name: str, job_name: str, dataset: Dataset, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Asks for one run for every day that is over and has batches of `dataset` which no file holds yet.

    A sensor for each dataset: a damaged day of one must not keep the days of the other open.
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
        # The hour makes a later batch of the same day a new request, and a run that fails asked for again.
        hour = floor(now, timedelta(hours=1))
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=f"{job_name}:{day}:{hour:%Y-%m-%dT%H}", partition_key=day.isoformat())
                for day in sorted(waiting)
            ]
        )

    return evaluate
