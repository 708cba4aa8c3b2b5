"""The application that commands register with, and the options before the command.

Belongs here: what every command shares. Does not belong here: commands (operate, look, simulate), running (main).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pleiades_core.cli import output
from pleiades_core.settings import Settings, load_settings

app = typer.Typer(
    help="Video intelligence for YouTube: discover, track and rank videos. Exit codes: docs/cli.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True, slots=True)
class Common:
    """What the options before the command said."""

    home: Path | None

    def settings(self) -> Settings:
        """The settings of the chosen home. Raises ConfigurationError."""
        return load_settings(self.home)


@app.callback()
def _common(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of everything Pleiades keeps.  [default: PLEIADES_HOME or .pleiades]")
    ] = None,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more on stderr; twice: everything.")] = 0,
) -> None:
    output.set_up_logging(verbose)
    context.obj = Common(home)


def settings_of(context: typer.Context) -> Settings:
    """The settings that a command runs with."""
    common = context.find_root().obj
    assert isinstance(common, Common)  # noqa: S101  set by the callback above
    return common.settings()
