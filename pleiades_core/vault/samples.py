"""Reading the vault: closed days and the open journal as one set of rows, each counted once.

Belongs here: which files make up an answer, and the DuckDB connection over them. Does not belong here: what is computed from
the rows (insights/).

The rule: a closed day's file, and every journal batch that its footer does not name. It needs no SQL database, and holds at
every instant: while a day is being closed the batches are in the journal, afterwards in the file that names them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa

from pleiades_core.errors import CorruptFile, PublishConflict
from pleiades_core.storage import parquet
from pleiades_core.vault.journal import files_of_day
from pleiades_core.vault.layout import PULL_SCHEMA, REGISTRY, SAMPLES, Dataset, DayFooter, day_of_key, pulls_key
from pleiades_core.vault.vault import Vault

_VIEWS = resources.files("pleiades_core.vault").joinpath("views.sql").read_text(encoding="utf-8")
#: Of a query that meets a day being closed again; each lasts as long as the query, a closing comes once an hour at most.
_ATTEMPTS = 5


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
            location = vault.archive.location(key)
            metadata, _ = parquet.footer(location)
            try:
                footers[day] = DayFooter.decode(metadata)
            except (KeyError, ValueError):
                raise CorruptFile(f"{location} is not a closed day of Pleiades", cure="move it out of the archive") from None
            closed.append(location)
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
    for _ in range(_ATTEMPTS):
        with _connect(vault, first=first, last=last) as (connection, planned):
            for name, table in (tables or {}).items():
                connection.register(name, table)
            connection.execute(prelude)
            try:
                relation = connection.sql(sql, params=parameters or {})
                # A statement that has no answer, such as `set`, gives None.
                answer = pa.table({}) if relation is None else relation.to_arrow_table()
            except duckdb.IOException:
                # Only a batch that was swept meanwhile excuses a file that cannot be opened.
                if files(vault, SAMPLES, first=first, last=last) == planned:
                    raise
                continue
            if not planned.late or files(vault, SAMPLES, first=first, last=last).generations == planned.generations:
                return answer
    raise PublishConflict("the vault changed during every attempt to read it", cure="ask again")


def read(vault: Vault, dataset: Dataset, *, first: date | None = None, last: date | None = None) -> pa.Table:
    """Every row of a range of days, in no order; each committed or adopted batch once. For tests and small answers."""
    found = files(vault, dataset, first=first, last=last).locations
    tables = [parquet.decode(Path(location).read_bytes(), schema=dataset.schema, origin=location) for location in found]
    plain = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(plain) if plain else dataset.schema.empty_table()


@contextlib.contextmanager
def _connect(vault: Vault, *, first: date | None, last: date | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Files]]:
    planned, registry = files(vault, SAMPLES, first=first, last=last), files(vault, REGISTRY)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        pulls = [vault.archive.location(key) for key in vault.archive.keys("pulls") if key == pulls_key(day_of_key(key))]
        _relation(connection, "raw_samples", SAMPLES.schema, planned.locations)
        _relation(connection, "raw_videos", REGISTRY.schema, registry.locations)
        _relation(connection, "raw_pulls", PULL_SCHEMA, pulls)
        connection.execute(_VIEWS)
        try:
            yield connection, planned
        except duckdb.Error as error:
            _blame([*planned.locations, *registry.locations, *pulls], error)
            raise


def _relation(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, found: list[str]) -> None:
    """A view of all rows of `found`. Reading writes nothing: a young vault is an empty table in memory.

    A column that files of older versions lack is null there; that is why the empty table is always part of it.
    """
    empty = f"{name}_columns"
    connection.register(empty, schema.empty_table())
    connection.execute(f"set variable {name}_files = ?::varchar[]", [found])
    rows = f"union all by name select * from read_parquet(getvariable('{name}_files'), union_by_name = true)" if found else ""
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
