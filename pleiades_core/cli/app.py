"""The application that commands register with, and the options before the command.

Belongs here: what every command shares. Does not belong here: commands (commands/), running (main).
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup
from typer.models import CommandFunctionType

from pleiades_core import version
from pleiades_core.cli import output, signals

if TYPE_CHECKING:
    from pleiades_core.installation import Installation
    from pleiades_core.settings import Settings

#: The panels of `pleiades --help`, in their order. Each command declares its panel and its place there.
PANELS = ("Start", "Find and track", "Look", "Care", "Develop")
#: Panel and place of each command and group, as they registered.
_PLACES: dict[str, tuple[str, int]] = {}
#: The default of `--home`, where it is not the program's.
_HOMES = {"demo": ".pleiades/demo"}
#: A line break within a paragraph.
_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
#: The context of a command whose argument may begin with a hyphen, as an id may. `-h` is removed before (`_Shared`): click
#: would look for it among the letters of such an id.
DASHED_IDS = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@dataclass(slots=True)
class _SharedOptions:
    """The values of the options that every command shares, as far as they were parsed."""

    home: Path | None = None


def examples(*lines: str) -> str:
    """The end of a `--help`: command lines that work as they are."""
    return escape("\n".join(["Examples:", *lines]))


def _shared_options(ctx: Any, own: Sequence[Any]) -> list[Any]:
    """The program's options that a command takes too, with the meaning that they have before the command."""
    before = [] if ctx.parent is None else ctx.find_root().command.params
    answers = any(option.name == "as_json" for option in own)
    shared = [copy.copy(option) for option in before if option.name == "home" or (option.name == "wide" and answers)]
    for option in shared:
        if option.name == "home":
            option.show_default = _HOMES.get(ctx.info_name, option.show_default)
    return shared


def _keep_shared(ctx: Any) -> None:
    """Keep the values of the shared options; the last one wins."""
    if (home := ctx.params.pop("home", None)) and ctx.parent is not None:
        ctx.find_root().ensure_object(_SharedOptions).home = home
        output.repeat_home(home)
    if ctx.params.pop("wide", False) and ctx.parent is not None:
        output.print_whole_tables(True)


class _Shared:
    """A mixin for commands and groups: they take `--home`, `--wide` and `-h` too."""

    #: Declared by the base.
    help: str | None
    _prints_help = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The terminal wraps the lines; without this, the line breaks of the docstring would stay.
        self.help = _BREAK.sub(" ", inspect.cleandoc(self.help or ""))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help, with `-h` if the parser does not know it (`DASHED_IDS`)."""
        self._prints_help = True
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own options, the shared ones, and `--help` at the end. A switch is shown without a type."""
        *own, help_option = super().get_params(ctx)  # type: ignore[misc]
        if self._prints_help:
            help_option = copy.copy(help_option)
            help_option.opts = ["-h", "--help"]
        params = [*own, *_shared_options(ctx, own), help_option]
        for param in params:
            if getattr(param, "is_flag", False) or getattr(param, "count", False):
                param.metavar = ""
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command's own arguments, without the shared ones."""
        if "-h" not in ctx.help_option_names:
            args = _with_long_help(args)
        rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        if ctx.parent is not None:
            _keep_shared(ctx)
        return rest


def _with_long_help(args: Sequence[str]) -> list[str]:
    """The arguments with `--help` in place of a separate `-h` before `--`. No id is so short."""
    end = args.index("--") if "--" in args else len(args)
    return ["--help" if word == "-h" and place < end else word for place, word in enumerate(args)]


class Command(_Shared, TyperCommand):
    """A command that takes the shared options too."""


class CommandGroup(_Shared, TyperGroup):
    """A group of commands, such as `terms`, that takes the shared options too."""


class _Program(CommandGroup):
    """All commands, in their panels."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        places = {name: _PLACES.get(name, (PANELS[-1], len(self.commands))) for name in self.commands}
        for name, (panel, _) in places.items():
            self.commands[name].rich_help_panel = panel  # type: ignore[attr-defined]
        in_order = sorted(places, key=lambda name: (PANELS.index(places[name][0]), places[name][1]))
        self.commands = {name: self.commands[name] for name in in_order}


class App(typer.Typer):
    """Commands of this program, all with the shared options."""

    def command(
        self, name: str | None = None, *, panel: str = "", place: int = 0, **options: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Register a command.

        Args:
            name: None: the name of the function, with hyphens.
            panel: one of `PANELS`; left out for a command of a group.
            place: position in the panel.
            options: those of `typer.Typer.command`.

        Returns:
            The decorator.

        """
        register = super().command(name, **{"cls": Command, **options})

        def decorate(function: CommandFunctionType) -> CommandFunctionType:
            if panel:
                _PLACES[name or function.__name__.replace("_", "-")] = (panel, place)
            return register(function)

        return decorate

    def add_group(self, group: typer.Typer, *, name: str, panel: str, place: int) -> None:
        """Register a group of commands.

        Args:
            group: the commands.
            name: of the group.
            panel: one of `PANELS`.
            place: position in the panel.
        """
        _PLACES[name] = (panel, place)
        self.add_typer(group, name=name, cls=CommandGroup)


app = App(
    cls=_Program,
    help="Video intelligence for YouTube: discover, track and rank videos. Exit codes: docs/cli.md.",
    epilog=examples("pleiades demo", "pleiades ui --home .pleiades/demo", "pleiades top --json | jq '.top[0]'"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"pleiades {version()}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of everything Pleiades keeps.", show_default="PLEIADES_HOME, else .pleiades"),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="Print every column of a table, however wide the terminal is.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Say more on stderr; twice: everything.")
    ] = 0,
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    output.set_up(verbose, whole_tables=wide)
    output.repeat_home(home)
    context.obj = _SharedOptions(home)


def home_of(context: typer.Context) -> Path | None:
    """The value of `--home`, if it was given."""
    options = context.find_root().ensure_object(_SharedOptions)
    return options.home


def settings_of(context: typer.Context) -> Settings:
    """The settings that a command runs with.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    from pleiades_core.settings import load_settings

    return load_settings(home_of(context))


@contextlib.contextmanager
def opened(
    context: typer.Context, *, create: bool = False, upgrade: bool = False, leases: bool = False
) -> Iterator[Installation]:
    """The installation that a command works on. A signal closes it in order.

    Args:
        context: of the command.
        create: make an installation if there is none, and say so on stderr.
        upgrade: bring an older schema up to date.
        leases: the command takes leases; a signal gives them back.

    Yields:
        The installation.

    Raises:
        PleiadesError: as `open_installation` raises it.
    """
    from pleiades_core.installation import open_installation

    settings = settings_of(context)
    with signals.unwinding(leases=leases), open_installation(settings, create=create, upgrade=upgrade) as pleiades:
        if pleiades.is_new:
            where = "" if settings.database.url is None else ", with its schema in the database of DATABASE_URL"
            output.hint(f"made a new installation in {settings.home}{where}")
        yield pleiades
