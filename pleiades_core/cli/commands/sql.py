"""`pleiades sql`: a query in SQL, and its answer on the terminal, as JSON or as a file.

Does not belong here: what a query may read (pleiades_core/vault/query.py), files of an answer (export.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pleiades_core.cli import signals
from pleiades_core.cli.app import app, examples, settings_of
from pleiades_core.cli.output import JsonOption, name_vault, print_answer, print_json, print_rows
from pleiades_core.errors import UsageError
from pleiades_core.vault.codes import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

#: The most rows and bytes of an answer, on the terminal and as JSON.
_MOST_ROWS, _MOST_BYTES = 200_000, 50_000_000
_VIEWS = ", ".join(VIEWS)
_EXAMPLE = f'try: pleiades sql "select * from videos limit 5"; the views are {_VIEWS}'
_READS_ONLY = "`sql` reads views and nothing else: no file, no network, no extension, no setting; `--output` writes the answer"


@app.command(
    panel="Look",
    place=3,
    epilog=examples(
        'pleiades sql "select * from videos limit 5"',
        'pleiades sql "select day, count(*) videos from metrics group by day" --json',
    ),
)
def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help=f"DuckDB SQL over the views {_VIEWS}; `-` reads it from stdin.")],
    output: Annotated[Path | None, typer.Option(help="Write the rows to this file, .csv or .parquet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Query the vault in SQL. The command reads the vault alone; no database server is needed."""
    import duckdb

    from pleiades_core.cli import export
    from pleiades_core.insights.publish import ask
    from pleiades_core.installation import vault_of
    from pleiades_core.vault.query import QueryLimits

    question = sys.stdin.read() if query == "-" else query
    if not question.strip():
        raise UsageError("nothing is asked", cure=_EXAMPLE)
    settings = settings_of(context)
    vault = vault_of(settings)
    if output:
        export.check_target(output, settings.vault_root)
    limits = QueryLimits(memory_mb=settings.sql.memory_mb, threads=settings.sql.threads)
    try:
        # A signal must not leave half a file.
        with signals.unwinding():
            table = ask(vault, question, limits)
            table = table.rename_columns(_distinct(table.column_names))
            size = export.write(table, output) if output else 0
    except duckdb.OutOfMemoryException as error:
        raise UsageError(
            f"DuckDB: {error}", cure=f"ask for less, or raise PLEIADES_SQL_MEMORY_MB above {settings.sql.memory_mb}"
        ) from None
    except duckdb.Error as error:
        raise UsageError(f"DuckDB: {error}", cure=f"{_READS_ONLY}; {_EXAMPLE}") from None
    if output:
        print_answer("written", {"file": str(output), "rows": len(table), "bytes": size}, as_json=as_json)
    else:
        rows = _printable(table)
        if as_json:
            print_json({"rows": rows, "left_out": vault.damaged})
        else:
            print_rows("", table.column_names, [list(row.values()) for row in rows])
    name_vault(settings.vault_root)
    vault.require_whole_answers()


def _printable(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as Python's values. Raises UsageError if there are too many to print, or a time that Python does not have.

    A row in Python takes some hundred times the memory that it takes in a table: 100 million numbers took 22 GB.
    """
    if len(table) > _MOST_ROWS or table.nbytes > _MOST_BYTES:
        raise UsageError(
            f"the answer has {len(table):,} rows and {table.nbytes / 1e6:,.0f} MB, and at most {_MOST_ROWS:,} rows and"
            f" {_MOST_BYTES / 1e6:,.0f} MB can be printed",
            cure="write it to a file with --output FILE, .csv or .parquet; or ask for less, as with `limit`",
        )
    try:
        return list(table.to_pylist())
    except (OverflowError, ValueError) as error:
        raise UsageError(
            f"a value of the answer cannot be printed: {error}", cure="cast its column to text, as in `cast(x as varchar)`"
        ) from None


def _distinct(names: list[str]) -> list[str]:
    """Column names, numbered if they repeat: `select *` of a join has its key twice, but a JSON object has each name once."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        distinct.append(f"{name}_{seen[name]}" if seen[name] else name)
    return distinct
