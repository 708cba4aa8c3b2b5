"""`pleiades track`: poll the videos that are due."""

from __future__ import annotations

from typing import Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.keys import quota_spent
from pleiades_core.cli.output import JsonOption, print_answer
from pleiades_core.models import Tier


@app.command(
    panel="Find and track", place=3, epilog=examples("pleiades track", "pleiades track --tier hourly --json | jq .samples")
)
def track(
    context: typer.Context,
    tier: Annotated[Tier | None, typer.Option(case_sensitive=False, help="Only videos of this tier.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Poll every video that is due now."""
    with opened(context, leases=True) as pleiades:
        report = pleiades.tracker().track(tier)
    print_answer("track", report, as_json=as_json)
    if report.resets_at:
        quota_spent(report.quota_error, did_something=report.samples > 0)
