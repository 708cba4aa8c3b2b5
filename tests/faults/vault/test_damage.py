"""Damaged files: named, never read as if they were whole, and no hindrance to the rest."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from support.rows import read_rows

from pleiades_core.batches.closing import finish_day
from pleiades_core.batches.reaper import adopt_orphans
from pleiades_core.clock import utc_midnight
from pleiades_core.discover.search_queue.rewards import rescore
from pleiades_core.discover.upkeep import run_upkeep
from pleiades_core.errors import CorruptFile, DamagedAnswer, MissingFile, NotFound, VaultError
from pleiades_core.insights.ranking import rank_day
from pleiades_core.installation import Installation
from pleiades_core.models import Sample, SampleStatus, Vid
from pleiades_core.reports.coverage import coverage
from pleiades_core.reports.sources import sources
from pleiades_core.storage import parquet
from pleiades_core.storage.objects import sha256_of
from pleiades_core.vault import file_check, query, recorded_day
from pleiades_core.vault.archive import closable, close_day
from pleiades_core.vault.day_facts import inspect_day
from pleiades_core.vault.day_reader import read_day
from pleiades_core.vault.file_check import check_closed_day, forget_checked_files
from pleiades_core.vault.janitor import sweep
from pleiades_core.vault.journal import record_batch, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, discovery_requests_key, insight_key, samples_by_day
from pleiades_core.vault.losses import find_losses
from pleiades_core.vault.owner import owner_of
from pleiades_core.vault.verify import verify
from pleiades_core.watchlist.cohorts import rebuild_cohort

_COUNTED = "select (select count(*) from raw_samples) as samples, (select count(*) from videos) as videos"


def _day(file: Path) -> date:
    return date.fromisoformat(file.parent.name.removeprefix("date="))


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
    return Path(pleiades.vault.archive.uri(key))


def test_every_flipped_byte_is_noticed(closed: Installation) -> None:
    file = _day_file(closed, "metrics")
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        assert len(verify(closed.database, closed.vault).problems) == 1, place
    file.write_bytes(whole)
    assert verify(closed.database, closed.vault).problems == ()


def _swept(closed: Installation) -> None:
    """Remove the batches that the closed days hold."""
    closed.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    sweep(closed.database, closed.vault, closed.clock)
    assert not closed.vault.journal.keys("journal/samples")


@pytest.mark.parametrize("folder", ["metrics", "videos"])
def test_a_query_leaves_a_damaged_day_out_and_names_it(closed: Installation, folder: str) -> None:
    file = _day_file(closed, folder)
    _swept(closed)
    whole = query.query(closed.vault, _COUNTED).to_pylist()
    _flip(file)
    (counted,) = query.query(closed.vault, _COUNTED).to_pylist()
    assert counted != whole[0]
    assert list(closed.vault.damaged) == [f"{folder}/{file.parent.name}/day.parquet"]
    with pytest.raises(DamagedAnswer, match=file.parent.name) as raised:
        closed.vault.require_whole_answers()
    assert raised.value.exit_code == 6


@pytest.mark.parametrize("folder", ["metrics", "videos"])
def test_what_is_kept_is_not_computed_without_damaged_files(closed: Installation, folder: str) -> None:
    """A good ranking was replaced by an empty one."""
    day = _day(_day_file(closed, "metrics"))
    _swept(closed)
    assert rank_day(closed.vault, day).rows > 0
    file = Path(closed.vault.archive.uri(insight_key("rankings", day)))
    before = file.read_bytes()
    _flip(_day_file(closed, folder))
    for kept in (
        lambda: rank_day(closed.vault, day),
        lambda: rebuild_cohort(closed.database, closed.vault, day),
        lambda: rescore(closed.database, closed.vault, closed.clock.now()),
    ):
        with pytest.raises(DamagedAnswer, match=folder):
            kept()
    assert file.read_bytes() == before


def test_a_day_that_is_closed_again_while_it_is_read_is_no_damage(
    closed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the file and the look at its manifest, and between the file and SQL."""
    day = _day(_day_file(closed, "metrics"))
    rows = read_day(closed.vault, SAMPLES, day).rows.num_rows
    looked: list[str] = []

    def closing(name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def first(*arguments: Any) -> Any:
            if not looked:
                looked.append(name)
                _late_batch(closed, day)
                assert close_day(closed.database, closed.vault, closed.clock, SAMPLES, day).changed
            return read(*arguments)

        return first

    for module in (file_check, recorded_day):
        looked.clear()
        forget_checked_files()
        with monkeypatch.context() as patched:
            patched.setattr(module, "read_manifest", closing(module.__name__, module.read_manifest))
            if module is file_check:
                assert check_closed_day(closed.vault, SAMPLES, day, None).generation == 2
            else:
                found = inspect_day(closed.database, closed.vault, day)
                assert found.sha256 == found.recorded_sha256 == found.manifest_sha256
        assert looked
    assert read_day(closed.vault, SAMPLES, day).rows.num_rows == rows + 2


def test_a_batch_that_is_committed_while_the_vault_is_verified_is_not_missing(
    closed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = type(closed.vault.archive).keys

    def keys(self: Any, prefix: str) -> list[str]:
        found = listed(self, prefix)
        with monkeypatch.context() as patched:
            patched.setattr(type(closed.vault.archive), "keys", listed)
            closed.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
            closed.tracker().track()
        return found

    monkeypatch.setattr(type(closed.vault.archive), "keys", keys)
    assert verify(closed.database, closed.vault).problems == ()


def _flip(file: Path) -> None:
    flipped = bytearray(file.read_bytes())
    flipped[len(flipped) // 3] ^= 1
    file.write_bytes(flipped)


def _late_batch(closed: Installation, day: date) -> None:
    """One row more of a day that is closed."""
    at = utc_midnight(day) + timedelta(hours=5, seconds=len(closed.vault.archive.keys("")) + uuid.uuid4().int % 3_000)
    ((_, table),) = samples_by_day([Sample.of(Vid(1), at, SampleStatus.MISSING)]).items()
    with closed.database.transaction() as connection:
        epoch = owner_of(connection).epochs[0]
        batch = write_batch(closed.vault, SAMPLES, day, table, lease_id=uuid.uuid4(), epoch=epoch)
        record_batch(connection, batch, now=closed.clock.now())


def test_a_late_batch_does_not_hide_that_its_day_is_lost(closed: Installation) -> None:
    """The late batch stood in for one that was swept, and the day was closed again with its row alone."""
    file = _day_file(closed, "metrics")
    day = _day(file)
    _swept(closed)
    file.unlink()
    _late_batch(closed, day)
    with pytest.raises(MissingFile, match="is gone"):
        close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)
    assert [loss.batch_id for loss in find_losses(closed.database, closed.vault, day)] == [None]


def test_a_wrong_question_is_no_damage(closed: Installation) -> None:
    with pytest.raises(duckdb.Error):
        query.query(closed.vault, "select nothing from nowhere")


def test_a_damaged_day_is_not_closed_over(closed: Installation) -> None:
    """What decodes is not thereby right: the checksum decides."""
    file = _day_file(closed, "metrics")
    day = _day(file)
    _swept(closed)
    other = _day_file(closed, "videos").read_bytes()
    before = file.read_bytes()
    file.write_bytes(other)
    with pytest.raises(CorruptFile):
        close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)
    assert file.read_bytes() == other
    file.write_bytes(before)
    assert not close_day(closed.database, closed.vault, closed.clock, SAMPLES, day).changed


@pytest.mark.parametrize("damage", ["flipped", "another day's"])
def test_a_damaged_day_is_rebuilt_while_the_journal_holds_its_batches(closed: Installation, damage: str) -> None:
    """Nothing is lost, so nothing is to be given up."""
    file = _day_file(closed, "metrics")
    day, before = _day(file), file.read_bytes()
    rows = read_day(closed.vault, SAMPLES, day).rows
    _flip(file) if damage == "flipped" else file.write_bytes(_day_file(closed, "videos").read_bytes())
    assert find_losses(closed.database, closed.vault, day) == []
    rebuilt = close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)
    assert (rebuilt.generation, rebuilt.changed) == (2, True)
    assert read_day(closed.vault, SAMPLES, day).rows.equals(rows)
    assert verify(closed.database, closed.vault).problems == ()
    (aside,) = closed.vault.archive.keys("damaged")
    assert closed.vault.archive.read(aside) != before


def test_a_closed_day_whose_file_is_gone_is_named(closed: Installation) -> None:
    """It was left out without a word, and what was derived from it was wrong."""
    file = _day_file(closed, "metrics")
    _swept(closed)
    file.unlink()
    query.query(closed.vault, _COUNTED)
    assert list(closed.vault.damaged) == [SAMPLES.day_key(_day(file))]
    with pytest.raises(DamagedAnswer, match="is missing"):
        rank_day(closed.vault, _day(file))


def test_a_lost_day_is_rebuilt_from_the_journal_or_refused(closed: Installation) -> None:
    file = _day_file(closed, "metrics")
    day = _day(file)
    rows = read_rows(closed.vault, SAMPLES).num_rows
    file.unlink()
    rebuilt = close_day(closed.database, closed.vault, closed.clock, SAMPLES, day)
    assert (rebuilt.rows, rebuilt.generation) == (rows, 2)
    assert verify(closed.database, closed.vault).problems == ()
    closed.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    sweep(closed.database, closed.vault, closed.clock)
    file.unlink()
    with pytest.raises(MissingFile, match="is gone"):
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
    rows = read_day(closed.vault, SAMPLES, _day(file)).rows
    file.write_bytes(parquet.encode(rows.replace_schema_metadata({"somebody": "else"})))
    with closed.database.transaction() as connection:
        connection.execute("update days set sha256 = %s where dataset = 'samples'", [sha256_of(file.read_bytes())])
    return file


def test_a_file_of_somebody_else_is_refused_wherever_a_closed_day_is_read(closed: Installation) -> None:
    """One error and one cure for every reader; and an orphan's adoption names the file instead of failing."""
    day = _day(_without_footer(closed))
    database, vault, clock = closed.database, closed.vault, closed.clock
    readers: dict[str, Callable[[], object]] = {
        "whole": lambda: read_day(vault, SAMPLES, day),
        "footer": lambda: check_closed_day(vault, SAMPLES, day, None),
        "inspect": lambda: inspect_day(database, vault, day),
    }
    for name, read in readers.items():
        with pytest.raises(CorruptFile, match="not a closed day of Pleiades") as raised:
            read()
        assert "move it out of the archive" in raised.value.cure, name
    assert adopt_orphans(database, vault, clock, day).corrupt == (SAMPLES.day_key(day),)


def test_a_sweep_keeps_the_batches_of_a_day_whose_file_names_none(closed: Installation) -> None:
    """Also where its checksum is the recorded one."""
    day = _day(_without_footer(closed))
    closed.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    assert sweep(closed.database, closed.vault, closed.clock).damaged == (SAMPLES.day_key(day),)
    assert closed.vault.journal.keys(f"journal/{SAMPLES.name}")


def test_a_day_that_was_never_closed_is_not_found(closed: Installation) -> None:
    before = _day(_day_file(closed, "metrics")) - timedelta(days=1)
    with pytest.raises(NotFound):
        read_day(closed.vault, SAMPLES, before)
    with pytest.raises(NotFound):
        check_closed_day(closed.vault, SAMPLES, before, None)


def test_a_damaged_file_of_requests_is_named_and_no_hindrance_to_the_rest(pleiades: Installation) -> None:
    """It took `pleiades sql` down, whatever was asked, and gave tracebacks elsewhere."""
    database, vault, now = pleiades.database, pleiades.vault, pleiades.clock.now()
    file = Path(vault.archive.uri(discovery_requests_key(date(2026, 8, 1))))
    file.parent.mkdir(parents=True)
    file.write_text("x")
    assert query.query(vault, "select count(*) as videos from videos").to_pylist() == [{"videos": 0}]
    assert coverage(database, vault, now, days=360).videos == 0
    for asked in (
        lambda: query.query(vault, "select count(*) from Discovery_Requests"),
        lambda: sources(database, vault, now, days=3_600),
    ):
        vault.damaged.clear()
        asked()
        assert list(vault.damaged) == ["discovery_requests/date=2026-08-01/day.parquet"]
    # What it writes is kept.
    with pytest.raises(DamagedAnswer, match="date=2026-08-01"):
        run_upkeep(database, vault, pleiades.key_ring().ledger, now)


def test_a_full_vault_costs_no_quota(pleiades: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hunt asked, paid, and could not keep the answers."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=28_000))
    for asked in (pleiades.hunter, pleiades.tracker):
        with pytest.raises(VaultError, match=r"0\.0 MB left") as raised:
            asked()
        assert raised.value.exit_code == 6
        assert "PLEIADES_VAULT_URL" in raised.value.cure
