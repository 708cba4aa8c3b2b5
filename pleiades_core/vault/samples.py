"""Reading the vault: closed days and the open journal as one set of rows, each counted once.

Belongs here: the DuckDB connection over the files of an answer. Does not belong here: which files these are (readable.py), how
rows get from files to DuckDB (relations.py), how a signal ends a query (interruptible.py), what is computed from the rows
(insights/).
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib import resources

import duckdb
import pyarrow as pa

from pleiades_core.errors import PublishConflict, VaultError
from pleiades_core.vault.file_check import forget_checked_files
from pleiades_core.vault.interruptible import interruptible
from pleiades_core.vault.layout import PULL_SCHEMA, REGISTRY, SAMPLES
from pleiades_core.vault.readable import ChangedMeanwhile, DayFiles, Files, day_files, files
from pleiades_core.vault.relations import Relation, relation
from pleiades_core.vault.vault import Vault, raise_damaged

_VIEWS = resources.files("pleiades_core.vault").joinpath("views.sql").read_text(encoding="utf-8")
#: Of a query that meets a day being closed again; each lasts as long as the query, a closing comes once an hour at most.
_ATTEMPTS = 5
#: What no query may do, whoever wrote it. With these, and `lock_configuration` once the views stand, DuckDB opens no file.
_LOCKED = {
    "enable_external_access": "false",
    # `select * from x` never means a variable x of this program.
    "python_enable_replacements": "false",
    # The secrets of the person's own DuckDB are no business of a query.
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
#: DuckDB's words for a relation that could not be read; the name is that of the relation.
_UNREADABLE = re.compile(r"reading the stream registered as '(\w+)' failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a query that a person wrote may use. It has no disk: what does not fit into memory fails."""

    #: For the query; its answer may be as large again.
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
    limits: Limits | None = None,
    whole: bool = False,
) -> pa.Table:
    """The answer to a DuckDB query over the views of `views.sql`. The query reads these relations and nothing else.

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
        whole: the answer is kept, so a damaged file of samples in the range is an error.

    Raises:
        DamagedAnswer: a file of samples is damaged, and `whole` was asked for.
        VaultError: a file cannot be read.
        PublishConflict: the vault changed during every attempt.
        duckdb.Error: the query is wrong, asks for what is locked, or exceeds the limits.

    """
    ask = partial(
        _ask, vault, sql, parameters or {}, first=first, last=last, prelude=prelude, tables=tables or {}, limits=limits,
        whole=whole,
    )  # fmt: skip
    for _ in range(_ATTEMPTS):
        with _disk(limits) as folder, contextlib.suppress(ChangedMeanwhile):
            connection = duckdb.connect(config={**_LOCKED, **_resources(limits), "temp_directory": folder})
            return interruptible(partial(_closing, connection, ask), partial(_interrupt, connection))
    raise PublishConflict("the vault changed during every attempt to read it", cure="ask again")


@contextlib.contextmanager
def _disk(limits: Limits | None) -> Iterator[str]:
    """A folder for what does not fit into memory, for the length of a query; empty where a query has none.

    DuckDB lets a query read and write its folder. Ours has nothing in it, and is only for queries that this program wrote.
    """
    if limits is not None:
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="pleiades-", ignore_cleanup_errors=True) as folder:
        yield folder


def _resources(limits: Limits | None) -> dict[str, str]:
    return {} if limits is None else {"memory_limit": f"{limits.memory_mb}MB", "threads": str(limits.threads)}


def _closing(connection: duckdb.DuckDBPyConnection, ask: Callable[[duckdb.DuckDBPyConnection], pa.Table]) -> pa.Table:
    """In the thread of the query, not where it is waited for: closing a connection that hangs would hang too."""
    with connection:
        return ask(connection)


def _interrupt(connection: duckdb.DuckDBPyConnection) -> None:
    # It may have closed meanwhile.
    with contextlib.suppress(duckdb.Error):
        connection.interrupt()


def _ask(
    vault: Vault, sql: str, parameters: dict[str, object], connection: duckdb.DuckDBPyConnection, *,
    first: date | None, last: date | None, prelude: str, tables: Mapping[str, pa.Table | Relation], limits: Limits | None,
    whole: bool,
) -> pa.Table:  # fmt: skip
    planned = _plan(vault, first, last)
    if whole and planned.samples.damaged:
        raise_damaged(planned.samples.damaged)
    relations: dict[str, pa.Table | Relation] = {**planned.relations(), **tables}
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
            # A batch was swept, or a file damaged, between planning and reading: the next attempt plans without it.
            forget_checked_files()
            if _plan(vault, first, last) != planned:
                raise ChangedMeanwhile from None
            raise VaultError(f"a file of the vault cannot be read: {error}") from None
        raise
    if planned.samples.late and files(vault, SAMPLES, first=first, last=last).generations != planned.samples.generations:
        raise ChangedMeanwhile
    for rows in relations.values():
        if isinstance(rows, Relation) and rows.scanned:
            vault.damaged.update(rows.damaged)
    return answer


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, object], limits: Limits | None) -> pa.Table:
    """The rows of the last statement. Raises duckdb.OutOfMemoryException for more of them than the memory of the query."""
    answer = connection.sql(sql, params=parameters)
    if answer is None or limits is None:
        # A statement that has no answer, such as `create view`, gives None.
        return pa.table({}) if answer is None else answer.to_arrow_table()
    # DuckDB's own limit does not count what it has handed over.
    reader, batches, room = answer.to_arrow_reader(), [], limits.memory_mb * 1_000_000
    for batch in reader:
        batches.append(batch)
        room -= batch.nbytes
        if room < 0:
            raise duckdb.OutOfMemoryException(f"the answer is larger than {limits.memory_mb} MB")
    return pa.Table.from_batches(batches, reader.schema)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The files that a query may read."""

    samples: Files
    registry: Files
    pulls: DayFiles

    def relations(self) -> dict[str, Relation]:
        """By the names that `views.sql` uses. A file of a relation that a query does not read is no hindrance to it."""
        return {
            "raw_samples": relation(SAMPLES.schema, self.samples.locations, self.samples.damaged),
            "raw_videos": relation(REGISTRY.schema, self.registry.locations, self.registry.damaged),
            "raw_pulls": relation(PULL_SCHEMA, self.pulls.locations.values(), self.pulls.damaged),
        }


def _plan(vault: Vault, first: date | None, last: date | None) -> _Plan:
    return _Plan(
        samples=files(vault, SAMPLES, first=first, last=last),
        registry=files(vault, REGISTRY),
        pulls=day_files(vault, "pulls"),
    )
