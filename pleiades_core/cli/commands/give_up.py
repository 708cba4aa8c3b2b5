"""`pleiades give-up`: go on without files that are lost.

Does not belong here: giving up (vault/losses.py), finding damage (doctor.py).
"""

from __future__ import annotations

from typing import Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.arguments import day_of
from pleiades_core.cli.output import JsonOption, hint, print_json, print_rows


@app.command(
    "give-up", panel="Care", place=3, epilog=examples("pleiades give-up 2026-03-01", "pleiades give-up 2026-03-01 --yes")
)
def give_up(
    context: typer.Context,
    day: Annotated[str, typer.Argument(help="UTC day as YYYY-MM-DD.")],
    yes: Annotated[bool, typer.Option("--yes", help="Give up the listed files; without it nothing changes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the recorded files of a day that are missing or damaged. With --yes, go on without them.

    Use it for files without a copy: such a file prevents its day from being closed. Each loss is recorded in the vault, below
    losses/. A damaged file is set aside, below damaged/. Videos whose descriptions are lost are described again.
    """
    from pleiades_core.vault.losses import find_losses
    from pleiades_core.vault.losses import give_up as give_up_losses

    chosen = day_of(day)
    with opened(context) as pleiades:
        if yes:
            given_up = give_up_losses(pleiades.database, pleiades.vault, chosen, pleiades.clock.now())
            losses, again = given_up.losses, given_up.described_again
        else:
            losses, again = find_losses(pleiades.database, pleiades.vault, chosen), 0
    if as_json:
        print_json({"day": chosen, "given_up": yes, "losses": losses, "described_again": again})
        return
    names = ("key", "rows", "reason")
    title = f"given up; {again} videos are described again" if yes else "missing or damaged, and not given up yet"
    print_rows(title, names, [[getattr(loss, name) for name in names] for loss in losses])
    if not losses:
        hint(f"every recorded file of {chosen} is whole, or can be rebuilt by `pleiades close-day {chosen}`")
    elif yes:
        hint(f"`pleiades close-day {chosen}` closes the day with what is left")
    else:
        hint(f"restore the files from a copy; if there is none, `pleiades give-up {chosen} --yes` gives them up")
