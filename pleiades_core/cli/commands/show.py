"""`pleiades show`: one video."""

from __future__ import annotations

from typing import Annotated

import typer

from pleiades_core import videoid
from pleiades_core.cli.app import DASHED_IDS, app, examples, opened
from pleiades_core.cli.output import (
    JsonOption,
    print_facts,
    print_json,
    print_rows,
)
from pleiades_core.errors import NotFound

_SAMPLES_SHOWN = 24


@app.command(
    panel="Look",
    place=2,
    context_settings=DASHED_IDS,
    epilog=examples("pleiades show jNQXAC9IVRw", "pleiades show https://youtu.be/jNQXAC9IVRw --json | jq .samples"),
)
def show(
    context: typer.Context,
    video: Annotated[str, typer.Argument(help="Video id, or any address of the video.")],
    as_json: JsonOption = False,
) -> None:
    """Show everything that is known about one video."""
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
