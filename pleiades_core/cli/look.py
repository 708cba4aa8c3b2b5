"""Commands that only look: top, show, quota, sql, doctor.

Does not belong here: what there is to see (pleiades_core/{vault,insights}), what healthy means (doctor.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from pleiades_core import videoid
from pleiades_core.cli import export
from pleiades_core.cli.app import app, settings_of
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.doctor import examine
from pleiades_core.cli.output import NO_KEY, JsonOption, console, hint, print_answer, print_facts, print_json, print_rows, text
from pleiades_core.clock import utc_midnight
from pleiades_core.errors import ConfigurationError, NotFound, UsageError
from pleiades_core.insights.published import ask, end_of
from pleiades_core.insights.quota import QuotaReport
from pleiades_core.insights.quota import quota as quota_now
from pleiades_core.insights.ranking import RankedVideo, live, ranked
from pleiades_core.insights.video import description, history
from pleiades_core.installation import clock_of, open_installation
from pleiades_core.vault.layout import SAMPLES
from pleiades_core.vault.readable import files
from pleiades_core.vault.samples import Limits
from pleiades_core.vault.vault import Vault, open_vault
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.slices import entry

_SAMPLES_SHOWN = 24
_VIEWS = "videos, samples, metrics, pulls, daily_velocity, rankings"
_EXAMPLE = f'try: pleiades sql "select * from videos limit 5"; the views are {_VIEWS}'
_READS_ONLY = "`sql` reads views and nothing else: no file, no network, no extension, no setting; `--output` writes the answer"


@app.command()
def top(
    context: typer.Context,
    day: Annotated[str | None, typer.Argument(help="UTC day as YYYY-MM-DD; the last 24 hours when left out.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Lines of the ranking.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """What is rising: videos by views per hour over 24 hours, from measured samples."""
    settings = settings_of(context)
    vault = open_vault(settings.vault_root)
    until = end_of(day_of(day)) if day else clock_of(settings).now()
    # A day ends before its midnight, as in the published ranking; the present includes this second.
    best = ranked(vault, until, limit) if day else live(vault, until, limit)
    if day and not best:
        _require_samples(vault, day_of(day), clock_of(settings).now())
    if as_json:
        print_json({"until": until, "top": [asdict(video) for video in best]})
    else:
        _print_top(until, best)
    if not best:
        hint("nothing was measured in these 24 hours: `pleiades hunt` finds videos, `pleiades track` polls them again")


def _require_samples(vault: Vault, day: date, now: datetime) -> None:
    """Refuse a day of which there is no sample. Raises UsageError for a day to come, NotFound for another one."""
    if utc_midnight(day) > now:
        raise UsageError(f"{day} has not begun", cure="name a day that has, or none for the last 24 hours")
    planned = files(vault, SAMPLES, first=day, last=day)
    if not planned.locations and not planned.damaged:
        raise NotFound(
            f"nothing was measured on {day}",
            cure='`pleiades sql "select distinct day from metrics"` lists the days with samples',
        )


def _print_top(until: datetime, best: Sequence[RankedVideo]) -> None:
    rows = [
        [
            v.rank,
            v.video_id,
            v.title[:60],
            v.channel_title[:24],
            text(v.age_hours) + " h",
            v.views,
            v.views_per_hour,
            v.acceleration,
        ]
        for v in best
    ]
    names = ("#", "video", "title", "channel", "age", "views", "views per hour", "acceleration")
    print_rows(f"rising in the 24 hours to {until:%Y-%m-%d %H:%M} UTC", names, rows)


# No `-h`: an id may begin with a dash, and click would look for it among the letters.
@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
def show(
    context: typer.Context,
    video: Annotated[str, typer.Argument(help="Video id, or any address of the video.")],
    as_json: JsonOption = False,
) -> None:
    """Everything that is known of one video."""
    video_id = videoid.from_text(video)
    with open_installation(settings_of(context)) as pleiades:
        details = description(pleiades.vault, video_id)
        if details is None:
            raise NotFound(
                f"video {video_id} is not known here", cure=f"`pleiades add -- {video_id}` has it watched from now on"
            )
        polls = history(pleiades.vault, details["vid"])
        with pleiades.database.transaction() as connection:
            watched = entry(connection, video_id)
    details["watched"] = watched is not None
    if watched:
        age = (watched.polled_at or clock_of(pleiades.settings).now()) - watched.published_at
        details["tier"] = TIERS.tier(age, watched.misses)
        details["due_at"] = TIERS.due_at(watched.published_at, watched.polled_at, watched.misses)
        details["misses_in_a_row"] = watched.misses
    if as_json:
        print_json({**details, "samples": polls})
        return
    print_facts(details["title"][:80], {name: value for name, value in details.items() if name not in {"title", "vid"}})
    rows = [list(sample.values()) for sample in polls[-_SAMPLES_SHOWN:]]
    print_rows(f"last {len(rows)} of {len(polls)} samples", ("polled at", "status", "views", "likes", "comments"), rows)


@app.command()
def quota(context: typer.Context, as_json: JsonOption = False) -> None:
    """What is spent and left today, by project, bucket and pool, and which keys are in use (fingerprints only)."""
    with open_installation(settings_of(context)) as pleiades:
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
    print_rows("quota of this Pacific day, in units", names, rows)
    print_rows("keys", ("fingerprint", "project", "pools", "state"), [list(asdict(key).values()) for key in report.keys])
    for project, pools in report.shared.items():
        shared = f"project {project} is shared by {', '.join(pools)}: what one does not use in time is lent to the others"
        console().print(text(shared), markup=False, highlight=False)


@app.command()
def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help=f"DuckDB SQL over the views {_VIEWS}; `-` reads it from stdin.")],
    output: Annotated[Path | None, typer.Option(help="Write the rows to this file, .csv or .parquet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the vault in SQL. It reads the vault and nothing else; no database server is needed."""
    settings = settings_of(context)
    vault = open_vault(settings.vault_root)
    question = sys.stdin.read() if query == "-" else query
    if not question.strip():
        raise UsageError("nothing is asked", cure=_EXAMPLE)
    if output:
        export.check_target(output, settings.vault_root)
    try:
        table = ask(vault, question, Limits(memory_mb=settings.sql_memory_mb, threads=settings.sql_threads))
    except duckdb.OutOfMemoryException as error:
        raise UsageError(
            f"DuckDB: {error}", cure=f"ask for less, or raise PLEIADES_SQL_MEMORY_MB above {settings.sql_memory_mb}"
        ) from None
    except duckdb.Error as error:
        raise UsageError(f"DuckDB: {error}", cure=f"{_READS_ONLY}; {_EXAMPLE}") from None
    table = table.rename_columns(_distinct(table.column_names))
    if output:
        print_answer(
            "written", {"file": str(output), "rows": len(table), "bytes": export.write(table, output)}, as_json=as_json
        )
    elif as_json:
        print_json({"rows": table.to_pylist()})
    else:
        print_rows("", table.column_names, [list(row.values()) for row in table.to_pylist()])


def _distinct(names: list[str]) -> list[str]:
    """Column names, numbered where they repeat: `select *` of a join names its key twice, and an object has each name once."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        distinct.append(f"{name}_{seen[name]}" if seen[name] else name)
    return distinct


@app.command()
def doctor(
    context: typer.Context,
    call: Annotated[bool, typer.Option(help="Also try every key, for one unit each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at every part of the installation and say what is wrong and what to do about it."""
    findings = examine(settings_of(context), call=call)
    if as_json:
        print_json({"healthy": all(f.ok for f in findings), "findings": [asdict(f) for f in findings]})
    else:
        rows = [[f.word, f.part, f.found, f.cure] for f in findings]
        print_rows("doctor", ("", "part", "found", "what to do"), rows)
    if wrong := [f for f in findings if not f.ok]:
        raise typer.Exit(wrong[0].exit_code or ConfigurationError.exit_code)
