"""`pleiades top`: the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli import signals
from pleiades_core.cli.app import app, examples, settings_of
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.output import (
    JsonOption,
    hint,
    name_vault,
    print_json,
    print_rows,
    text,
)
from pleiades_core.errors import NotFound, UsageError

if TYPE_CHECKING:
    from pleiades_core.insights.ranking import RankedVideo
    from pleiades_core.vault.vault import Vault


@app.command(
    panel="Look",
    place=1,
    epilog=examples("pleiades top --limit 50", "pleiades top 2026-03-01 --wide", "pleiades top --json | jq '.top[].video_id'"),
)
def top(
    context: typer.Context,
    day: Annotated[
        str | None, typer.Argument(help="UTC day as YYYY-MM-DD, today until now; the last 24 hours when left out.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Lines of the ranking.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Rank the videos by views per hour over 24 hours, from measured samples."""
    from pleiades_core.insights.publish import end_of
    from pleiades_core.insights.ranking import live, ranked
    from pleiades_core.installation import clock_of, vault_of

    midnight = end_of(day_of(day)) if day else None
    settings = settings_of(context)
    now = clock_of(settings).now()
    if midnight and midnight - timedelta(days=1) > now:
        raise UsageError(f"{day} has not begun", cure="name a day that has, or none for the last 24 hours")
    vault = vault_of(settings)
    # A day that is over ends before its midnight, as in the published ranking. Today ends now, this second included.
    over = midnight if midnight and midnight <= now else None
    # DuckDB has a temporary folder meanwhile.
    with signals.unwinding():
        best = ranked(vault, over, limit) if over else live(vault, now, limit)
    until = over or now
    if day and not best:
        _require_samples(vault, day_of(day), settings.home)
    if as_json:
        print_json({"until": until, "top": [asdict(video) for video in best], "left_out": vault.damaged})
    else:
        _print_top(until, best)
    name_vault(settings.vault_root)
    # If a file is damaged, it is unknown whether anything was measured: the error says what to do.
    if not best and not vault.damaged:
        hint(
            f"nothing was measured in these 24 hours in {settings.home}: `pleiades hunt` finds videos, `pleiades track` polls"
            " them again"
        )
    vault.require_whole_answers()


def _require_samples(vault: Vault, day: date, home: Path) -> None:
    """Refuse a day of which there is no sample. Raises NotFound."""
    from pleiades_core.vault.layout import SAMPLES
    from pleiades_core.vault.readable_files import files

    planned = files(vault, SAMPLES, first=day, last=day)
    if not planned.closed and not planned.open and not planned.damaged:
        raise NotFound(
            f"nothing was measured on {day} in {home}",
            cure='`pleiades sql "select distinct day from metrics order by day"` lists the days with samples',
        )


def _print_top(until: datetime, best: Sequence[RankedVideo]) -> None:
    rows = [
        [
            v.rank,
            v.video_id,
            v.title,
            v.channel_title,
            text(v.age_hours) + " h",
            v.views,
            v.views_per_hour,
            v.acceleration,
        ]
        for v in best
    ]
    names = ("#", "video", "title", "channel", "age", "views", "views per hour", "acceleration")
    print_rows(
        f"rising in the 24 hours to {until:%Y-%m-%d %H:%M} UTC", names, rows,
        expendable=("channel", "acceleration", "views", "age", "title"),
    )  # fmt: skip
