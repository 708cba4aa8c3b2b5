"""`pleiades simulator`: a simulated YouTube, to try everything without keys or quota.

Does not belong here: serving it (pleiades_core/simulator).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pleiades_core.cli.app import app, examples
from pleiades_core.cli.arguments import instant_of
from pleiades_core.errors import UsageError


@app.command(
    panel="Develop",
    place=1,
    epilog=examples("pleiades simulator --port 8090 --rate 60", "pleiades simulator --videos 500 --start 2026-03-01 --seed 7"),
)
def simulator(
    world: Annotated[
        Path | None, typer.Option(help="Folder with videos.parquet and readings.parquet: a recorded world.")
    ] = None,
    videos: Annotated[int, typer.Option(min=1, help="Videos of the synthetic world.")] = 20_000,
    channels: Annotated[
        int | None, typer.Option(min=1, help="Channels of the synthetic world; one for every twelve videos when left out.")
    ] = None,
    uploads_a_day: Annotated[
        float | None, typer.Option(min=0, help="Videos published a day from --start on; as many as before when left out.")
    ] = None,
    days_ahead: Annotated[float, typer.Option(min=0, help="Days after --start in which videos are published.")] = 30.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 1,
    start: Annotated[str | None, typer.Option(help="First instant of its clock, UTC.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Simulated seconds a second; 0: the clock stands still.")] = 0.0,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on 127.0.0.1; 0: any free one.")] = 0,
    keys: Annotated[str | None, typer.Option(help='JSON: [{"key", "project", "limits"}].')] = None,
) -> None:
    """Serve the YouTube Data API from a synthetic or a recorded world, with quota, errors and a clock of its own.

    Prints {"base_url", "pid", "keys"} when it listens. Set PLEIADES_YOUTUBE_URL to the base_url, PLEIADES_CLOCK=simulator,
    and YOUTUBE_API_KEY_POOL_JSON to one of the keys. With --rate 0 time stands still until its clock is moved:
    POST {"advance_s": 3600} to /simulator/clock. Faults, ledger and hub have such addresses too: docs/simulator.md.
    """
    # The web server is not needed, and not loaded, for any other command.
    from pleiades_core.simulator.api.quota import DEMO_KEYS, parse_keys
    from pleiades_core.simulator.server import SimulatorConfig, serve

    try:
        chosen = parse_keys(json.loads(keys)) if keys else DEMO_KEYS
    except json.JSONDecodeError as error:
        raise UsageError(f"--keys is not JSON: {error}", cure='write --keys \'[{"key": "k1", "project": "p"}]\'') from None
    number = serve(
        SimulatorConfig(
            world_folder=str(world) if world else None, videos=videos, seed=seed, start=instant_of(start) if start else None,
            rate=rate, keys=chosen, port=port, channels=channels, uploads_per_day=uploads_a_day, days_ahead=days_ahead,
        )
    )  # fmt: skip
    if number:
        # As a shell reports a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM.
        raise typer.Exit(128 + number)
