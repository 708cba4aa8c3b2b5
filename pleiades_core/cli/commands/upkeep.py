"""`pleiades upkeep`: the daily upkeep of discovery."""

from __future__ import annotations

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import JsonOption, print_facts, print_json


@app.command(panel="Care", place=4, epilog=examples("pleiades upkeep"))
def upkeep(context: typer.Context, as_json: JsonOption = False) -> None:
    """Daily upkeep: export requests to the vault, compute the rewards of the terms, delete old rows.

    YouTube is not called. It is safe to run again. If Dagster runs, it does this too.
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
