"""A checkpoint is what the samples say, and what the schedule in SQL says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pleiades_core.batches.closing import finish_day
from pleiades_core.errors import NotFound
from pleiades_core.installation import Installation
from pleiades_core.vault.archive import closable
from pleiades_core.vault.layout import checkpoint_key
from pleiades_core.watchlist.cohorts import fold_cohort, rebuild_cohort


def test_a_checkpoint_agrees_with_sql_and_can_be_lost(pleiades: Installation) -> None:
    day = pleiades.clock.now().date()
    with pytest.raises(NotFound, match="closed yet"):
        rebuild_cohort(pleiades.database, pleiades.vault, day)
    for _ in range(4):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        pleiades.clock.advance(timedelta(hours=7))  # type: ignore[attr-defined]
    for dataset, each in closable(pleiades.database, pleiades.clock.now()):
        finish_day(pleiades.database, pleiades.vault, pleiades.clock, dataset, each)
    report = rebuild_cohort(pleiades.database, pleiades.vault, day)
    assert (report.day, report.through, report.disagreements) == (day, day, 0)
    assert report.polls >= report.videos > 0
    file = Path(pleiades.vault.journal.uri(checkpoint_key(day)))
    before = file.read_bytes()
    file.unlink()
    assert rebuild_cohort(pleiades.database, pleiades.vault, day) == report
    assert file.read_bytes() == before
    folded = fold_cohort(pleiades.vault, day, day)
    with pleiades.database.transaction() as connection:
        spoilt = connection.execute(
            "update watchlist set misses = 9 where vid = any(%s) and polled_at < %s",
            [folded.column("vid").to_pylist(), day + timedelta(days=1)],
        ).rowcount
    assert spoilt > 0
    assert rebuild_cohort(pleiades.database, pleiades.vault, day).disagreements == spoilt
