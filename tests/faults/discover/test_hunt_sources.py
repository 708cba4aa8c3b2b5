"""The sources on the simulator: what each costs, what it brings, and what becomes of it when YouTube fails."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from support.rows import read_rows

from pleiades_core.discover.add.additions import add
from pleiades_core.discover.add.parse_targets import AddTarget
from pleiades_core.discover.sources import SOURCES
from pleiades_core.errors import ApiError, KeyInvalid, QuotaExhausted
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, QuotaPool, VideoId
from pleiades_core.settings import SEVERAL_PROJECTS
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.vault import query
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.videoid import decode
from pleiades_core.youtube.api import YouTube

_HOUR = timedelta(hours=1)


def _control(pleiades: Installation) -> SimulatorControl:
    return SimulatorControl(pleiades.settings.youtube.url)


def _calls(pleiades: Installation) -> Counter[str]:
    calls: Counter[str] = Counter()
    for row in _control(pleiades).ledger()["calls"]:
        calls[row["bucket"]] += row["calls"]
    return calls


def _billed(pleiades: Installation) -> dict[str, int]:
    with pleiades.database.transaction() as connection:
        rows = connection.execute("select bucket, sum(units) from discovery_requests where bucket is not null group by bucket")
        return dict(rows.fetchall())


def _column(pleiades: Installation, sql: str) -> list[object]:
    with pleiades.database.transaction() as connection:
        return [row[0] for row in connection.execute(sql).fetchall()]


def _advance(pleiades: Installation, by: timedelta) -> None:
    pleiades.clock.advance(by)  # type: ignore[attr-defined]


def _with(pleiades: Installation, **changed: object) -> Installation:
    pleiades.settings = pleiades.settings.changed(**changed)
    return pleiades


def test_every_request_is_billed_as_youtube_billed_it(pleiades: Installation) -> None:
    """Units in table `discovery_requests` are the simulator's own count, retries included."""
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="search.list", every=3, status=503, body="{}"),)))
    for _ in range(3):
        report = pleiades.hunter().hunt()
        _advance(pleiades, _HOUR)
    with pleiades.database.transaction() as connection:
        found = dict(connection.execute("select source, sum(new) from discovery_requests group by source").fetchall())
    assert _billed(pleiades) == _calls(pleiades)
    assert set(report.sources) <= {*SOURCES, "details"}
    assert found["details"] == len(read_rows(pleiades.vault, REGISTRY)) > 100
    assert found["feeds"] + found["search"] + found["uploads"] + found["charts"] >= found["details"]


@pytest.mark.parametrize("method", ["search", "chart", "uploads", "videos"])
def test_an_interrupted_hunt_has_paid_too(pleiades: Installation, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Ctrl-C in the middle of a source, or of describing: `discovery_requests` has what YouTube billed, each unit once."""
    _with(pleiades, youtube__parallel_calls=1)
    pleiades.hunter().hunt()
    _advance(pleiades, 13 * _HOUR)
    with pleiades.database.transaction() as connection:
        connection.execute("update channels set moved = 50")
    turns, ask = itertools.count(), getattr(YouTube, method)

    def interrupted(*arguments: Any, **words: Any) -> Any:
        answer = ask(*arguments, **words)
        if next(turns) == 3:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(YouTube, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        pleiades.hunter().hunt()
    assert _column(pleiades, "select count(*) from discovery_requests where source = 'interrupted'") != [0]
    monkeypatch.undo()
    pleiades.hunter().hunt()
    assert _billed(pleiades) == _calls(pleiades)


def test_hunters_and_a_tracker_in_one_program_count_their_own_calls(pleiades: Installation) -> None:
    """Each thread asks while the others do; a unit is one hunter's, and polls are nobody's request."""
    pleiades.hunter().hunt()
    errors: list[BaseException] = []

    def working(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  shown by the assertion below
            errors.append(error)

    for _ in range(3):
        _advance(pleiades, _HOUR)
        works = [pleiades.hunter().hunt, pleiades.hunter().hunt, pleiades.tracker().track]
        threads = [threading.Thread(target=working, args=[work]) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    calls = _calls(pleiades)
    assert calls.pop(Bucket.STATS) > 0
    assert _billed(pleiades) == calls


def test_no_list_is_read_whose_count_stands_still(pleiades: Installation) -> None:
    """Once everything was listed, an hour without uploads costs checks alone: one unit for 50 channels."""
    _with(pleiades, discovery__uploads_per_hunt=5_000, discovery__feeds_per_hunt=0)
    pleiades.hunter().hunt(("search", "charts"))
    for _ in range(3):
        pleiades.hunter().hunt(("uploads",))
        _advance(pleiades, timedelta(hours=2))
    waiting = _column(pleiades, "select count(*) from channels where moved > 0")
    assert waiting == [0]
    moved = set(_column(pleiades, "select channel_id from channels"))
    before, since = _calls(pleiades), pleiades.clock.now()
    _advance(pleiades, timedelta(hours=2))
    published = {channel for _, channel, _ in _control(pleiades).uploads(since, pleiades.clock.now()) if channel in moved}
    pleiades.hunter().hunt(("uploads",))
    spent = (_calls(pleiades) - before)["general"]
    channels = _column(pleiades, "select count(*) from channels")[0]
    assert isinstance(channels, int)
    assert channels > 30
    assert spent <= -(-channels // 50) + 2 * len(published) + 3


def test_an_outage_of_the_feeds_is_told_and_costs_no_channel(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    channels = _column(pleiades, "select count(*) from channels")
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="feeds", status=404, body=""),)))
    _advance(pleiades, _HOUR)
    report = pleiades.hunter().hunt()
    assert "feeds" in report.failures
    assert "feeds" in report.sources
    assert report.sources["uploads"].error == ""
    assert _column(pleiades, "select count(*) from channels where feed_failures > 0") != [0]
    assert _column(pleiades, "select count(*) from channels") >= channels
    _control(pleiades).set_faults(FaultPlan(faults=()))
    _advance(pleiades, timedelta(days=1))
    assert pleiades.hunter().hunt().failures == {}


def test_charts_are_read_twice_a_day_and_described_once(pleiades: Installation) -> None:
    """Their replies hold the details: nothing of what they brought is asked for again."""
    _with(pleiades, discovery__chart_regions=("US", "DE"))
    first = pleiades.hunter().hunt(("charts",))
    assert first.admitted > 20
    assert set(first.sources) == {"charts", "details"}
    assert first.sources["details"].units == {}
    assert pleiades.hunter().hunt(("charts",)).sources == {}
    _advance(pleiades, timedelta(hours=12, minutes=1))
    assert pleiades.hunter().hunt(("charts",)).sources["charts"].targets == 6


def test_sources_that_meet_are_both_remembered(pleiades: Installation) -> None:
    """For the overlap: a video that search brought and a feed shows has both bits, and one vid."""
    for _ in range(4):
        pleiades.hunter().hunt()
        _advance(pleiades, _HOUR)
    bits = Counter(_column(pleiades, "select sources from videos where state = 'admitted'"))
    assert all(isinstance(bit, int) and bit > 0 for bit in bits)
    assert any(isinstance(bit, int) and bit & SOURCES["feeds"].bit and bit & SOURCES["search"].bit for bit in bits)


def test_what_a_person_adds_is_watched_whatever_quota_says(pleiades: Installation) -> None:
    """Found when there was no room, it is in the registry and not watched; added by hand it is."""
    _with(pleiades, discovery__when_full="refuse", keys__quota_limits={"demo": {"stats": 1}})
    report = pleiades.hunter().hunt(("charts",))
    assert report.admitted == report.unwatched > 0
    assert report.full
    assert _column(pleiades, "select count(*) from watchlist") == [0]
    rows = read_rows(pleiades.vault, REGISTRY).to_pylist()
    assert not any(row["watched"] for row in rows)
    wanted = VideoId(rows[0]["video_id"])
    add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(video_id=wanted)])
    assert pleiades.hunter().hunt(("added",)).unwatched == 0
    assert _column(pleiades, "select id8 from watchlist") == [decode(wanted)]
    assert _column(pleiades, "select count(*) from inbox") == [0]
    watched = query.query(pleiades.vault, "select video_id from videos where watched").to_pydict()["video_id"]
    assert watched == [wanted]


def test_a_handle_brings_its_channel_and_its_newest_uploads(pleiades: Installation) -> None:
    channel_id = _control(pleiades).uploads(pleiades.clock.now() - 20 * timedelta(days=1), pleiades.clock.now())[0][1]
    details = pleiades.youtube().channels([channel_id])  # type: ignore[list-item]
    added = add(
        pleiades.database,
        pleiades.youtube(),
        pleiades.clock,
        [AddTarget(channel_id=details[0].channel_id), AddTarget(handle="@nobody-at-all")],
    )
    assert added.channels == (channel_id,)
    assert added.unknown == ("@nobody-at-all",)
    report = pleiades.hunter().hunt(("added",))
    assert report.admitted == len(added.videos) > 0
    assert _column(pleiades, f"select count(*) from channels where channel_id = '{channel_id}'") == [1]


def test_a_sample_is_watched_when_quota_is_short(pleiades: Installation) -> None:
    """What is watched asks for no more than the limit pays for."""
    _with(pleiades, discovery__when_full="sample", keys__quota_limits={"demo": {"stats": 8}})
    reports = [pleiades.hunter().hunt()]
    for _ in range(5):
        _advance(pleiades, _HOUR)
        reports.append(pleiades.hunter().hunt())
    assert 0 < sum(report.unwatched for report in reports) < sum(report.admitted for report in reports)
    with pleiades.database.transaction() as connection:
        young = connection.execute(
            "select count(*) from watchlist where published_at > %s", [pleiades.clock.now() - timedelta(days=1)]
        ).fetchone()
    assert young is not None
    assert young[0] * 24 <= 8 * 50


def test_spent_quota_is_told_with_its_reset_and_free_sources_go_on(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    ledger = pleiades.key_ring().ledger
    for bucket in (Bucket.SEARCH, Bucket.GENERAL):
        ledger.mark_exhausted("demo", bucket, None)
    before = _calls(pleiades)
    _advance(pleiades, _HOUR)
    report = pleiades.hunter().hunt()
    assert report.resets_at == ledger.resets_at()
    assert not report.did_something
    assert _calls(pleiades) == before, "a spent bucket was asked"
    assert report.sources["feeds"].candidates > 0
    assert report.admitted == 0
    _advance(pleiades, ledger.resets_at() - pleiades.clock.now() + timedelta(minutes=5))
    after = pleiades.hunter().hunt()
    assert after.resets_at is None
    assert after.admitted >= report.new, "what the feeds brought meanwhile was not described"


def test_a_source_that_always_fails_stops_no_other(pleiades: Installation) -> None:
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="search.list", status=500, body="<html>"),)))
    report = pleiades.hunter().hunt()
    assert report.failures.keys() == {"search"}
    assert report.admitted > 0
    assert report.sources["search"].error


def test_a_campaign_without_a_unit_is_told(pleiades: Installation) -> None:
    """Only past_search may go without: every other source needs the pool `hunting`."""
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.SEARCH, None)
    with pytest.raises(QuotaExhausted):
        pleiades.youtube().require(Bucket.SEARCH, QuotaPool.ARCHEOLOGY)
    assert dataclasses.is_dataclass(pleiades.hunter().hunt(("past_search",)))


def test_an_outage_after_the_searches_are_spent_is_an_outage(pleiades: Installation) -> None:
    """Every evening searches are spent: the hunt must not end as if it had to wait for the reset."""
    pleiades.hunter().hunt()
    _advance(pleiades, 13 * _HOUR)
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.SEARCH, None)
    _control(pleiades).set_faults(FaultPlan(faults=(Fault(method="*", status=503, body="{}"),)))
    with pytest.raises(ApiError) as caught:
        pleiades.hunter().hunt()
    assert caught.value.exit_code == 5
    assert caught.value.retry_helps


@pytest.mark.parametrize(("pools", "watched"), [(None, False), (["hunting"], True)], ids=["one can poll", "none can"])
def test_no_more_is_watched_than_live_keys_can_poll(pleiades: Installation, pools: list[str] | None, *, watched: bool) -> None:
    """Of two projects one lost its key: its limit polls nothing. Where none can poll any more, somebody will mend that."""
    keys = [{"key": "demo-key-1", "project": "demo", "pools": pools}, {"key": "a-key-of-the-dead", "project": "dead"}]
    _with(
        pleiades, discovery__when_full="refuse", keys__compliance_mode=SEVERAL_PROJECTS, keys__pool=SecretStr(json.dumps(keys)),
        keys__quota_limits={"demo": {"stats": 1}},
    )  # fmt: skip
    ring = pleiades.youtube().ring
    ring.retire(ring.keys[1], KeyInvalid("no", reason="keyInvalid"))
    report = pleiades.hunter().hunt(("charts",))
    assert report.admitted > 0
    assert report.unwatched == (0 if watched else report.admitted)
    assert report.units_left[Bucket.SEARCH] == 100


def test_what_feeds_show_is_not_listed_again(pleiades: Installation) -> None:
    """A count that moved by videos which are known already is no reason for a list."""
    _with(pleiades, discovery__uploads_per_hunt=5_000)
    for _ in range(4):
        pleiades.hunter().hunt()
        _advance(pleiades, timedelta(hours=2))
    with pleiades.database.transaction() as connection:
        last = connection.execute("select max(request) from discovery_requests").fetchone()
    assert last is not None
    for _ in range(6):
        # By turns: feeds find everything new of the channels followed; then the counts are checked, which have moved.
        pleiades.hunter().hunt(("feeds",))
        _advance(pleiades, timedelta(hours=2))
        pleiades.hunter().hunt(("feeds", "uploads"))
        _advance(pleiades, timedelta(hours=2))
    with pleiades.database.transaction() as connection:
        found = connection.execute(
            "select sum(new) filter (where source = 'feeds'), sum(candidates) filter (where source = 'uploads'),"
            " sum(new) filter (where source = 'uploads') from discovery_requests where request > %s", [last[0]],
        ).fetchone()  # fmt: skip
    assert found is not None
    by_feeds, listed, new = found
    assert by_feeds > 50
    assert (listed or 0) <= 50 * (1 + (new or 0))


def test_an_api_that_is_down_is_an_error_although_feeds_answer(pleiades: Installation) -> None:
    """What the feeds show waits, claimed, until somebody can describe it."""
    pleiades.hunter().hunt()
    _advance(pleiades, timedelta(hours=3))
    methods = ("search.list", "videos.list", "channels.list", "playlistItems.list")
    _control(pleiades).set_faults(FaultPlan(faults=tuple(Fault(method=method, status=503, body="{}") for method in methods)))
    with pytest.raises(ApiError):
        pleiades.hunter().hunt()
    claimed = _column(pleiades, "select count(*) from videos where state = 'claimed'")
    assert claimed != [0]
    _control(pleiades).set_faults(FaultPlan(faults=()))
    assert pleiades.hunter().hunt().failures == {}
    assert _column(pleiades, "select count(*) from videos where state = 'claimed'") == [0]
