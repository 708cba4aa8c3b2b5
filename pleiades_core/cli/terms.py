"""Commands of what is searched for: terms, upkeep, campaign.

Does not belong here: what they do (pleiades_core/discover).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli.app import App, app, examples, opened
from pleiades_core.cli.arguments import month_of
from pleiades_core.cli.output import JsonOption, hint, print_answer, print_facts, print_json, print_rows

if TYPE_CHECKING:
    from pleiades_core.discover.search_queue.terms import QueuedTerm

_ADD_TERM = 'pleiades terms add "tutorial guitar" --priority 5'
_ADD_CAMPAIGN = "pleiades campaign add spring --from 2019-03 --to 2019-05 --category 10"
terms = App(
    help="The search queue: what the hunts search for.", no_args_is_help=True, epilog=examples(_ADD_TERM, "pleiades terms list")
)
app.add_typer(terms, name="terms")
campaign = App(
    help="Campaigns of the archeologist: the most viewed videos of months long past.", no_args_is_help=True,
    epilog=examples(_ADD_CAMPAIGN, "pleiades campaign list"),
)  # fmt: skip
app.add_typer(campaign, name="campaign")


@terms.command("add", epilog=examples(_ADD_TERM))
def add_term(
    context: typer.Context,
    term: Annotated[str, typer.Argument(help="What to search for.")],
    priority: Annotated[int, typer.Option(help="Above 0 it comes before others.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Put a term into the queue, or change its priority."""
    from pleiades_core.discover.search_queue.terms import add, queued

    with opened(context, create=True) as pleiades, pleiades.database.transaction() as connection:
        now = pleiades.clock.now()
        added = add(connection, term, priority=priority, now=now)
        (known,) = (one for one in queued(connection, now) if one.term == added)
    if as_json:
        print_json(known)
        return
    facts = {"term": known.term, "priority": known.priority, "last_searched_at": known.last_searched_at}
    # What it promises is nothing to a reader before it was searched; `terms list` shows it beside the other terms.
    print_facts("term added", facts | ({"found": known.found} if known.last_searched_at else {}))


@terms.command("list", epilog=examples("pleiades terms list --limit 100", "pleiades terms list --json | jq .total"))
def list_terms(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="Lines of the list.")] = 40,
    as_json: JsonOption = False,
) -> None:
    """What each term cost and brought, and what is expected of it."""
    from pleiades_core.discover.search_queue.terms import queued

    with opened(context) as pleiades, pleiades.database.transaction() as connection:
        home = pleiades.settings.home
        listed = queued(connection, pleiades.clock.now())
    if as_json:
        print_json({"total": len(listed), "terms": [asdict(one) for one in listed[:limit]]})
    else:
        _print_terms(listed, limit)
    if not listed:
        hint(
            f"no term yet in {home}: `pleiades hunt` adds the terms of PLEIADES_SEED_TERMS, `pleiades terms add TERM` one"
            " of yours"
        )


def _print_terms(listed: Sequence[QueuedTerm], limit: int) -> None:
    names = ("term", "priority", "mentions", "requests", "reward", "expected", "readiness", "last_searched_at", "found")
    rows = [
        [
            one.term, one.priority, f"{one.mentions:.1f}", f"{one.requests:.2f}", f"{one.reward:.3f}", f"{one.expected:.3f}",
            f"{one.readiness:.2f}", one.last_searched_at, one.found,
        ]
        for one in listed[:limit]
    ]  # fmt: skip
    print_rows(
        f"{len(rows)} of {len(listed)} terms", names, rows,
        expendable=("readiness", "mentions", "reward", "requests", "priority", "last_searched_at"),
    )  # fmt: skip


@app.command(epilog=examples("pleiades upkeep"))
def upkeep(context: typer.Context, as_json: JsonOption = False) -> None:
    """Once a day: keep what was asked in the vault, reward the terms for what their finds became, let old rows go.

    Asks nothing of YouTube. It is safe to run again. Where Dagster runs, it does the same.
    """
    from pleiades_core.discover.upkeep import run_upkeep

    with opened(context) as pleiades:
        report = run_upkeep(pleiades.database, pleiades.vault, pleiades.key_ring().ledger, pleiades.clock.now())
    if as_json:
        print_json(report)
        pleiades.vault.require_whole_answers()
        return
    print_facts(
        "upkeep",
        {
            "days of requests exported": report.exported_days, "requests exported": report.exported_requests,
            "requests forgotten by SQL": report.forgotten.rows, "days that stay in SQL": report.forgotten.kept,
            "terms rescored": report.rescored.terms, "videos judged": report.rescored.judged,
            "of these viral": report.rescored.viral, "old rows of the quota ledger": report.ledger_pruned,
        },
    )  # fmt: skip
    pleiades.vault.require_whole_answers()


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
    """Every campaign, and how far it went. A cell is cut short when the pages came too late: its most viewed are there."""
    from pleiades_core.discover.search_queue import campaigns

    with opened(context) as pleiades, pleiades.database.transaction() as connection:
        home = pleiades.settings.home
        known = sorted(campaigns.campaigns(connection), key=lambda one: one.name)
    if as_json:
        listed = [
            {
                "name": one.name, "first_month": f"{one.first_month:%Y-%m}", "last_month": f"{one.last_month:%Y-%m}",
                "categories": one.categories, "cell": None if one.finished_at else one.cell, "cells": one.cells,
                "cells_left": one.cells_left, "cells_cut": one.cut, "searches": one.searches, "found": one.found,
                "finished_at": one.finished_at,
            }
            for one in known
        ]  # fmt: skip
        print_json({"campaigns": listed})
        return
    names = ("name", "months", "categories", "at", "cells left", "cut short", "searches", "found", "finished at")
    rows = [
        [
            one.name, f"{one.first_month:%Y-%m} to {one.last_month:%Y-%m}", " ".join(map(str, one.categories)),
            None if one.finished_at else one.cell, f"{one.cells_left} of {one.cells}", one.cut, one.searches, one.found,
            one.finished_at,
        ]
        for one in known
    ]  # fmt: skip
    print_rows("campaigns", names, rows, expendable=("cut short", "categories", "finished at", "at", "searches"))
    if not rows:
        hint(f"no campaign yet in {home}: `pleiades campaign add` begins one")


@campaign.command("remove", epilog=examples("pleiades campaign remove spring"))
def remove_campaign(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Which one.")], as_json: JsonOption = False
) -> None:
    """End a campaign and forget how far it went. What it found stays."""
    from pleiades_core.discover.search_queue import campaigns

    with opened(context) as pleiades, pleiades.database.transaction() as connection:
        campaigns.remove(connection, name)
    print_answer("campaign removed", {"name": name}, as_json=as_json)
