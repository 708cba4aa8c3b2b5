"""Reading the vault: closed days and the open journal as one set of rows, each counted once.

Belongs here: which files make up an answer, and the DuckDB connection over them. Does not belong here: what is computed from
the rows (insights/), how rows get from files to DuckDB (relations.py), how a signal ends a query (interruptible.py).

The rule: a closed day's file, and every journal batch that its footer does not name. It needs no SQL database, and holds at
every instant: while a day is being closed the batches are in the journal, afterwards in the file that names them.
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
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from pleiades_core.errors import CorruptFile, PublishConflict
from pleiades_core.storage import parquet
from pleiades_core.vault.days import footer_of
from pleiades_core.vault.interruptible import interruptible
from pleiades_core.vault.journal import files_of_day
from pleiades_core.vault.layout import PULL_SCHEMA, REGISTRY, SAMPLES, Dataset, DayFooter, day_of_key, pulls_key
from pleiades_core.vault.relations import relation
from pleiades_core.vault.vault import Vault

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


class _ChangedMeanwhile(Exception):
    """Files came or went between planning and reading: ask again."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that make up a range of days of one dataset."""

    closed: tuple[str, ...]
    open: tuple[str, ...]
    #: Day and generation of each closed day.
    generations: tuple[tuple[date, int], ...]
    #: True when a closed day has batches that it does not hold yet.
    late: bool

    @property
    def locations(self) -> list[str]:
        """All of them."""
        return [*self.closed, *self.open]


def files(vault: Vault, dataset: Dataset, *, first: date | None = None, last: date | None = None) -> Files:
    """Locations of every file with rows of the days from `first` to `last`, both included. Raises CorruptFile."""

    def wanted(day: date) -> bool:
        return (first is None or day >= first) and (last is None or day <= last)

    footers: dict[date, DayFooter] = {}
    closed: list[str] = []
    for key in vault.archive.keys(dataset.archive_folder):
        day = day_of_key(key)
        if key == dataset.day_key(day) and wanted(day):
            footers[day] = footer_of(vault, dataset, day)
            closed.append(vault.archive.location(key))
    days = sorted({day_of_key(key) for key in vault.journal.keys(f"journal/{dataset.name}")})
    # Batches are listed after the footers: one that is folded in between still counts, in the older generation's stead.
    unfolded = [
        (day, vault.journal.location(key))
        for day in days
        if wanted(day)
        for batch, key in files_of_day(vault, dataset, day).items()
        if day not in footers or batch not in footers[day].batches
    ]
    return Files(
        closed=tuple(closed),
        open=tuple(location for _, location in unfolded),
        generations=tuple((day, footer.generation) for day, footer in footers.items()),
        late=any(day in footers for day, _ in unfolded),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a query that a person wrote may use. It has no disk: what does not fit into memory fails."""

    #: For the query; its answer may be as large again.
    memory_mb: int
    threads: int


def day_files(vault: Vault, folder: str, key_of: Callable[[date], str]) -> dict[date, str]:
    """Locations of the files in an archive folder that `key_of` names, by day. What else lies there is passed over."""
    found = {}
    for key in vault.archive.keys(folder):
        with contextlib.suppress(ValueError):
            day = day_of_key(key)
            location = vault.archive.location(key)
            if key == key_of(day) and Path(location).is_file():
                found[day] = location
    return found


def query(
    vault: Vault,
    sql: str,
    parameters: dict[str, object] | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    prelude: str = "",
    tables: Mapping[str, pa.Table | ds.Dataset] | None = None,
    limits: Limits | None = None,
) -> pa.Table:
    """The answer to a DuckDB query over the views of `views.sql`. The query reads these relations and nothing else.

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

    Raises:
        CorruptFile: a file that the query reads cannot be read.
        PublishConflict: the vault changed during every attempt.
        duckdb.Error: the query is wrong, asks for what is locked, or exceeds the limits.

    """
    ask = partial(
        _ask, vault, sql, parameters or {}, first=first, last=last, prelude=prelude, tables=tables or {}, limits=limits
    )
    for _ in range(_ATTEMPTS):
        with _disk(limits) as folder, contextlib.suppress(_ChangedMeanwhile):
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
    first: date | None, last: date | None, prelude: str, tables: Mapping[str, pa.Table | ds.Dataset], limits: Limits | None,
) -> pa.Table:  # fmt: skip
    planned = _plan(vault, first, last)
    relations = {**planned.relations(), **tables}
    for name, rows in relations.items():
        connection.register(name, rows)
    connection.execute("set timezone = 'UTC'")
    connection.execute(_VIEWS)
    connection.execute(prelude)
    connection.execute("set lock_configuration = true")
    try:
        answer = _answer(connection, sql, parameters, limits)
    except duckdb.Error as error:
        if unreadable := _UNREADABLE.search(str(error)):
            # Only a batch that was swept meanwhile excuses a file that cannot be opened.
            if _plan(vault, first, last) != planned:
                raise _ChangedMeanwhile from None
            _blame(relations[unreadable[1]])
        raise
    if planned.samples.late and files(vault, SAMPLES, first=first, last=last).generations != planned.samples.generations:
        raise _ChangedMeanwhile
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
    pulls: tuple[str, ...]

    def relations(self) -> dict[str, ds.Dataset]:
        """By the names that `views.sql` uses. A file of a relation that a query does not read is no hindrance to it."""
        return {
            "raw_samples": relation(SAMPLES.schema, self.samples.locations),
            "raw_videos": relation(REGISTRY.schema, self.registry.locations),
            "raw_pulls": relation(PULL_SCHEMA, list(self.pulls)),
        }


def _plan(vault: Vault, first: date | None, last: date | None) -> _Plan:
    return _Plan(
        samples=files(vault, SAMPLES, first=first, last=last),
        registry=files(vault, REGISTRY),
        pulls=tuple(day_files(vault, "pulls", pulls_key).values()),
    )


def _blame(rows: ds.Dataset) -> None:
    """Raise CorruptFile that names the file for which a relation could not be read."""
    for location in rows.files:
        try:
            parquet.check(location)
        except CorruptFile as corrupt:
            raise corrupt from None
