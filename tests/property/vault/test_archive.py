"""Closing a day: what comes out depends on the batches, not on their order, their number of closings, or chance."""

from __future__ import annotations

import tempfile
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rows import read_rows

from pleiades_core.clock import ManualClock
from pleiades_core.storage.postgres import Database
from pleiades_core.vault import archive, query
from pleiades_core.vault.journal import record_batch, write_batch
from pleiades_core.vault.layout import SAMPLE_SCHEMA, SAMPLES
from pleiades_core.vault.vault import open_vault

DAY = date(2026, 3, 1)
_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_ROW = st.fixed_dictionaries(
    {
        "vid": st.integers(1, 6),
        "polled_at": st.integers(0, 3).map(lambda s: _NOON + timedelta(seconds=s)),
        "status": st.sampled_from([0, 1]),
        "definition": st.just(2),
        "views": st.none() | st.integers(0, 2**63 - 1),
        "likes": st.none() | st.integers(0, 9),
        "comments": st.none(),
    }
)
_BATCHES = st.lists(st.lists(_ROW, min_size=1, max_size=8), min_size=1, max_size=4)


def _key(row: dict[str, object]) -> tuple[object, object]:
    return row["vid"], row["polled_at"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(batches=_BATCHES, cut=st.integers(0, 4), data=st.data())
def test_a_closed_day_is_a_function_of_its_batches(
    database: Database, clock: ManualClock, batches: list[list[dict[str, object]]], cut: int, data: st.DataObject
) -> None:
    """All at once, or some late, in any order: the same rows, each key once, and nothing is read twice at any moment."""
    clock.set(datetime(2026, 3, 2, 1, tzinfo=UTC))
    leases = [uuid.UUID(int=place) for place in range(len(batches))]
    every_key = {_key(row) for batch in batches for row in batch}
    with database.transaction() as connection:
        ((epoch,),) = connection.execute("select epoch from installation").fetchall()
    results = []
    for order in (list(range(len(batches))), data.draw(st.permutations(range(len(batches))))):
        with tempfile.TemporaryDirectory() as folder:
            vault = open_vault(Path(folder))
            with database.transaction() as connection:
                connection.execute("truncate batches, days")
            for step, place in enumerate(order):
                table = pa.Table.from_pylist(batches[place], SAMPLE_SCHEMA)
                batch = write_batch(vault, SAMPLES, DAY, table, lease_id=leases[place], epoch=epoch)
                with database.transaction() as connection:
                    assert record_batch(connection, batch, now=clock.now())
                if step + 1 == cut:
                    archive.close_day(database, vault, clock, SAMPLES, DAY)
            before = {_key(row) for row in read_rows(vault, SAMPLES).to_pylist()}
            closed = archive.close_day(database, vault, clock, SAMPLES, DAY)
            rows = read_rows(vault, SAMPLES).to_pylist()
            assert archive.closable(database, clock.now()) == []
            assert closed.batches == len(batches)
            assert before == every_key == {_key(row) for row in rows}
            assert len(rows) == len(every_key) == closed.rows
            assert rows == sorted(rows, key=lambda row: (row["vid"], row["polled_at"]))
            results.append(rows)
    assert results[0] == results[1]


def test_a_day_is_closed_only_when_no_lease_of_it_can_live() -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert not archive.may_close(DAY, midnight + archive.CLOSING_GRACE - timedelta(seconds=1))
    assert archive.may_close(DAY, midnight + archive.CLOSING_GRACE)


def test_a_day_without_anything_gets_an_empty_file(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    closed = archive.close_day(database, vault, clock, SAMPLES, DAY)
    assert (closed.rows, closed.generation, closed.changed) == (0, 1, True)
    assert query.query(vault, "select count(*) as n from metrics").to_pylist() == [{"n": 0}]
