"""The main job on real parts: hunt, track, close, rank; against the simulator over HTTP and real PostgreSQL."""

from __future__ import annotations

import itertools
from datetime import timedelta

from support.rows import read_rows

from pleiades_core.insights.ranking import live
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, Tier
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.vault import archive, query
from pleiades_core.vault.layout import SAMPLES


def test_a_day_from_search_to_ranking(pleiades: Installation) -> None:
    hunted = pleiades.hunter().hunt()
    assert hunted.admitted > 0
    assert hunted.calls[Bucket.SEARCH] == 4
    for _ in range(26):
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
        pleiades.hunter().hunt()
        report = pleiades.tracker().track(Tier.HOURLY)
        assert report.failed_calls == 0
    for dataset, day in archive.closable(pleiades.database, pleiades.clock.now()):
        closed = archive.close_day(pleiades.database, pleiades.vault, pleiades.clock, dataset, day)
        assert closed.changed
        again = archive.close_day(pleiades.database, pleiades.vault, pleiades.clock, dataset, day)
        assert not again.changed
        assert again.sha256 == closed.sha256
    ranked = live(pleiades.vault, pleiades.clock.now())
    assert len(ranked) == 10
    assert all(a.views_per_hour >= b.views_per_hour for a, b in itertools.pairwise(ranked))
    rows = read_rows(pleiades.vault, SAMPLES)
    counted = query.query(pleiades.vault, "select count(*) as n from samples where video_id is not null").to_pylist()
    assert counted == [{"n": len(rows)}]
    simulated = SimulatorControl(pleiades.settings.youtube.url).ledger()
    ours = {(row.project, row.bucket): row.spent for row in pleiades.key_ring().ledger.rows()}
    for call in simulated["calls"]:
        if call["pacific_day"] == "2026-09-02":
            assert ours[call["project"], call["bucket"]] >= call["units"]
