"""Commands that change something: init-db, hunt, track, close-day."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from pleiades_core.cli.app import app, settings_of
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.output import JsonOption, print_answer, print_json, print_rows, stderr
from pleiades_core.errors import NotFound, PleiadesError, QuotaExhausted, StorageError, UsageError
from pleiades_core.installation import open_installation
from pleiades_core.models import Tier
from pleiades_core.storage.postgres import dagster_url, ensure_database, open_database, without_password
from pleiades_core.vault import archive, janitor
from pleiades_core.vault.layout import DATASETS
from pleiades_core.watchlist.closing import finish_day


@app.command("init-db")
def init_db(context: typer.Context, as_json: JsonOption = False) -> None:
    """Create the database, its schema and Dagster's database where they are missing. May be repeated."""
    settings = settings_of(context)
    with open_database(settings, create=settings.database_url is not None) as database:
        dagster = dagster_url(settings, database.url)
        ensure_database(dagster.replace("postgresql+psycopg2://", "postgresql://", 1))
        answer = {"database": without_password(database.url), "dagster": without_password(dagster), "applied": database.applied}
    print_answer("database is ready", answer, as_json=as_json)


@app.command()
def hunt(context: typer.Context, as_json: JsonOption = False) -> None:
    """Ask every road of discovery once, and watch what is new."""
    with open_installation(settings_of(context)) as pleiades:
        report = pleiades.hunter().hunt()
    print_answer("hunt", report, as_json=as_json)
    for road, failure in report.failures.items():
        stderr.print(f"road {road} failed: {failure}", markup=False)
    if report.resets_at:
        _quota_spent(report.resets_at, did_something=bool(report.searches or report.uploads_lists))


@app.command()
def track(
    context: typer.Context,
    tier: Annotated[Tier | None, typer.Option(case_sensitive=False, help="Only videos of this tier.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Poll every video that is due now."""
    with open_installation(settings_of(context)) as pleiades:
        report = pleiades.tracker().track(tier)
    print_answer("track", report, as_json=as_json)
    if report.resets_at:
        _quota_spent(report.resets_at, did_something=False)


@app.command("close-day")
def close_day(
    context: typer.Context,
    day: Annotated[str | None, typer.Argument(help="UTC day as YYYY-MM-DD; all that may be closed when left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fold the batches of days that are over into one file each; repeat it whenever late batches came."""
    with open_installation(settings_of(context)) as pleiades:
        database, vault, clock = pleiades.database, pleiades.vault, pleiades.clock
        if day is None:
            wanted = archive.closable(database, clock.now())
        else:
            chosen = day_of(day)
            if not archive.may_close(chosen, clock.now()):
                raise UsageError(
                    f"{chosen} is not over yet", cure=f"a day is closed {archive.CLOSING_GRACE} after its end, UTC"
                )
            wanted = [(dataset, chosen) for dataset in DATASETS.values() if archive.has_anything(database, dataset, chosen)]
            if not wanted:
                raise NotFound(
                    f"nothing was recorded on {chosen}", cure="`pleiades close-day` closes every day that may be closed"
                )
        closed: list[archive.ClosedDay] = []
        failed: list[PleiadesError] = []
        for dataset, each in wanted:
            try:
                closed.append(finish_day(database, vault, clock, dataset, each)[0])
            except (StorageError, NotFound) as error:
                # One damaged day does not keep the others open.
                stderr.print(f"{dataset.day_key(each)}: {error}", markup=False)
                failed.append(error)
        swept = janitor.sweep(database, vault, clock)
    if as_json:
        print_json({"closed": closed, "swept": swept})
    else:
        names = ("dataset", "day", "generation", "rows", "bytes", "batches", "duplicates", "changed")
        print_rows("closed days", names, [[getattr(one, name) for name in names] for one in closed])
    if failed:
        raise failed[0]


def _quota_spent(resets_at: datetime, *, did_something: bool) -> None:
    """Exit code 42 when there was nothing left to do with; a word on stderr when only a part was out."""
    message = f"quota ran out; it is new at {resets_at:%Y-%m-%d %H:%M} UTC"
    stderr.print(message)
    if not did_something:
        raise typer.Exit(QuotaExhausted.exit_code)
