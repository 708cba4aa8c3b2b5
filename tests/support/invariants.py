"""The invariants of docs/architecture.md, read off a real database and a real vault after every fault."""

from __future__ import annotations

import uuid

import pyarrow.compute as pc

from pleiades_core.installation import Installation
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.vault.file_check import check_closed_day
from pleiades_core.vault.journal import days_with_files, files_of_day
from pleiades_core.vault.layout import DATASETS, REGISTRY, SAMPLES, days_by_key
from pleiades_core.vault.verify import verify
from support.rows import read_rows


def check_invariants(pleiades: Installation) -> None:
    """Assert I1 to I5. Call it after the reaper has run."""
    assert verify(pleiades.database, pleiades.vault).problems == ()  # I1
    with pleiades.database.transaction() as connection:
        recorded = {row[0] for row in connection.execute("select batch_id from batches").fetchall()}
        unfolded = {row[0] for row in connection.execute("select batch_id from batches where not folded").fetchall()}
        leases = connection.execute("select * from leases").fetchall()
        leased = connection.execute("select count(*) from watchlist where lease_id is not null").fetchone()
        schedule = dict(connection.execute("select vid, polled_at from watchlist").fetchall())
        admitted = {row[0] for row in connection.execute("select vid from videos where state = 'admitted'").fetchall()}
    on_disk = {
        batch
        for dataset in DATASETS.values()
        for day in days_with_files(pleiades.vault, dataset)
        for batch in files_of_day(pleiades.vault, dataset, day)
    }
    held = _held(pleiades)
    assert recorded <= on_disk  # I1
    assert on_disk <= recorded | held  # I2: nothing that was written is left uncounted
    assert not unfolded & held  # I2: what a closed day holds is known to be folded
    rows = read_rows(pleiades.vault, SAMPLES)
    keys = list(zip(rows.column("vid").to_pylist(), rows.column("polled_at").to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)  # I2: exactly once
    newest = rows.group_by("vid").aggregate([("polled_at", "max")])
    last_sample = dict(zip(newest.column("vid").to_pylist(), newest.column("polled_at_max").to_pylist(), strict=True))
    assert {vid: at for vid, at in schedule.items() if at is not None} == last_sample  # I3
    assert leases == []  # I5
    assert leased == (0,)
    described = read_rows(pleiades.vault, REGISTRY)
    assert len(pc.unique(described.column("video_id"))) == len(pc.unique(described.column("vid")))
    assert set(described.column("vid").to_pylist()) == admitted == set(schedule)
    _ledger_covers_every_call(pleiades)


def _held(pleiades: Installation) -> set[uuid.UUID]:
    """Every batch that a closed day holds."""
    held: set[uuid.UUID] = set()
    for dataset in DATASETS.values():
        for day in days_by_key(pleiades.vault.archive.keys(dataset.archive_folder), dataset.archive_folder).values():
            held |= check_closed_day(pleiades.vault, dataset, day, None).batches
    return held


def _ledger_covers_every_call(pleiades: Installation) -> None:
    """I4: per project, bucket and Pacific day."""
    with pleiades.database.transaction() as connection:
        rows = connection.execute("select project, bucket, quota_day, spent from quota_ledger").fetchall()
    ours = {(project, bucket, day.isoformat()): spent for project, bucket, day, spent in rows}
    counted = SimulatorControl(pleiades.settings.youtube.url).ledger()["calls"]
    assert counted
    for call in counted:
        assert ours[call["project"], call["bucket"], call["pacific_day"]] >= call["calls"]
