"""Parquet files as relations that DuckDB scans, through pyarrow.

Belongs here: opening files for DuckDB. Does not belong here: which files (readable.py).

DuckDB gets the rows from pyarrow and has no file system of its own (`enable_external_access`): a query reads the relations that
it is given, and no statement in it reads, writes, loads or fetches anything else. Reading closed days through pyarrow takes as
long as DuckDB's own reader, or up to twice as long (3.6 million samples of 60 days: 0.5 s against 0.3 s for one video's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs


class Relation(ds.FileSystemDataset):  # type: ignore[misc]  # pyarrow has no types
    """Rows of files, for DuckDB to scan. pyarrow's own `to_reader` keeps Python's lock while it opens the files (26.0): where a
    read hangs, no thread of Python would run any more, and no signal be handled.
    """

    #: Damaged files whose rows it lacks, by their key, and what is wrong with each.
    damaged: Mapping[str, str]
    #: True once a query has read it.
    scanned = False

    def scanner(self, **options: object) -> _Scan:
        """What DuckDB asks for: the rows of some columns that satisfy its filter."""
        self.scanned = True
        return _Scan(super().scanner(**options))


@dataclass(frozen=True, slots=True)
class _Scan:
    scanner: ds.Scanner

    def to_reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.scanner.projected_schema, self.scanner.to_batches())


def relation(
    schema: pa.Schema, locations: Iterable[str], damaged: Mapping[str, str], partitions: list[ds.Expression] | None = None
) -> Relation:
    """The rows of Parquet files as columns of `schema`. No file is opened before a query reads it.

    A column that a file of an older version lacks is null there; `partitions` are what is true of each file's rows. `damaged`
    names the files that were left out.
    """
    parquet_format, local = ds.ParquetFileFormat(), pafs.LocalFileSystem()
    fragments = [
        parquet_format.make_fragment(location, local, *([partitions[place]] if partitions else []))
        for place, location in enumerate(locations)
    ]
    made = Relation(fragments, schema, parquet_format, local)
    made.damaged = damaged
    return made
