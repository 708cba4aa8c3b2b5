"""The progress of a demo on standard error: a bar on a terminal, lines otherwise.

Belongs here: how progress is shown. Does not belong here: playing (play.py), the answer (cli.py).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from pleiades_dagster.demo.play import Step

#: Real seconds after which a line is printed again: CI ends jobs that print nothing for minutes.
SAY_EVERY_S = 10.0

Show = Callable[["Step"], None]


@contextlib.contextmanager
def progress() -> Iterator[Show]:
    """Yields a function that shows a step, in the way that fits standard error."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as show:
            yield show
    else:
        with lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)) as show:
            yield show


@contextlib.contextmanager
def lines(say: Callable[[str], None], *, every_s: float = SAY_EVERY_S) -> Iterator[Show]:
    """Print a line for every part that is started and every simulated day, and at least one every `every_s` real seconds."""
    begun = time.monotonic()
    changed = threading.Condition()
    latest: list[Step] = []
    over = False

    def show(step: Step) -> None:
        with changed:
            news = not latest or heading(step) != heading(latest[-1])
            latest[:] = [step]
            if news:
                say(line_of(step, time.monotonic() - begun))
                # The wait for the next line begins again.
                changed.notify()

    def repeat() -> None:
        with changed:
            while not over:
                if not changed.wait(every_s) and latest:
                    say(line_of(latest[-1], time.monotonic() - begun))

    repeating = threading.Thread(target=repeat, name="progress", daemon=True)
    repeating.start()
    try:
        yield show
    finally:
        with changed:
            over = True
            changed.notify()
        repeating.join()


def heading(step: Step) -> str:
    """The part that is being started, or the simulated day: each gets a line."""
    return step.text if step.hours is None else step.text.partition(" ")[0]


def line_of(step: Step, elapsed_s: float) -> str:
    """One line: real seconds, what is played, and the share of the play that is done."""
    if step.hours is None:
        return f"{elapsed_s:5.0f} s  {step.text}"
    return f"{elapsed_s:5.0f} s  {step.text}, hour {step.hours} of {step.of}, {step.hours / step.of:.0%} done"


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Show]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    what, unit = TextColumn("{task.description:<32}"), TextColumn("hours")
    with Progress(what, BarColumn(), MofNCompleteColumn(), unit, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("starting", total=None)

        def show(step: Step) -> None:
            if "removing" in step.text:
                bar.console.print(step.text, markup=False, highlight=False)
            bar.update(task, description=step.text[:32], completed=step.hours or 0, total=step.of)

        yield show
