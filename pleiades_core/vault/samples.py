"""Reading the vault: closed days and the open journal as one set of rows, each counted once.

Belongs here: which files make up an answer, and the DuckDB connection over them. Does not belong here: what is computed from
the rows (insights/).

The rule: a closed day's file, and every journal batch that its footer does not name. It needs no SQL database, and holds at
every instant: while a day is being closed the batches are in the journal, afterwards in the file that names them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib import resources

import duckdb
import pyarrow as pa

from pleiades_core.errors import CorruptFile, PublishConflict
from pleiades_core.storage import parquet
from pleiades_core.vault.days import footer_of
from pleiades_core.vault.journal import files_of_day
from pleiades_core.vault.layout import PULL_SCHEMA, REGISTRY, SAMPLES, Dataset, DayFooter, day_of_key, pulls_key
from pleiades_core.vault.vault import Vault

_VIEWS = resources.files("pleiades_core.vault").joinpath("views.sql").read_text(encoding="utf-8")
#: Of a query that meets a day being closed again; each lasts as long as the query, a closing comes once an hour at most.
_ATTEMPTS = 5
_INTERRUPT_EVERY_S = 0.05


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


def query(
    vault: Vault,
    sql: str,
    parameters: dict[str, object] | None = None,
    *,
    first: date | None = None,
    last: date | None = None,
    prelude: str = "",
    tables: Mapping[str, pa.Table] | None = None,
) -> pa.Table:
    """The answer to one DuckDB query over the views of `views.sql`; samples only of the days from `first` to `last`.

    `prelude` is run before it: further views and macros. `tables` are relations that the query may name besides the views.

    A late batch that is folded into a closed day between planning and reading would be read in both places; the plan is
    therefore made again afterwards, and the query repeated if a closed day changed. Raises CorruptFile for an unreadable file,
    duckdb.Error for a query that is wrong.
    """
    ask = partial(_ask, vault, sql, parameters or {}, first=first, last=last, prelude=prelude, tables=tables or {})
    for _ in range(_ATTEMPTS):
        with duckdb.connect() as connection, contextlib.suppress(_ChangedMeanwhile):
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
    first: date | None, last: date | None, prelude: str, tables: Mapping[str, pa.Table],
) -> pa.Table:  # fmt: skip
    # A damaged file of pulls is no hindrance to who does not ask for them.
    with _views(vault, connection, first=first, last=last, pulls="pulls" in sql.lower()) as planned:
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute(prelude)
        relation = connection.sql(sql, params=parameters)
        # A statement that has no answer, such as `set`, gives None.
        answer = pa.table({}) if relation is None else relation.to_arrow_table()
    if planned.late and files(vault, SAMPLES, first=first, last=last).generations != planned.generations:
        raise _ChangedMeanwhile
    return answer


@contextlib.contextmanager
def _views(
    vault: Vault, connection: duckdb.DuckDBPyConnection, *, first: date | None, last: date | None, pulls: bool
) -> Iterator[Files]:
    """Our views on a connection, and the files of samples that they read. What fails in the block is blamed on a bad file."""
    planned, registry = files(vault, SAMPLES, first=first, last=last), files(vault, REGISTRY)
    keys = vault.archive.keys("pulls") if pulls else []
    asked = [vault.archive.location(key) for key in keys if key == pulls_key(day_of_key(key))]
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
            raise _ChangedMeanwhile from None
        _blame([*planned.locations, *registry.locations, *asked], error)
        raise


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


def _blame(planned: list[str], error: duckdb.Error) -> None:
    """Raise CorruptFile when a file, and not the question, is what made a query fail."""
    if isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException):
        return
    for location in planned:
        try:
            parquet.check(location)
        except CorruptFile as corrupt:
            raise corrupt from None
