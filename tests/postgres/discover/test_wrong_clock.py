"""A clock that is wrong for one tick: no unit is spent, no poll is written into the future, and what stands there heals."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from support.driving import advance, rows
from support.rows import read_rows
from support.wrong_clock import WrongClock
from typer.testing import CliRunner

from pleiades_core.batches.commit import commit_batches
from pleiades_core.cli.app import app
from pleiades_core.cli.main import run  # noqa: F401  registers the commands
from pleiades_core.clock import ManualClock, SystemClock
from pleiades_core.discover.admission.claims import claim, give_up, take_over, unseen
from pleiades_core.discover.channels.followed import LEAST_RATE
from pleiades_core.discover.hunter import Hunter
from pleiades_core.discover.push.subscriptions import due as due_for_push
from pleiades_core.discover.search_queue.campaigns import searches_answered
from pleiades_core.discover.search_queue.terms import queued
from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.wrong_clock import FutureRows, future_rows, latest, mend
from pleiades_core.errors import ConfigurationError
from pleiades_core.installation import Installation, open_installation
from pleiades_core.models import Candidate, Sample, SampleStatus, Tier, Vid
from pleiades_core.ops.doctor import _clock, examine
from pleiades_core.planner.survey import survey
from pleiades_core.reports.sources import sources
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.checked_clock import MOST_APART, CheckedClock
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.track.tracker import Tracker
from pleiades_core.vault.journal import files_of_day, write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, samples_by_day
from pleiades_core.vault.losses import give_up as give_up_losses
from pleiades_core.vault.readable_files import future_days
from pleiades_core.vault.vault import open_vault
from pleiades_core.videoid import encode
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts, polled_in_future
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.hub import LONGEST_LEASE

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
    stats = YouTube.stats

    def set_wrong(*args: object, **options: object) -> object:
        wrong.ahead = timedelta(days=365)
        return stats(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(YouTube, "stats", set_wrong)
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


_CHANNELS, _VIDEOS = load_queries("channels"), load_queries("videos")

AHEAD = timedelta(days=365)

#: Every instant of discovery that decides whether something is due.
DECIDING = {
    "channels": ("listed_at", "checked_at", "feed_at", "feed_failed_at", "list_failed_at", "check_failed_at", "push_asked_at"),
    "search_queue": (
        "added_at",
        "mentioned_at",
        "scored_at",
        "last_searched_at",
        "token_at",
        "round_started_at",
        "searched_until",
    ),
    "campaigns": ("token_at", "finished_at"),
    "back_catalogues": ("token_at", "failed_at", "added_at", "finished_at"),
}


def _in_future(pleiades: Installation) -> dict[str, int]:
    """How many instants of each deciding column lie in the future, those that have none left out."""
    until = pleiades.clock.now() + TIERS.ahead
    counted = {
        f"{table}.{column}": rows(pleiades, f"select count(*) from {table} where {column} > %s", until)[0][0]
        for table, columns in DECIDING.items()
        for column in columns
    }
    return {column: count for column, count in counted.items() if count}


def _asked(pleiades: Installation) -> set[tuple[str, str]]:
    """Sources and targets that were asked by the clock's present instant."""
    return set(
        rows(
            pleiades,
            "select source, target from discovery_requests where requested_at = %s and target <> ''",
            pleiades.clock.now(),
        )
    )


def _due(pleiades: Installation) -> dict[str, set[object]]:
    """Channels whose feeds and counts are due, and terms that are ready."""
    now = pleiades.clock.now()
    words = {"now": now, "again": timedelta(hours=1), "lost": 0.1, "least": LEAST_RATE, "limit": 10_000}
    with pleiades.database.transaction() as connection:
        due: dict[str, set[object]] = {
            query: {row[1] for row in connection.execute(getattr(_CHANNELS, query), words)}
            for query in ("feeds_due", "checks_due")
        }
        due["terms"] = {term.term for term in queued(connection, now) if term.readiness > 0}
        due["push"] = {channel_id for _, channel_id in due_for_push(connection, now, 10_000)}
    return due


def _wrong_for_one_hunt(pleiades: Installation) -> None:
    """A hunt and a tick with the clock a year ahead. The world stays where it is: YouTube's clock is right."""
    right = pleiades.clock.now()
    ManualClock.set(pleiades.clock, right + AHEAD)  # type: ignore[arg-type]
    pleiades.hunter().hunt()
    pleiades.tracker().track()
    ManualClock.set(pleiades.clock, right)  # type: ignore[arg-type]


def test_a_hunt_with_a_clock_a_year_ahead_leaves_everything_due_to_the_next_one(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    advance(pleiades, timedelta(hours=13))
    _wrong_for_one_hunt(pleiades)
    wrong = _in_future(pleiades)
    assert {"channels.feed_at", "search_queue.last_searched_at", "search_queue.scored_at"} <= set(wrong)
    assert rows(
        pleiades, "select count(*) from discovery_requests where source = 'charts' and requested_at > %s", pleiades.clock.now()
    ) != [(0,)]
    before = {
        target
        for source, target in rows(pleiades, "select distinct source, target from discovery_requests")
        if source == "charts" and target
    }

    report = pleiades.hunter().hunt()

    assert _in_future(pleiades) == {}
    asked = _asked(pleiades)
    assert {target for source, target in asked if source == "charts"} == before
    assert any(source == "search" for source, _ in asked)
    now = pleiades.clock.now()
    assert rows(pleiades, "select count(*) from channels where feed_at = %s or feed_failed_at = %s", now, now) != [(0,)]
    assert report.admitted > 0
    advance(pleiades, timedelta(hours=13))
    pleiades.hunter().hunt()
    assert {target for source, target in _asked(pleiades) if source == "charts"} == before, "and from then on as ever"


def test_every_deciding_instant_in_the_future_is_taken_back_and_a_near_one_stays(pleiades: Installation) -> None:
    now = pleiades.clock.now()
    near, far = now + TIERS.ahead, now + AHEAD
    with pleiades.database.transaction() as connection:
        for channel, at in (("UC" + "a" * 22, far), ("UC" + "b" * 22, near)):
            connection.execute(
                "insert into channels (channel_id, listed_at, checked_at, feed_at, feed_failed_at, list_failed_at, "
                "check_failed_at, push_asked_at, push_until, feed_failures) values (%s" + ", %s" * 7 + ", %s, 3)",
                [channel, *[at] * 7, at + LONGEST_LEASE],
            )
        connection.execute(
            "insert into search_queue (term, added_at, mentioned_at, scored_at, last_searched_at, token_at, round_started_at, "
            "searched_until, next_page_token) values ('far'" + ", %s" * 7 + ", 'token'), ('near'" + ", %s" * 7 + ", 'token')",
            [far] * 7 + [near] * 7,
        )
        connection.execute(
            "insert into campaigns (name, first_month, last_month, categories, month, category, page_token, token_at) values "
            "('far', '2020-01-01', '2020-01-01', '{10}', '2020-01-01', 10, 'token', %s), "
            "('near', '2020-01-01', '2020-01-01', '{10}', '2020-01-01', 10, 'token', %s)", [far, near],
        )  # fmt: skip
        connection.execute(
            "insert into back_catalogues (channel, source, failures, failed_at, token_at, added_at) "
            "select channel, 'added', 2, feed_at, feed_at, feed_at from channels"
        )
        assert future_rows(connection, now) == FutureRows(channels=1, terms=1, campaigns=1, back_catalogues=1)
    stay = {table: rows(pleiades, f"select * from {table} where {where}") for table, where in (
        ("channels", "channel_id like 'UCb%%'"), ("search_queue", "term = 'near'"), ("campaigns", "name = 'near'"),
    )}  # fmt: skip
    assert mend(pleiades.database, now)
    assert _in_future(pleiades) == {}
    for table, where in (
        ("channels", "channel_id like 'UCb%%'"),
        ("search_queue", "term = 'near'"),
        ("campaigns", "name = 'near'"),
    ):
        assert rows(pleiades, f"select * from {table} where {where}") == stay[table]
    healed = "select feed_at, push_until, feed_failures from channels where channel_id like 'UCa%%'"
    assert rows(pleiades, healed) == [(None, None, 0)]
    assert rows(pleiades, "select last_searched_at, mentioned_at from search_queue where term = 'far'") == [(None, now)]
    assert rows(pleiades, "select page_token, token_at from campaigns where name = 'far'") == [(None, None)]
    assert rows(pleiades, "select failures, failed_at from back_catalogues order by channel") == [(0, None), (2, near)]
    assert not mend(pleiades.database, now), "there is nothing left to mend"


def test_what_was_due_before_a_wrong_hunt_is_due_after_the_mending(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    advance(pleiades, timedelta(hours=13))
    due = _due(pleiades)
    assert all(due.values())
    _wrong_for_one_hunt(pleiades)
    hidden = _due(pleiades)
    assert not due["feeds_due"] <= hidden["feeds_due"]
    assert not due["terms"] <= hidden["terms"]
    mend(pleiades.database, pleiades.clock.now())
    healed = _due(pleiades)
    assert [kind for kind in due if not due[kind] <= healed[kind]] == []


def test_claims_and_questions_of_the_future_are_passed_over_where_one_looks_back(pleiades: Installation) -> None:
    now = pleiades.clock.now()
    with pleiades.database.transaction() as connection:
        for vid, (state, absences, at) in enumerate(
            (
                ("admitted", 0, now),
                ("admitted", 0, now + AHEAD),
                ("claimed", 1, now),
                ("claimed", 1, now + AHEAD),
            ),
            start=1,
        ):
            connection.execute(
                "insert into videos (id8, vid, state, absences, claimed_at, published_at, retry_at) "
                "values (%s, %s, %s, %s, %s, %s, %s)", [vid, vid, state, absences, at, at, now + timedelta(hours=6)],
            )  # fmt: skip
        connection.execute(
            "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new) "
            "values (%s, 'charts', 'DE/10', 'search', 4, 0, 0)", [now + AHEAD],
        )  # fmt: skip
        words = {"since": now - timedelta(days=1), "latest": latest(now), "named": SOURCES["added"].bit}
        assert connection.execute(_VIDEOS.young_since, words).fetchone() == (1,)
        connection.execute(_VIDEOS.shown, {"id8s": [3, 4], "now": now, "latest": latest(now)})
        assert connection.execute("select id8 from videos where retry_at is null").fetchall() == [(4,)]
        assert not searches_answered(connection, now)
    assert sources(pleiades.database, pleiades.vault, now).sources == ()
    assert survey(pleiades.database, pleiades.settings, now, now).discovery.found_a_day == 1


def test_what_a_clock_that_was_ahead_gave_up_or_claimed_is_claimed_when_it_is_found_again(
    database: Database, clock: ManualClock
) -> None:
    now, lasting = clock.now(), timedelta(minutes=10)
    with database.transaction() as connection:
        connection.execute(
            "insert into videos (id8, vid, state, claimed_at, retry_at) "
            "values (1, 1, 'gone', %s, '9999-01-01'), (2, 2, 'gone', %s, '9999-01-01')",
            [now + AHEAD, now],
        )
    ids = [Candidate(video_id=encode(id8), channel_id=None, published_at=None) for id8 in (1, 2)]
    assert list(unseen(database, ids, now=now).again.values()) == [1]
    claimed = claim(database, uuid.uuid4(), {1: "search:a", 2: "search:a"}, now=now, lasting=lasting)
    assert claimed is not None
    assert list(claimed.vids.values()) == [Vid(1)]
    with database.transaction() as connection:
        assert connection.execute("select claimed_at from videos where id8 = 1").fetchone() == (now,)


def test_the_doctor_names_what_a_clock_that_was_ahead_left_until_it_is_mended(pleiades: Installation) -> None:
    def found() -> str:
        finding = _clock(pleiades)
        assert finding.ok
        return finding.found if finding.word == "warning" else ""

    pleiades.hunter().hunt()
    advance(pleiades, timedelta(hours=13))
    assert found() == ""
    _wrong_for_one_hunt(pleiades)
    day = (pleiades.clock.now() + AHEAD).date()
    said = found()
    for part in (
        "videos were polled in the future",
        "channels were asked in the future",
        "search terms were asked in the future",
    ):
        assert part in said
    assert f"journal/samples {day}" in said
    assert f"journal/registry {day}" in said
    pleiades.hunter().hunt()
    pleiades.tracker().track()
    said = found()
    assert "were asked in the future" not in said
    assert "were polled in the future" not in said
    assert f"journal/samples {day}" in said, "these rows stay, and so does the warning"

    # As the cure says.
    for dataset in (SAMPLES, REGISTRY):
        for key in files_of_day(pleiades.vault, dataset, day).values():
            pleiades.vault.journal.delete(key)
    given_up = give_up_losses(pleiades.database, pleiades.vault, day, pleiades.clock.now())
    assert given_up.losses
    pleiades.hunter().hunt()
    assert "the vault has days after today" not in found()


def test_days_after_today_are_found_in_each_folder(tmp_path: Path, clock: ManualClock) -> None:
    vault, today = open_vault(tmp_path), clock.now().date()
    for day in (today, today + AHEAD):
        for dataset in (SAMPLES, REGISTRY):
            write_batch(vault, dataset, day, dataset.schema.empty_table(), lease_id=uuid.uuid4(), epoch=uuid.uuid4())
            vault.archive.put_if_absent(dataset.day_key(day), b"a closed day")
    later = [today + AHEAD]
    assert future_days(vault, today) == dict.fromkeys(("journal/samples", "journal/registry", "metrics", "videos"), later)
    assert future_days(vault, today + AHEAD) == {}


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
    taken = take_over(database, uuid.uuid4(), limit=10, only_added=False, now=now, lasting=lasting)
    assert taken is not None
    assert list(taken.vids.values()) == [Vid(1)]


def test_the_doctor_sees_polls_in_the_future_and_a_wrong_clock(
    tmp_path: Path, database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DemoSettings(home=tmp_path).changed(database__url=database_url)
    settings.vault_root.mkdir()

    def clock_of() -> tuple[str, str, int]:
        (found,) = (finding for finding in examine(settings, call=False) if finding.part == "clock")
        return found.word, found.found, found.exit_code

    with open_installation(settings, create=True):
        pass
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
