"""What a hunt found and could not finish: it stays found, with its source, and its source goes on from the right place."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
from support.driving import advance, control, rows, set_faults
from support.rows import read_rows

from pleiades_core.discover.add.additions import add
from pleiades_core.discover.add.parse_targets import AddTarget
from pleiades_core.discover.admission import pipeline
from pleiades_core.discover.admission.claims import claim
from pleiades_core.discover.channels.followed import LEAST_RATE
from pleiades_core.discover.search_queue import campaigns
from pleiades_core.errors import BackendError
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, VideoId
from pleiades_core.simulator.faults.fault import Fault
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.videoid import decode, encode

_HOUR = timedelta(hours=1)
#: Where searches go on. What is mentioned meanwhile is no matter.
_PLACES = "select term, next_page_token, last_searched_at, searched_until, found from search_queue order by term"


def _spend(pleiades: Installation, *buckets: Bucket) -> None:
    for bucket in buckets:
        pleiades.key_ring().ledger.mark_exhausted("demo", bucket, None)


def test_wishes_outlive_the_quota_of_the_day(pleiades: Installation) -> None:
    """Claimed one day and described the next, they are still a person's wish: neither age nor the sample keeps them out."""
    pleiades.settings = pleiades.settings.changed(discovery__admission_max_age_days=1, discovery__when_full="refuse")
    now = pleiades.clock.now()
    old = [VideoId(video) for video, _, _ in control(pleiades).uploads(now - timedelta(days=20), now - timedelta(days=5))[:5]]
    with pleiades.database.transaction() as connection:
        month = (now - timedelta(days=40)).date()
        campaigns.add(connection, "past", month, month, [10], now=now)
    add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(video_id=video) for video in old])
    _spend(pleiades, Bucket.GENERAL)
    report = pleiades.hunter().hunt(("added", "past_search"))
    assert (report.admitted, report.gone) == (0, 0)
    assert report.new > len(old)
    advance(pleiades, timedelta(days=1))
    # By a hunt of other sources: the claims themselves must know where they come from.
    pleiades.hunter().hunt(("push",))
    lost = [encode(id8) for (id8,) in rows(pleiades, "select id8 from videos where state <> 'admitted'")]
    assert all(control(pleiades).truth(video)["state"] != "public" for video in lost)
    sources = {row["video_id"]: row["source"] for row in read_rows(pleiades.vault, REGISTRY).to_pylist()}
    kept = [video for video in old if video not in lost]
    assert {sources[video] for video in kept} == {"added"}
    assert sum(source.startswith("past_search:") for source in sources.values()) == len(sources) - len(kept) > 0
    watched = {row[0] for row in rows(pleiades, "select id8 from watchlist")}
    assert {decode(video) for video in kept} <= watched


def test_what_searches_bring_while_nothing_can_be_described_is_kept(pleiades: Installation) -> None:
    """Each page is paid for once: it is claimed, counted as new once, and described after the reset."""
    _spend(pleiades, Bucket.GENERAL)
    new = []
    for _ in range(4):
        new.append(pleiades.hunter().hunt(("search",)).new)
        advance(pleiades, _HOUR)
    ((claimed,),) = rows(pleiades, "select count(*) from videos where state = 'claimed'")
    assert sum(new) == claimed > 0
    assert rows(pleiades, "select sum(new) from discovery_requests where source = 'search'") == [(claimed,)]
    advance(pleiades, timedelta(days=1))
    report = pleiades.hunter().hunt(("push",))
    assert report.admitted + report.gone + report.waiting == claimed
    sources = {row["source"].split(":")[0] for row in read_rows(pleiades.vault, REGISTRY).to_pylist()}
    assert sources == {"search"}, "the target that found them is not credited"


def test_a_source_is_noted_only_when_all_that_it_found_is_durable(
    pleiades: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying between two portions leaves the place where the source was asked; what was not claimed is found again."""
    monkeypatch.setattr(pipeline, "PORTION", 10)
    monkeypatch.setattr(pipeline, "IDS_PER_CALL", 10)
    claims: list[dict[str, Any]] = []

    def dying(*args: Any, **words: Any) -> Any:
        claims.append(words)
        if len(claims) == 3:
            raise RuntimeError("the end")
        return claim(*args, **words)

    monkeypatch.setattr(pipeline, "claim", dying)
    uploaded = control(pleiades).uploads(pleiades.clock.now() - timedelta(days=3), pleiades.clock.now())[:45]
    wanted = [AddTarget(video_id=VideoId(video)) for video, _, _ in uploaded]
    add(pleiades.database, pleiades.youtube(), pleiades.clock, wanted)
    for source in ("added", "search"):
        claims.clear()
        before = (
            rows(pleiades, _PLACES),
            rows(pleiades, "select * from inbox order by id8"),
        )
        with pytest.raises(RuntimeError):
            pleiades.hunter().hunt((source,))
        after = rows(pleiades, _PLACES), rows(pleiades, "select * from inbox order by id8")
        if source == "added":
            assert after[1] == before[1] != []
        assert set(before[0]) <= set(after[0]), "a token moved past what nobody claimed"
        monkeypatch.setattr(pipeline, "claim", claim)
        pleiades.hunter().hunt((source,))
        monkeypatch.setattr(pipeline, "claim", dying)
    assert rows(pleiades, "select 1 from inbox") == []
    known = {row[0] for row in rows(pleiades, "select id8 from videos")}
    assert {decode(one.video_id) for one in wanted if one.video_id} <= known


def test_hunting_without_a_network_spends_nothing(pleiades: Installation) -> None:
    """Nothing was sent, so nothing was billed; the searches of the day are there when the network is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    pleiades.settings = pleiades.settings.changed(youtube__url=nobody)
    for _ in range(3):
        with pytest.raises(BackendError, match="ConnectionRefusedError"):
            pleiades.hunter().hunt(("search", "charts"))
        advance(pleiades, _HOUR)
    assert [row.spent for row in pleiades.key_ring().ledger.rows()] == [0, 0]
    assert rows(pleiades, "select distinct units, error is not null from discovery_requests") == [(0, True)]


def test_feeds_that_are_out_fail_no_hunt_in_which_the_inbox_answered(pleiades: Installation) -> None:
    pleiades.hunter().hunt(("charts",))
    ((id8,),) = rows(pleiades, "select id8 from videos where state = 'admitted' limit 1")
    with pleiades.database.transaction() as connection:
        connection.execute("insert into inbox (source, id8, received_at) values ('push', %s, now())", [id8])
    set_faults(pleiades, Fault(method="feeds", status=404, body=""))
    report = pleiades.hunter().hunt(("added", "push", "feeds"))
    assert report.failures.keys() == {"feeds"}
    advance(pleiades, timedelta(hours=6))
    with pytest.raises(BackendError, match="feeds are out"):
        pleiades.hunter().hunt(("feeds",))


def test_a_feed_host_that_hangs_costs_a_few_deadlines_and_not_one_a_channel(pleiades: Installation) -> None:
    pleiades.settings = pleiades.settings.changed(youtube__call_deadline_s=0.3, youtube__parallel_calls=2)
    pleiades.hunter().hunt(("charts",))
    ((channels,),) = rows(pleiades, "select count(*) from channels")
    set_faults(pleiades, Fault(method="feeds", delay_s=5.0))
    before = control(pleiades).ledger()["feeds"]["calls"]
    report = pleiades.hunter().hunt(("feeds", "search"))
    assert "feeds are out" in report.failures["feeds"]
    asked = rows(pleiades, "select count(*) from channels where feed_failures > 0")[0][0]
    assert asked < 8 < channels
    assert before == 0


def test_pages_that_came_before_an_error_are_kept(pleiades: Installation) -> None:
    """They are paid for. A chart's second page fails: the 50 videos of the first are watched."""
    pleiades.settings = pleiades.settings.changed(discovery__chart_regions=("US",))
    whole = pleiades.youtube().chart("US", 10)
    set_faults(pleiades, Fault(method="videos.list", first=2, status=503, body="{}"))
    report = pleiades.hunter().hunt(("charts",))
    assert report.admitted == len(whole.details) > 0
    assert "503" in report.failures["charts"]


def test_a_channel_that_never_answers_does_not_stop_the_others(database: Database) -> None:
    """Its rate is halved at every absence: 200 of them must not underflow."""
    with database.transaction() as connection:
        connection.execute("insert into channels (channel_id) values ('UCgone')")
        ((channel,),) = connection.execute("select channel from channels").fetchall()
        for _ in range(200):
            words = {"channels": [channel], "answered_for_some": True, "absent": True, "least": LEAST_RATE, "now": "2026-09-01"}
            connection.execute(load_queries("channels").note_unchecked, words)
        assert connection.execute("select uploads_a_day from channels").fetchone() == (pytest.approx(LEAST_RATE),)


def test_adding_waits_for_its_turn(pleiades: Installation) -> None:
    """It writes channels and videos as a hunt does; both at once waited for each other."""
    channel = control(pleiades).uploads(pleiades.clock.now() - timedelta(days=9), pleiades.clock.now())[0][1]
    details = pleiades.youtube().channels([channel])  # type: ignore[list-item]
    done = threading.Event()

    def adding() -> None:
        add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(channel_id=details[0].channel_id)])
        done.set()

    thread = threading.Thread(target=adding)
    with pleiades.database.transaction() as connection:
        lock_discovery(connection)
        thread.start()
        assert not done.wait(1.0)
    thread.join()
    assert done.is_set()
    assert rows(pleiades, "select units from discovery_requests where source = 'added'") == [(1,)]
