"""Giving up files that are lost for good: a recorded batch or a closed day whose file is missing or damaged, with no copy.

Belongs here: finding such files of one day, writing the loss into the vault, and removing the files from the manifest in SQL.
Does not belong here: describing the videos of a lost registry batch again (discover/).

Every step may be repeated: the damaged file is set aside, then the loss is written into the vault, then SQL forgets the file. A
batch that is found later, and put back, is adopted like any orphan.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import AlreadyExists, CorruptFile, MissingFile, NotFound
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_duckdb_text, load_queries
from pleiades_core.vault import query
from pleiades_core.vault.file_check import check_closed_day, forget_checked_files
from pleiades_core.vault.journal import read_batch
from pleiades_core.vault.layout import DATASETS, Dataset, damaged_key, loss_key
from pleiades_core.vault.manifest import can_be_closed_again, known_batches, recorded_day
from pleiades_core.vault.owner import Owner, owner_of
from pleiades_core.vault.ownership import require_owned
from pleiades_core.vault.vault import Vault

_BATCHES, _VIDEOS = map(load_queries, ("batches", "videos"))
_UNDESCRIBED = load_duckdb_text("undescribed", "pleiades_core.vault")
#: A video is claimed at most this long before it is described: a claim waits for several hunts (discover/admission/retry.py).
_CLAIMED_BEFORE = timedelta(days=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A recorded file that is missing or damaged."""

    key: str
    dataset: str
    day: date
    #: None: the file of a closed day.
    batch_id: uuid.UUID | None
    #: Rows as recorded. Rows of a closed day may still be in the journal.
    rows: int
    sha256: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """What was given up."""

    losses: list[Loss]
    #: Videos whose descriptions are lost, which the next hunts describe again.
    described_again: int


def find_losses(database: Database, vault: Vault, day: date) -> list[Loss]:
    """Find every recorded file of a UTC day that is missing or damaged, and whose rows no other file is known to hold.

    Args:
        database: has the manifest.
        vault: has the files.
        day: UTC day.

    Returns:
        The losses.

    Raises:
        VaultError: a file cannot be read for another reason, as when a disk fails. That is no loss.
    """
    forget_checked_files()
    return [loss for dataset in DATASETS.values() for loss in _losses(database, vault, dataset, day)]


def _losses(database: Database, vault: Vault, dataset: Dataset, day: date) -> Iterator[Loss]:
    with database.transaction() as connection:
        known = known_batches(connection, dataset, day)
        recorded = recorded_day(connection, dataset, day)
        owner = owner_of(connection)
    held: frozenset[uuid.UUID] = frozenset()
    damage = ""
    try:
        held = check_closed_day(vault, dataset, day, owner).batches
    except (CorruptFile, NotFound) as error:
        damage = str(error)
    lost = []
    for batch_id, batch in known.items():
        try:
            if batch_id not in held:
                read_batch(vault, dataset, day, batch_id, sha256=batch.sha256, owner=owner)
        except (CorruptFile, MissingFile) as error:
            lost.append(batch_id)
            yield Loss(
                key=dataset.batch_key(day, batch_id), dataset=dataset.name, day=day, batch_id=batch_id, rows=batch.rows,
                sha256=batch.sha256, reason=str(error),
            )  # fmt: skip
    # If the journal has every batch that the day held, closing rebuilds the day.
    left = [batch for batch in known.values() if batch.batch_id not in lost]
    if damage and recorded and recorded.sha256 and not can_be_closed_again(recorded, left):
        yield Loss(
            key=dataset.day_key(day), dataset=dataset.name, day=day, batch_id=None, rows=recorded.rows, sha256=recorded.sha256,
            reason=damage,
        )  # fmt: skip


def give_up(database: Database, vault: Vault, day: date, now: datetime) -> GivenUp:
    """Give up every loss of a UTC day, as `find_losses` finds it now. May be repeated.

    Videos that SQL takes for described, and that no file describes, are described again by the next hunts.

    Args:
        database: has the manifest.
        vault: has the files.
        day: UTC day.
        now: the present instant.

    Returns:
        What was given up.

    Raises:
        DamagedAnswer: a registry file of another day is damaged; it may describe the videos.
    """
    require_owned(database, vault)
    with database.transaction() as connection:
        owner = owner_of(connection)
    losses = find_losses(database, vault, day)
    for loss in losses:
        _set_aside(vault, loss)
        record = {**asdict(loss), "given_up_at": now.isoformat(), "installation": str(owner.installation)}
        _record(vault, owner, loss, json.dumps(record, default=str, indent=1).encode())
        parameters = {"dataset": loss.dataset, "day": loss.day, "batch_id": loss.batch_id}
        with database.transaction() as connection:
            if loss.batch_id is None:
                connection.execute(_BATCHES.forget_day, parameters)
                connection.execute(_BATCHES.unfold_day, parameters)
            else:
                connection.execute(_BATCHES.forget_batch, parameters)
    return GivenUp(losses=losses, described_again=_describe_again(database, vault, day))


def _set_aside(vault: Vault, loss: Loss) -> None:
    """Move a damaged file away from readers. A link, a pipe or a folder under its name is not read, and stays."""
    place = vault.archive if loss.batch_id is None else vault.journal
    try:
        content: bytes | None = place.read(loss.key)
    except (NotFound, CorruptFile):
        content = None
    if content is not None and sha256_of(content) != loss.sha256:
        vault.archive.put_if_absent(damaged_key(loss.key, sha256_of(content)), content)
        place.delete(loss.key)
    if loss.batch_id is None:
        vault.archive.delete(DATASETS[loss.dataset].manifest_key(loss.day))


def _record(vault: Vault, owner: Owner, loss: Loss, content: bytes) -> None:
    """Write the record of a loss, once for each lost file: a second attempt finds the record of the first."""
    with contextlib.suppress(AlreadyExists):
        vault.archive.put_if_absent(loss_key(uuid.uuid5(owner.installation, f"{loss.key}/{loss.sha256}")), content)


def _describe_again(database: Database, vault: Vault, day: date) -> int:
    """Mark videos to be described again: SQL takes them for described, but no file describes them. Returns how many."""
    bounds = {"first": utc_midnight(day) - _CLAIMED_BEFORE, "until": utc_midnight(day + timedelta(days=1))}
    with database.transaction() as connection:
        admitted: Iterable[int] = [row[0] for row in connection.execute(_VIDEOS.admitted_between, bounds).fetchall()]
    table = pa.table({"vid": pa.array(admitted, pa.int64())})
    found = query.query(vault, _UNDESCRIBED, first=day, last=day, tables={"admitted": table}, whole=True)
    with database.transaction() as connection:
        return connection.execute(_VIDEOS.describe_again, {"vids": found.column("vid").to_pylist()}).rowcount
