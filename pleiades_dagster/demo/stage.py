"""The stage of a demo: schedules, sensors and jobs of one installation, driven in simulated time.

A small daemon: it sets the clock, evaluates schedules and sensors, runs the runs that they request, and stores these in the
instance, so that the UI shows them later. Belongs here: one simulated hour. Does not belong here: which hours there are
(play.py). Importing this module costs Dagster's two seconds.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from pleiades_core.clock import ManualClock
from pleiades_core.errors import PleiadesError
from pleiades_core.installation import Installation
from pleiades_core.models import Tier
from pleiades_core.simulator.control import SimulatorControl
from pleiades_dagster.assets.upkeep import UPKEEP_AT
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.demo.home import note_clock
from pleiades_dagster.instance import open_instance
from pleiades_dagster.resources import ClockResource, SharedInstallation

#: The events of a run go into the instance; on standard error they would hide the progress.
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Stage:
    """Schedules, sensors and jobs of one installation, driven in simulated time."""

    def __init__(
        self, opened: Installation, clock: ManualClock, simulator: SimulatorControl, instance: dg.DagsterInstance,
        first: date, until: datetime,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._simulator = simulator
        self._instance = instance
        self._home = opened.settings.home
        self._first_day = first
        self._shared = SharedInstallation(opened)
        # Every day of the play must be a partition, by the machine's clock and by the play's (in the ticks of schedules).
        ahead = max(timedelta(), until - datetime.now(UTC))
        defs = build_defs(home=str(self._home), first_day=first, ahead=ahead, installation=self._shared)
        self._repository = defs.get_repository_def()
        self._jobs = {job.name: job for job in self._repository.get_all_jobs()}
        #: Runs stored in the instance so far.
        self.runs = 0

    def begin(self) -> None:
        """Give every tier a run without work: a tier that has no due video in the whole play would be shown as missing."""
        for tier in Tier:
            self._run("track", dg.RunRequest(partition_key=tier.value), {})

    def play_hour(self, at: datetime, breathe: Callable[[], None]) -> None:
        """One simulated hour: hunt, close the days that can be closed, poll due videos. `breathe` is called between runs."""
        # Before any sample of this instant is stored: if the play ends now, "now" must not be earlier than a sample.
        note_clock(self._home, at)
        self._simulator.set(at)
        self._clock.set(at)
        self._run_schedule("hunt_hourly", at)
        breathe()
        self._close_days()
        if at.hour == UPKEEP_AT.hour and at.date() > self._first_day:
            breathe()
            self._run_schedule("upkeep_daily", at)
        for name in ("hourly_tier", "daily_tier", "weekly_tier"):
            breathe()
            self._run_sensor(name)

    def finish(self, breathe: Callable[[], None]) -> None:
        """Rank the present, and run the maintenance."""
        for job in ("rank_now", "maintain"):
            breathe()
            self._run(job, dg.RunRequest(), {})

    def _close_days(self) -> None:
        # The registry first: samples of a day are of no use without it.
        self._run_sensor("registry_closer")
        for request in self._run_sensor("day_closer"):
            # The run that the automation condition would request once a day is closed.
            self._run("derive_day", dg.RunRequest(partition_key=request.partition_key), {"dagster/auto_materialize": "true"})

    def _run_schedule(self, name: str, at: datetime) -> None:
        schedule = self._repository.get_schedule_def(name)
        # Without the instance, which would be opened again for every context; our schedules do not use it.
        resources = {"clock": ClockResource(home=str(self._home)), "installation": self._shared}
        with dg.build_schedule_context(
            scheduled_execution_time=at, repository_def=self._repository, resources=resources
        ) as context:
            requests = list(schedule.evaluate_tick(context).run_requests or ())
        for request in requests:
            self._run(str(schedule.job_name), request, {"dagster/schedule_name": name})

    def _run_sensor(self, name: str) -> list[dg.RunRequest]:
        sensor = self._repository.get_sensor_def(name)
        with dg.build_sensor_context(
            instance=self._instance, sensor_name=name, repository_def=self._repository, resources={"installation": self._shared}
        ) as context:
            requests = list(sensor.evaluate_tick(context).run_requests or ())
        for request in requests:
            self._run(str(sensor.job_name), request, {"dagster/sensor_name": name})
        return requests

    def _run(self, job: str, request: dg.RunRequest, tags: dict[str, str]) -> None:
        key = {"dagster/run_key": request.run_key} if request.run_key else {}
        try:
            self._jobs[job].execute_in_process(
                instance=self._instance,
                partition_key=request.partition_key,
                tags={**request.tags, **tags, **key},
                run_config=_SILENT,
            )
        except dg.Failure as failure:
            # The cause is the core's error, which says what failed and what to do.
            if isinstance(failure.__cause__, PleiadesError):
                raise failure.__cause__ from None
            raise
        self.runs += 1


@contextlib.contextmanager
def open_stage(
    opened: Installation, clock: ManualClock, simulator: SimulatorControl, environment: dict[str, str], *, first: date,
    until: datetime,
) -> Iterator[Stage]:  # fmt: skip
    """The stage of a play, with Dagster's instance open and its log messages off.

    Args:
        opened: the installation.
        clock: is set to each hour.
        simulator: its clock is set too.
        environment: of Dagster.
        first: first day of the play.
        until: last hour of the play.

    Yields:
        The stage.
    """
    before = logging.getLogger("dagster").level
    with warnings.catch_warnings(), open_instance(opened.settings.dagster_home, environment) as instance:
        warnings.simplefilter("ignore")
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        try:
            yield Stage(opened, clock, simulator, instance, first, until)
        finally:
            logging.getLogger("dagster").setLevel(before)
