"""A clock that is wrong for one tick: no unit is spent, no poll is written into the future, and what stands there heals."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from driving import advance, rows
from rows import read_rows
from typer.testing import CliRunner
from wrong_clock import WrongClock

from pleiades_core.cli.app import app
from pleiades_core.cli.doctor import examine
from pleiades_core.cli.main import run  # noqa: F401  registers the commands
from pleiades_core.clock import ManualClock, SystemClock
from pleiades_core.discover.admission import claim, give_up, take_over
from pleiades_core.discover.hunter import Hunter
from pleiades_core.errors import ConfigurationError
from pleiades_core.installation import Installation
from pleiades_core.models import Sample, SampleStatus, Tier, Vid
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.checked_clock import MOST_APART, CheckedClock
from pleiades_core.storage.postgres import Database
from pleiades_core.track.tracker import Tracker
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import SAMPLES, samples_by_day
from pleiades_core.vault.vault import open_vault
from pleiades_core.videoid import encode
from pleiades_core.watchlist.apply import commit_batches
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.slices import due_counts, polled_in_future

WRONG = [timedelta(days=1), timedelta(days=365), timedelta(days=-1), MOST_APART + timedelta(minutes=1)]


@pytest.mark.parametrize("ahead", WRONG)
def test_a_clock_that_disagrees_with_the_database_is_refused_and_both_are_named(database: Database, ahead: timedelta) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CheckedClock(WrongClock(ahead), database).check()
    assert f"this machine shows {datetime.now(UTC) + ahead:%Y-%m-%d}" in str(caught.value)
    assert f"that of the database {datetime.now(UTC):%Y-%m-%d}" in str(caught.value)
    assert "NTP" in caught.value.cure
    assert caught.value.exit_code == 10


def test_clocks_that_may_both_be_right_and_simulated_ones_are_taken(database: Database, clock: ManualClock) -> None:
    for taken in (SystemClock(), WrongClock(MOST_APART / 2), WrongClock(-MOST_APART / 2), clock):
        CheckedClock(taken, database).check()
    assert CheckedClock(clock, database).now() == clock.now()


def test_a_clock_that_jumps_between_two_looks_gives_way_to_that_of_the_database(database: Database) -> None:
    wrong = WrongClock(timedelta())
    checked = CheckedClock(wrong, database)
    checked.check()
    wrong.ahead = timedelta(days=300)
    assert abs(checked.now() - datetime.now(UTC)) < MOST_APART
    wrong.ahead = timedelta()
    assert abs(checked.now() - datetime.now(UTC)) < MOST_APART


@pytest.mark.parametrize("ahead", WRONG[:3])
def test_a_wrong_clock_costs_one_refused_tick_and_hunt_and_no_unit(pleiades: Installation, ahead: timedelta) -> None:
    pleiades.hunter().hunt()
    youtube, feeds, settings = pleiades.youtube(), pleiades.feeds(), pleiades.settings
    schedule = "select vid, polled_at, lease_id from watchlist order by vid"
    before = rows(pleiades, schedule)
    wrong, calls = WrongClock(ahead), youtube.calls()
    with pytest.raises(ConfigurationError):
        Tracker(pleiades.database, pleiades.vault, youtube, wrong, settings).track()
    with pytest.raises(ConfigurationError):
        Hunter(pleiades.database, pleiades.vault, youtube, feeds, wrong, settings).hunt()
    assert youtube.calls() == calls
    assert rows(pleiades, schedule) == before
    assert rows(pleiades, "select * from leases") == []
    wrong.ahead = timedelta()
    report = Tracker(pleiades.database, pleiades.vault, youtube, wrong, settings).track()
    assert report.samples == len(before)


def test_a_clock_that_is_set_in_the_middle_of_a_slice_writes_no_false_time(
    pleiades: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first reply on it is a year ahead: samples, the days of their files and the schedule keep to the database's."""
    pleiades.hunter().hunt()
    youtube = pleiades.youtube()
    known = len(read_rows(pleiades.vault, SAMPLES))
    wrong = WrongClock(timedelta())
    asking = youtube.stats

    def set_wrong(*args: object, **options: object) -> object:
        wrong.ahead = timedelta(days=365)
        return asking(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(youtube, "stats", set_wrong)
    tracker = Tracker(pleiades.database, pleiades.vault, youtube, wrong, pleiades.settings)
    with pytest.raises(ConfigurationError):
        # The slice is committed; the next one is refused.
        tracker.track()
    latest = datetime.now(UTC) + MOST_APART
    polled = read_rows(pleiades.vault, SAMPLES).column("polled_at")
    assert len(polled) > known
    assert pc.max(polled).as_py() < latest
    assert rows(pleiades, "select count(*) from watchlist where polled_at > %s", latest) == [(0,)]
    assert rows(pleiades, "select count(*) from watchlist where polled_at > %s", latest - timedelta(days=1)) != [(0,)]


def test_polls_in_the_future_are_due_now_and_heal(pleiades: Installation) -> None:
    """A simulated clock, which nothing contradicts, was a day ahead for one tick."""
    pleiades.hunter().hunt()
    advance(pleiades, timedelta(hours=1))
    now = pleiades.clock.now()
    advance(pleiades, timedelta(days=1))
    watched = pleiades.tracker().track().samples
    assert watched
    advance(pleiades, timedelta(days=-1))
    with pleiades.database.transaction() as connection:
        assert polled_in_future(connection, TIERS, now) == watched
    assert pleiades.tracker().track().samples == watched
    healed = "select count(*) filter (where polled_at = %s), count(*) filter (where polled_at > %s) from watchlist"
    assert rows(pleiades, healed, now, now) == [(watched, 0)]
    assert pleiades.tracker().track(Tier.HOURLY).samples == 0
    advance(pleiades, timedelta(hours=1))
    assert pleiades.tracker().track(Tier.HOURLY).samples > 0


@pytest.mark.parametrize(("ahead", "due_now"), [(timedelta(days=365), True), (timedelta(hours=-2), False)])
def test_show_says_what_the_tracker_does_with_a_poll_in_the_future(
    pleiades: Installation, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, due_now: bool
) -> None:
    """`show` said WEEKLY and due in a year, of a video that the tracker polls now and every hour."""
    pleiades.hunter().hunt()
    now = datetime.now(UTC)
    ((id8,),) = rows(pleiades, "select id8 from watchlist order by vid limit 1")
    rows(
        pleiades, "update watchlist set published_at = %s, polled_at = %s returning vid", now - timedelta(hours=3), now + ahead
    )
    monkeypatch.setenv("DATABASE_URL", pleiades.database.url)
    done = CliRunner().invoke(app, ["show", "--json", "--home", str(pleiades.settings.home), "--", encode(id8)])
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["tier"] == "HOURLY"
    assert (shown["due_at"] is None) == due_now
    with pleiades.database.transaction() as connection:
        counts = due_counts(connection, TIERS, now)
    assert (counts[Tier.HOURLY].due > 0, counts[Tier.WEEKLY].watched) == (True, 0)


def _advance(database: Database, tmp_path: Path, now: datetime, at: datetime) -> datetime:
    """The schedule of video 1 after a batch, written at `at`, was committed at `now`."""
    vault = open_vault(tmp_path)
    ((day, table),) = samples_by_day([Sample.of(Vid(1), at, SampleStatus.MISSING)]).items()
    assert isinstance(table, pa.Table)
    batch = write_batch(vault, SAMPLES, day, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    with database.transaction() as connection:
        commit_batches(connection, [(batch, table)], now=now)
        row = connection.execute("select polled_at from watchlist where vid = 1").fetchone()
    assert row is not None
    polled_at: datetime = row[0]
    return polled_at


def test_a_schedule_moves_back_from_the_future_alone_and_never_into_it(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    now, hour = clock.now(), timedelta(hours=1)
    with database.transaction() as connection:
        connection.execute(
            "insert into watchlist (vid, id8, published_at, polled_at) values (1, 1, %s, %s)", [now, now + timedelta(days=365)]
        )
    assert _advance(database, tmp_path, now, now - 3 * hour) == now - 3 * hour, "healed, by a batch that is late itself"
    assert _advance(database, tmp_path, now, now - hour) == now - hour
    assert _advance(database, tmp_path, now, now - 2 * hour) == now - hour, "a late batch moves nothing back"
    near = now + TIERS.ahead
    assert _advance(database, tmp_path, now, near - timedelta(seconds=1)) == near - timedelta(seconds=1)
    assert _advance(database, tmp_path, now, now) == near - timedelta(seconds=1), "so little may two clocks differ"
    assert _advance(database, tmp_path, now, now + timedelta(days=5000)) == near, "an adopted file of a wrong clock"


def test_a_claim_that_waits_for_a_wrong_year_is_taken_over_now(database: Database, clock: ManualClock) -> None:
    now, lasting = clock.now(), timedelta(minutes=10)
    lease_id = uuid.uuid4()
    assert claim(database, lease_id, {1: "push", 2: "push"}, now=now, lasting=lasting)
    give_up(database, lease_id)
    with database.transaction() as connection:
        connection.execute("update videos set retry_at = case id8 when 1 then %s else %s end", [
            now + timedelta(days=365), now + timedelta(days=1),
        ])  # fmt: skip
    taken = take_over(database, uuid.uuid4(), limit=10, wishes=False, now=now, lasting=lasting)
    assert taken is not None
    assert list(taken.vids.values()) == [Vid(1)]


def test_the_doctor_sees_polls_in_the_future_and_a_wrong_clock(
    tmp_path: Path, database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DemoSettings(home=tmp_path, database_url=database_url)
    settings.vault_root.mkdir()

    def clock_of() -> tuple[str, str, int]:
        (found,) = (finding for finding in examine(settings, call=False) if finding.part == "clock")
        return found.word, found.found, found.exit_code

    assert clock_of()[0] == "ok"
    with database.transaction() as connection:
        connection.execute(
            "insert into watchlist (vid, id8, published_at, polled_at) values (1, 1, now(), now() + interval '1 day')"
        )
    word, found, code = clock_of()
    assert (word, code) == ("warning", 0)
    assert "1 videos were polled in the future" in found
    monkeypatch.setattr(SystemClock, "now", WrongClock(timedelta(days=1)).now)
    word, found, code = clock_of()
    assert (word, code) == ("WRONG", 10)
    assert "that of the database" in found
