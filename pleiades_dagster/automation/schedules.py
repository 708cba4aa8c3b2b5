"""What runs by the clock: hunting, the live ranking after it, and once a day learning, verifying and maintenance.

Does not belong here: what depends on state, such as due videos (sensors.py).
"""

from datetime import date, time, timedelta

import dagster as dg

from pleiades_core.discover.budget import HUNT_EVERY
from pleiades_core.models import Bucket, QuotaPool
from pleiades_dagster.automation.sensors import spent_until
from pleiades_dagster.day_checks import days_to_verify
from pleiades_dagster.failures import as_failures
from pleiades_dagster.resources import ClockResource, Opener

#: After the registry of the day before is closed, and before people look. UTC.
LEARN_AT = time(1, 20)


def schedules(first_day: date, *, automation: bool) -> list[dg.ScheduleDefinition]:
    """All of them. `automation`: they run once a daemon does; otherwise each waits until it is switched on in the UI."""
    status = dg.DefaultScheduleStatus.RUNNING if automation else dg.DefaultScheduleStatus.STOPPED

    # Minutes after the hour, so that the hunts of many installations do not start in the same second.
    @dg.schedule(
        name="hunt_hourly",
        job_name="hunt",
        cron_schedule=f"7 */{HUNT_EVERY // timedelta(hours=1)} * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Hunt for videos of today, whatever day that is for the installation's clock.",
    )
    def hunt_hourly(
        context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Opener]
    ) -> dg.RunRequest | dg.SkipReason:
        with as_failures(), installation.open() as opened:
            now = opened.clock.now()
            # The sources that cost nothing could go on, but what they find could not be described.
            if spent := spent_until(opened, (Bucket.SEARCH, Bucket.GENERAL), QuotaPool.HUNTING, QuotaPool.ARCHEOLOGY):
                return dg.SkipReason(f"all quota for hunting is spent until {spent:%Y-%m-%d %H:%M} UTC (exit code 42)")
        # The tick and not the day is the run's key: today is hunted again and again.
        tick = context.scheduled_execution_time
        return dg.RunRequest(run_key=f"hunt:{tick:%Y-%m-%dT%H:%M}", partition_key=now.date().isoformat())

    @dg.schedule(
        name="upkeep_daily",
        job_name="upkeep",
        cron_schedule=f"{LEARN_AT.minute} {LEARN_AT.hour} * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Export yesterday's requests, score the search terms, estimate the coverage, and plan the quota.",
    )
    def upkeep_daily(clock: ClockResource) -> dg.RunRequest:
        yesterday = clock.clock().now().date() - timedelta(days=1)
        return dg.RunRequest(run_key=f"upkeep:{yesterday}", partition_key=yesterday.isoformat())

    @dg.schedule(
        name="verify_daily",
        job_name="verify",
        cron_schedule="10 4 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Check the files of the newest two days that are over, and of one older day, a different one each day.",
    )
    def verify_daily(clock: ClockResource) -> list[dg.RunRequest]:
        today = clock.clock().now().date()
        # A tag and no partition key: Dagster 1.13 looks for a job's partitions among its assets, and these are checks alone.
        return [
            dg.RunRequest(run_key=f"verify:{today}:{day}", tags={"dagster/partition": day.isoformat()})
            for day in days_to_verify(first_day, today)
        ]

    return [
        hunt_hourly,
        upkeep_daily,
        verify_daily,
        dg.ScheduleDefinition(
            name="rank_live",
            job_name="rank_now",
            cron_schedule="22 * * * *",
            execution_timezone="UTC",
            default_status=status,
            description="Look once an hour which videos are fastest.",
        ),
        dg.ScheduleDefinition(
            name="maintain_daily",
            job_name="maintain",
            cron_schedule="40 3 * * *",
            execution_timezone="UTC",
            default_status=status,
            description="Measure the footprint and the share of the dead, adopt what is left, sweep what closed days hold.",
        ),
    ]
