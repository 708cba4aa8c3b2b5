"""`pleiades sources`: what each source of discovery cost and found."""

from __future__ import annotations

from typing import Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import JsonOption, hint, print_facts, print_json, print_rows, say


@app.command(
    panel="Look",
    place=6,
    epilog=examples("pleiades sources --days 1 --targets", "pleiades sources --json | jq '.sources[].new_per_unit'"),
)
def sources(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0.01, max=3_660, help="How many days to look back.")] = 7,
    targets: Annotated[bool, typer.Option(help="Show each term, chart and month separately.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what each source of discovery cost and found, its last error, and the state of the followed channels."""
    from pleiades_core.reports.sources import sources as measure_sources

    with opened(context) as pleiades:
        home = pleiades.settings.home
        report = measure_sources(pleiades.database, pleiades.vault, pleiades.clock.now(), days=days, targets=targets)
    if not report.sources:
        hint(f"no source was asked in these days in {home}: `pleiades hunt` asks all of them")
    if as_json:
        print_json(report)
        pleiades.vault.require_whole_answers()
        return
    names = ("source", "requests", "units", "candidates", "new", "new per unit", "last requested at", "last error", "failed at")
    rows = [
        [
            f"{source.source} {source.target}".strip(), source.requests, source.units, source.candidates, source.new,
            source.new_per_unit, source.last_requested_at, source.last_error, source.failed_at,
        ]
        for source in report.sources
    ]  # fmt: skip
    print_rows(
        f"sources from {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC", names, rows,
        expendable=("failed at", "new per unit", "last requested at", "candidates", "requests"), prose=("last error",),
    )  # fmt: skip
    say(f"{report.to_describe:,} videos were found and wait to be described, 50 for a general unit")
    channels = report.channels
    print_facts(
        "followed channels",
        {
            "followed": channels.followed, "uploads a day (estimate)": channels.uploads_a_day, "live push": channels.push_live,
            "feed read within a day, no push": channels.feeds_only,
            "neither push nor feed: counts and lists alone find uploads": channels.unanswered,
            "feeds failing": channels.feeds_failing, "with uploads that wait for a list": channels.waiting,
            "pages of lists that wait": channels.waiting_pages,
            "with past uploads that are not read yet": channels.back_catalogues,
            "past uploads that are not read yet": channels.back_catalogue_uploads,
        },
    )  # fmt: skip
    pleiades.vault.require_whole_answers()
