"""What every `--help` shows, and what it costs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from pleiades_core.cli.app import PANELS
from pleiades_dagster.cli import app

PROGRAM = get_command(app)
#: Each takes a tenth of a second of CPU or more, some two seconds.
HEAVY = {
    "dagster", "duckdb", "googleapiclient", "httplib2", "lxml", "numpy", "pandas", "psycopg", "psycopg_pool", "pyarrow",
    "pydantic", "pydantic_settings", "starlette", "uvicorn",
}  # fmt: skip


def everything(command: Any = PROGRAM, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The program, its groups and its commands, each with the words that call it."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from everything(inner, *words, name)


EVERYTHING = dict(everything())
NAMES = [" ".join(words) or "pleiades" for words in EVERYTHING]


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return done.stdout


def parsed(line: str) -> None:
    """Parse a command line, to its last word, and do nothing. Raises what the parser raises."""
    words = shlex.split(line)
    end = words.index("|") if "|" in words else len(words)
    name, *arguments = words[:end]
    assert name == "pleiades"
    context = PROGRAM.make_context(name, arguments)
    while isinstance(context.command, typer.core.TyperGroup):
        rest = [*context._protected_args, *context.args]  # noqa: SLF001  where a group keeps what is left for its command
        called, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(called, rest, parent=context)


@pytest.mark.parametrize("words", EVERYTHING, ids=NAMES)
def test_every_help_ends_with_examples_that_can_be_typed(words: tuple[str, ...]) -> None:
    head, *lines = (EVERYTHING[words].epilog or "").replace("\\[", "[").splitlines()
    assert head == "Examples:"
    assert lines
    said = shown(*words, "--help")
    for line in lines:
        assert line in said
        assert line.startswith(" ".join(["pleiades", *words]))
        parsed(line)


def test_an_example_that_cannot_be_typed_would_be_found() -> None:
    for line in ("pleiades top --no-such-option", "pleiades plan --days 0", "pleiades terms add", "pleiades nonsense"):
        with pytest.raises(typer.TyperException):
            parsed(line)


@pytest.mark.parametrize("words", EVERYTHING, ids=NAMES)
def test_h_is_help_everywhere_and_a_switch_has_no_type(words: tuple[str, ...]) -> None:
    said = shown(*words, "-h")
    assert said == shown(*words, "--help")
    assert "<bool>" not in said
    default = ".pleiades/demo" if words == ("demo",) else "PLEIADES_HOME, else .pleiades"
    assert f"[default: ({default})]" in " ".join(said.replace("│", " ").split())
    assert "-h" in next(line for line in said.splitlines() if "--help" in line and "Show this" in line).split()
    assert said.index("--home") < said.index("--help")


def test_commands_stand_in_panels_by_purpose() -> None:
    """In the order of PANELS, and each command has one."""
    said = shown("--help")
    of_panel = [command.rich_help_panel for command in PROGRAM.commands.values()]  # type: ignore[attr-defined]
    assert list(dict.fromkeys(of_panel)) == list(PANELS)
    assert of_panel == sorted(of_panel, key=PANELS.index)
    places = [said.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "─ Commands ─" not in said


@pytest.mark.parametrize("words", [(), ("terms",), ("campaign",)])
def test_without_a_command_the_help_is_shown_and_it_is_a_mistake(words: tuple[str, ...]) -> None:
    """A script whose variable is empty must not go on as if something had been done."""
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "100"})
    assert (done.exit_code, "Examples:" in done.output) == (2, True)


@pytest.mark.parametrize(
    "arguments", ["", "--help", "-V", "top --help", "terms add -h", "demo -h", "nonsense", "top --nonsense"]
)
def test_help_imports_nothing_that_takes_time(arguments: str) -> None:
    """Not the libraries, and so none of the modules that need them. Typer reads the options before a command with pydantic."""
    look = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
        "from pleiades_dagster.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", look, *arguments.split()], capture_output=True, text=True, check=False, timeout=120
    )
    imported = set(done.stderr.splitlines()[-1].split())
    assert "pleiades_dagster.cli" in imported
    of_typer = {"pydantic"} if arguments not in {"", "--help", "-V"} else set()
    assert HEAVY & imported - of_typer == set()


@pytest.mark.parametrize("words", EVERYTHING, ids=NAMES)
def test_a_paragraph_is_wrapped_by_the_terminal_alone(words: tuple[str, ...]) -> None:
    """In a terminal of 400 columns each paragraph is one line."""
    said = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).stdout
    flat = [" ".join(line.split()) for line in said.splitlines()]
    for paragraph in (EVERYTHING[words].callback.__doc__ or "").split("\n\n") if EVERYTHING[words].callback else []:
        assert not paragraph.strip() or " ".join(paragraph.split()) in flat
