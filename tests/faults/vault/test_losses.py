"""A recorded file that is gone for good is given up by an explicit word, and the loss is written into the vault."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from pleiades_core.batches.closing import finish_day
from pleiades_core.errors import CorruptFile, MissingFile, VaultError
from pleiades_core.installation import Installation
from pleiades_core.vault import query
from pleiades_core.vault.archive import closable, close_day
from pleiades_core.vault.janitor import sweep
from pleiades_core.vault.journal import days_with_files, files_of_day
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset
from pleiades_core.vault.losses import find_losses, give_up
from pleiades_core.vault.verify import verify


@pytest.fixture
def tracked(pleiades: Installation) -> Installation:
    """Two hours of polls, of a day that is over."""
    for _ in range(2):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    pleiades.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    return pleiades


def _day(pleiades: Installation) -> date:
    return days_with_files(pleiades.vault, SAMPLES)[0]


def _first_batch(pleiades: Installation, dataset: Dataset) -> Path:
    return Path(pleiades.vault.journal.uri(min(files_of_day(pleiades.vault, dataset, _day(pleiades)).values())))


def _give_up(pleiades: Installation) -> int:
    return give_up(pleiades.database, pleiades.vault, _day(pleiades), pleiades.clock.now()).described_again


@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_a_lost_batch_keeps_its_day_open_until_it_is_given_up(tracked: Installation, damage: str) -> None:
    day, batch = _day(tracked), _first_batch(tracked, SAMPLES)
    content = batch.read_bytes()
    rows = query.query(tracked.vault, "select count(*) as n from raw_samples").to_pylist()[0]["n"]
    batch.unlink() if damage == "gone" else batch.write_bytes(content[:-20])
    with pytest.raises((MissingFile, CorruptFile)):
        finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)
    (loss,) = find_losses(tracked.database, tracked.vault, day)
    assert batch.name in loss.key
    assert _give_up(tracked) == 0
    assert find_losses(tracked.database, tracked.vault, day) == []
    closed, _ = finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)
    assert closed.rows == rows - loss.rows
    assert verify(tracked.database, tracked.vault).problems == ()
    (record,) = (json.loads(tracked.vault.archive.read(key)) for key in tracked.vault.archive.keys("losses"))
    assert (record["rows"], record["sha256"], record["day"]) == (loss.rows, loss.sha256, day.isoformat())
    assert len(tracked.vault.archive.keys("damaged")) == (damage == "damaged")
    # Found again after all: it counts as if nothing had happened.
    batch.write_bytes(content)
    closed, adopted = finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)
    assert (closed.rows, adopted) == (rows, 1)


def test_giving_up_may_be_repeated_after_a_crash_at_every_step(tracked: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = _first_batch(tracked, SAMPLES)
    batch.write_bytes(b"x")
    archive = type(tracked.vault.archive)
    for step in ("put_if_absent", "delete"):
        with monkeypatch.context() as patched:
            patched.setattr(archive, step, _crash)
            with pytest.raises(KeyboardInterrupt):
                _give_up(tracked)
    _give_up(tracked)
    assert find_losses(tracked.database, tracked.vault, _day(tracked)) == []
    assert len(tracked.vault.archive.keys("losses")) == 1
    assert len(tracked.vault.archive.keys("damaged")) == 1


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_disk_that_fails_is_no_loss(tracked: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five whole files were given up because there was no handle left for a moment."""
    place = type(tracked.vault.journal)

    def refuse(*_: object) -> bytes:
        raise VaultError("cannot read: too many open files (EMFILE)")

    with monkeypatch.context() as patched:
        patched.setattr(place, "read", refuse)
        with pytest.raises(VaultError, match="EMFILE"):
            _give_up(tracked)
    assert find_losses(tracked.database, tracked.vault, _day(tracked)) == []
    assert tracked.vault.archive.keys("losses") == []


@pytest.mark.parametrize("other", ["folder", "link", "pipe"])
def test_what_is_no_file_under_the_name_of_a_batch_can_be_given_up(tracked: Installation, other: str) -> None:
    batch = _first_batch(tracked, SAMPLES)
    batch.unlink()
    if other == "folder":
        batch.mkdir()
    elif other == "link":
        batch.symlink_to("/dev/zero")
    else:
        os.mkfifo(batch)
    assert len(find_losses(tracked.database, tracked.vault, _day(tracked))) == 1
    _give_up(tracked)
    assert find_losses(tracked.database, tracked.vault, _day(tracked)) == []
    finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, _day(tracked))


def test_a_damaged_day_is_given_up_and_closed_again_with_what_the_journal_has(tracked: Installation) -> None:
    day = _day(tracked)
    for dataset, each in closable(tracked.database, tracked.clock.now()):
        finish_day(tracked.database, tracked.vault, tracked.clock, dataset, each)
    file = Path(tracked.vault.archive.uri(SAMPLES.day_key(day)))
    file.write_bytes(file.read_bytes()[:-9])
    gone = _first_batch(tracked, SAMPLES)
    lost_rows = query.query(tracked.vault, "select count(*) as n from raw_samples").to_pylist()[0]["n"]
    gone.unlink()
    with pytest.raises(MissingFile, match="recorded batch files"):
        close_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)
    assert {loss.batch_id is None for loss in find_losses(tracked.database, tracked.vault, day)} == {True, False}
    _give_up(tracked)
    closed, _ = finish_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day)
    assert 0 < closed.rows < lost_rows
    assert closed.generation == 2
    assert verify(tracked.database, tracked.vault).problems == ()


def test_a_swept_day_that_is_damaged_is_lost_whole(tracked: Installation) -> None:
    day = _day(tracked)
    for dataset, each in closable(tracked.database, tracked.clock.now()):
        finish_day(tracked.database, tracked.vault, tracked.clock, dataset, each)
    tracked.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    sweep(tracked.database, tracked.vault, tracked.clock)
    file = Path(tracked.vault.archive.uri(SAMPLES.day_key(day)))
    file.unlink()
    losses = find_losses(tracked.database, tracked.vault, day)
    assert [loss.batch_id for loss in losses] == [None]
    give_up(tracked.database, tracked.vault, day, tracked.clock.now())
    assert close_day(tracked.database, tracked.vault, tracked.clock, SAMPLES, day).rows == 0
    assert verify(tracked.database, tracked.vault).problems == ()


def test_videos_whose_descriptions_are_lost_are_described_again(tracked: Installation) -> None:
    titles = "select video_id, title from videos order by all"
    before = query.query(tracked.vault, titles).to_pylist()
    _first_batch(tracked, REGISTRY).unlink()
    assert len(query.query(tracked.vault, titles)) < len(before)
    again = _give_up(tracked)
    assert again == len(before) - len(query.query(tracked.vault, titles))
    tracked.hunter().hunt()
    after = {row["video_id"] for row in query.query(tracked.vault, titles).to_pylist()}
    assert after >= {row["video_id"] for row in before}


def test_nothing_is_given_up_that_is_whole_or_without_a_yes(tracked: Installation) -> None:
    day = _day(tracked)
    assert find_losses(tracked.database, tracked.vault, day) == []
    _first_batch(tracked, SAMPLES).unlink()
    find_losses(tracked.database, tracked.vault, day)
    assert tracked.vault.archive.keys("losses") == []
    assert len(find_losses(tracked.database, tracked.vault, day)) == 1
