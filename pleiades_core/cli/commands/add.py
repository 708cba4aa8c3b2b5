"""`pleiades add`: watch videos and follow channels that a person names."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pleiades_core.cli.app import DASHED_IDS, app, examples, opened
from pleiades_core.cli.output import JsonOption, plain, print_facts, print_json, print_rows, stderr
from pleiades_core.errors import ApiError, NotFound, QuotaExhausted, UsageError

if TYPE_CHECKING:
    from pleiades_core.discover.add.additions import Added, AddedChannel
from pleiades_core.cli.keys import quota_spent, require_key


@app.command(
    panel="Find and track",
    place=1,
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
    from pleiades_core.discover.add.additions import add as add_targets
    from pleiades_core.discover.add.additions import added_channels, outcome
    from pleiades_core.discover.add.parse_targets import parse_arguments, parse_lines

    typed, read = parse_arguments(what or []), parse_lines(_lines(file))
    targets, wrong = [*typed.targets, *read.targets], [*typed.wrong, *read.wrong]
    if not targets:
        raise UsageError("; ".join(wrong) or "nothing to add", cure="give ids, addresses or @handles, or --file FILE")
    if read.heading:
        stderr.print(f"passed over as a heading: {read.heading}")
    require_key(context)
    with opened(context, create=True, leases=True) as pleiades:
        # First of all: it fails if the vault has no room, and @handles cost a unit each.
        hunter = pleiades.hunter()
        units = pleiades.settings.discovery.uploads_per_hunt
        added = add_targets(pleiades.database, pleiades.youtube(), pleiades.clock, targets, newest=newest, units=units)
        # If YouTube failed, the added videos wait in the inbox for the next hunt.
        failed = added.stopped if not isinstance(added.stopped, QuotaExhausted) else None
        report = None
        try:
            report = None if failed else hunter.hunt(("added",))
        except ApiError as error:
            failed = error
        became, channels = outcome(pleiades.database, added), added_channels(pleiades.database, added)
    facts = {
        # `new`: videos that no source had found before; None: the hunt that admits them failed.
        "videos": len(added.videos), "new": report.new if report else None, **plain(became), "unknown": list(added.unknown),
        "not_understood": wrong, "not_requested": added.not_requested,
    }  # fmt: skip
    _print_added(facts, channels, as_json=as_json)
    _say_what_is_left(added, channels, newest)
    for line in wrong:
        stderr.print(line)
    if added.stopped is not None:
        done = f"{added.requested - added.not_requested} of {added.requested} are added or unknown"
        stderr.print(f"{done}; run it again for the others: a channel that was added costs nothing again", soft_wrap=True)
        raise added.stopped
    if failed is not None:
        raise failed
    if report is not None and report.resets_at and became.waiting:
        quota_spent(report.quota_error, did_something=bool(report.admitted or became.gone))
    if wrong:
        raise typer.Exit(UsageError.exit_code)


def _print_added(facts: dict[str, Any], channels: Sequence[AddedChannel], *, as_json: bool) -> None:
    if as_json:
        print_json({**facts, "channels": channels})
        return
    # Facts that are 0 or empty get no row.
    print_facts("added", {name: value for name, value in facts.items() if name in {"videos", "new", "watched"} or value})
    if channels:
        names = ("title", "channel_id", "uploads", "taken", "left_for_later")
        print_rows("channels", names, [[getattr(channel, name) for name in names] for channel in channels])


def _say_what_is_left(added: Added, channels: Sequence[AddedChannel], newest: int | None) -> None:
    """Say which uploads are not taken yet, or never."""
    from pleiades_core.discover.channels.back_catalogues import MOST_LISTED

    if left := sum(channel.left_for_later for channel in channels):
        why = added.left_because or "one command reads as much as one hunt may (PLEIADES_DISCOVERY_UPLOADS_PER_HUNT)"
        stderr.print(f"{left:,} uploads are left for later hunts, which read on by themselves: {why}", soft_wrap=True)
    for channel in channels:
        if channel.cut:
            stderr.print(
                f"{channel.channel_id}: Pleiades gave up the list of its uploads before its end; add the channel again"
            )
        if newest is None and (channel.uploads or 0) >= MOST_LISTED:
            stderr.print(
                f"{channel.channel_id}: YouTube lists the newest {MOST_LISTED:,} uploads of a channel; search alone finds more",
                soft_wrap=True,
            )  # fmt: skip


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
