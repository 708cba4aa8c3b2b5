"""The job `verify` and its schedule: every check of files, over the assets that are partitioned by day.

Does not belong here: the checks (day_check_runner.py), which are declared with their assets.
"""

from collections.abc import Sequence

import dagster as dg

from pleiades_dagster.building import Building
from pleiades_dagster.day_check_runner import days_to_verify
from pleiades_dagster.resources import ClockResource


def verification(building: Building, checks: Sequence[dg.AssetChecksDefinition]) -> dg.Definitions:
    """The job that runs `checks` alone, and its schedule."""
    job = dg.define_asset_job(
        "verify",
        selection=dg.AssetSelection.checks(*checks),
        description="Check the files of the day that the tag dagster/partition names; without it, of the newest closed day.",
    )
    return dg.Definitions(jobs=[job], schedules=[_verify_daily(building)])


def _verify_daily(building: Building) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="verify_daily",
        job_name="verify",
        cron_schedule="10 4 * * *",
        execution_timezone="UTC",
        default_status=building.schedule_status,
        description="Check the files of the newest two days that are over, and of one older day, a different one each day.",
    )
    def verify_daily(clock: ClockResource) -> list[dg.RunRequest]:
        today = clock.clock().now().date()
        # A tag and no partition key: Dagster 1.13 takes a job's partitions from its assets, and this job has checks alone.
        return [
            dg.RunRequest(run_key=f"verify:{today}:{day}", tags={"dagster/partition": day.isoformat()})
            for day in days_to_verify(building.first_day, today)
        ]

    return verify_daily
