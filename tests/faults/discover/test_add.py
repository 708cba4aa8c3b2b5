"""`pleiades add`: what was asked is kept, whatever ends it, and nothing is asked or listed twice."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pleiades_core.discover.add.additions import Added, add, outcome
from pleiades_core.discover.add.parse_targets import AddTarget
from pleiades_core.errors import ApiError, BackendError, NotFound, QuotaExhausted
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, ChannelId, VideoId
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.videoid import decode
from pleiades_core.youtube.api import YouTube
from pleiades_dagster.cli import app

_DAY = timedelta(days=1)


def _control(pleiades: Installation) -> SimulatorControl:
    return SimulatorControl(pleiades.settings.youtube.url)


def _rows(pleiades: Installation, sql: str) -> list[tuple[Any, ...]]:
    with pleiades.database.transaction() as connection:
        return connection.execute(sql).fetchall()


def _one(pleiades: Installation, sql: str) -> Any:
    ((value,),) = _rows(pleiades, sql)
    return value


def _advance(pleiades: Installation, by: timedelta) -> None:
    pleiades.clock.advance(by)  # type: ignore[attr-defined]


def _channels(pleiades: Installation, count: int) -> list[AddTarget]:
    """Channels that have uploaded lately."""
    now = pleiades.clock.now()
    found = dict.fromkeys(ChannelId(channel) for _, channel, _ in _control(pleiades).uploads(now - 30 * _DAY, now))
    assert len(found) >= count
    return [AddTarget(channel_id=channel) for channel in list(found)[:count]]


def _add(pleiades: Installation, wanted: list[AddTarget]) -> Added:
    return add(pleiades.database, pleiades.youtube(), pleiades.clock, wanted)


def _units(pleiades: Installation) -> int:
    """What the simulator has counted."""
    return sum(row["units"] for row in _control(pleiades).ledger()["calls"])


def _spent(pleiades: Installation) -> Any:
    return _one(pleiades, "select coalesce(sum(units), 0) from discovery_requests where source = 'added'")


def _require_kept(pleiades: Installation, channels: int) -> None:
    followed = "select count(*) from channels where pinned and listed_at is not null"
    assert _one(pleiades, followed) == channels
    assert _one(pleiades, "select count(*) from inbox where source = 'added'") >= channels


def test_what_was_asked_before_quota_ended_is_kept_and_not_asked_again(pleiades: Installation) -> None:
    wanted = _channels(pleiades, 80)
    pleiades.settings = pleiades.settings.changed(keys__quota_limits={"demo": {"general": 80}})
    first = _add(pleiades, wanted)
    assert isinstance(first.stopped, QuotaExhausted)
    asked = len(first.channels)
    assert 50 <= asked < 80
    assert (first.requested, first.not_requested) == (80, 80 - asked)
    assert _spent(pleiades) == asked == _units(pleiades)
    _require_kept(pleiades, asked)
    _advance(pleiades, _DAY)
    second = _add(pleiades, wanted)
    assert (second.stopped, second.not_requested, len(second.channels)) == (None, 0, 80)
    assert _spent(pleiades) == 80 == _units(pleiades)


def test_what_was_asked_before_an_outage_is_kept(pleiades: Installation) -> None:
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="playlistItems.list", first=21, status=503, body="{}"),)))
    added = _add(pleiades, [AddTarget(video_id=VideoId("dQw4w9WgXcQ")), *_channels(pleiades, 30)])
    assert isinstance(added.stopped, BackendError)
    assert (len(added.channels), added.not_requested) == (20, 10)
    _require_kept(pleiades, 20)
    assert _spent(pleiades) == _units(pleiades)
    assert "503" in _one(pleiades, "select error from discovery_requests where source = 'added'")


def test_what_is_refused_by_itself_does_not_hold_up_what_comes_after_it(pleiades: Installation) -> None:
    _control(pleiades).set_faults(
        FaultPlan(faults=(Fault(method="playlistItems.list", first=3, last=3, status=400, body='{"error": {"code": 400}}'),))
    )
    wanted = _channels(pleiades, 10)
    added = _add(pleiades, wanted)
    assert (added.stopped, added.not_requested, len(added.channels)) == (None, 0, 9)
    assert str(wanted[2].channel_id) in added.unknown[0]
    _require_kept(pleiades, 9)


def test_what_was_asked_before_an_interruption_is_kept(pleiades: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, asking = _channels(pleiades, 30), iter(range(30))
    uploads = YouTube.uploads

    def interrupted(youtube: YouTube, channel_id: ChannelId, **more: Any) -> Any:
        if next(asking) == 12:
            raise KeyboardInterrupt
        return uploads(youtube, channel_id, **more)

    monkeypatch.setattr(YouTube, "uploads", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _add(pleiades, wanted)
    _require_kept(pleiades, 12)
    assert _spent(pleiades) == 12


def test_added_channels_are_not_listed_again_until_they_upload(pleiades: Installation) -> None:
    _add(pleiades, _channels(pleiades, 20))
    pleiades.hunter().hunt(("added",))
    report = pleiades.hunter().hunt(("uploads",))
    assert (report.candidates, report.sources) == (0, {})
    _advance(pleiades, _DAY)
    report = pleiades.hunter().hunt(("uploads",))
    assert report.new > 0, "the number of uploads at the time of the list is not known"
    assert report.sources["uploads"].units[Bucket.GENERAL] <= 1 + report.candidates


def test_a_channel_that_was_followed_keeps_what_its_newest_uploads_do_not_show(pleiades: Installation) -> None:
    (wanted,) = _channels(pleiades, 1)
    with pleiades.database.transaction() as connection:
        connection.execute("insert into channels (channel_id, moved) values (%s, 70)", [wanted.channel_id])
    added = _add(pleiades, [wanted, wanted])
    assert (added.requested, added.channels) == (1, (wanted.channel_id,))
    # All uploads are read: what the count had announced is part of them.
    assert _rows(pleiades, "select moved, pinned from channels") == [(0, True)]
    assert _rows(pleiades, "select source, newest from back_catalogues") == [("added", None)]
    assert (_add(pleiades, [wanted]).channels, _units(pleiades)) == (added.channels, 1)


def test_what_youtube_does_not_know_is_paid_for_and_said(pleiades: Installation) -> None:
    with pytest.raises(NotFound, match="@nobody-at-all, @nor-this"):
        _add(pleiades, [AddTarget(handle="@nobody-at-all"), AddTarget(handle="@nor-this")])
    assert _spent(pleiades) == 2


def test_who_adds_a_video_does_not_pay_for_what_other_sources_left(pleiades: Installation) -> None:
    now = pleiades.clock.now()
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.GENERAL, None)
    pleiades.hunter().hunt(("search",))
    waiting = _one(pleiades, "select count(*) from videos where state = 'claimed'")
    assert waiting > 0
    known = {row[0] for row in _rows(pleiades, "select id8 from videos")}
    _advance(pleiades, _DAY)
    wish = next(
        VideoId(video) for video, _, _ in _control(pleiades).uploads(now - 9 * _DAY, now)
        if _control(pleiades).truth(video)["state"] == "public" and decode(video) not in known
    )  # fmt: skip
    added = _add(pleiades, [AddTarget(video_id=wish)])
    before = _units(pleiades)
    report = pleiades.hunter().hunt(("added",))
    assert (report.admitted, _units(pleiades) - before) == (1, 1)
    assert outcome(pleiades.database, added).watched == 1
    assert _one(pleiades, "select count(*) from videos where state = 'claimed'") == waiting
    assert pleiades.hunter().hunt(("push",)).admitted > 0


def test_what_youtube_does_not_show_is_not_said_to_wait_for_quota(pleiades: Installation) -> None:
    added = _add(pleiades, [AddTarget(video_id=VideoId("dQw4w9WgXcQ"))])
    assert outcome(pleiades.database, added).waiting == 1
    pleiades.hunter().hunt(("added",))
    became = outcome(pleiades.database, added)
    assert (became.watched, became.gone, became.waiting) == (0, 1, 0)


@pytest.fixture
def run(pleiades: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs `pleiades add` on the installation, with a file of these lines."""
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["a-key-that-nobody-tries"]')
    monkeypatch.setattr("pleiades_core.cli.commands.add.opened", lambda _context, **_: contextlib.nullcontext(pleiades))

    def invoke(*arguments: str, lines: list[str]) -> Result:
        (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
        return CliRunner().invoke(app, ["add", *arguments, "--file", str(tmp_path / "list.csv"), "--json"])

    return invoke


def test_a_list_that_quota_cuts_short_says_how_far_it_came(pleiades: Installation, run: Any) -> None:
    wanted = _channels(pleiades, 60)
    pleiades.settings = pleiades.settings.changed(keys__quota_limits={"demo": {"general": 40}})
    done = run(lines=["channel_id", *(str(one.channel_id) for one in wanted)])
    assert isinstance(done.exception, QuotaExhausted)
    answer = json.loads(done.stdout)
    followed = len(answer["channels"])
    assert 0 < followed < 60
    assert answer["not_requested"] == 60 - followed
    assert (answer["videos"], answer["not_understood"]) == (answer["waiting"], [])
    assert f"{followed} of 60 are added" in " ".join(done.stderr.split())


def test_an_outage_leaves_what_was_added_for_the_next_hunt(pleiades: Installation, run: Any) -> None:
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="playlistItems.list", first=3, status=503, body="{}"),)))
    done = run(lines=[str(one.channel_id) for one in _channels(pleiades, 5)])
    assert isinstance(done.exception, ApiError)
    answer = json.loads(done.stdout)
    assert (len(answer["channels"]), answer["not_requested"], answer["waiting"]) == (2, 3, answer["videos"])
    _control(pleiades).set_faults(FaultPlan())
    assert pleiades.hunter().hunt(("added",)).admitted > 0


def test_videos_that_an_outage_keeps_from_being_described_are_in_the_answer(pleiades: Installation, run: Any) -> None:
    now = pleiades.clock.now()
    video = next(video for video, _, _ in _control(pleiades).uploads(now - _DAY, now))
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="videos.list", status=503, body="{}"),)))
    done = run("!", lines=[video])
    assert isinstance(done.exception, BackendError)
    answer = json.loads(done.stdout)
    assert (answer["videos"], answer["waiting"], len(answer["not_understood"])) == (1, 1, 1)


def test_a_heading_and_numbers_of_lines(pleiades: Installation, run: Any) -> None:
    now = pleiades.clock.now()
    video = next(video for video, _, _ in _control(pleiades).uploads(now - _DAY, now))
    headed = run(lines=["video_id,title", f"{video},x"])
    assert (headed.exit_code, json.loads(headed.stdout)["not_understood"]) == (0, [])
    assert "line 1" in headed.stderr
    partly = run(video, "!", lines=["?", video])
    assert partly.exit_code == 2
    said = json.loads(partly.stdout)["not_understood"]
    assert [line.split(":")[0] for line in said] == ["argument 2", "line 1"]


def test_a_channel_that_is_added_for_more_names_what_is_new(pleiades: Installation, run: Any) -> None:
    channel = str(_channels(pleiades, 1)[0].channel_id)
    first = json.loads(run("--newest", "3", lines=[channel]).stdout)
    second = json.loads(run(lines=[channel]).stdout)
    assert (first["videos"], first["new"]) == (3, 3)
    assert second["videos"] > second["new"] == second["videos"] - 3
