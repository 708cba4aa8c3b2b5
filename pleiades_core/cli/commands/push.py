"""`pleiades push`: the receiver of the hub's notices."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import typer

from pleiades_core.cli.app import app, examples, opened, settings_of
from pleiades_core.cli.output import JsonOption, hint, print_json
from pleiades_core.clock import Clock
from pleiades_core.errors import PleiadesError

if TYPE_CHECKING:
    from pleiades_core.installation import Installation
    from pleiades_core.youtube.hub import Hub


#: Subscriptions requested in one round: 200,000 channels in seven hours; a lease outlives many rounds.
_MOST_A_ROUND = 500


_ROUND_S = 60.0


log = logging.getLogger(__name__)


@app.command(panel="Find and track", place=6, epilog=examples("pleiades push", "pleiades push --json"))
def push(context: typer.Context, as_json: JsonOption = False) -> None:
    """Listen for YouTube's notices of new videos, and subscribe to every followed channel, until stopped.

    Needs PLEIADES_PUSH_CALLBACK_URL and PLEIADES_PUSH_SECRET. Costs no quota. `pleiades hunt` admits the announced videos.
    """
    # The web server is not needed, and not loaded, for any other command.
    from pleiades_core.discover.push.callbacks import callbacks_of
    from pleiades_core.discover.push.server import listening
    from pleiades_core.storage.checked_clock import CheckedClock
    from pleiades_core.youtube.hub import Hub

    settings = settings_of(context)
    # Before anything is opened: missing settings of push are the likeliest mistake.
    callbacks = callbacks_of(settings)
    with contextlib.ExitStack() as stack:
        pleiades = stack.enter_context(opened(context))
        clock = CheckedClock(pleiades.clock, pleiades.database)
        listener = stack.enter_context(listening(pleiades.database, clock, settings))
        hub = stack.enter_context(contextlib.closing(Hub(settings.youtube.hub_root, settings.youtube.call_deadline_s)))
        if as_json:
            print_json({"base_url": listener.base_url, "callback_url": callbacks.base_url, "hub": settings.youtube.hub_root})
        hint(f"listening at {listener.base_url}; the hub calls {callbacks.base_url}")
        while True:
            _renew(pleiades, hub, clock)
            if listener.has_ended(_ROUND_S):
                raise PleiadesError("the receiver ended by itself", cure="start it again; the log says more")


def _renew(pleiades: Installation, hub: Hub, clock: Clock) -> None:
    """Run one round. An error is logged, and the next round tries again: the receiver must go on."""
    from pleiades_core.discover.push.subscriptions import renew

    try:
        report = renew(pleiades.database, hub, clock, pleiades.settings, limit=_MOST_A_ROUND)
    except PleiadesError as error:
        log.warning("no subscription was renewed: %s", error)
        return
    say = log.warning if report.error else log.info if report.requested else log.debug
    say(
        "asked the hub for %d subscriptions, %d refused; %d of %d channels are pushed%s",
        report.requested, report.refused, report.live, report.followed, f": {report.error}" if report.error else "",
    )  # fmt: skip
