"""The application that commands register with, and the options before the command.

Belongs here: what every command shares. Does not belong here: commands (the other modules), running (main).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import CommandFunctionType

from pleiades_core.cli import output
from pleiades_core.settings import Settings, load_settings


def _home_option(ctx: Any) -> list[Any]:
    """`--home` with the meaning that it has before the command."""
    before = [] if ctx.parent is None else ctx.find_root().command.params
    return [option for option in before if option.name == "home"]


def _keep_home(ctx: Any) -> None:
    """What was said last holds."""
    if home := ctx.params.pop("home", None):
        ctx.find_root().obj = home


class _TakesHome:
    """What takes `--home` too. A part of the two kinds below, whose bases have what it calls."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own options, and `--home`."""
        return [*super().get_params(ctx), *_home_option(ctx)]  # type: ignore[misc]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Its own arguments; `--home` is for all."""
        rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        _keep_home(ctx)
        return rest


class Command(_TakesHome, TyperCommand):
    """A command that takes `--home` too."""


class Group(_TakesHome, TyperGroup):
    """A group of commands, such as `terms`, that takes `--home` too."""


class App(typer.Typer):
    """Commands of this program, all with `--home`."""

    def command(self, *args: Any, **kwargs: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Register a command."""
        return super().command(*args, **{"cls": Command, **kwargs})

    def add_typer(self, *args: Any, **kwargs: Any) -> None:
        """Register a group."""
        super().add_typer(*args, **{"cls": Group, **kwargs})


app = App(
    help="Video intelligence for YouTube: discover, track and rank videos. Exit codes: docs/cli.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _common(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of everything Pleiades keeps.  [default: PLEIADES_HOME or .pleiades]")
    ] = None,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more on stderr; twice: everything.")] = 0,
) -> None:
    output.set_up_logging(verbose)
    context.obj = home


def home_of(context: typer.Context) -> Path | None:
    """What `--home` said, if it was there."""
    home: Path | None = context.find_root().obj
    return home


def settings_of(context: typer.Context) -> Settings:
    """The settings that a command runs with. Raises ConfigurationError."""
    return load_settings(home_of(context))
