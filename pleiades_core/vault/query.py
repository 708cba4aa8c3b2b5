"""Reading the vault: closed days and the open journal as one set of rows, each counted once.

Belongs here: the DuckDB connection over the files of an answer. Does not belong here: which files these are
(readable_files.py), how rows get from files to DuckDB (relations.py), how a signal ends a query (interruptible.py), what is
computed from the rows (insights/).
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import duckdb
import pyarrow as pa

from pleiades_core.errors import PublishConflict
from pleiades_core.storage.queries import load_duckdb_text
from pleiades_core.vault.file_check import forget_checked_files
from pleiades_core.vault.interruptible import interruptible
from pleiades_core.vault.layout import DISCOVERY_REQUEST_SCHEMA, DISCOVERY_REQUESTS, REGISTRY, SAMPLES
from pleiades_core.vault.readable_files import ChangedMeanwhile, Files, files, whole_day_files, whole_files
from pleiades_core.vault.relations import Relation, WholeFiles, relation
from pleiades_core.vault.vault import Vault, raise_damaged

_VIEWS = load_duckdb_text("views", "pleiades_core.vault")
#: How often to try a query if a day is closed again meanwhile. A closing comes once an hour at most.
_ATTEMPTS = 5
#: What no query may do. With these, and `lock_configuration` once the views stand, DuckDB opens no file.
_LOCKED = {
    "enable_external_access": "false",
    # `select * from x` never means a variable x of this program.
    "python_enable_replacements": "false",
    # A query must not see the secrets of the person's own DuckDB.
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
#: DuckDB's message for a relation that could not be read, with the name of the relation.
_UNREADABLE = re.compile(r"reading the stream registered as '(\w+)' failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Limits of a query that a person wrote. It gets no disk: it fails if it does not fit into memory."""

    #: Megabytes for the query; its answer may be as large again.
    memory_mb: int
    threads: int


def query(
    vault: Vault,
    sql: str,
    parameters: dict[str, object] | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    prelude: str = "",
    tables: Mapping[str, pa.Table | Relation] | None = None,
    limits: QueryLimits | None = None,
    whole: bool = False,
) -> pa.Table:
    """The answer to a DuckDB query over the views of `views.duckdb.sql`. The query reads these relations and nothing else.

    The answer lacks the rows of damaged files; `vault.damaged` names those of the relations that the query read.

    A late batch that is folded into a closed day between planning and reading would be read in both places; the plan is
    therefore made again afterwards, and the query repeated if a closed day changed.

    Args:
        vault: where the rows are.
        sql: one statement or several; the last one gives the answer. A last statement that has no answer gives no columns.
        parameters: values of `$name` in it.
        first: samples of earlier days are left out. `metrics` then knows no count from before: its first days have no gain.
        last: samples of later days are left out.
        prelude: run before the query: further views and macros.
        tables: relations that prelude and query may name besides the views.
        limits: of a query that a person wrote. None: one of this program, which may spill to a private temporary folder.
        whole: the answer is kept, so a damaged file that the query would have read is an error.

    Returns:
        The answer.

    Raises:
        DamagedAnswer: a file is damaged, and `whole` was asked for.
        PublishConflict: the vault changed during every attempt.
        duckdb.Error: the query is wrong, asks for what is locked, or exceeds the limits.

    """
    ask = partial(
        _ask, vault, sql, parameters or {}, first=first, last=last, prelude=prelude, tables=tables or {}, limits=limits,
        whole=whole,
    )  # fmt: skip
    why = ""
    for _ in range(_ATTEMPTS):
        with _disk(limits) as folder:
            connection = duckdb.connect(config={**_LOCKED, **_resources(limits), "temp_directory": folder})
            try:
                return interruptible(partial(_closing, connection, ask), partial(_interrupt, connection))
            except ChangedMeanwhile as change:
                why = str(change)
    raise PublishConflict(f"the vault changed during every attempt to read it: {why}", cure="ask again")


@contextlib.contextmanager
def _disk(limits: QueryLimits | None) -> Iterator[str]:
    """A folder to which a query may spill; an empty text for a query that may not spill.

    DuckDB lets a query read and write this folder. It is empty, and only for queries that this program wrote.
    """
    if limits is not None:
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="pleiades-", ignore_cleanup_errors=True) as folder:
        yield folder


def _resources(limits: QueryLimits | None) -> dict[str, str]:
    return {} if limits is None else {"memory_limit": f"{limits.memory_mb}MB", "threads": str(limits.threads)}


def _closing(connection: duckdb.DuckDBPyConnection, ask: Callable[[duckdb.DuckDBPyConnection], pa.Table]) -> pa.Table:
    """Close the connection in the thread of the query: closing a connection that hangs would hang the waiting thread too."""
    with connection:
        return ask(connection)


def _interrupt(connection: duckdb.DuckDBPyConnection) -> None:
    # It may have closed meanwhile.
    with contextlib.suppress(duckdb.Error):
        connection.interrupt()


def _ask(
    vault: Vault, sql: str, parameters: dict[str, object], connection: duckdb.DuckDBPyConnection, *,
    first: date | None, last: date | None, prelude: str, tables: Mapping[str, pa.Table | Relation], limits: QueryLimits | None,
    whole: bool,
) -> pa.Table:  # fmt: skip
    planned = files(vault, SAMPLES, first=first, last=last)
    relations: dict[str, pa.Table | Relation] = {**_relations(vault, planned), **tables}
    for name, rows in relations.items():
        connection.register(name, rows)
    connection.execute("set timezone = 'UTC'")
    connection.execute(_VIEWS)
    connection.execute(prelude)
    connection.execute("set lock_configuration = true")
    try:
        answer = _answer(connection, sql, parameters, limits)
    except duckdb.Error as error:
        if _UNREADABLE.search(str(error)):
            # A file was swept, or damaged, after it was found whole: the next attempt leaves it out.
            forget_checked_files()
            raise ChangedMeanwhile(str(error)) from None
        raise
    if planned.late and files(vault, SAMPLES, first=first, last=last).generations != planned.generations:
        raise ChangedMeanwhile("a day was closed again")
    read = [rows.found for rows in relations.values() if isinstance(rows, Relation) and rows.found is not None]
    if any(found.changed for found in read):
        raise ChangedMeanwhile("a file was removed")
    damaged = {key: reason for found in read for key, reason in found.damaged.items()}
    if whole and damaged:
        raise_damaged(damaged)
    vault.damaged.update(damaged)
    return answer


def _answer(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, object], limits: QueryLimits | None
) -> pa.Table:
    """The rows of the last statement. Raises duckdb.OutOfMemoryException for more of them than the memory of the query."""
    answer = connection.sql(sql, params=parameters)
    if answer is None or limits is None:
        # A statement that has no answer, such as `create view`, gives None.
        return pa.table({}) if answer is None else answer.to_arrow_table()
    # DuckDB's own limit does not count rows that it has handed over.
    reader, batches, room = answer.to_arrow_reader(), [], limits.memory_mb * 1_000_000
    for batch in reader:
        batches.append(batch)
        room -= batch.nbytes
        if room < 0:
            raise duckdb.OutOfMemoryException(f"the answer is larger than {limits.memory_mb} MB")
    return pa.Table.from_batches(batches, reader.schema)


def _relations(vault: Vault, planned: Files) -> dict[str, Relation]:
    """By the names that `views.duckdb.sql` uses."""

    def registry() -> WholeFiles:
        try:
            return whole_files(vault, files(vault, REGISTRY))
        except ChangedMeanwhile:
            return WholeFiles(locations=[], changed=True)

    return {
        "raw_samples": relation(SAMPLES.schema, partial(whole_files, vault, planned)),
        "raw_videos": relation(REGISTRY.schema, registry),
        "raw_discovery_requests": relation(DISCOVERY_REQUEST_SCHEMA, lambda: whole_day_files(vault, DISCOVERY_REQUESTS)),
    }
