"""Commands that change something: init-db, add, hunt, track, close-day.

Does not belong here: what they do (pleiades_core/{discover,track,vault}), commands of search terms (terms.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pleiades_core.cli.app import DASHED_IDS, app, examples, opened, settings_of
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.output import JsonOption, hint, plain, print_answer, print_facts, print_json, print_rows, stderr
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import ApiError, NotFound, PleiadesError, QuotaExhausted, StorageError, UsageError
from pleiades_core.models import Tier

if TYPE_CHECKING:
    from pleiades_core.discover.add.additions import Added, AddedChannel
    from pleiades_core.vault.archive import ClosedDay


@app.command("init-db", epilog=examples("pleiades init-db", "pleiades init-db --home /srv/pleiades"))
def init_db(context: typer.Context, as_json: JsonOption = False) -> None:
    """Make a new installation, or bring an older one up to date: database, schema, Dagster's database, vault.

    It is safe to run again.
    """
    from pleiades_core.storage.postgres import dagster_urls, ensure_database, without_password

    with opened(context, create=True, upgrade=True) as pleiades:
        dagster = dagster_urls(pleiades.settings, pleiades.database.url)
        ensure_database(dagster.plain)
        answer = {
            "database": without_password(pleiades.database.url), "dagster": without_password(dagster.sqlalchemy),
            "vault": str(pleiades.settings.vault_root), "applied": pleiades.database.applied,
        }  # fmt: skip
    print_answer("database is ready", answer, as_json=as_json)


@app.command(
    epilog=examples("pleiades hunt", "pleiades hunt --source search --source charts", "pleiades hunt --json | jq .new")
)
def hunt(
    context: typer.Context,
    source: Annotated[
        list[str] | None, typer.Option(help=f"Only this source; may be given several times: {', '.join(SOURCES)}.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask every source of discovery once, and watch what is new."""
    if unknown := set(source or ()) - set(SOURCES):
        raise UsageError(f"no such source: {', '.join(sorted(unknown))}", cure=f"choose among {', '.join(SOURCES)}")
    _require_key(context)
    with opened(context, create=True, leases=True) as pleiades:
        report = pleiades.hunter().hunt(source or ())
    if as_json:
        print_json(report)
    else:
        facts = {name: value for name, value in plain(report).items() if name not in {"sources", "failures"}}
        print_facts("hunt", facts)
        names = ("source", "targets", "units", "candidates", "new", "error")
        rows = [[one, *row.values()] for one, row in plain(report)["sources"].items()]
        print_rows("sources", names, rows, expendable=("targets", "candidates"), prose=("error",))
    for name, failure in report.failures.items():
        stderr.print(f"source {name} failed: {failure}")
    if report.full:
        stderr.print(f"{report.unwatched} videos are kept and not watched: {report.full}")
    if report.resets_at:
        _quota_spent(report.quota_error, did_something=report.did_something)


@app.command(
    context_settings=DASHED_IDS,
    epilog=examples("pleiades add @YouTube jNQXAC9IVRw", "pleiades add --file channels.txt", "pleiades add -- -id2345678A"),
)
def add(
    context: typer.Context,
    what: Annotated[list[str] | None, typer.Argument(help="Video ids, addresses, channel ids, @handles.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one on each line; - is standard input.")] = None,
    newest: Annotated[
        int | None, typer.Option(min=1, help="Take only the newest N uploads of each channel; all when left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Watch these videos; follow these channels and watch their uploads.

    Neither their age nor the room in the quota matters. It is safe to run again.
    """
    from pleiades_core.discover.add.additions import add as add_wanted
    from pleiades_core.discover.add.additions import added_channels, outcome
    from pleiades_core.discover.add.parse_targets import meant_by_lines, meant_by_words

    typed, read = meant_by_words(what or []), meant_by_lines(_lines(file))
    wanted, wrong = [*typed.wanted, *read.wanted], [*typed.wrong, *read.wrong]
    if not wanted:
        raise UsageError("; ".join(wrong) or "nothing to add", cure="give ids, addresses or @handles, or --file FILE")
    if read.heading:
        stderr.print(f"passed over as a heading: {read.heading}")
    _require_key(context)
    with opened(context, create=True, leases=True) as pleiades:
        # First of all: it says whether there is room, and @handles cost a unit each.
        hunter = pleiades.hunter()
        units = pleiades.settings.uploads_per_hunt
        added = add_wanted(pleiades.database, pleiades.youtube(), pleiades.clock, wanted, newest=newest, units=units)
        # Where YouTube failed, what was added waits in the inbox for the next hunt.
        failed = added.stopped if not isinstance(added.stopped, QuotaExhausted) else None
        report = None
        try:
            report = None if failed else hunter.hunt(("added",))
        except ApiError as error:
            failed = error
        became, channels = outcome(pleiades.database, added), added_channels(pleiades.database, added)
    facts = {
        # Of the videos, those that no source had named before; None: the hunt that takes them in failed.
        "videos": len(added.videos), "new": report.new if report else None, **plain(became), "unknown": list(added.unknown),
        "not_understood": wrong, "not_asked": added.not_asked,
    }  # fmt: skip
    _print_added(facts, channels, as_json=as_json)
    _say_what_is_left(added, channels, newest)
    for line in wrong:
        stderr.print(line)
    if added.stopped is not None:
        done = f"{added.asked - added.not_asked} of {added.asked} are added or unknown"
        stderr.print(f"{done}; run it again for the others: a channel that was added costs nothing again", soft_wrap=True)
        raise added.stopped
    if failed is not None:
        raise failed
    if report is not None and report.resets_at and became.waiting:
        _quota_spent(report.quota_error, did_something=bool(report.admitted or became.gone))
    if wrong:
        raise typer.Exit(UsageError.exit_code)


def _print_added(facts: dict[str, Any], channels: Sequence[AddedChannel], *, as_json: bool) -> None:
    if as_json:
        print_json({**facts, "channels": channels})
        return
    # What did not happen needs no row.
    print_facts("added", {name: value for name, value in facts.items() if name in {"videos", "new", "watched"} or value})
    if channels:
        names = ("title", "channel_id", "uploads", "taken", "left_for_later")
        print_rows("channels", names, [[getattr(one, name) for name in names] for one in channels])


def _say_what_is_left(added: Added, channels: Sequence[AddedChannel], newest: int | None) -> None:
    """Which uploads are not taken, and what becomes of them."""
    from pleiades_core.discover.channels.back_catalogues import MOST_LISTED

    if left := sum(one.left_for_later for one in channels):
        why = added.left_because or "one command reads as much as one hunt may (PLEIADES_UPLOADS_PER_HUNT)"
        stderr.print(f"{left:,} uploads are left for later hunts, which read on by themselves: {why}", soft_wrap=True)
    for one in channels:
        if one.cut:
            stderr.print(f"{one.channel_id}: Pleiades gave up the list of its uploads before its end; add the channel again")
        if newest is None and (one.uploads or 0) >= MOST_LISTED:
            stderr.print(
                f"{one.channel_id}: YouTube lists the newest {MOST_LISTED:,} uploads of a channel; search alone finds more",
                soft_wrap=True,
            )  # fmt: skip


def _require_key(context: typer.Context) -> None:
    """Before an installation is made: without a key it would stay empty. Raises ConfigurationError."""
    from pleiades_core.youtube.key_pool import choose_keys, keys_of

    settings = settings_of(context)
    choose_keys(keys_of(settings), settings.compliance_mode)


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}", cure="check the path; - is standard input") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", cure="give a UTF-8 text with one video or channel a line") from None
    return text.splitlines()


@app.command(epilog=examples("pleiades track", "pleiades track --tier hourly --json | jq .samples"))
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
        _quota_spent(report.quota_error, did_something=report.samples > 0)


@app.command("close-day", epilog=examples("pleiades close-day", "pleiades close-day 2026-03-01"))
def close_day(
    context: typer.Context,
    day: Annotated[str | None, typer.Argument(help="UTC day as YYYY-MM-DD; all that may be closed when left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fold the batches of days that are over into one file each; repeat it whenever late batches came."""
    from pleiades_core.batches.closing import finish_day
    from pleiades_core.vault import archive, janitor
    from pleiades_core.vault.layout import DATASETS

    with opened(context) as pleiades:
        database, vault, clock = pleiades.database, pleiades.vault, pleiades.clock
        if day is None:
            wanted = archive.closable(database, clock.now())
        else:
            chosen = day_of(day)
            if not archive.may_close(chosen, clock.now()):
                raise UsageError(
                    f"{chosen} is not over yet", cure=f"it can be closed from {archive.closes_at(chosen):%Y-%m-%d %H:%M} UTC on"
                )
            wanted = [(dataset, chosen) for dataset in DATASETS.values() if archive.has_anything(database, dataset, chosen)]
            if not wanted:
                raise NotFound(
                    f"nothing was recorded on {chosen}", cure="`pleiades close-day` closes every day that may be closed"
                )
        closed: list[ClosedDay] = []
        failed: list[PleiadesError] = []
        for dataset, each in wanted:
            try:
                closed.append(finish_day(database, vault, clock, dataset, each)[0])
            except (StorageError, NotFound) as error:
                # One damaged day does not keep the others open.
                stderr.print(f"{dataset.day_key(each)}: {error}")
                failed.append(error)
        swept = janitor.sweep(database, vault, clock)
        if not wanted:
            hint(f"no day can be closed in {pleiades.settings.home}: every day that is over is closed, or nothing was measured")
    if as_json:
        print_json({"closed": closed, "swept": swept})
    else:
        names = ("dataset", "day", "generation", "rows", "bytes", "batches", "duplicates", "changed")
        rows = [[getattr(one, name) for name in names] for one in closed]
        print_rows("closed days", names, rows, expendable=("changed", "duplicates", "batches", "bytes"))
    if failed:
        raise failed[0]


def _quota_spent(said: str, *, did_something: bool) -> None:
    """Exit code 42 when there was nothing left to do with; a word on stderr when only a part was out."""
    stderr.print(said, soft_wrap=True)
    if not did_something:
        raise typer.Exit(QuotaExhausted.exit_code)
