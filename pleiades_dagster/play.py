"""The demo: days of a simulated YouTube, played through the Dagster assets in one process.

A miniature daemon in simulated time: at every hour the clock is set, schedules and sensors are evaluated, and what they ask for
is run here and stored in the instance, so that the UI shows it later. All that is new comes with a hunt, at these instants, and
is due again whole hours later: the ticks of a tier that lie between them would find nothing. Belongs here: that loop and its
summary. Does not belong here: the home (demo_home.py), the command line and its progress bar (cli.py).
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg

from pleiades_core.clock import ManualClock, utc_midnight
from pleiades_core.errors import PleiadesError, UsageError
from pleiades_core.installation import Installation, open_installation
from pleiades_core.settings import Settings, load_settings
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.server import start_subprocess
from pleiades_core.storage.embedded import require_usable
from pleiades_core.storage.postgres import database_url
from pleiades_dagster.automation.schedules import LEARN_AT
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.demo_home import Played, holds_older_demo, remove, simulator_config, write_settings
from pleiades_dagster.instance import open_instance, prepare
from pleiades_dagster.options import MOST_DAYS, DemoOptions
from pleiades_dagster.resources import ClockResource, SharedInstallation
from pleiades_dagster.summary import DemoSummary, sum_up

_HOUR = timedelta(hours=1)
_HOURS_OF_DAY = 24
#: After the last day: late enough that it may be closed.
_CURTAIN = timedelta(hours=1)
#: The events of a run go into the instance; a dozen of them a run on standard error would bury the progress bar.
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Interrupted(Exception):
    """Somebody asked the play to stop; what ran is committed, nothing is running any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where the play is."""

    text: str
    #: Simulated hours played, of all.
    hours: int
    of: int


def play(options: DemoOptions, *, show: Callable[[Step], None], stop: threading.Event) -> DemoSummary:
    """Play the demo to its end and sum it up. Simulator, server and leases are gone when this returns or raises.

    Raises Interrupted soon after `stop` is set, UsageError or ConfigurationError for options or a world that cannot be.
    """
    if not 1 <= options.days <= MOST_DAYS:
        raise UsageError(f"{options.days} days cannot be played", cure=f"choose 1 to {MOST_DAYS}")
    home = options.home.absolute()
    require_usable(home)
    hours = options.days * _HOURS_OF_DAY

    def note(text: str, done: int = 0) -> None:
        if stop.is_set():
            raise Interrupted
        show(Step(text=text, hours=done, of=hours))

    older = holds_older_demo(home)
    with contextlib.ExitStack() as stack:
        # First of all: a world that cannot be read must neither cost the older demo nor leave a new home behind.
        note("starting the simulator")
        simulator, first = _simulated(options, stack)
        if older:
            note(f"removing the older demo in {home}")
            remove(home)
        settings = _furnished(home, simulator, first)
        note("starting PostgreSQL")
        clock = ManualClock(utc_midnight(first))
        url = stack.enter_context(database_url(settings))
        opened = stack.enter_context(open_installation(settings, create=True, clock=clock))
        note("starting Dagster")
        end = utc_midnight(first) + options.days * timedelta(days=1)
        stage = stack.enter_context(_stage(opened, clock, simulator, prepare(settings, url), first=first, until=end))
        stack.callback(_remember_now, home, settings, first, clock)
        for hour in range(hours):
            at = utc_midnight(first) + hour * _HOUR
            note(f"{at:%Y-%m-%d %H:00}", hour)
            stage.tick(at, lambda: note(f"{at:%Y-%m-%d %H:00}", hour))  # noqa: B023  called within the tick
        note("closing the last day", hours)
        stage.close(end + _CURTAIN)
        played_world = str(options.world.absolute()) if options.world else None
        Played(
            world=played_world, videos=options.videos, seed=options.seed, start=first, days=options.days,
            port=urlsplit(settings.youtube_url).port or 0, ended_at=end + _CURTAIN,
        ).write(home)  # fmt: skip
        return sum_up(opened, first, options.days, runs=stage.runs)


def _simulated(options: DemoOptions, stack: contextlib.ExitStack) -> tuple[SimulatorControl, date]:
    """Start the simulator; its control and the first day."""
    start = options.start
    if start is None and options.world is None:
        start = datetime.now(UTC).date() - timedelta(days=options.days + 1)
    config = simulator_config(
        world=str(options.world.absolute()) if options.world else None,
        videos=options.videos,
        seed=options.seed,
        start=utc_midnight(start) if start else None,
        days=options.days,
    )
    logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pleiades-")))
    process = stack.enter_context(start_subprocess(config, log_path=logs / "simulator.log"))
    control = SimulatorControl(process.base_url)
    return control, start or control.now().date()


def _furnished(home: Path, simulator: SimulatorControl, first: date) -> Settings:
    """Write the home's settings; what they say."""
    terms = tuple(str(term) for term in simulator.world()["terms"])
    # Until the end is known the play's "now", for whoever looks at what an interrupted one left, is its beginning.
    write_settings(home, youtube_url=simulator.base_url, first_day=first, terms=terms, stopped_at=utc_midnight(first))
    return load_settings(home)


def _remember_now(home: Path, settings: Settings, first: date, clock: ManualClock) -> None:
    """Note where the play's clock stands when it ends, however it ends."""
    write_settings(
        home, youtube_url=settings.youtube_url, first_day=first, terms=settings.seed_terms,
        stopped_at=clock.now(),
    )  # fmt: skip


class _Stage:
    """Schedules, sensors and jobs of one installation, driven by hand."""

    def __init__(
        self, opened: Installation, clock: ManualClock, simulator: SimulatorControl, instance: dg.DagsterInstance,
        first: date, until: datetime,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._simulator = simulator
        self._instance = instance
        self._home = str(opened.settings.home)
        self._first_day = first
        self._shared = SharedInstallation(opened)
        # Every day of the play must be a partition for the machine's clock and, in the ticks of schedules, for the play's.
        ahead = max(timedelta(), until - datetime.now(UTC))
        defs = build_defs(home=self._home, first_day=first, ahead=ahead, installation=self._shared)
        self._repository = defs.get_repository_def()
        self._jobs = {job.name: job for job in self._repository.get_all_jobs()}
        self.runs = 0

    def tick(self, at: datetime, breathe: Callable[[], None]) -> None:
        """One simulated hour: hunt, close what can be closed, poll what is due."""
        self._set(at)
        self._run_schedule("hunt_hourly", at)
        breathe()
        if at.hour == LEARN_AT.hour and at.date() > self._first_day:
            self._run_schedule("learn_daily", at)
        self._close_days()
        for name in ("hourly_tier", "daily_tier", "weekly_tier"):
            breathe()
            self._run_sensor(name)

    def close(self, at: datetime) -> None:
        """The last tick: nothing is polled any more."""
        self._set(at)
        self._close_days()
        self._run_schedule("learn_daily", at)
        self._run("rank_now", dg.RunRequest(), {})
        self._run("maintain", dg.RunRequest(), {})

    def _set(self, at: datetime) -> None:
        self._simulator.set(at)
        self._clock.set(at)

    def _close_days(self) -> None:
        # The registry first: samples of a day are of no use without it.
        self._run_sensor("registry_closer")
        for request in self._run_sensor("day_closer"):
            # What the automation condition `eager` asks for once a day is closed.
            self._run("derive_day", dg.RunRequest(partition_key=request.partition_key), {"dagster/auto_materialize": "true"})

    def _run_schedule(self, name: str, at: datetime) -> None:
        schedule = self._repository.get_schedule_def(name)
        # Without the instance, which would be opened anew for every context; our schedules do not ask it anything.
        resources = {"clock": ClockResource(home=self._home), "installation": self._shared}
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
            # Its own words say what failed and what to do; the chain holds the core's error.
            if isinstance(failure.__cause__, PleiadesError):
                raise failure.__cause__ from None
            raise
        self.runs += 1


@contextlib.contextmanager
def _stage(
    opened: Installation, clock: ManualClock, simulator: SimulatorControl, environment: dict[str, str], *, first: date,
    until: datetime,
) -> Iterator[_Stage]:  # fmt: skip
    """The stage, with Dagster's instance open and its chatter off."""
    before = logging.getLogger("dagster").level
    with warnings.catch_warnings(), open_instance(opened.settings.dagster_home, environment) as instance:
        warnings.simplefilter("ignore")
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        try:
            yield _Stage(opened, clock, simulator, instance, first, until)
        finally:
            logging.getLogger("dagster").setLevel(before)
