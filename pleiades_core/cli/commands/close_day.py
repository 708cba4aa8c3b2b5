"""`pleiades close-day`: fold the batches of a UTC day into one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.output import JsonOption, hint, print_json, print_rows, stderr
from pleiades_core.errors import NotFound, PleiadesError, StorageError, UsageError

if TYPE_CHECKING:
    from pleiades_core.vault.archive import ClosedDay


@app.command("close-day", panel="Care", place=2, epilog=examples("pleiades close-day", "pleiades close-day 2026-03-01"))
def close_day(
    context: typer.Context,
    day: Annotated[str | None, typer.Argument(help="UTC day as YYYY-MM-DD; all that may be closed when left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fold the batches of days that are over into one file for each day. Run it again when late batches came."""
    from pleiades_core.batches.closing import finish_day
    from pleiades_core.vault import archive, janitor
    from pleiades_core.vault.layout import DATASETS

    with opened(context) as pleiades:
        database, vault, clock = pleiades.database, pleiades.vault, pleiades.clock
        if day is None:
            to_close = archive.closable(database, clock.now())
        else:
            chosen = day_of(day)
            if not archive.may_close(chosen, clock.now()):
                raise UsageError(
                    f"{chosen} is not over yet", cure=f"it can be closed from {archive.closes_at(chosen):%Y-%m-%d %H:%M} UTC on"
                )
            to_close = [(dataset, chosen) for dataset in DATASETS.values() if archive.has_anything(database, dataset, chosen)]
            if not to_close:
                raise NotFound(
                    f"nothing was recorded on {chosen}", cure="`pleiades close-day` closes every day that may be closed"
                )
        closed: list[ClosedDay] = []
        failed: list[PleiadesError] = []
        for dataset, each in to_close:
            try:
                closed.append(finish_day(database, vault, clock, dataset, each)[0])
            except (StorageError, NotFound) as error:
                # One damaged day does not keep the other days open.
                stderr.print(f"{dataset.day_key(each)}: {error}")
                failed.append(error)
        swept = janitor.sweep(database, vault, clock)
        if not to_close:
            hint(f"no day can be closed in {pleiades.settings.home}: every day that is over is closed, or nothing was measured")
    if as_json:
        print_json({"closed": closed, "swept": swept})
    else:
        names = ("dataset", "day", "generation", "rows", "bytes", "batches", "duplicates", "changed")
        rows = [[getattr(day, name) for name in names] for day in closed]
        print_rows("closed days", names, rows, expendable=("changed", "duplicates", "batches", "bytes"))
    if failed:
        raise failed[0]
