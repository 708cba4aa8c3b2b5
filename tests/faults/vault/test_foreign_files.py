"""Files that do not belong where they lie: never read, never adopted, never counted twice, and listed by the doctor."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pleiades_core.batches.closing import finish_day
from pleiades_core.installation import Installation
from pleiades_core.models import Sample, SampleStatus, Vid
from pleiades_core.storage import parquet
from pleiades_core.vault import query
from pleiades_core.vault.archive import closable
from pleiades_core.vault.file_check import check_closed_day
from pleiades_core.vault.journal import days_with_files, files_of_day, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, samples_by_day
from pleiades_core.vault.verify import verify

_COUNTED = "select (select count(*) from raw_samples) as samples, (select count(*) from raw_videos) as videos"


@pytest.fixture
def tracked(pleiades: Installation) -> Installation:
    """Two hours of polls, all of them in the journal."""
    for _ in range(2):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    return pleiades


def _batch(pleiades: Installation) -> Path:
    day = days_with_files(pleiades.vault, SAMPLES)[0]
    return Path(pleiades.vault.journal.uri(min(files_of_day(pleiades.vault, SAMPLES, day).values())))


def _copied_under_another_name(pleiades: Installation) -> None:
    batch = _batch(pleiades)
    shutil.copy(batch, batch.with_name(f"{uuid.uuid4()}.parquet"))


def _copied_into_another_day(pleiades: Installation) -> None:
    batch = _batch(pleiades)
    day = days_with_files(pleiades.vault, SAMPLES)[0] - timedelta(days=1)
    other = batch.parent.parent / f"date={day}" / batch.name
    other.parent.mkdir()
    shutil.copy(batch, other)


def _copied_into_another_dataset(pleiades: Installation) -> None:
    batch = _batch(pleiades)
    other = pleiades.settings.vault_root / "journal" / "registry" / batch.parent.name / batch.name
    shutil.copy(batch, other)


def _of_another_installation(pleiades: Installation) -> None:
    """Polls of the same vids, two months ahead: they moved our schedules there."""
    later = pleiades.clock.now() + timedelta(days=60)
    rows = [Sample.of(Vid(vid), later, SampleStatus.MISSING) for vid in range(1, 9)]
    for day, table in samples_by_day(rows).items():
        batch = write_batch(pleiades.vault, SAMPLES, day, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
        # As a sync tool would leave it: in the folder of a day that is still looked at.
        path = Path(pleiades.vault.journal.uri(SAMPLES.batch_key(day, batch.batch_id)))
        shutil.copy(path, _batch(pleiades).parent / path.name)


@pytest.mark.parametrize(
    "intrude",
    [_copied_under_another_name, _copied_into_another_day, _copied_into_another_dataset, _of_another_installation],
    ids=lambda intrude: intrude.__name__.strip("_"),
)
def test_a_foreign_batch_is_never_read_nor_adopted(tracked: Installation, intrude: Callable[[Installation], None]) -> None:
    before = query.query(tracked.vault, _COUNTED).to_pylist()
    with tracked.database.transaction() as connection:
        schedule = connection.execute("select vid, polled_at from watchlist order by vid").fetchall()
    intrude(tracked)
    assert query.query(tracked.vault, _COUNTED).to_pylist() == before
    found = verify(tracked.database, tracked.vault)
    assert found.foreign
    assert not found.problems
    tracked.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    for dataset in (SAMPLES, REGISTRY):
        for day in days_with_files(tracked.vault, dataset):
            if day < tracked.clock.now().date():
                finish_day(tracked.database, tracked.vault, tracked.clock, dataset, day)
    assert query.query(tracked.vault, _COUNTED).to_pylist() == before
    assert verify(tracked.database, tracked.vault).foreign == found.foreign
    assert not tracked.vault.damaged
    with tracked.database.transaction() as connection:
        assert connection.execute("select vid, polled_at from watchlist order by vid").fetchall() == schedule


def test_a_closed_day_of_another_installation_is_left_out_and_named(tracked: Installation) -> None:
    tracked.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    for dataset, day in closable(tracked.database, tracked.clock.now()):
        finish_day(tracked.database, tracked.vault, tracked.clock, dataset, day)
    before = query.query(tracked.vault, _COUNTED).to_pylist()
    day = days_with_files(tracked.vault, SAMPLES)[0]
    footer = check_closed_day(tracked.vault, SAMPLES, day, None).encode() | {
        "pleiades.installation": str(uuid.uuid4()), "pleiades.day": str(day - timedelta(days=7)),
    }  # fmt: skip
    rows = parquet.decode(tracked.vault.archive.read(SAMPLES.day_key(day)), schema=SAMPLES.schema, origin="")
    content = parquet.encode(rows.replace_schema_metadata(footer))
    tracked.vault.archive.replace(SAMPLES.day_key(day - timedelta(days=7)), content, expected=None)
    assert query.query(tracked.vault, _COUNTED).to_pylist() == before
    ((key, said),) = tracked.vault.damaged.items()
    assert key == SAMPLES.day_key(day - timedelta(days=7))
    assert "another installation" in said
    assert verify(tracked.database, tracked.vault).problems == (said,)


def test_an_older_generation_of_a_day_is_left_out_and_named(tracked: Installation) -> None:
    """It is whole, and not what was closed."""
    tracked.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    (day,) = {day for dataset, day in closable(tracked.database, tracked.clock.now()) if dataset is SAMPLES}
    finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)
    file = Path(tracked.vault.archive.uri(SAMPLES.day_key(day)))
    first = file.read_bytes()
    with tracked.database.transaction() as connection:
        (epoch,) = connection.execute("select epoch from installation").fetchall()[0]
    late = Sample.of(Vid(1), tracked.clock.now() - timedelta(days=1, hours=3), SampleStatus.MISSING)
    ((_, table),) = samples_by_day([late]).items()
    assert isinstance(table, pa.Table)
    write_batch(tracked.vault, SAMPLES, day, table, lease_id=uuid.uuid4(), epoch=epoch)
    assert finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)[0].generation == 2
    file.write_bytes(first)
    query.query(tracked.vault, _COUNTED)
    assert list(tracked.vault.damaged) == [SAMPLES.day_key(day)]
    assert len(verify(tracked.database, tracked.vault).problems) == 1


def _stray_files(root: Path) -> set[str]:
    """What people and tools leave in a folder; every one of them ended reading with a traceback, or hung it."""
    names = {
        "metrics/README.txt", "metrics/date=not-a-day/day.parquet", "metrics/date=2026-13-01/day.parquet",
        "journal/samples/backup/copy.parquet", "journal/samples/date=not-a-day/x.parquet", "videos/date=2026-09-01/notes.md",
        "journal/registry/date=2026-09-01/not-a-batch.parquet", "discovery_requests/x/day.parquet", "insights/notes.txt",
    }  # fmt: skip
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    return names


def test_strays_are_ignored_by_readers_and_listed(tracked: Installation) -> None:
    before = query.query(tracked.vault, _COUNTED).to_pylist()
    strays = _stray_files(tracked.settings.vault_root)
    assert query.query(tracked.vault, _COUNTED).to_pylist() == before
    assert query.query(tracked.vault, "select count(*) as n from discovery_requests").to_pylist() == [{"n": 0}]
    assert not tracked.vault.damaged
    found = verify(tracked.database, tracked.vault)
    assert set(found.strays) == strays
    assert not found.problems
    tracked.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    for dataset, day in closable(tracked.database, tracked.clock.now()):
        finish_day(tracked.database, tracked.vault, tracked.clock, dataset, day)
    assert query.query(tracked.vault, _COUNTED).to_pylist() == before


def test_a_file_that_is_named_like_a_batch_and_is_none_is_damaged(tracked: Installation) -> None:
    file = _batch(tracked).with_name(f"{uuid.uuid4()}.parquet")
    file.write_text("x")
    query.query(tracked.vault, _COUNTED)
    assert [Path(key).name for key in tracked.vault.damaged] == [file.name]
    assert [file.name in problem for problem in verify(tracked.database, tracked.vault).problems] == [True]


def test_pipes_and_links_are_ignored_and_hang_nobody(tracked: Installation) -> None:
    before = query.query(tracked.vault, _COUNTED).to_pylist()
    batch = _batch(tracked)
    os.mkfifo(batch.with_name(f"{uuid.uuid4()}.parquet"))
    batch.with_name(f"{uuid.uuid4()}.parquet").symlink_to(batch)
    batch.with_name(f"{uuid.uuid4()}.parquet").mkdir()
    (tracked.settings.vault_root / "metrics" / "date=2026-08-01").mkdir(parents=True)
    (tracked.settings.vault_root / "metrics" / "date=2026-08-01" / "day.parquet").symlink_to("/dev/zero")
    assert query.query(tracked.vault, _COUNTED).to_pylist() == before
    assert not tracked.vault.damaged
    assert len(verify(tracked.database, tracked.vault).strays) == 3
