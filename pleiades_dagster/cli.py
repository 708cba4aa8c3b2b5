"""The console script `pleiades`: the core's commands, and the two that need Dagster.

Belongs here: `demo` and `ui` as commands, their signals and output. Does not belong here: playing (demo/play.py), serving
(ui/processes.py), the demo's progress (demo/progress.py). Dagster is imported inside the commands: it costs two seconds, and
`pleiades --help` needs none of it.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli import signals
from pleiades_core.cli.app import app, examples, home_of
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.main import run
from pleiades_core.cli.output import JsonOption, print_facts, print_json, print_rows
from pleiades_core.errors import UsageError
from pleiades_core.models import YOUTUBE_BEGAN
from pleiades_dagster.demo.options import MOST_DAYS, USUAL, DemoOptions

#: The whole command line: the core's commands, and those below.
__all__ = ["app"]

if TYPE_CHECKING:
    from pleiades_dagster.demo.play import Step
    from pleiades_dagster.demo.summary import DemoSummary

_LAST_DAY = date(2099, 12, 31)


@app.command(
    panel="Start",
    place=1,
    epilog=examples("pleiades demo", "pleiades demo --days 7 --home /tmp/a-week", "pleiades demo --json | jq .top"),
)
def demo(
    context: typer.Context,
    world: Annotated[Path | None, typer.Option(help="Folder of a recorded world (videos.parquet, readings.parquet).")] = None,
    start: Annotated[
        str | None, typer.Option(help="First day, as 2026-03-01.", show_default="so that the play ends today")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Days to play.")] = USUAL.days,
    videos: Annotated[int, typer.Option(min=1, help="Size of the synthetic world.")] = USUAL.videos,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic world.")] = USUAL.seed,
    as_json: JsonOption = False,
) -> None:
    """Play days of a simulated YouTube through the whole pipeline: no key, no network, no server needed.

    The demo uses .pleiades/demo unless --home names another folder; PLEIADES_HOME is ignored. An older demo there is removed.
    """
    chosen = home_of(context) or USUAL.home
    options = DemoOptions(home=chosen, world=world, start=_first_day(start), days=days, videos=videos, seed=seed)
    summary = _played(options)
    if isinstance(summary, int):
        typer.echo("Stopped. Simulator and PostgreSQL are down, no lease is left; `pleiades demo` starts anew.", err=True)
        # As a shell reports a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM.
        raise typer.Exit(128 + summary)
    if as_json:
        print_json(summary.promised())
    else:
        print_summary(summary, chosen)


@app.command(
    panel="Start", place=3, epilog=examples("pleiades ui", "pleiades ui --home .pleiades/demo --port 3001 --read-only")
)
def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65_535)] = 3000,
    read_only: Annotated[bool, typer.Option("--read-only", help="Look only: nothing can be launched or switched.")] = False,
    daemon: Annotated[bool, typer.Option(help="Run schedules, sensors and queued runs.")] = True,
) -> None:
    """Open the Dagster UI of an installation, or of a demo that was played."""
    from pleiades_dagster.ui.processes import UiOptions, serve

    with signals.unwinding(leases=True):
        serve(
            UiOptions(home=home_of(context), port=port, read_only=read_only, daemon=daemon),
            say=lambda text: typer.echo(text, err=True),
        )


def main() -> None:
    """Run the program, once it is imported (__main__.py)."""
    run()


def _first_day(text: str | None) -> date | None:
    """A day on which YouTube existed or may exist. Raises UsageError."""
    day = day_of(text) if text else None
    if day and not YOUTUBE_BEGAN <= day <= _LAST_DAY:
        raise UsageError(f"--start {day} is not a day of YouTube", cure=f"choose one from {YOUTUBE_BEGAN} to {_LAST_DAY}")
    return day


def _played(options: DemoOptions) -> DemoSummary | int:
    """Play in a thread of its own. Returns the number of the signal if one arrived, even after the last hour was played.

    Dagster swaps the signal handlers of the main thread during a run, and a Ctrl-C between two handlers is lost. In another
    thread it does not, so our handlers stay: the present run ends and commits, then everything stops.
    """
    from pleiades_dagster.demo.play import play
    from pleiades_dagster.demo.progress import progress

    stop = threading.Event()
    result: list[DemoSummary | BaseException] = []

    def work(show: Callable[[Step], None]) -> None:
        try:
            result.append(play(options, show=show, stop=stop))
        except BaseException as error:  # noqa: BLE001  passed to the main thread, which raises it
            result.append(error)

    with _on_signal(stop) as received, progress() as show:
        worker = threading.Thread(target=work, args=[show], name="demo")
        worker.start()
        while worker.is_alive():
            worker.join(0.2)
    if received:
        # The interruption is reported, whatever the result of the present run.
        return received[0]
    outcome = result[0]
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@contextlib.contextmanager
def _on_signal(stop: threading.Event) -> Iterator[list[int]]:
    """Set `stop` at SIGINT and SIGTERM. Yields the list of signals that came."""
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_summary(summary: DemoSummary, home: Path) -> None:
    """Print the result of the demo: its fastest videos, and what it found, spent and stored."""
    print_rows(
        "fastest videos of the last day",
        ("#", "video", "title", "channel", "age", "views", "views per hour"),
        [
            [
                video["rank"], video["video_id"], video["title"], video["channel_title"], f"{video['age_hours']:.0f} h",
                video["views"], video["views_per_hour"],
            ]
            for video in summary.top
        ],
        expendable=("channel", "views", "age", "title"),
    )  # fmt: skip
    stored = f"SQL {summary.sql_bytes / 1e6:,.1f} MB, Dagster's {summary.runs} runs included"
    print_facts(
        "",
        {
            "found": f"{summary.discovered:,} videos, {summary.watched:,} of them watched",
            "tracked": f"{summary.samples:,} samples, {summary.misses:,} misses, in {summary.days_closed} closed days",
            "calls": summary.calls,
            "stored": f"{stored}; vault {summary.vault_bytes / 1e6:,.2f} MB",
            "look": looking_at(home),
            "again": "the next demo starts anew and removes this one",
        },
    )


def looking_at(home: Path) -> str:
    """The command that shows a demo in the UI."""
    command = f"pleiades ui --home {shlex.quote(str(home))}"
    # `make ui` works for the usual home, in the folder of the Makefile.
    return f"make ui    (or: {command})" if home == USUAL.home and Path("Makefile").is_file() else command


if __name__ == "__main__":
    main()
