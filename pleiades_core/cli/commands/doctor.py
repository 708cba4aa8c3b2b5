"""`pleiades doctor`: the health of an installation."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

import typer

from pleiades_core.cli import signals
from pleiades_core.cli.app import app, examples, settings_of
from pleiades_core.cli.output import (
    JsonOption,
    next_step,
    print_json,
    print_rows,
)
from pleiades_core.errors import ConfigurationError


@app.command(panel="Care", place=1, epilog=examples("pleiades doctor", "pleiades doctor --call --json | jq .healthy"))
def doctor(
    context: typer.Context,
    call: Annotated[bool, typer.Option(help="Also try every key, for one unit each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Examine every part of the installation, and say what is wrong and what to do about it."""
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
