"""`pleiades plan`: the units that the coming days need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import NO_KEY, JsonOption, hint, print_json, print_rows, say, text
from pleiades_core.models import Bucket

if TYPE_CHECKING:
    from pleiades_core.planner.report import Plan


@app.command(
    panel="Look", place=5, epilog=examples("pleiades plan --days 7", "pleiades plan --found-a-day 100000 --projects 2")
)
def plan(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days after today.")] = 30,
    found_a_day: Annotated[
        float | None,
        typer.Option(min=0, max=1e9, show_default="as lately", help="Plan for this many new videos a day, all to be watched."),
    ] = None,
    projects: Annotated[
        int | None,
        typer.Option(min=1, max=100, show_default="those in use", help="Plan for the quota of this many projects."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Forecast the units that the coming days need, and which consumers get too few. The exit code is 0 either way."""
    from pleiades_core.planner.plan import plan as make_plan

    with opened(context) as pleiades:
        ring = pleiades.key_ring()
        made = make_plan(
            pleiades.database, ring.ledger, pleiades.settings, pleiades.clock.now(),
            projects=ring.living(), days=days, found_a_day=found_a_day, suppose=projects,
        )  # fmt: skip
    if as_json:
        print_json(made)
    else:
        _print_plan(made)
    if not ring.keys:
        hint(f"{NO_KEY}. This plan is what one project with the usual quota would do")


def _print_plan(made: Plan) -> None:
    from pleiades_core.planner.report import added

    days = dict.fromkeys(row.day for row in made.rows)
    rows = []
    for day in days:
        of_day = [row for row in made.rows if row.day == day]
        cells: list[object] = [day]
        for bucket in Bucket:
            of_bucket = [row for row in of_day if row.bucket == bucket]
            gets = added(row.gets for row in of_bucket)
            cells += [round(sum(gets.values())), sum(row.supply for row in of_bucket)]
        lacking = added(row.shortfall for row in of_day)
        cells.append(", ".join(f"{name} lacks {units:,.0f}" for name, units in lacking.items()))
        rows.append(cells)
    names = ["Pacific day", *(name for bucket in Bucket for name in (bucket, f"of {bucket}")), "goes without"]
    if not any(row[-1] for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]
    print_rows(
        f"units to be spent, of {', '.join(made.projects)}; {made.watched:,} videos watched ({text(made.by_tier)}); of"
        f" {made.found_a_day:,.0f} found a day {made.watched_a_day:,.0f} join them",
        names,
        rows,
        # The sentences below say what goes without, and why.
        expendable=(*(f"of {bucket}" for bucket in Bucket), "goes without"),
        prose=("goes without",),
    )
    for verdict in made.verdicts:
        say(verdict.text)
    for shortfall in made.starved:
        say(
            f"{shortfall.consumer} goes without from {shortfall.day}:"
            f" gets {shortfall.gets:,} of {shortfall.needs:,} units; {shortfall.why}. Help: {shortfall.help}"
        )
    if made.most_watched_a_day is not None:
        say(f"tracking could take in {made.most_watched_a_day:,} new videos on every day of the plan")
    say("assumed: " + "; ".join(made.assumptions))
