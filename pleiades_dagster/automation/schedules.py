"""What runs by the clock: hunting every hour, the live ranking after it, maintenance once a day.

Does not belong here: what depends on state, such as due videos (sensors.py).
"""

import dagster as dg

from pleiades_dagster.resources import ClockResource


def schedules() -> list[dg.ScheduleDefinition]:
    """All of them, switched on: an installation works once its daemon runs."""

    # Minutes after the hour, so that the hunts of many installations do not start in the same second.
    @dg.schedule(
        name="hunt_hourly",
        job_name="hunt",
        cron_schedule="7 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Hunt for videos of today, whatever day that is for the installation's clock.",
    )
    def hunt_hourly(context: dg.ScheduleEvaluationContext, clock: ClockResource) -> dg.RunRequest:
        now = clock.clock().now()
        # The tick and not the day is the run's key: today is hunted again every hour.
        tick = context.scheduled_execution_time
        return dg.RunRequest(run_key=f"hunt:{tick:%Y-%m-%dT%H:%M}", partition_key=now.date().isoformat())

    return [
        hunt_hourly,
        dg.ScheduleDefinition(
            name="rank_live",
            job_name="rank_now",
            cron_schedule="22 * * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Look once an hour which videos are fastest.",
        ),
        dg.ScheduleDefinition(
            name="maintain_daily",
            job_name="maintain",
            cron_schedule="40 3 * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Measure the footprint and the share of the dead, adopt what is left, sweep what closed days hold.",
        ),
    ]
