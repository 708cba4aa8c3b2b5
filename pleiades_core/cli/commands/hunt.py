"""`pleiades hunt`: ask the sources of discovery once."""

from __future__ import annotations

from typing import Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.keys import quota_spent, require_key
from pleiades_core.cli.output import JsonOption, plain, print_facts, print_json, print_rows, stderr
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import UsageError


@app.command(
    panel="Find and track",
    place=2,
    epilog=examples("pleiades hunt", "pleiades hunt --source search --source charts", "pleiades hunt --json | jq .new"),
)
def hunt(
    context: typer.Context,
    source: Annotated[
        list[str] | None, typer.Option(help=f"Only this source; may be given several times: {', '.join(SOURCES)}.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask every source of discovery once, and watch new videos."""
    if unknown := set(source or ()) - set(SOURCES):
        raise UsageError(f"no such source: {', '.join(sorted(unknown))}", cure=f"choose among {', '.join(SOURCES)}")
    require_key(context)
    with opened(context, create=True, leases=True) as pleiades:
        report = pleiades.hunter().hunt(source or ())
    if as_json:
        print_json(report)
    else:
        facts = {name: value for name, value in plain(report).items() if name not in {"sources", "failures"}}
        print_facts("hunt", facts)
        names = ("source", "targets", "units", "candidates", "new", "error")
        rows = [[name, *row.values()] for name, row in plain(report)["sources"].items()]
        print_rows("sources", names, rows, expendable=("targets", "candidates"), prose=("error",))
    for name, failure in report.failures.items():
        stderr.print(f"source {name} failed: {failure}")
    if report.full:
        stderr.print(f"{report.unwatched} videos are kept and not watched: {report.full}")
    if report.resets_at:
        quota_spent(report.quota_error, did_something=report.did_something)
