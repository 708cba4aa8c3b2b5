"""The Hunter when things go wrong: rivals, poison, outages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.rows import read_rows

from pleiades_core.discover.admission.retry import MOST_ATTEMPTS
from pleiades_core.discover.hunter import Hunter
from pleiades_core.errors import ApiError, BackendError
from pleiades_core.installation import Installation
from pleiades_core.models import VideoDetails, VideoId
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.quota import Reservation


def _videos(pleiades: Installation, state: str) -> int:
    with pleiades.database.transaction() as connection:
        return connection.execute("select 1 from videos where state = %s", [state]).rowcount


def _failing(pleiades: Installation) -> list[int]:
    """Claims that wait because they failed; not those that were absent."""
    with pleiades.database.transaction() as connection:
        return [
            row[0]
            for row in connection.execute("select attempts from videos where state = 'claimed' and attempts > 0").fetchall()
        ]


def test_hunters_at_once_never_trip_over_each_other(pleiades: Installation) -> None:
    """Both find new videos of the same new channels; neither may fail, and each video has one vid."""
    errors: list[BaseException] = []

    def hunt() -> None:
        try:
            pleiades.hunter().hunt()
        except BaseException as error:  # noqa: BLE001  shown by the assertion below
            errors.append(error)

    for _ in range(5):
        threads = [threading.Thread(target=hunt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pleiades.clock.advance(timedelta(hours=6))  # type: ignore[attr-defined]
    assert errors == []
    rows = read_rows(pleiades.vault, REGISTRY).to_pylist()
    assert len(rows) > 100
    assert len({row["video_id"] for row in rows}) == len({row["vid"] for row in rows}) == len(rows)


class _Poisoned(YouTube):
    """YouTube, which fails whenever one certain video is asked for."""

    poison: VideoId | None = None

    def videos(
        self, ids: Sequence[VideoId], *, reservation: Reservation | None = None
    ) -> tuple[tuple[VideoDetails, ...], frozenset[VideoId]]:
        _Poisoned.poison = _Poisoned.poison or ids[0]  # of all parts
        if _Poisoned.poison in ids:
            raise BackendError("503", status=503)
        return super().videos(ids, reservation=reservation)


def test_one_video_that_brings_youtube_down_hides_no_other(pleiades: Installation) -> None:
    """Its company gets smaller with every attempt, until it is alone and given up; the sources go on meanwhile."""
    poisoned = _Poisoned(pleiades.youtube().executor, lambda *_: None)
    found = []
    hunter = Hunter(pleiades.database, pleiades.vault, poisoned, pleiades.feeds(), pleiades.clock, pleiades.settings)
    for _ in range(12):
        found.append(hunter.hunt())
        pleiades.clock.advance(timedelta(hours=8))  # type: ignore[attr-defined]
    assert _failing(pleiades) == []
    assert sum(report.admitted for report in found) == _videos(pleiades, "admitted") > 100
    rows = read_rows(pleiades.vault, REGISTRY).to_pylist()
    assert poisoned.poison not in {row["video_id"] for row in rows}
    with pleiades.database.transaction() as connection:
        waiting = connection.execute(
            "select target from discovery_requests p join search_queue q on q.term = p.target where source = 'search'"
            " group by target, last_searched_at having last_searched_at is distinct from max(requested_at)"
        ).fetchall()
        searched = connection.execute("select sum(units) from discovery_requests where source = 'search'").fetchone()
    assert waiting == [], "a source waited for the bad video"
    assert searched is not None
    assert searched[0] >= 3 * (MOST_ATTEMPTS + 1)


def test_an_outage_costs_few_units_and_gives_nobody_up(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    control = SimulatorControl(pleiades.settings.youtube.url)
    control.set_faults(FaultPlan(faults=(Fault(status=503, body="{}"),)))
    before = sum(call["calls"] for call in control.ledger()["calls"])
    with pytest.raises(ApiError):
        pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
    with pytest.raises(ApiError):
        pleiades.tracker().track()
    spent = sum(call["calls"] for call in control.ledger()["calls"]) - before
    assert spent <= 60
    control.set_faults(FaultPlan(faults=()))
    assert pleiades.hunter().hunt().failures == {}
    assert _videos(pleiades, "claimed") == 0
