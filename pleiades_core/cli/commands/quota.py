"""`pleiades quota`: units spent and left."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import (
    NO_KEY,
    JsonOption,
    hint,
    print_json,
    print_rows,
    say,
)

if TYPE_CHECKING:
    from pleiades_core.reports.quota import QuotaReport


@app.command(panel="Look", place=4, epilog=examples("pleiades quota", "pleiades quota --json | jq '.ledger[].left'"))
def quota(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show units spent and left today, by project, bucket and pool, and the keys in use (fingerprints only)."""
    from pleiades_core.reports.quota import quota as quota_now

    with opened(context) as pleiades:
        report = quota_now(pleiades.key_ring())
    if as_json:
        print_json(report)
    else:
        _print_quota(report)
    if not report.keys:
        hint(NO_KEY)


def _print_quota(report: QuotaReport) -> None:
    names = (
        "project",
        "bucket",
        "quota_day",
        "spent",
        "limit",
        "left",
        "exhausted",
        "resets_at",
        "spent_by",
        "shares",
        "free_for",
    )
    rows = [[getattr(row, name) for name in names] for row in report.ledger]
    print_rows(
        "quota of this Pacific day, in units", names, rows,
        expendable=("shares", "spent_by", "free_for", "quota_day", "exhausted", "resets_at", "limit"),
    )  # fmt: skip
    print_rows("keys", ("fingerprint", "project", "pools", "state"), [list(asdict(key).values()) for key in report.keys])
    for project, pools in report.shared.items():
        say(f"project {project} is shared by {', '.join(pools)}: units that a pool does not use in time are lent to the others")
