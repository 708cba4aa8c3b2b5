"""Giving up what is gone for good: a recorded batch or a closed day whose file is missing or damaged, with no copy.

Belongs here: finding such files of one day, writing the loss into the vault, and having SQL count on them no more. Does not
belong here: who describes the videos of a lost registry batch again (discover/).

The order makes every step repeatable: first the record of the loss in the vault, then the damaged file is set aside, then SQL.
A batch that is found later, and put back, is adopted like any orphan.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import NotFound, VaultError
from pleiades_core.storage.objects import sha256_of
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault import samples
from pleiades_core.vault.file_check import check_closed_day, forget_checked_files
from pleiades_core.vault.journal import read_batch
from pleiades_core.vault.layout import DATASETS, REGISTRY, Dataset, damaged_key, loss_key
from pleiades_core.vault.manifest import RecordedBatch, RecordedDay, known_batches, recorded_day
from pleiades_core.vault.owner import Owner, owner_of
from pleiades_core.vault.vault import Vault

_BATCHES, _VIDEOS = map(load_queries, ("batches", "videos"))
#: A video is claimed before it is described: at most so long, as a claim waits for several hunts (discover/patience.py).
_CLAIMED_BEFORE = timedelta(days=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A recorded file that cannot be read."""

    key: str
    dataset: str
    day: date
    #: None: the file of a closed day.
    batch_id: uuid.UUID | None
    #: As recorded. Of a closed day some may still be in the journal.
    rows: int
    sha256: str
    reason: str


def find_losses(database: Database, vault: Vault, day: date) -> list[Loss]:
    """Every recorded file of a UTC day that is missing or damaged, and whose rows no other file is known to hold."""
    forget_checked_files()
    return [loss for dataset in DATASETS.values() for loss in _losses(database, vault, dataset, day)]


def _losses(database: Database, vault: Vault, dataset: Dataset, day: date) -> Iterable[Loss]:
    with database.transaction() as connection:
        known = known_batches(connection, dataset, day)
        recorded = recorded_day(connection, dataset, day)
        owner = owner_of(connection)
    held: frozenset[uuid.UUID] = frozenset()
    try:
        held = check_closed_day(vault, dataset, day, owner).batches
    except (VaultError, NotFound) as error:
        if recorded and not _can_be_closed_again(error, recorded, known):
            yield Loss(
                key=dataset.day_key(day), dataset=dataset.name, day=day, batch_id=None, rows=recorded.rows,
                sha256=recorded.sha256, reason=str(error),
            )  # fmt: skip
    for batch_id, batch in known.items():
        try:
            if batch_id not in held:
                read_batch(vault, dataset, day, batch_id, sha256=batch.sha256, owner=owner)
        except (VaultError, NotFound) as error:
            yield Loss(
                key=dataset.batch_key(day, batch_id), dataset=dataset.name, day=day, batch_id=batch_id, rows=batch.rows,
                sha256=batch.sha256, reason=str(error),
            )  # fmt: skip


def _can_be_closed_again(error: Exception, recorded: RecordedDay, known: dict[uuid.UUID, RecordedBatch]) -> bool:
    """A missing day whose batches are all recorded is closed again from the journal. Pure."""
    return isinstance(error, NotFound) and len(known) >= recorded.batches


def give_up(database: Database, vault: Vault, losses: Iterable[Loss], now: datetime) -> int:
    """Write each loss into the vault, set its damaged file aside, and have SQL count on it no more. May be repeated.

    Videos whose descriptions were lost are described again by the next hunts; returned is how many.
    """
    described_again = 0
    with database.transaction() as connection:
        owner = owner_of(connection)
    for loss in losses:
        record = {**asdict(loss), "given_up_at": now.isoformat(), "installation": str(owner.installation)}
        _record(vault, owner, loss, json.dumps(record, default=str, indent=1).encode())
        _set_aside(vault, loss)
        words = {"dataset": loss.dataset, "day": loss.day, "batch_id": loss.batch_id}
        with database.transaction() as connection:
            if loss.batch_id is None:
                connection.execute(_BATCHES.forget_day, words)
                connection.execute(_BATCHES.unfold_day, words)
            else:
                connection.execute(_BATCHES.forget_batch, words)
        if loss.dataset == REGISTRY.name:
            described_again += _describe_again(database, vault, loss.day)
    return described_again


def _record(vault: Vault, owner: Owner, loss: Loss, content: bytes) -> None:
    """Once for each lost file: a second attempt finds the record of the first."""
    key = loss_key(uuid.uuid5(owner.installation, f"{loss.key}/{loss.sha256}"))
    if key not in vault.archive.keys("losses"):
        vault.archive.put_if_absent(key, content)


def _set_aside(vault: Vault, loss: Loss) -> None:
    dataset = DATASETS[loss.dataset]
    place = vault.archive if loss.batch_id is None else vault.journal
    try:
        content = place.read(loss.key)
    except NotFound:
        pass
    else:
        vault.archive.put_if_absent(damaged_key(loss.key, sha256_of(content)), content)
        place.delete(loss.key)
    if loss.batch_id is None:
        vault.archive.delete(dataset.manifest_key(loss.day))


def _describe_again(database: Database, vault: Vault, day: date) -> int:
    """Have videos described again that SQL takes for described and no file describes."""
    bounds = {"first": utc_midnight(day) - _CLAIMED_BEFORE, "until": utc_midnight(day + timedelta(days=1))}
    with database.transaction() as connection:
        admitted = [row[0] for row in connection.execute(_VIDEOS.admitted_between, bounds).fetchall()]
    table = pa.table({"vid": pa.array(admitted, pa.int64())})
    query = "select vid from admitted anti join raw_videos using (vid)"
    lost = samples.query(vault, query, first=day, last=day, tables={"admitted": table}).column("vid").to_pylist()
    with database.transaction() as connection:
        return connection.execute(_VIDEOS.describe_again, {"vids": lost}).rowcount
