"""The archive: one file for every closed UTC day, rebuilt whole whenever late batches arrive.

Belongs here: when a day may be closed, and closing it. Does not belong here: reading across days (query.py), removing what
was folded (janitor.py).

The rows of a day are a function of the set of its batches: closing again, or twice at once, gives equal rows. The file is
published by compare-and-swap, so a reader sees one generation or the next. Its footer names the batches that it holds, so a
reader that also looks at the journal counts nothing twice, even during a closing.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pleiades_core.clock import Clock, utc_midnight
from pleiades_core.errors import CorruptFile, MissingFile, NotFound
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import publish, sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.day_reader import DayFile, read_day
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.journal import files_of_day, read_batch
from pleiades_core.vault.layout import DATASETS, Dataset, damaged_key
from pleiades_core.vault.manifest import RecordedBatch, RecordedDay, can_be_closed_again, known_batches, recorded_day
from pleiades_core.vault.owner import Owner, owner_of
from pleiades_core.vault.vault import Vault

log = logging.getLogger(__name__)

_SQL = load_queries("batches")

#: From midnight to the closing of the day: the longest lease that settings allow (20 minutes) and a margin. For later batches
#: the day is closed again.
CLOSING_GRACE = timedelta(minutes=25)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedDay:
    """What closing a day did."""

    dataset: str
    day: date
    #: Counts the closings that changed the file, from 1.
    generation: int
    sha256: str
    rows: int
    #: Bytes of the file.
    bytes: int
    #: All batches that the file holds.
    batches: int
    #: Rows that two batches had under one key; one of them was dropped.
    duplicates: int
    #: False: the file was up to date already.
    changed: bool


def closable(database: Database, now: datetime) -> list[tuple[Dataset, date]]:
    """Days that are over and have batches which their file does not hold yet, oldest first."""
    with database.transaction() as connection:
        rows = connection.execute(_SQL.unfolded_days).fetchall()
    return [(DATASETS[name], day) for name, day in rows if may_close(day, now)]


def has_anything(database: Database, dataset: Dataset, day: date) -> bool:
    """True when a batch of the day is recorded, or the day was closed before.

    Args:
        database: has the manifest.
        dataset: samples or registry.
        day: UTC day.

    Returns:
        Whether there is anything to close.
    """
    with database.transaction() as connection:
        return bool(known_batches(connection, dataset, day)) or recorded_day(connection, dataset, day) is not None


def closes_at(day: date) -> datetime:
    """The instant from which the day may be closed: it is over, and no lease of it can be alive."""
    return utc_midnight(day + timedelta(days=1)) + CLOSING_GRACE


def may_close(day: date, now: datetime) -> bool:
    """True once the day is over and no lease of it can still be alive."""
    return now >= closes_at(day)


def close_day(database: Database, vault: Vault, clock: Clock, dataset: Dataset, day: date) -> ClosedDay:
    """Fold the day's recorded batches, and the rows of its present file, into one file; record it.

    A day without any batch gets an empty file: "nothing happened" and "not closed" are different things. Orphans are adopted
    before (batches/reaper.py). A damaged file is set aside and rebuilt, while the journal holds all of its batches.

    Args:
        database: has the manifest.
        vault: has the files.
        clock: the present instant.
        dataset: samples or registry.
        day: UTC day to close.

    Returns:
        What closing did.

    Raises:
        CorruptFile: a batch is damaged; it stays where it is.
        MissingFile: a recorded batch has no file.
        PublishConflict: another process closed the day meanwhile (repeat).
    """
    with database.transaction() as connection:
        known = known_batches(connection, dataset, day)
        recorded = recorded_day(connection, dataset, day)
        owner = owner_of(connection)
    present, replaced = _present(vault, dataset, day, owner, recorded, known)
    generation = max(recorded.generation if recorded else 0, present.footer.generation if present else 0)
    held = present.footer.batches if present else frozenset[uuid.UUID]()
    late = sorted(set(known) - held)
    if present and not late:
        return _note(database, vault, dataset, _closed(dataset, present, changed=False), held=held, now=clock.now())
    keys = files_of_day(vault, dataset, day)
    if lost := [batch for batch in late if batch not in keys]:
        raise MissingFile(
            f"{len(lost)} recorded batch files of {day} are gone, first {lost[0]}",
            cure=f"restore journal/ from a copy; if there is none, `pleiades give-up {day}` shows what is lost",
        )
    parts = [present.rows] if present else []
    parts += [read_batch(vault, dataset, day, batch, sha256=known[batch].sha256, owner=owner)[1] for batch in late]
    merged, duplicates = _merge(dataset, [part.replace_schema_metadata(None) for part in parts])
    footer = DayFooter(
        installation=owner.installation,
        dataset=dataset.name,
        day=day,
        generation=generation + 1,
        batches=held | frozenset(late),
    )
    content = parquet.encode(merged.replace_schema_metadata(footer.encode()), delta=dataset.delta, level=parquet.ARCHIVE_LEVEL)
    vault.archive.replace(dataset.day_key(day), content, expected=replaced)
    written = DayFile(footer=footer, rows=merged, sha256=sha256_of(content), bytes=len(content))
    closed = _closed(dataset, written, changed=True, duplicates=duplicates)
    return _note(database, vault, dataset, closed, held=footer.batches, now=clock.now())


def _closed(dataset: Dataset, file: DayFile, *, changed: bool, duplicates: int = 0) -> ClosedDay:
    return ClosedDay(
        dataset=dataset.name,
        day=file.footer.day,
        generation=file.footer.generation,
        sha256=file.sha256,
        rows=len(file.rows),
        bytes=file.bytes,
        batches=len(file.footer.batches),
        duplicates=duplicates,
        changed=changed,
    )


def _present(
    vault: Vault, dataset: Dataset, day: date, owner: Owner, recorded: RecordedDay | None,
    known: Mapping[uuid.UUID, RecordedBatch],
) -> tuple[DayFile | None, str | None]:  # fmt: skip
    """The day's file, and the SHA-256 of the file that the next one replaces; None where there is none.

    A missing or damaged file counts as none if the journal still holds all of its batches: the day is closed again from them,
    and the damaged file is set aside.

    Raises:
        MissingFile: the file is gone, and so are batches that it held: closing would hide the loss.
        CorruptFile: the same for a damaged file.

    """
    key = dataset.day_key(day)
    give_up = f"restore it from a copy; if there is none, `pleiades give-up {day}` shows what is lost"
    rebuilt = recorded is None or can_be_closed_again(recorded, known.values())
    try:
        present = read_day(vault, dataset, day, owner=owner)
        _require_recorded(key, present, recorded)
    except NotFound:
        if not rebuilt:
            raise MissingFile(f"{key} is gone, and so are batches that it held", cure=give_up) from None
        return None, None
    except CorruptFile as error:
        # If the day was never closed, the file is not ours, and it is not damage.
        if recorded is None:
            raise
        if not rebuilt:
            raise CorruptFile(str(error), cure=give_up) from None
        content = vault.archive.read(key)
        log.warning("%s; the day is closed again from the journal", error)
        vault.archive.put_if_absent(damaged_key(key, sha256_of(content)), content)
        return None, sha256_of(content)
    return present, present.sha256


def _require_recorded(key: str, present: DayFile, recorded: RecordedDay | None) -> None:
    """Refuse a file that is not the recorded one. Raises CorruptFile.

    A file of a newer generation than the recorded one comes from a closing that died before it was recorded, and is accepted.
    """
    if recorded and present.footer.generation <= recorded.generation and present.sha256 != recorded.sha256:
        raise CorruptFile(f"{key} is not the file that was closed: its SHA-256 is not the recorded one")


def _merge(dataset: Dataset, parts: list[pa.Table]) -> tuple[pa.Table, int]:
    """All rows, each key once, sorted by the key; and how many rows were dropped.

    Which of two rows stays depends on their content, not on their order: an answer goes before a miss.
    """
    if not parts:
        return dataset.schema.empty_table(), 0
    merged = pa.concat_tables(parts).combine_chunks()
    order = pc.sort_indices(merged, sort_keys=[(column, "ascending") for column in (*dataset.key, *dataset.tie_break)])
    merged = merged.take(order)
    if len(merged) < 2:  # noqa: PLR2004  one row has no neighbour
        return merged, 0
    is_same = pa.array([True] * (len(merged) - 1))
    for column in dataset.key:
        values = merged.column(column).combine_chunks()
        this, before = values.slice(1), values.slice(0, len(values) - 1)
        # Null equals null here: files that are older than the column have null in it.
        alike = pc.or_(pc.fill_null(pc.equal(this, before), fill_value=False), pc.and_(pc.is_null(this), pc.is_null(before)))
        is_same = pc.and_(is_same, alike)
    keep = pa.concat_arrays([pa.array([True]), pc.invert(is_same)])
    kept = merged.filter(keep)
    return kept, len(merged) - len(kept)


def _note(
    database: Database, vault: Vault, dataset: Dataset, closed: ClosedDay, *, held: frozenset[uuid.UUID], now: datetime
) -> ClosedDay:
    """Note the checksum in the vault and in SQL. After a crash between the two, closing again notes the same."""
    parameters = {
        "file": dataset.day_key(closed.day), "sha256": closed.sha256, "rows": closed.rows, "bytes": closed.bytes,
        "generation": closed.generation, "batches": closed.batches,
    }  # fmt: skip
    publish(vault.archive, dataset.manifest_key(closed.day), json.dumps(parameters, indent=1).encode())
    with database.transaction() as connection:
        connection.execute(
            _SQL.record_day,
            {
                "dataset": dataset.name, "day": closed.day, "generation": closed.generation, "sha256": closed.sha256,
                "rows": closed.rows, "bytes": closed.bytes, "batches": closed.batches, "now": now,
            },
        )  # fmt: skip
        connection.execute(_SQL.mark_folded, {"dataset": dataset.name, "day": closed.day, "batch_ids": list(held)})
    return closed
