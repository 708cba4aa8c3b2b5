"""Printing answers: one JSON document, or a table for people, on stdout. Progress, logs and errors go to stderr.

Belongs here: rendering. Does not belong here: computing an answer, which columns fit (tables.py).
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pleiades_core.cli import tables
from pleiades_core.cli.tables import Kind

#: The option `--json` of every command.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

#: Without markup and emoji names: a message may repeat a title, which may be `:fire:` or `[bold]`.
stderr = Console(stderr=True, markup=False, emoji=False, highlight=False)
#: The hint when an answer is empty because there is no key yet.
NO_KEY = "no key: put one into YOUTUBE_API_KEY_POOL_JSON (.env.example shows how); `pleiades demo` needs none"

#: Zero width non-joiner and joiner: they are invisible, and join three emoji into one, or the parts of a Persian word.
_JOINERS = frozenset("\u200c\u200d")
#: Empty values: their rows are left out.
_EMPTY: tuple[Any, ...] = (None, "", [], (), {})

#: A command in a sentence, as in "`pleiades quota` shows units". `demo` and `simulator` need no installation.
_COMMAND = re.compile(r"(?<![\w/.-])pleiades (?=[a-z])(?!(?:demo|simulator)\b)")

_whole_tables = False
_home: Path | None = None


def set_up(verbosity: int, *, whole_tables: bool) -> None:
    """Apply the options that every command has.

    Args:
        verbosity: 0 logs warnings, 1 INFO, 2 DEBUG; always to stderr.
        whole_tables: Print every column in its full width, however wide the terminal is.

    """
    from rich.logging import RichHandler

    level = [logging.WARNING, logging.INFO, logging.DEBUG][min(verbosity, 2)]
    handler = RichHandler(console=stderr, show_path=False, rich_tracebacks=False)
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    print_whole_tables(whole_tables)


def print_whole_tables(whole: bool) -> None:
    """From now on, print every column in its full width."""
    global _whole_tables  # noqa: PLW0603  one program prints to one terminal
    _whole_tables = whole


def repeat_home(home: Path | None) -> None:
    """From now on, commands in cures and hints name this home; None: they stay as they are written."""
    global _home  # noqa: PLW0603  one program works on one home
    _home = home


def next_step(message: str) -> str:
    """A cure or a hint whose commands work as they are printed: if `--home` was given, they repeat it."""
    if _home is None:
        return message
    return _COMMAND.sub(lambda _: f"pleiades --home {shlex.quote(str(_home))} ", message)


def plain(value: Any) -> Any:
    """`value` with dataclasses as objects, for JSON."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def print_json(value: Any) -> None:
    """One JSON document and a newline."""
    import orjson

    content = orjson.dumps(plain(value), default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Print names and values, a line each. Empty values are left out: None, "" and an empty list. 0 is a value."""
    kept = [(text(name.replace("_", " ")), text(value)) for name, value in facts.items() if value not in _EMPTY]
    names, values = [name for name, _ in kept], [value for _, value in kept]
    columns = [tables.column("", names), tables.column("", values, prose=True)]
    limit = room()
    # Neither column is left out, however narrow the terminal is.
    shown = tables.widths(columns, limit and max(limit, tables.needed(column.narrowest for column in columns)))
    table = Table(title=Text(text(title)) if title else None, show_header=False, title_justify="left")
    for place, width in shown.items():
        table.add_column(style="bold" if place == 0 else "", width=width)
    for row in kept:
        table.add_row(*(_cell(row[place], columns[place].kind, bounded=limit is not None) for place in shown))
    _print_table(table, shown)


def print_rows(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    expendable: Sequence[str] = (),
    prose: Sequence[str] = (),
) -> None:
    """Print a table with as many columns as the terminal has room for; without room for its prose, a list.

    Args:
        title: Above it; may be empty.
        columns: Names, from left to right.
        rows: As many values each as there are columns.
        expendable: Names of columns that are left out if room is short, the first one first.
        prose: Names of columns of sentences, which are wrapped and never shortened. They are left out only if they are
            `expendable` too.

    """
    cells = [[text(value) for value in row] for row in rows]
    names = [text(name.replace("_", " ")) for name in columns]
    made = [
        tables.column(name, [row[place] for row in cells], prose=columns[place] in prose) for place, name in enumerate(names)
    ]
    shown = tables.widths(made, limit := room(), [name.replace("_", " ") for name in expendable])
    left_out = [name for place, name in enumerate(names) if place not in shown]
    if any(columns[place] in prose and columns[place] not in expendable for place in range(len(names)) if place not in shown):
        _print_list(title, names, rows)
        return
    table = Table(title=Text(text(title)) if title else None, title_justify="left")
    for place, width in shown.items():
        numeric = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(Text(names[place]), justify="right" if numeric else "left", width=width, vertical="top")
    for row in cells:
        table.add_row(*(_cell(row[place], made[place].kind, bounded=limit is not None) for place in shown))
    _print_table(table, shown)
    if left_out:
        hint(f"left out for lack of room in {limit} columns: {', '.join(left_out)}; --wide prints everything")


def _print_list(title: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print each row as a small table of its own."""
    if title:
        say(title)
    for row in rows:
        print_facts("", dict(zip(names, row, strict=True)))


def _cell(message: str, kind: Kind, *, bounded: bool) -> Text:
    """A cell as a Text, because a string would be read as markup."""
    if kind is Kind.EXACT:
        # The column is as wide as its texts, so nothing is cropped. With "ignore", rich would not align numbers to the right.
        return Text(message, no_wrap=True, overflow="crop")
    if kind is Kind.TITLE and bounded:
        return Text(message, no_wrap=True, overflow="ellipsis")
    # A word is broken only if it is longer than the column; no id is.
    return Text(message, overflow="fold")


def _print_table(table: Table, shown: Mapping[int, int]) -> None:
    """Print a table as wide as its columns: rich would fold it to fit a narrower terminal, ids included."""
    console(tables.needed(shown.values())).print(table, crop=False)


def room() -> int | None:
    """Cells of a line of stdout: from COLUMNS, else of the terminal; None if there is no bound, as in a pipe."""
    if _whole_tables:
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(sentence: str) -> None:
    """Print a sentence of the answer, below its tables."""
    console(room()).print(text(sentence))


def hint(message: str) -> None:
    """Print on stderr what to do next. The answer on stdout does not change."""
    stderr.print(next_step(message), soft_wrap=True)


def name_vault(root: Path) -> None:
    """Name the vault that was read, for commands without a database: DATABASE_URL does not change their answer."""
    hint(f"read from the vault {root.absolute()}")


def text(value: Any) -> str:  # noqa: PLR0911  one line for each type
    """A value as people read it. Control characters of titles are shown, not sent to the terminal."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case date():
            return value.isoformat()
        case dict():
            return ", ".join(f"{key} {text(item)}" for key, item in value.items()) or "-"
        case list() | tuple():
            return ", ".join(map(text, value)) or "-"
        case _:
            one_line = " ".join(str(value).split())
            shown = (c if c.isprintable() or c in _JOINERS else "\N{REPLACEMENT CHARACTER}" for c in one_line)
            return _encodable("".join(shown))


def _encodable(message: str) -> str:
    """A text that stdout's encoding can hold, with a question mark for each other cell, so that tables keep their edges."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        message.encode(encoding)
    except UnicodeEncodeError:
        return "".join(c if c.encode(encoding, "ignore") else "?" * cell_len(c) for c in message)
    return message


def console(width: int | None = None) -> Console:
    """Stdout, with lines of `width` cells; None: without a bound."""
    return Console(width=width, markup=False, emoji=False, highlight=False, soft_wrap=width is None)


def print_answer(title: str, value: Any, *, as_json: bool) -> None:
    """Print a report as JSON or as facts.

    Args:
        title: above the facts.
        value: the report: a dataclass or a mapping.
        as_json: print JSON.
    """
    if as_json:
        print_json(value)
    else:
        print_facts(title, plain(value))
