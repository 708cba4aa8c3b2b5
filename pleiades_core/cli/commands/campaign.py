"""`pleiades campaign`: searches through past months."""

from __future__ import annotations

from typing import Annotated

import typer

from pleiades_core.cli.app import App, app, examples, opened
from pleiades_core.cli.arguments import month_of
from pleiades_core.cli.output import JsonOption, hint, print_answer, print_json, print_rows

_ADD_CAMPAIGN = "pleiades campaign add spring --from 2019-03 --to 2019-05 --category 10"


campaign = App(
    help="Search past months, category by category, for their most viewed videos.", no_args_is_help=True,
    epilog=examples(_ADD_CAMPAIGN, "pleiades campaign list"),
)  # fmt: skip
app.add_group(campaign, name="campaign", panel="Find and track", place=5)


@campaign.command("add", epilog=examples(_ADD_CAMPAIGN))
def add_campaign(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="The oldest month.")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM", help="The newest month, with which it begins.")],
    category: Annotated[
        list[int] | None, typer.Option(help="A category's number; repeat it.", show_default="10 20 24 28 27")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a campaign: up to 10 searches for each month and category, from the pool `archeology`."""
    from pleiades_core.discover.search_queue import campaigns

    oldest, newest = month_of(first), month_of(last)
    with opened(context, create=True) as pleiades, pleiades.database.transaction() as connection:
        begun = campaigns.add(connection, name, oldest, newest, category or (), now=pleiades.clock.now())
    answer = {"name": begun.name, "cells": begun.cells, "searches_at_most": begun.cells * campaigns.PAGES_A_CELL}
    print_answer(f"campaign {begun.name}", answer, as_json=as_json)


@campaign.command("list", epilog=examples("pleiades campaign list"))
def list_campaigns(context: typer.Context, as_json: JsonOption = False) -> None:
    """List every campaign, and how far it went. A cell is cut short if its page token died: its most viewed videos are kept."""
    from pleiades_core.discover.search_queue import campaigns

    with opened(context) as pleiades, pleiades.database.transaction() as connection:
        home = pleiades.settings.home
        known = sorted(campaigns.campaigns(connection), key=lambda row: row.name)
    if as_json:
        listed = [
            {
                "name": row.name, "first_month": f"{row.first_month:%Y-%m}", "last_month": f"{row.last_month:%Y-%m}",
                "categories": row.categories, "cell": None if row.finished_at else row.cell, "cells": row.cells,
                "cells_left": row.cells_left, "cells_cut": row.cut, "searches": row.searches, "found": row.found,
                "finished_at": row.finished_at,
            }
            for row in known
        ]  # fmt: skip
        print_json({"campaigns": listed})
        return
    names = ("name", "months", "categories", "at", "cells left", "cut short", "searches", "found", "finished at")
    rows = [
        [
            row.name, f"{row.first_month:%Y-%m} to {row.last_month:%Y-%m}", " ".join(map(str, row.categories)),
            None if row.finished_at else row.cell, f"{row.cells_left} of {row.cells}", row.cut, row.searches, row.found,
            row.finished_at,
        ]
        for row in known
    ]  # fmt: skip
    print_rows("campaigns", names, rows, expendable=("cut short", "categories", "finished at", "at", "searches"))
    if not rows:
        hint(f"no campaign yet in {home}: `pleiades campaign add` begins one")


@campaign.command("remove", epilog=examples("pleiades campaign remove spring"))
def remove_campaign(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Which one.")], as_json: JsonOption = False
) -> None:
    """End a campaign and forget how far it went. Its videos stay."""
    from pleiades_core.discover.search_queue import campaigns

    with opened(context) as pleiades, pleiades.database.transaction() as connection:
        campaigns.remove(connection, name)
    print_answer("campaign removed", {"name": name}, as_json=as_json)
