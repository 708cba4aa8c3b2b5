"""All uploads of a channel that a person adds: by one command, or by later hunts after a bound, a kill or a dead token."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.driving import advance, control, rows, set_faults
from typer.testing import CliRunner, Result

from pleiades_core.clock import ManualClock
from pleiades_core.discover.add.additions import Added, add, added_channels
from pleiades_core.discover.add.parse_targets import AddTarget
from pleiades_core.discover.search_queue.terms import TOKEN_LIVES
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import BackendError, NotFound, QuotaExhausted
from pleiades_core.installation import Installation, open_installation
from pleiades_core.models import Bucket, ChannelId, VideoId
from pleiades_core.planner.survey import survey
from pleiades_core.settings import Settings
from pleiades_core.simulator.faults.fault import Fault
from pleiades_core.simulator.server import SimulatorConfig, SimulatorProcess, start_subprocess
from pleiades_core.storage.locks import source_lock
from pleiades_core.videoid import encode
from pleiades_core.youtube.client import Transport
from pleiades_dagster.cli import app

_DAY = timedelta(days=1)
_UNFINISHED = "select count(*) from back_catalogues where finished_at is null"


@pytest.fixture
def simulator(tmp_path: Path, world_start: datetime) -> Iterator[SimulatorProcess]:
    """A YouTube of four channels, the largest with more than 1,200 uploads."""
    config = SimulatorConfig(videos=3_700, channels=4, seed=7, start=world_start, days_ahead=2, uploads_per_day=40)
    with start_subprocess(config, log_path=tmp_path / "simulator.log") as running:
        yield running


@pytest.fixture
def largest(pleiades: Installation) -> ChannelId:
    """The channel with most uploads."""
    now = pleiades.clock.now()
    found = Counter(channel for _, channel, _ in control(pleiades).uploads(now - 30 * _DAY, now))
    return ChannelId(found.most_common(1)[0][0])


@pytest.fixture
def uploads(pleiades: Installation, largest: ChannelId) -> list[VideoId]:
    """All its uploads as its list shows them, newest first."""
    return _list(pleiades, largest)


@pytest.fixture
def run(pleiades: Installation, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `pleiades add` on the installation."""
    monkeypatch.setattr("pleiades_core.cli.commands.add.opened", lambda _context, **_: contextlib.nullcontext(pleiades))
    # Its keys are the installation's, not the environment's.
    monkeypatch.setattr("pleiades_core.cli.commands.add.require_key", lambda _context: None)

    def invoke(*arguments: str, as_json: bool = True) -> Result:
        return CliRunner().invoke(app, ["add", *arguments, *(["--json"] if as_json else [])])

    return invoke


def _list(pleiades: Installation, channel: ChannelId) -> list[VideoId]:
    shown: list[VideoId] = []
    token: str | None = None
    while token is not None or not shown:
        page = pleiades.youtube().uploads(channel, token)
        shown += [one.video_id for one in page.candidates]
        token = page.next_page_token
    assert len(shown) > 1_200
    return shown


def _bound(pleiades: Installation, **settings: Any) -> None:
    pleiades.settings = pleiades.settings.changed(**settings)


def _known(pleiades: Installation) -> set[VideoId]:
    return {encode(id8) for (id8,) in rows(pleiades, "select id8 from videos where sources & 32 <> 0")}


def _watched(pleiades: Installation) -> int:
    return int(rows(pleiades, "select count(*) from watchlist")[0][0])


def _read_on(pleiades: Installation, most_hunts: int = 60) -> int:
    """Hunt until the lists are at their end; how many hunts that took."""
    for number in range(most_hunts):
        if rows(pleiades, _UNFINISHED) == [(0,)]:
            return number
        pleiades.hunter().hunt(("uploads",))
    pytest.fail("the lists never came to their end")


def _add(pleiades: Installation, *channels: ChannelId, units: int = 10_000) -> Added:
    wanted = [AddTarget(channel_id=channel) for channel in channels]
    return add(pleiades.database, pleiades.youtube(), pleiades.clock, wanted, units=units)


def test_one_command_takes_all_uploads_of_a_channel(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId], run: Any
) -> None:
    """It took the newest 50, and said nothing of the rest."""
    _bound(pleiades, discovery__uploads_per_hunt=1_000, discovery__when_full="refuse", discovery__admission_max_age_days=1)
    done = run(largest)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    (channel,) = answer["channels"]
    assert channel["title"]
    assert (channel["channel_id"], channel["uploads"], channel["taken"]) == (largest, len(uploads), len(uploads))
    assert (channel["left_for_later"], channel["cut"]) == (0, False)
    assert answer["videos"] == len(uploads)
    # Old or not, room or not: a person named them. What is removed meanwhile is gone.
    assert answer["watched"] + answer["gone"] == len(uploads)
    assert answer["watched"] > 0.9 * len(uploads)
    assert _known(pleiades) == set(uploads)
    assert rows(pleiades, "select distinct source from discovery_requests where units > 0 order by 1") == [
        ("added",),
        ("details",),
    ]
    # Once more costs nothing.
    before = pleiades.youtube().calls().total()
    assert json.loads(run(largest).stdout)["channels"] == [channel]
    assert pleiades.youtube().calls().total() == before


def test_the_answer_as_a_table_names_the_channel(pleiades: Installation, largest: ChannelId, run: Any) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=20)
    done = run(largest, as_json=False)
    assert done.exit_code == 0, done.output
    ((title, taken),) = rows(pleiades, "select title, read from back_catalogues")
    assert title in done.stdout
    assert f"{taken:,}" in done.stdout
    assert "left for later" in done.stdout
    # What did not happen has no row.
    assert "not understood" not in done.stdout
    assert "are left for later hunts" in done.stderr
    assert "PLEIADES_DISCOVERY_UPLOADS_PER_HUNT" in done.stderr


def test_a_person_may_want_the_newest_only_and_more_later(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId], run: Any
) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    (channel,) = json.loads(run(largest, "--newest", "120").stdout)["channels"]
    assert (channel["uploads"], channel["taken"], channel["left_for_later"]) == (len(uploads), 120, 0)
    assert _known(pleiades) == set(uploads[:120])
    assert json.loads(run(largest, "--newest", "7").stdout)["channels"] == [channel]
    assert json.loads(run(largest).stdout)["channels"][0]["taken"] == len(uploads)
    assert _known(pleiades) == set(uploads)


def test_later_hunts_read_on_where_the_bound_of_a_command_ended(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId], run: Any
) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=20, discovery__when_full="refuse")
    answer = json.loads(run(largest).stdout)
    (channel,) = answer["channels"]
    assert 50 < channel["taken"] < len(uploads)
    assert channel["left_for_later"] == len(uploads) - channel["taken"]
    assert _known(pleiades) == set(uploads[: channel["taken"]])
    state = survey(pleiades.database, pleiades.settings, pleiades.clock.now(), pleiades.clock.now()).discovery.channels
    assert (state.back_catalogues, state.back_catalogue_uploads) == (1, channel["left_for_later"])
    report = pleiades.hunter().hunt(("uploads",))
    assert 0 < report.calls[Bucket.GENERAL] <= 20 + 1
    assert _read_on(pleiades) >= 1
    assert _known(pleiades) == set(uploads)
    # The pages of no list were read twice.
    asked = rows(pleiades, "select sum(units) from discovery_requests where source = 'added'")[0][0]
    assert asked == -(-len(uploads) // 50)
    pleiades.hunter().hunt(("uploads",))
    assert _watched(pleiades) > 0.9 * len(uploads)


def test_short_quota_ends_a_command_and_later_hunts_read_on(pleiades: Installation, largest: ChannelId) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=1_000, keys__quota_limits={"demo": {"general": 40}})
    added = _add(pleiades, largest)
    # What was read can be described today.
    assert added.stopped is None
    assert "reset" in added.left_because
    (channel,) = added_channels(pleiades.database, added)
    assert 50 < channel.taken < (channel.uploads or 0) == channel.taken + channel.left_for_later
    assert _known(pleiades) == set()
    report = pleiades.hunter().hunt(("added",))
    assert (report.new, report.waiting, report.quota_error) == (channel.taken, 0, "")
    # A hunt an hour, each with its part of the day's units.
    for _ in range(40):
        advance(pleiades, timedelta(hours=1))
        with contextlib.suppress(QuotaExhausted):
            pleiades.hunter().hunt(("uploads",))
    (after,) = added_channels(pleiades.database, added)
    assert (after.left_for_later, after.cut) == (0, False)
    assert after.taken == after.uploads
    assert len(_known(pleiades)) >= 0.98 * (channel.uploads or 0)


def add_and_die(settings: Settings, now: datetime, channel: ChannelId, calls: int) -> None:
    """In a child: add a channel, and die (SIGKILL) just before the Nth call of the API."""
    sent = iter(range(1, 1_000_000))
    send = Transport.send

    def counted(self: Transport, *given: Any, **more: Any) -> Any:
        if next(sent) == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return send(self, *given, **more)

    with open_installation(settings, clock=ManualClock(now)) as pleiades:
        setattr(Transport, "send", counted)  # noqa: B010  mypy takes an assignment for a mistake
        added = add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(channel_id=channel)], units=10_000)
        assert added.stopped is None
        pleiades.hunter().hunt(("added",))


@pytest.mark.parametrize("calls", [2, 12, 30], ids=["after the first page", "between pages", "while it is described"])
def test_a_kill_in_the_middle_loses_nothing(
    calls: int, pleiades: Installation, largest: ChannelId, uploads: list[VideoId]
) -> None:
    child = multiprocessing.get_context("forkserver").Process(
        target=add_and_die, args=(pleiades.settings, pleiades.clock.now(), largest, calls)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    # The first page is durable: the channel is followed, and the hunts go on alone.
    assert rows(pleiades, "select channel_id from channels where pinned") == [(largest,)]
    pleiades.hunter().hunt(("added",))
    _read_on(pleiades)
    assert _known(pleiades) == set(uploads)
    assert rows(pleiades, "select count(*), count(distinct id8), count(distinct vid) from videos") == [(len(uploads),) * 3]


def test_a_page_token_that_is_refused_begins_the_list_anew(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId]
) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    added = _add(pleiades, largest, units=40)
    (before,) = added_channels(pleiades.database, added)
    assert before.left_for_later
    refused = '{"error": {"code": 400, "errors": [{"reason": "invalidPageToken"}]}}'
    set_faults(pleiades, Fault(method="playlistItems.list", first=1, last=1, status=400, body=refused))
    pleiades.hunter().hunt(("added",))
    _read_on(pleiades)
    assert _known(pleiades) == set(uploads)
    (after,) = added_channels(pleiades.database, added)
    assert (after.taken, after.left_for_later, after.cut) == (len(uploads), 0, False)
    # One refused call, and the pages before it once again.
    asked = rows(pleiades, "select sum(units) from discovery_requests where source = 'added'")[0][0]
    assert asked == 1 + -(-len(uploads) // 50) + before.taken // 50


def test_an_old_page_token_that_still_leads_on_is_used(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId]
) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    _add(pleiades, largest, units=40)
    advance(pleiades, 2 * TOKEN_LIVES)
    pleiades.hunter().hunt(("added",))
    _read_on(pleiades)
    removed = set(uploads) - set(_list(pleiades, largest))
    assert set(uploads) - removed <= _known(pleiades)
    assert rows(pleiades, "select restarts, cut from back_catalogues") == [(0, False)]


def test_a_list_that_breaks_off_is_read_on_later_and_keeps_no_other_waiting(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId]
) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    # An honest first page, then nothing, as in a brownout.
    set_faults(pleiades, Fault(method="playlistItems.list", first=2, last=2, empty=True))
    added = _add(pleiades, largest)
    (channel,) = added_channels(pleiades.database, added)
    assert (channel.taken, channel.left_for_later) == (50, len(uploads) - 50)
    set_faults(pleiades)
    pleiades.hunter().hunt(("added",))
    pleiades.hunter().hunt(("uploads",))
    assert rows(pleiades, _UNFINISHED) == [(1,)], "it is asked again at once"
    advance(pleiades, timedelta(hours=2))
    _read_on(pleiades)
    assert set(uploads) <= _known(pleiades)


def test_a_list_that_fails_waits_and_does_not_fail_every_hunt(pleiades: Installation, largest: ChannelId) -> None:
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    added = _add(pleiades, largest, units=0)
    set_faults(pleiades, Fault(method="playlistItems.list", status=503, body="{}"))
    with pytest.raises(BackendError):
        pleiades.hunter().hunt(("uploads",))
    assert rows(pleiades, "select failures, cut from back_catalogues") == [(1, False)]
    before = pleiades.youtube().calls().total()
    pleiades.hunter().hunt(("uploads",))
    assert pleiades.youtube().calls().total() == before
    set_faults(pleiades)
    advance(pleiades, timedelta(hours=2))
    _read_on(pleiades)
    (channel,) = added_channels(pleiades.database, added)
    assert (channel.left_for_later, channel.cut) == (0, False)


def test_while_a_hunt_reads_lists_the_command_leaves_them_to_it(pleiades: Installation, largest: ChannelId) -> None:
    with pleiades.database.session() as session, source_lock(session, SOURCES["uploads"].bit) as ours:
        assert ours
        added = _add(pleiades, largest)
    (channel,) = added_channels(pleiades.database, added)
    assert channel.taken == 50
    assert "hunt" in added.left_because


def test_more_new_uploads_than_one_question_shows_are_all_listed(
    pleiades: Installation, largest: ChannelId, uploads: list[VideoId]
) -> None:
    """Of a bulk of 800, 500 were listed, and the channel was taken for read."""
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    with pleiades.database.transaction() as connection:
        connection.execute(
            "insert into channels (channel_id, videos, moved, listed_at, checked_at) values (%s, %s, 800, %s, %s)",
            [largest, len(uploads), pleiades.clock.now() - _DAY, pleiades.clock.now()],
        )
    pleiades.hunter().hunt(("uploads",))
    _read_on(pleiades)
    known = {encode(id8) for (id8,) in rows(pleiades, "select id8 from videos")}
    assert known == set(uploads[:800])
    assert rows(pleiades, "select count(*) from videos where sources & 32 <> 0") == [(0,)]
    assert rows(pleiades, "select moved from channels") == [(0,)]


def test_channels_that_nobody_added_have_no_back_catalogue(pleiades: Installation) -> None:
    pleiades.hunter().hunt(("charts", "search"))
    report = pleiades.hunter().hunt(("uploads",))
    assert report.sources
    assert rows(pleiades, "select count(*) from back_catalogues") == [(0,)]


def test_a_back_catalogue_is_no_daily_find(pleiades: Installation, largest: ChannelId) -> None:
    """`plan` reckoned with 656 finds a day, where 22 came in a day and the others had been added."""
    _bound(pleiades, discovery__uploads_per_hunt=1_000)
    _add(pleiades, largest)
    assert pleiades.hunter().hunt(("added",)).admitted > 1_000
    stands = survey(pleiades.database, pleiades.settings, pleiades.clock.now(), pleiades.clock.now())
    assert (stands.discovery.found_a_day, stands.arrivals) == (0, ())
    assert stands.videos > 1_000


def test_a_file_that_is_not_there_is_not_found(run: Any, tmp_path: Path) -> None:
    done = run("--file", str(tmp_path / "none.txt"))
    assert isinstance(done.exception, NotFound)
    assert done.exception.exit_code == 3
    assert "none.txt" in str(done.exception)
