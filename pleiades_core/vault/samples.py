"""Reading the vault: closed days and the open journal as one set of rows, each counted once.

Belongs here: the DuckDB connection over the files of an answer. Does not belong here: which files these are (readable.py), what
is computed from the rows (insights/).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from datetime import date
from functools import partial
from importlib import resources

import duckdb
import pyarrow as pa

from pleiades_core.errors import PublishConflict
from pleiades_core.vault.layout import PULL_SCHEMA, REGISTRY, SAMPLES
from pleiades_core.vault.readable import ChangedMeanwhile, Files, files, pulls_files
from pleiades_core.vault.vault import Vault, raise_damaged

_VIEWS = resources.files("pleiades_core.vault").joinpath("views.sql").read_text(encoding="utf-8")
#: Of a query that meets a day being closed again; each lasts as long as the query, a closing comes once an hour at most.
_ATTEMPTS = 5
_INTERRUPT_EVERY_S = 0.05


def query(
    vault: Vault,
    sql: str,
    parameters: dict[str, object] | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    prelude: str = "",
    tables: Mapping[str, pa.Table] | None = None,
    whole: bool = False,
) -> pa.Table:
    """The answer to one DuckDB query over the views of `views.sql`; samples only of the days from `first` to `last`.

    `prelude` is run before it: further views and macros. `tables` are relations that the query may name besides the views.

    The answer lacks the rows of damaged files, which `vault.damaged` names afterwards. With `whole`, a damaged file of samples
    in the range raises DamagedAnswer instead: for what is kept.

    A late batch that is folded into a closed day between planning and reading would be read in both places; the plan is
    therefore made again afterwards, and the query repeated if a closed day changed. Raises duckdb.Error for a query that is
    wrong.
    """
    ask = partial(_ask, vault, sql, parameters or {}, first=first, last=last, prelude=prelude, tables=tables or {}, whole=whole)
    for _ in range(_ATTEMPTS):
        with duckdb.connect() as connection, contextlib.suppress(ChangedMeanwhile):
            return _interruptible(connection, ask)
    raise PublishConflict("the vault changed during every attempt to read it", cure="ask again")


def _interruptible(connection: duckdb.DuckDBPyConnection, ask: Callable[[duckdb.DuckDBPyConnection], pa.Table]) -> pa.Table:
    """What `ask` says, in a thread of its own, so that a signal may end it: DuckDB would not return for one, or hide it.

    No executor: a signal while that starts its thread leaves a thread which nobody stops.
    """
    asked: Future[pa.Table] = Future()
    ready = threading.Event()

    def run() -> None:
        ready.wait()
        if asked.set_running_or_notify_cancel():
            try:
                asked.set_result(ask(connection))
            except BaseException as error:  # noqa: BLE001  it is raised where the answer is waited for
                asked.set_exception(error)

    thread = threading.Thread(target=run, name="duckdb", daemon=True)
    try:
        thread.start()
        ready.set()
        return asked.result()
    finally:
        # If it has not begun it never will.
        asked.cancel()
        ready.set()
        _end(connection, asked)
        if thread.ident is not None:
            thread.join()


def _end(connection: duckdb.DuckDBPyConnection, asked: Future[pa.Table]) -> None:
    """Stop the query if it is not over. Raises what further signals raise, but only then: else its thread would not end."""
    try:
        # Again and again: between the steps of a query the word is forgotten.
        while not asked.done():
            connection.interrupt()
            wait([asked], timeout=_INTERRUPT_EVERY_S)
    finally:
        if not asked.done():
            _end(connection, asked)


def _ask(
    vault: Vault, sql: str, parameters: dict[str, object], connection: duckdb.DuckDBPyConnection, *,
    first: date | None, last: date | None, prelude: str, tables: Mapping[str, pa.Table], whole: bool,
) -> pa.Table:  # fmt: skip
    # A damaged file of pulls is no hindrance to who does not ask for them.
    with _views(vault, connection, first=first, last=last, pulls="pulls" in sql.lower()) as planned:
        if whole and planned.damaged:
            raise_damaged(planned.damaged)
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute(prelude)
        relation = connection.sql(sql, params=parameters)
        # A statement that has no answer, such as `set`, gives None.
        answer = pa.table({}) if relation is None else relation.to_arrow_table()
    if planned.late and files(vault, SAMPLES, first=first, last=last).generations != planned.generations:
        raise ChangedMeanwhile
    return answer


@contextlib.contextmanager
def _views(
    vault: Vault, connection: duckdb.DuckDBPyConnection, *, first: date | None, last: date | None, pulls: bool
) -> Iterator[Files]:
    """Our views on a connection, and the files of samples that they read."""
    planned, registry = files(vault, SAMPLES, first=first, last=last), files(vault, REGISTRY)
    damaged = {**planned.damaged, **registry.damaged}
    asked = pulls_files(vault, damaged) if pulls else []
    connection.execute("set timezone = 'UTC'")
    try:
        _relation(connection, "raw_samples", SAMPLES.schema, planned.locations)
        _relation(connection, "raw_videos", REGISTRY.schema, registry.locations)
        _relation(connection, "raw_pulls", PULL_SCHEMA, asked)
        connection.execute(_VIEWS)
        yield planned
    except duckdb.Error as error:
        # Only a batch that was swept meanwhile excuses a file that cannot be opened.
        if isinstance(error, duckdb.IOException) and files(vault, SAMPLES, first=first, last=last) != planned:
            raise ChangedMeanwhile from None
        raise
    vault.damaged.update(damaged)


def _relation(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, found: list[str]) -> None:
    """A view of all rows of `found`. Reading writes nothing: a young vault is an empty table in memory.

    A column that files of older versions lack is null there; that is why the empty table is always part of it. Files alone say
    which columns there are: the folders' `date=` would be one more, and only in a vault that has files.
    """
    empty = f"{name}_columns"
    connection.register(empty, schema.empty_table())
    connection.execute(f"set variable {name}_files = ?::varchar[]", [found])
    read = f"read_parquet(getvariable('{name}_files'), union_by_name = true, hive_partitioning = false)"
    rows = f"union all by name select * from {read}" if found else ""
    connection.execute(f"create view {name} as select * from {empty} {rows}")
