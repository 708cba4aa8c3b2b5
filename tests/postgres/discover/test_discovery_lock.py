"""Writers of many rows of channels and videos wait for the discovery lock, as PostgreSQL itself reports it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from pleiades_core.batches.reaper import adopt_orphans
from pleiades_core.clock import ManualClock
from pleiades_core.discover.admission.claims import claim, take_over
from pleiades_core.models import Sample, SampleStatus, Vid
from pleiades_core.storage.locks import DISCOVERY, lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import SAMPLES, samples_by_day
from pleiades_core.vault.owner import owner_of
from pleiades_core.vault.vault import Vault, open_vault

_WAITING = (
    "select 1 from pg_locks l join pg_database d on d.oid = l.database where d.datname = current_database()"
    " and locktype = 'advisory' and objid = %s and not granted"
)


def _waits_for_its_turn(database: Database, act: Callable[[], object]) -> bool:
    """Whether `act` waits while somebody else has the turn; it has ended when this returns."""
    thread = threading.Thread(target=act)
    with database.transaction() as holder:
        lock_discovery(holder)
        thread.start()
        waits = False
        while thread.is_alive() and not waits:
            with database.transaction() as connection:
                waits = bool(connection.execute(_WAITING, [DISCOVERY]).fetchall())
            time.sleep(0.01)
    thread.join()
    return waits


def test_a_claim_waits_for_the_lock(database: Database, clock: ManualClock) -> None:
    """Claims read leases: one that did not wait would take what another is claiming for a dead hunter's."""
    lasting, now = timedelta(minutes=10), clock.now()
    claiming = [
        lambda: claim(database, uuid.uuid4(), {1: "push"}, now=now, lasting=lasting),
        lambda: take_over(database, uuid.uuid4(), limit=10, only_added=False, now=now, lasting=lasting),
    ]
    assert [_waits_for_its_turn(database, act) for act in claiming] == [True, True]


def test_an_adoption_waits_for_the_lock(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    vault: Vault = open_vault(tmp_path)
    sample = Sample.of(Vid(1), clock.now(), SampleStatus.MISSING)
    ((day, table),) = samples_by_day([sample]).items()
    assert isinstance(table, pa.Table)
    with database.transaction() as connection:
        (epoch,) = owner_of(connection).epochs
    write_batch(vault, SAMPLES, day, table, lease_id=uuid.uuid4(), epoch=epoch)
    adopted: list[int] = []
    assert _waits_for_its_turn(database, lambda: adopted.append(adopt_orphans(database, vault, clock, day).adopted))
    assert adopted == [1]
