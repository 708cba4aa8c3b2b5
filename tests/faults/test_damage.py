"""Damaged files: named, never read as if they were whole, and no hindrance to the rest."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from rows import read_rows

from pleiades_core.discover.learning import learn
from pleiades_core.errors import CorruptFile, NotFound, VaultError
from pleiades_core.insights.coverage import coverage
from pleiades_core.insights.roads import roads
from pleiades_core.installation import Installation
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.vault import samples
from pleiades_core.vault.archive import closable, close_day
from pleiades_core.vault.days import footer_of, read_day
from pleiades_core.vault.inspect import inspect_day
from pleiades_core.vault.janitor import sweep
from pleiades_core.vault.layout import REGISTRY, SAMPLES, day_of_key, pulls_key
from pleiades_core.vault.verify import verify
from pleiades_core.watchlist.closing import finish_day
from pleiades_core.watchlist.reaper import adopt_orphans


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
    rows = read_rows(closed.vault, SAMPLES).num_rows
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


def _without_footer(closed: Installation) -> Path:
    """The closed day of samples with the same rows, but nothing of ours in its footer; recorded so in SQL."""
    file = _day_file(closed, "metrics")
    rows = read_day(closed.vault, SAMPLES, day_of_key(file.parent.name)).rows
    file.write_bytes(parquet.encode(rows.replace_schema_metadata({"somebody": "else"})))
    with closed.database.transaction() as connection:
        connection.execute("update days set sha256 = %s where dataset = 'samples'", [sha256_of(file.read_bytes())])
    return file


def test_a_file_of_somebody_else_is_refused_wherever_a_closed_day_is_read(closed: Installation) -> None:
    """One error and one cure, whoever reads it; and an orphan's adoption names the file instead of failing."""
    day = day_of_key(_without_footer(closed).parent.name)
    database, vault, clock = closed.database, closed.vault, closed.clock
    readers = {
        "whole": lambda: read_day(vault, SAMPLES, day),
        "footer": lambda: footer_of(vault, SAMPLES, day),
        "query": lambda: samples.query(vault, "select 1"),
        "inspect": lambda: inspect_day(database, vault, day),
        "close": lambda: close_day(database, vault, clock, SAMPLES, day),
    }
    for name, read in readers.items():
        with pytest.raises(CorruptFile, match="not a closed day of Pleiades") as raised:
            read()
        assert "move it out of the archive" in raised.value.cure, name
    assert adopt_orphans(database, vault, clock, day).corrupt == (SAMPLES.day_key(day),)


def test_a_sweep_keeps_the_batches_of_a_day_whose_file_names_none(closed: Installation) -> None:
    """Also where its checksum is the recorded one."""
    day = day_of_key(_without_footer(closed).parent.name)
    closed.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    assert sweep(closed.database, closed.vault, closed.clock).damaged == (SAMPLES.day_key(day),)
    assert closed.vault.journal.keys(f"journal/{SAMPLES.name}")


def test_a_day_that_was_never_closed_is_not_found(closed: Installation) -> None:
    before = day_of_key(_day_file(closed, "metrics").parent.name) - timedelta(days=1)
    for read in (read_day, footer_of):
        with pytest.raises(NotFound):
            read(closed.vault, SAMPLES, before)


def test_a_damaged_file_of_pulls_is_named_and_no_hindrance_to_the_rest(pleiades: Installation) -> None:
    """It took `pleiades sql` down, whatever was asked, and gave tracebacks elsewhere."""
    database, vault, now = pleiades.database, pleiades.vault, pleiades.clock.now()
    file = Path(vault.archive.location(pulls_key(date(2026, 8, 1))))
    file.parent.mkdir(parents=True)
    file.write_text("x")
    assert samples.query(vault, "select count(*) as videos from videos").to_pylist() == [{"videos": 0}]
    assert coverage(database, vault, now, days=360).videos == 0
    for asked in (
        lambda: samples.query(vault, "select count(*) from Pulls"),
        lambda: roads(database, vault, now, days=3_600),
        lambda: learn(database, vault, pleiades.key_ring().ledger, now),
    ):
        with pytest.raises(CorruptFile, match="date=2026-08-01"):
            asked()


def test_a_full_vault_costs_no_quota(pleiades: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hunt asked, paid, and could not keep the answers."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=28_000))
    for asked in (pleiades.hunter, pleiades.tracker):
        with pytest.raises(VaultError, match=r"0\.0 MB left") as raised:
            asked()
        assert raised.value.exit_code == 6
        assert "PLEIADES_VAULT" in raised.value.cure
