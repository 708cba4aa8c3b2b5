"""The demo: days of a simulated YouTube, played through the Dagster assets in one process.

At every hour of the simulated days, and in the hour after them in which the last day is closed, the stage does what Dagster's
daemon would do. New videos come with a hunt, at these instants, and are due again whole hours later: ticks between them would
find nothing. No video is due at the end of the play, so that its first view is green. Belongs here: the order of the play and
its days. Does not belong here: one hour of it (stage.py), the home (home.py), progress (progress.py).
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pleiades_core.clock import ManualClock, utc_midnight
from pleiades_core.installation import open_installation
from pleiades_core.settings import Settings, load_settings
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.server import start_subprocess
from pleiades_core.storage.embedded import require_usable
from pleiades_core.storage.postgres import database_url
from pleiades_dagster.demo.home import Played, holds_older_demo, refuse_used, remove, simulator_config, write_settings
from pleiades_dagster.demo.options import DemoOptions
from pleiades_dagster.demo.summary import DemoSummary, sum_up
from pleiades_dagster.instance import prepare
from pleiades_dagster.ui.home_lock import Holder, hold

_HOUR = timedelta(hours=1)
_HOURS_OF_DAY = 24
#: The last hour played is 01:00 after the last midnight: late enough that the last day may be closed.
_LAST_HOUR = timedelta(hours=1)


class Interrupted(Exception):
    """The play was stopped by a signal. Finished runs are committed, and nothing runs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The progress of the play."""

    #: The simulated hour; before the first hour the part that is being started.
    text: str
    #: Simulated hours played; None: the play has not begun.
    hours: int | None
    of: int


def play(options: DemoOptions, *, show: Callable[[Step], None], stop: threading.Event) -> DemoSummary:
    """Play the demo to its end and sum it up. Simulator, server and leases are gone when this returns or raises.

    Args:
        options: what to play.
        show: is called with every step.
        stop: ends the play soon after it is set.

    Returns:
        The summary.

    Raises:
        Interrupted: `stop` was set.
        UsageError: the home is not a demo's.
        ConfigurationError: another process has the home open, or the world cannot be read.
    """
    home = options.home.absolute()
    require_usable(home)
    # Checked before the lock too: nothing is made in a folder that is not a demo's.
    holds_older_demo(home)
    hours = options.days * _HOURS_OF_DAY + _LAST_HOUR // _HOUR + 1

    def note(text: str, done: int | None = None) -> None:
        if stop.is_set():
            raise Interrupted
        show(Step(text=text, hours=done, of=hours))

    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(home, Holder(program="demo")))
        note("starting the simulator")
        # Before anything is removed: if the world cannot be read, the older demo must stay, and no new home must be made.
        simulator, first = _simulated(options, stack)
        if holds_older_demo(home):
            refuse_used(home)
            note(f"removing the older demo in {home}")
            remove(home)
        settings = _furnished(home, simulator, first)
        note("starting PostgreSQL")
        clock = ManualClock(utc_midnight(first))
        url = stack.enter_context(database_url(settings))
        opened = stack.enter_context(open_installation(settings, create=True, clock=clock))
        note("starting Dagster")
        from pleiades_dagster.demo.stage import open_stage

        until = utc_midnight(first) + (hours - 1) * _HOUR
        stage = stack.enter_context(open_stage(opened, clock, simulator, prepare(settings, url), first=first, until=until))
        stage.begin()
        for hour in range(hours):
            at = utc_midnight(first) + hour * _HOUR
            note(f"{at:%Y-%m-%d %H:00}", hour)
            stage.play_hour(at, lambda: note(f"{at:%Y-%m-%d %H:00}", hour))  # noqa: B023  called within the hour
        stage.finish(lambda: note("finishing", hours))
        played_world = str(options.world.absolute()) if options.world else None
        Played(world=played_world, videos=options.videos, seed=options.seed, start=first, days=options.days).write(home)
        return sum_up(opened, first, options.days, runs=stage.runs)


def usual_start(now: datetime, days: int) -> date:
    """The first day of a play of a synthetic world: so that the simulated clock ends today, and not ahead of `now`.

    Today, because Dagster counts days by the machine's clock, and a day that the play does not reach would be missing. In the
    first hour of a day it ends yesterday.
    """
    return (now - _LAST_HOUR).date() - timedelta(days=days)


def _simulated(options: DemoOptions, stack: contextlib.ExitStack) -> tuple[SimulatorControl, date]:
    """Start the simulator. Returns its control and the first day."""
    start = options.start
    if start is None and options.world is None:
        start = usual_start(datetime.now(UTC), options.days)
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
    """Write the home's settings, and read them."""
    terms = tuple(str(term) for term in simulator.world()["terms"])
    write_settings(home, youtube_url=simulator.base_url, first_day=first, terms=terms)
    return load_settings(home)
