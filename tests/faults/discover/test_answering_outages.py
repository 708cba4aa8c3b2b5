"""Outages that answer with status 200 bring as little harm as those that answer with 503, and two hunts do not pay twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import ApiError
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, VideoId
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.storage.locks import source_lock
from pleiades_core.videoid import decode

_HOUR = timedelta(hours=1)
_BODIES: dict[str, dict[str, Any]] = {
    "503": {"status": 503, "body": "{}"}, "html": {"status": 200, "body": "<html>sign in", "content_type": "text/html"},
    "empty": {"empty": True},
}  # fmt: skip


def _control(pleiades: Installation) -> SimulatorControl:
    return SimulatorControl(pleiades.settings.youtube.url)


def _fault(pleiades: Installation, method: str = "", kind: str = "") -> None:
    """One method answers badly; none does without arguments."""
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method=method, **_BODIES[kind]),) if method else ()))


def _hunt(pleiades: Installation, *sources: str, then: timedelta = _HOUR) -> Counter[Bucket]:
    """The calls of a hunt, whatever came of it."""
    before = pleiades.youtube().calls()
    try:
        pleiades.hunter().hunt(sources or tuple(SOURCES))
    except ApiError:
        pass
    finally:
        pleiades.clock.advance(then)  # type: ignore[attr-defined]
    return pleiades.youtube().calls() - before


def _rows(pleiades: Installation, sql: str) -> list[tuple[Any, ...]]:
    with pleiades.database.transaction() as connection:
        return connection.execute(sql).fetchall()


def _unknown(pleiades: Installation, channels: set[str], hours: float) -> int:
    """Uploads of channels within the last hours that nobody has found."""
    now = pleiades.clock.now()
    uploads = _control(pleiades).uploads(now - hours * _HOUR, now - 2 * _HOUR)
    known = {id8 for (id8,) in _rows(pleiades, "select id8 from videos")}
    mine = [video for video, channel, _ in uploads if channel in channels]
    assert len(mine) > 10
    return sum(decode(VideoId(video)) not in known for video in mine)


def _with(pleiades: Installation, **changed: object) -> None:
    pleiades.settings = pleiades.settings.changed(**changed)


@pytest.mark.parametrize("kind", _BODIES)
def test_lists_that_are_out_for_one_hunt_lose_nothing(pleiades: Installation, kind: str) -> None:
    _with(pleiades, discovery__feeds_per_hunt=0, discovery__uploads_per_hunt=300, discovery__chart_regions=("US",))
    for _ in range(3):
        _hunt(pleiades, "search", "charts", "uploads")
    pleiades.clock.advance(12 * _HOUR)  # type: ignore[attr-defined]
    channels = {channel for (channel,) in _rows(pleiades, "select channel_id from channels")}
    _fault(pleiades, "playlistItems.list", kind)
    spent = _hunt(pleiades, "uploads")
    waiting = _rows(pleiades, "select count(*) from channels where moved > 0")[0][0]
    assert waiting > 10
    # Attempts of three questions in each of four threads, at most; what is empty costs a unit a list, once.
    assert spent[Bucket.GENERAL] <= 2 + 4 * 4 * 3
    _fault(pleiades)
    pleiades.clock.advance(2 * _HOUR)  # type: ignore[attr-defined]
    _hunt(pleiades, "uploads")
    _hunt(pleiades, "uploads")
    assert _unknown(pleiades, channels, 17) == 0


@pytest.mark.parametrize("kind", ["503", "html"])
def test_searches_that_are_out_cost_two_questions_a_hunt(pleiades: Installation, kind: str) -> None:
    _hunt(pleiades, "search", "charts")
    _fault(pleiades, "search.list", kind)
    assert [_hunt(pleiades, "search")[Bucket.SEARCH] for _ in range(3)] == [8, 8, 8]


@pytest.mark.parametrize("kind", ["503", "html"])
def test_charts_that_were_out_are_read_by_the_next_hunt(pleiades: Installation, kind: str) -> None:
    _fault(pleiades, "videos.list", kind)
    assert _hunt(pleiades, "charts")[Bucket.GENERAL] == 8
    _fault(pleiades)
    report = pleiades.hunter().hunt(("charts",))
    assert report.sources["charts"].targets == 3 * len(pleiades.settings.discovery.chart_regions)


def test_empty_feeds_are_an_outage_and_counts_answer_for_them(pleiades: Installation) -> None:
    """Eight hours of feeds without entries: rates stay, and what is uploaded meanwhile is found by counts and lists."""
    _with(pleiades, discovery__uploads_per_hunt=300)
    for _ in range(4):
        _hunt(pleiades)
    _with(pleiades, discovery__uploads_per_hunt=300, discovery__searches_per_hunt=0, discovery__chart_regions=())
    channels = {channel for (channel,) in _rows(pleiades, "select channel_id from channels")}
    _fault(pleiades, "feeds", "empty")
    before = _rows(pleiades, "select sum(uploads_a_day) from channels")[0][0]
    assert "feeds" in pleiades.hunter().hunt().failures
    assert _rows(pleiades, "select sum(uploads_a_day) from channels")[0][0] > 0.5 * before
    for _ in range(8):
        _hunt(pleiades)
    assert _rows(pleiades, "select count(*) from channels where uploads_a_day > 1")[0][0] > 0
    assert _unknown(pleiades, channels, 8) == 0


def test_a_source_that_another_hunt_is_on_is_passed_over(pleiades: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """With one line and no failure; the other sources go on, and once the other hunt is done or dead so does this one."""
    with pleiades.database.session() as session, source_lock(session, SOURCES["search"].bit) as ours:
        assert ours
        report = pleiades.hunter().hunt(("search", "charts"))
        assert (set(report.sources), report.failures) == ({"charts", "details"}, {})
        assert "source search: another hunt is asking it" in caplog.text
        session.close()
    assert pleiades.hunter().hunt(("search",)).sources["search"].candidates > 0


def test_what_waits_in_the_inbox_is_anybodys(pleiades: Installation) -> None:
    """`pleiades add` counts on the hunt that it makes, also while another hunt runs."""
    with pleiades.database.session() as session, source_lock(session, SOURCES["added"].bit):
        assert _hunt(pleiades, "added") == Counter()
