"""Commands of what is searched for: terms, learn, campaign."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer

from pleiades_core.cli.app import app, settings_of
from pleiades_core.cli.output import JsonOption, print_answer, print_facts, print_json, print_rows
from pleiades_core.discover import campaigns, terms
from pleiades_core.discover.learning import learn as learn_now
from pleiades_core.errors import UsageError
from pleiades_core.installation import open_installation

campaign = typer.Typer(help="Campaigns of the archeologist: the most viewed videos of months long past.", no_args_is_help=True)
app.add_typer(campaign, name="campaign")


@app.command("terms")
def list_terms(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="Lines of the list.")] = 40,
    add: Annotated[str | None, typer.Option(metavar="TERM", help="Put a term into the queue, or change its priority.")] = None,
    priority: Annotated[int, typer.Option(help="Of the added term; above 0 it comes before others.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """The search queue: what each term cost and brought, and what is expected of it."""
    with open_installation(settings_of(context)) as pleiades:
        now = pleiades.clock.now()
        with pleiades.database.transaction() as connection:
            added = terms.add(connection, add, priority=priority, now=now) if add is not None else None
            listed = terms.queued(connection, now)
    if added is not None:
        listed = [one for one in listed if one.term == added]
    if as_json:
        print_json({"terms": len(listed), "queue": [asdict(one) for one in listed[:limit]]})
        return
    names = ("term", "priority", "mentions", "pulls", "reward", "expected", "readiness", "last_searched_at", "found")
    rows = [
        [
            one.term, one.priority, f"{one.mentions:.1f}", f"{one.pulls:.2f}", f"{one.reward:.3f}", f"{one.expected:.3f}",
            f"{one.readiness:.2f}", one.last_searched_at, one.found,
        ]
        for one in listed[:limit]
    ]  # fmt: skip
    print_rows(f"{len(rows)} of {len(listed)} terms", names, rows)


@app.command()
def learn(context: typer.Context, as_json: JsonOption = False) -> None:
    """Once a day: keep what was asked in the vault, reward the terms for what their finds became, let old rows go.

    Asks nothing of YouTube. May be repeated. Where Dagster runs, it does the same.
    """
    with open_installation(settings_of(context)) as pleiades:
        learned = learn_now(pleiades.database, pleiades.vault, pleiades.key_ring().ledger, pleiades.clock.now())
    if as_json:
        print_json(learned)
        return
    print_facts(
        "learned",
        {
            "days of pulls exported": learned.exported_days, "pulls exported": learned.exported_pulls,
            "pulls forgotten by SQL": learned.forgotten.rows, "days that stay in SQL": learned.forgotten.kept,
            "terms rescored": learned.rescored.terms, "videos judged": learned.rescored.judged,
            "of these viral": learned.rescored.viral, "old rows of the quota ledger": learned.ledger_pruned,
        },
    )  # fmt: skip


@campaign.command("add")
def add_campaign(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="The oldest month.")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM", help="The newest month, with which it begins.")],
    category: Annotated[
        list[int] | None, typer.Option(help="A category's number; repeat it.  [default: 10 20 24 28 27]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a campaign: up to 10 searches for each month and category, from the pool `archeology`."""
    with open_installation(settings_of(context)) as pleiades, pleiades.database.transaction() as connection:
        begun = campaigns.add(connection, name, month_of(first), month_of(last), category or (), now=pleiades.clock.now())
    answer = {"name": begun.name, "cells": begun.cells, "searches_at_most": begun.cells * campaigns.PAGES_A_CELL}
    print_answer(f"campaign {begun.name}", answer, as_json=as_json)


@campaign.command("list")
def list_campaigns(context: typer.Context, as_json: JsonOption = False) -> None:
    """Every campaign, and how far it went."""
    with open_installation(settings_of(context)) as pleiades, pleiades.database.transaction() as connection:
        known = sorted(campaigns.campaigns(connection), key=lambda one: one.name)
    if as_json:
        print_json(
            [
                {
                    "name": one.name, "from": f"{one.first_month:%Y-%m}", "to": f"{one.last_month:%Y-%m}",
                    "categories": one.categories, "at": None if one.finished_at else one.cell, "cells": one.cells,
                    "cells_left": one.cells_left, "searches": one.searches, "found": one.found,
                    "finished_at": one.finished_at,
                }
                for one in known
            ]
        )  # fmt: skip
        return
    names = ("name", "months", "categories", "at", "cells left", "searches", "found", "finished at")
    rows = [
        [
            one.name, f"{one.first_month:%Y-%m} to {one.last_month:%Y-%m}", " ".join(map(str, one.categories)),
            None if one.finished_at else one.cell, f"{one.cells_left} of {one.cells}", one.searches, one.found, one.finished_at,
        ]
        for one in known
    ]  # fmt: skip
    print_rows("campaigns", names, rows)


@campaign.command("remove")
def remove_campaign(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Which one.")], as_json: JsonOption = False
) -> None:
    """End a campaign and forget how far it went. What it found stays."""
    with open_installation(settings_of(context)) as pleiades, pleiades.database.transaction() as connection:
        campaigns.remove(connection, name)
    print_answer("campaign removed", {"name": name}, as_json=as_json)


def month_of(text: str) -> date:
    """The first day of a month as people write it. Raises UsageError."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise UsageError(f"{text!r} is not a month", cure="write it as 2019-03") from None
