"""How answers look: one JSON document, or a table for people. On stdout; progress, logs and errors go to stderr.

Belongs here: rendering. Does not belong here: computing an answer.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

#: `--json`, the same on every command.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

stderr = Console(stderr=True)
#: Where an answer is empty because nothing may be asked yet.
NO_KEY = "no key: put one into YOUTUBE_API_KEY_POOL_JSON (.env.example shows how); `pleiades demo` needs none"


def set_up_logging(verbosity: int) -> None:
    """Warnings for everybody, INFO with `-v`, DEBUG with `-vv`; always to stderr."""
    level = [logging.WARNING, logging.INFO, logging.DEBUG][min(verbosity, 2)]
    handler = RichHandler(console=stderr, show_path=False, rich_tracebacks=False)
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)


def plain(value: Any) -> Any:
    """`value` with dataclasses as objects, for JSON."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def print_json(value: Any) -> None:
    """One JSON document and a newline."""
    content = orjson.dumps(plain(value), default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Names and values, a line each."""
    table = Table(title=escape(text(title)), show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name, value in facts.items():
        table.add_row(escape(name.replace("_", " ")), escape(text(value)))
    console().print(table)


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table. Numbers to the right."""
    table = Table(title=escape(text(title)) if title else None, title_justify="left")
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(escape(name.replace("_", " ")), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(text(value)) for value in row))
    console().print(table)


def hint(words: str) -> None:
    """What to do next, on stderr: the answer itself is the same without it."""
    stderr.print(words, markup=False, highlight=False, soft_wrap=True)


def text(value: Any) -> str:  # noqa: PLR0911  one line for each type
    """A value as people read it. Control characters of foreign titles are shown, not obeyed."""
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
            return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)


def console() -> Console:
    """Stdout. Wide where it is not a terminal, so that a pipe gets whole lines."""
    return Console(width=None if sys.stdout.isatty() else 200, soft_wrap=False)


def print_answer(title: str, value: Any, *, as_json: bool) -> None:
    """A report, either way."""
    if as_json:
        print_json(value)
    else:
        print_facts(title, plain(value))
