"""Commands that only look: top, show, quota, doctor.

Does not belong here: what there is to see (pleiades_core/{vault,insights}), questions in SQL (query.py), what healthy means
(doctor.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core import videoid
from pleiades_core.cli import signals
from pleiades_core.cli.app import DASHED_IDS, app, examples, opened, settings_of
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.output import (
    NO_KEY,
    JsonOption,
    hint,
    name_vault,
    next_step,
    print_facts,
    print_json,
    print_rows,
    say,
    text,
)
from pleiades_core.errors import ConfigurationError, NotFound, UsageError

if TYPE_CHECKING:
    from pleiades_core.insights.ranking import RankedVideo
    from pleiades_core.reports.quota import QuotaReport
    from pleiades_core.vault.vault import Vault

_SAMPLES_SHOWN = 24


@app.command(
    epilog=examples("pleiades top --limit 50", "pleiades top 2026-03-01 --wide", "pleiades top --json | jq '.top[].video_id'")
)
def top(
    context: typer.Context,
    day: Annotated[
        str | None, typer.Argument(help="UTC day as YYYY-MM-DD, today until now; the last 24 hours when left out.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Lines of the ranking.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """What is rising: videos by views per hour over 24 hours, from measured samples."""
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
    # Next to a damaged file nobody knows whether anything was measured: the error says what to do.
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


@app.command(
    context_settings=DASHED_IDS,
    epilog=examples("pleiades show jNQXAC9IVRw", "pleiades show https://youtu.be/jNQXAC9IVRw --json | jq .samples"),
)
def show(
    context: typer.Context,
    video: Annotated[str, typer.Argument(help="Video id, or any address of the video.")],
    as_json: JsonOption = False,
) -> None:
    """Everything that is known of one video."""
    from pleiades_core.insights.video import description, history
    from pleiades_core.watchlist.cadence import TIERS
    from pleiades_core.watchlist.schedule import entry

    video_id = videoid.from_text(video)
    with opened(context) as pleiades:
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
        now = pleiades.clock.now()
        polled_at = TIERS.counted(watched.polled_at, now)
        details["tier"] = TIERS.tier((polled_at or now) - watched.published_at, watched.misses)
        details["due_at"] = TIERS.due_at(watched.published_at, polled_at, watched.misses)
        details["misses_in_a_row"] = watched.misses
    if as_json:
        print_json({**details, "samples": polls, "left_out": pleiades.vault.damaged})
        pleiades.vault.require_whole_answers()
        return
    print_facts(details["title"], {name: value for name, value in details.items() if name not in {"title", "vid"}})
    rows = [list(sample.values()) for sample in polls[-_SAMPLES_SHOWN:]]
    print_rows(f"last {len(rows)} of {len(polls)} samples", ("polled at", "status", "views", "likes", "comments"), rows)
    pleiades.vault.require_whole_answers()


@app.command(epilog=examples("pleiades quota", "pleiades quota --json | jq '.ledger[].left'"))
def quota(context: typer.Context, as_json: JsonOption = False) -> None:
    """What is spent and left today, by project, bucket and pool, and which keys are in use (fingerprints only)."""
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
        say(f"project {project} is shared by {', '.join(pools)}: what one does not use in time is lent to the others")


@app.command(epilog=examples("pleiades doctor", "pleiades doctor --call --json | jq .healthy"))
def doctor(
    context: typer.Context,
    call: Annotated[bool, typer.Option(help="Also try every key, for one unit each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at every part of the installation and say what is wrong and what to do about it."""
    from pleiades_core.ops.doctor import examine

    settings = settings_of(context)
    with signals.unwinding():
        findings = [replace(finding, cure=next_step(finding.cure)) for finding in examine(settings, call=call)]
    if as_json:
        print_json({"healthy": all(f.ok for f in findings), "findings": [asdict(f) for f in findings]})
    else:
        rows = [[f.word, f.part, f.found, f.cure] for f in findings]
        print_rows("doctor", ("state", "part", "found", "what to do"), rows, prose=("part", "found", "what to do"))
    if wrong := [f for f in findings if not f.ok]:
        raise typer.Exit(wrong[0].exit_code or ConfigurationError.exit_code)
