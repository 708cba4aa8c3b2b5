"""`pleiades terms`: the search terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli.app import App, app, examples, opened
from pleiades_core.cli.output import JsonOption, hint, print_facts, print_json, print_rows

if TYPE_CHECKING:
    from pleiades_core.discover.search_queue.terms import QueuedTerm


_ADD_TERM = 'pleiades terms add "tutorial guitar" --priority 5'


terms = App(
    help="The search queue: what the hunts search for.", no_args_is_help=True, epilog=examples(_ADD_TERM, "pleiades terms list")
)
app.add_group(terms, name="terms", panel="Find and track", place=4)


@terms.command("add", epilog=examples(_ADD_TERM))
def add_term(
    context: typer.Context,
    term: Annotated[str, typer.Argument(help="What to search for.")],
    priority: Annotated[int, typer.Option(help="Above 0: searched before other terms.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Put a term into the queue, or change its priority."""
    from pleiades_core.discover.search_queue.terms import add, queued

    with opened(context, create=True) as pleiades, pleiades.database.transaction() as connection:
        now = pleiades.clock.now()
        added = add(connection, term, priority=priority, now=now)
        (known,) = (row for row in queued(connection, now) if row.term == added)
    if as_json:
        print_json(known)
        return
    facts = {"term": known.term, "priority": known.priority, "last_searched_at": known.last_searched_at}
    # Its expected reward says nothing before it was searched; `terms list` shows it beside the other terms.
    print_facts("term added", facts | ({"found": known.found} if known.last_searched_at else {}))


@terms.command("list", epilog=examples("pleiades terms list --limit 100", "pleiades terms list --json | jq .total"))
def list_terms(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="Lines of the list.")] = 40,
    as_json: JsonOption = False,
) -> None:
    """List the terms: what each cost and found, and its expected reward."""
    from pleiades_core.discover.search_queue.terms import queued

    with opened(context) as pleiades, pleiades.database.transaction() as connection:
        home = pleiades.settings.home
        listed = queued(connection, pleiades.clock.now())
    if as_json:
        print_json({"total": len(listed), "terms": [asdict(row) for row in listed[:limit]]})
    else:
        _print_terms(listed, limit)
    if not listed:
        hint(
            f"no term yet in {home}: `pleiades hunt` adds the terms of PLEIADES_DISCOVERY_SEED_TERMS,"
            " `pleiades terms add TERM` adds one of yours"
        )


def _print_terms(listed: Sequence[QueuedTerm], limit: int) -> None:
    names = ("term", "priority", "mentions", "requests", "reward", "expected", "readiness", "last_searched_at", "found")
    rows = [
        [
            row.term, row.priority, f"{row.mentions:.1f}", f"{row.requests:.2f}", f"{row.reward:.3f}", f"{row.expected:.3f}",
            f"{row.readiness:.2f}", row.last_searched_at, row.found,
        ]
        for row in listed[:limit]
    ]  # fmt: skip
    print_rows(
        f"{len(rows)} of {len(listed)} terms", names, rows,
        expendable=("readiness", "mentions", "reward", "requests", "priority", "last_searched_at"),
    )  # fmt: skip
