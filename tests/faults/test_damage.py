"""Damaged files: named, never read as if they were whole, and no hindrance to the rest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pleiades_core.errors import CorruptFile, NotFound
from pleiades_core.installation import Installation
from pleiades_core.vault import samples
from pleiades_core.vault.archive import closable, close_day
from pleiades_core.vault.janitor import sweep
from pleiades_core.vault.layout import REGISTRY, SAMPLES, day_of_key
from pleiades_core.vault.verify import verify
from pleiades_core.watchlist.closing import finish_day


@pytest.fixture
def closed(pleiades: Installation) -> Installation:
    """One closed day of both datasets."""
    for _ in range(3):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    pleiades.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    for dataset, day in closable(pleiades.database, pleiades.clock.now()):
        finish_day(pleiades.database, pleiades.vault, pleiades.clock, dataset, day)
    return pleiades


def _day_file(pleiades: Installation, folder: str) -> Path:
    (key,) = (key for key in pleiades.vault.archive.keys(folder) if key.endswith("day.parquet"))
    return Path(pleiades.vault.archive.location(key))


def test_every_flipped_byte_is_noticed(closed: Installation) -> None:
    file = _day_file(closed, "metrics")
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        assert len(verify(closed.database, closed.vault).problems) == 1, place
    file.write_bytes(whole)
    assert verify(closed.database, closed.vault).problems == ()


def test_a_query_over_a_cut_off_file_names_it(closed: Installation) -> None:
    file = _day_file(closed, "videos")
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(CorruptFile, match="date="):
        samples.query(closed.vault, "select count(*) from videos")


def test_a_wrong_question_is_no_damage(closed: Installation) -> None:
    with pytest.raises(duckdb.Error):
        samples.query(closed.vault, "select nothing from nowhere")


def test_a_damaged_day_is_not_closed_over(closed: Installation) -> None:
    """What decodes is not thereby right: the checksum decides."""
    file = _day_file(closed, "metrics")
    day = day_of_key(file.parent.name)
    other = _day_file(closed, "videos").read_bytes()
    before = file.read_bytes()
    file.write_bytes(other)
    with pytest.raises(CorruptFile):
        close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)
    assert file.read_bytes() == other
    file.write_bytes(before)
    assert not close_day(closed.database, closed.vault, closed.clock, SAMPLES, day).changed


def test_a_lost_day_is_rebuilt_from_the_journal_or_refused(closed: Installation) -> None:
    file = _day_file(closed, "metrics")
    day = day_of_key(file.parent.name)
    rows = samples.read(closed.vault, SAMPLES).num_rows
    file.unlink()
    rebuilt = close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)
    assert (rebuilt.rows, rebuilt.generation) == (rows, 2)
    assert verify(closed.database, closed.vault).problems == ()
    closed.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    sweep(closed.database, closed.vault, closed.clock)
    file.unlink()
    with pytest.raises(NotFound, match="is gone"):
        close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)


def test_a_sweep_passes_a_damaged_day_by(closed: Installation) -> None:
    file = _day_file(closed, "metrics")
    file.write_bytes(file.read_bytes()[:-30])
    closed.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    report = sweep(closed.database, closed.vault, closed.clock)
    assert len(report.damaged) == 1
    assert report.days == 1
    assert closed.vault.journal.keys(f"journal/{SAMPLES.name}")
    assert not closed.vault.journal.keys(f"journal/{REGISTRY.name}")
