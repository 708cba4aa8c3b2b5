"""An hour in which YouTube answers badly: nothing is given up for it, and nothing is polled less."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from support.driving import advance, control, rows, set_faults

from pleiades_core.discover.add.additions import add, outcome
from pleiades_core.discover.add.parse_targets import AddTarget
from pleiades_core.discover.admission.claims import admit, claim
from pleiades_core.discover.admission.retry import ABSENT_WAITS, GIVEN_UP_FOR, MOST_ATTEMPTS, FailedAttempts, absent
from pleiades_core.errors import BadReply
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket, Tier, VideoId
from pleiades_core.simulator.faults.fault import Fault
from pleiades_core.videoid import decode, encode
from pleiades_core.watchlist.cadence import TIERS
from pleiades_core.watchlist.schedule import due_counts

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_STATES = "select state, count(*) from videos group by state"
_DEAD = encode(4_611_686_018_427_387_904)


def _notices(pleiades: Installation, most: int) -> list[VideoId]:
    """Put notices of uploads into the inbox; distinct ones that YouTube shows now."""
    now = pleiades.clock.now()
    uploads = control(pleiades).uploads(now - 400 * _DAY, now)[:most]
    post = (
        "insert into inbox (source, id8, channel_id, received_at)"
        " select 'push', id8, channel, %s from unnest(%s::bigint[], %s::text[]) one (id8, channel) on conflict do nothing"
    )
    rows(pleiades, post, now, [decode(VideoId(video)) for video, *_ in uploads], [channel for _, channel, _ in uploads])
    asked = dict.fromkeys(VideoId(video) for video, *_ in uploads)
    return [video for video in asked if control(pleiades).truth(video)["state"] == "public"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="videos.list", status=503, body="{}", share=0.9),
        Fault(method="videos.list", error="user_rate_limit", share=0.9),
    ],
    ids=["503", "rate_limited"],
)
def test_a_brownout_of_one_hunt_gives_nothing_up(pleiades: Installation, fault: Fault) -> None:
    """Nine calls of ten fail; once they don't, all that waits comes in, for little more than it would have cost."""
    alive = _notices(pleiades, 600)
    set_faults(pleiades, fault)
    report = pleiades.hunter().hunt(("push",))
    assert report.admitted < len(alive)
    assert report.gone == 0
    assert dict(rows(pleiades, _STATES)).get("gone") is None
    assert rows(pleiades, "select max(attempts) from videos")[0][0] <= 1, "one claim was tried twice in one hunt"
    assert report.calls[Bucket.GENERAL] <= 4 * len(alive) // 50 + 12
    set_faults(pleiades)
    advance(pleiades, _HOUR)
    pleiades.hunter().hunt(("push",))
    admitted = {encode(id8) for (id8,) in rows(pleiades, "select id8 from videos where state = 'admitted'")}
    assert set(alive) <= admitted


def test_nobody_is_blamed_for_calls_that_came_too_fast(pleiades: Installation) -> None:
    _notices(pleiades, 300)
    set_faults(pleiades, Fault(method="videos.list", error="user_rate_limit", first=3))
    pleiades.settings = pleiades.settings.changed(youtube__parallel_calls=1)
    assert pleiades.hunter().hunt(("push",)).admitted > 0
    assert rows(pleiades, "select max(attempts) from videos") == [(0,)]


def test_what_was_never_asked_for_is_not_blamed(pleiades: Installation) -> None:
    """After three failures in a row no more is asked: of 12 calls' worth of claims, three calls' worth failed."""
    _notices(pleiades, 600)
    set_faults(pleiades, Fault(method="videos.list", status=503, body="{}", first=2))
    pleiades.settings = pleiades.settings.changed(youtube__parallel_calls=1)
    report = pleiades.hunter().hunt(("push",))
    assert report.admitted > 40
    # In the settling of the source, and then three more in the taking over, which got nowhere.
    assert rows(pleiades, "select sum(attempts) from videos")[0][0] <= 2 * 3 * 50


def test_a_long_outage_of_details_alone_gives_nothing_up(pleiades: Installation) -> None:
    """Searches go on for days while nothing can be described: the oldest claims fail once more than would be their end."""
    pleiades.settings = pleiades.settings.changed(discovery__chart_regions=())
    set_faults(pleiades, Fault(method="videos.list", status=503, body="{}"))
    for attempts in (0, MOST_ATTEMPTS - 1, MOST_ATTEMPTS):
        # Days in which it went on like that.
        rows(pleiades, "update videos set attempts = %s, retry_at = null", attempts)
        assert pleiades.hunter().hunt(("search",)).gone == 0
        advance(pleiades, _HOUR)
        assert rows(pleiades, "select max(attempts) from videos") == [(attempts + 1,)]
    assert set(dict(rows(pleiades, _STATES))) == {"claimed"}
    set_faults(pleiades)
    rows(pleiades, "update videos set retry_at = null")
    report = pleiades.hunter().hunt(("search",))
    assert report.admitted > 20
    assert report.gone == 0


def test_one_absence_is_not_the_end(pleiades: Installation) -> None:
    """A replica that lags leaves three videos out, once."""
    now = pleiades.clock.now()
    shown = [VideoId(video) for video, *_ in control(pleiades).uploads(now - 3 * _DAY, now)]
    shown = [video for video in shown if control(pleiades).truth(video)["state"] == "public"][:3]
    added = add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(video_id=video) for video in shown])
    set_faults(pleiades, Fault(method="videos.list", empty=True))
    report = pleiades.hunter().hunt(("added",))
    assert (report.admitted, report.gone, report.waiting) == (0, 0, 3)
    assert outcome(pleiades.database, added).gone == 3, "a person is told what YouTube shows now"
    set_faults(pleiades)
    assert pleiades.hunter().hunt(("added",)).calls == {}, "it was asked for again at once"
    advance(pleiades, _HOUR)
    report = pleiades.hunter().hunt(("added",))
    assert (report.admitted, report.waiting) == (3, 0)
    assert rows(pleiades, "select retry_at, found_by, lease_id from videos") == [(None, None, None)] * 3


def test_what_stays_away_is_given_up_and_found_again_it_keeps_its_vid(pleiades: Installation) -> None:
    """Four absences in two days, then a week of rest: a hunt that finds it after that claims it under the vid it has."""

    def notice() -> None:
        now = pleiades.clock.now()
        rows(pleiades, "insert into inbox (source, id8, received_at) values ('push', %s, %s)", decode(_DEAD), now)

    notice()
    for wait in (*ABSENT_WAITS, timedelta()):
        report = pleiades.hunter().hunt(("push",))
        assert (report.candidates, report.calls) in [(1, {"general": 1}), (0, {"general": 1})]
        assert report.gone == (wait == timedelta())
        advance(pleiades, wait)
    ((vid, state),) = rows(pleiades, "select vid, state from videos")
    assert state == "gone"
    notice()
    report = pleiades.hunter().hunt(("push",))
    assert (report.candidates, report.new, report.calls) == (1, 0, {})
    assert rows(pleiades, "select count(*) from inbox") == [(0,)]
    rows(pleiades, "update videos set retry_at = retry_at - %s::interval", GIVEN_UP_FOR)
    notice()
    report = pleiades.hunter().hunt(("push",))
    assert (report.candidates, report.new, report.waiting, report.calls) == (1, 0, 1, {"general": 1})
    assert rows(pleiades, "select vid, state, absences, found_by from videos") == [(vid, "claimed", 1, "push")]
    # A person need not wait.
    rows(pleiades, "update videos set state = 'gone', retry_at = retry_at + interval '5 days'")
    add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(video_id=_DEAD)])
    assert pleiades.hunter().hunt(("added",)).calls == {"general": 1}
    assert rows(pleiades, "select vid, state, absences, found_by from videos") == [(vid, "claimed", 1, "added")]


def test_a_reply_that_has_none_of_many_is_not_believed(pleiades: Installation) -> None:
    """Not an absence of each: the hunt says that it failed, and the next one describes them."""
    alive = _notices(pleiades, 60)
    set_faults(pleiades, Fault(method="videos.list", empty=True))
    with pytest.raises(BadReply, match="none of"):
        pleiades.hunter().hunt(("push",))
    # What does not fill a call may be fewer than nobody believes to be gone together.
    assert rows(pleiades, "select count(*) from videos where absences > 0")[0][0] < 10
    set_faults(pleiades)
    advance(pleiades, _HOUR)
    pleiades.hunter().hunt(("push",))
    admitted = {encode(id8) for (id8,) in rows(pleiades, "select id8 from videos where state = 'admitted'")}
    assert set(alive) <= admitted


def test_a_video_is_new_once_however_long_it_waits(pleiades: Installation) -> None:
    """Feeds show it in every hunt while nothing can be described."""
    pleiades.hunter().hunt()
    ((known,),) = rows(pleiades, "select count(*) from videos")
    ((before,),) = rows(pleiades, "select sum(new) from discovery_requests where source <> 'details'")
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.GENERAL, None)
    new = 0
    for _ in range(6):
        advance(pleiades, _HOUR)
        report = pleiades.hunter().hunt()
        new += report.new
        assert sum(source.new for name, source in report.sources.items() if name != "details") == report.new
    ((found,),) = rows(pleiades, "select count(*) from videos")
    assert found - known == new > 20
    assert rows(pleiades, "select sum(new) from discovery_requests where source <> 'details'") == [(before + new,)]
    assert report.waiting == rows(pleiades, "select count(*) from videos where state = 'claimed'")[0][0] >= new


def _tiers(pleiades: Installation) -> dict[Tier, int]:
    with pleiades.database.transaction() as connection:
        return {tier: count.watched for tier, count in due_counts(connection, TIERS, pleiades.clock.now()).items()}


def _hunted(pleiades: Installation) -> int:
    """Hunt for two hours, and say how many videos are HOURLY then."""
    for _ in range(2):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        advance(pleiades, _HOUR)
    hourly = _tiers(pleiades)[Tier.HOURLY]
    assert hourly >= 10
    return hourly


def test_replies_without_counts_make_nothing_weekly(pleiades: Installation) -> None:
    """The reply of batchGetStats has no items for four hours; videos.list, asked again, has all, and the report says so."""
    hourly = _hunted(pleiades)
    set_faults(pleiades, Fault(method="videos.batchGetStats", empty=True))
    for _ in range(4):
        report = pleiades.tracker().track(Tier.HOURLY)
        assert report.misses < 3
        assert report.samples == report.due >= hourly // 2
        assert report.failed_calls == report.calls[Bucket.GENERAL] == report.calls[Bucket.STATS] > 0
        advance(pleiades, _HOUR)
    assert rows(pleiades, "select count(*) from watchlist where misses >= 3")[0][0] < 3


def test_a_tick_in_which_everything_answers_empty_makes_nothing_weekly(pleiades: Installation) -> None:
    """Both methods, for three hours: the polls failed, says the report, and nobody was missing."""
    _notices(pleiades, 600)
    hourly = _hunted(pleiades)
    set_faults(pleiades, Fault(method="videos.batchGetStats", empty=True), Fault(method="videos.list", empty=True))
    for _ in range(3):
        report = pleiades.tracker().track(Tier.HOURLY)
        assert report.slices == 1
        assert (report.misses, report.samples) == (0, report.due)
        assert report.failed_calls == 1
        advance(pleiades, _HOUR)
    assert rows(pleiades, "select count(*) from watchlist where misses > 0") == [(0,)]
    set_faults(pleiades)
    assert _tiers(pleiades)[Tier.HOURLY] >= hourly - 10, "some are older than two days by now"


def test_a_method_does_not_confirm_itself(pleiades: Installation) -> None:
    """Where batchGetStats is refused, videos.list answers for it, and its empty reply is only doubted."""
    _hunted(pleiades)
    set_faults(pleiades, Fault(method="videos.batchGetStats", error="not_found"), Fault(method="videos.list", empty=True))
    with pytest.raises(BadReply, match="none of"):
        pleiades.tracker().track(Tier.HOURLY)
    assert rows(pleiades, "select count(*) from watchlist where misses > 0") == [(0,)]
    _notices(pleiades, 600)
    rows(pleiades, "delete from videos where state = 'admitted'")
    with pytest.raises(BadReply, match="none of"):
        pleiades.hunter().hunt(("push",))
    assert rows(pleiades, "select count(*) from videos where absences > 0")[0][0] < 10


def test_what_a_feed_shows_is_asked_for_again_before_its_time(pleiades: Installation) -> None:
    """After seven hours of replies without any video the wait would be 41 h; a search is no such evidence."""
    alive = set(_notices(pleiades, 30))
    set_faults(pleiades, Fault(method="videos.list", empty=True), Fault(method="videos.batchGetStats", empty=True))
    for wait in ABSENT_WAITS[:2]:
        pleiades.hunter().hunt(("push",))
        advance(pleiades, wait)
    pleiades.hunter().hunt(("push",))
    set_faults(pleiades)
    advance(pleiades, _HOUR)
    assert pleiades.hunter().hunt(("push",)).calls == {}
    _notices(pleiades, 30)
    pleiades.hunter().hunt(("push",))
    assert alive <= {encode(id8) for (id8,) in rows(pleiades, "select id8 from videos where state = 'admitted'")}


def test_what_a_person_names_while_a_hunt_asks_for_it_is_not_given_up(pleiades: Installation) -> None:
    lease = uuid.uuid4()
    # A hunt marks the vault before it claims.
    pleiades.hunter()
    claimed = claim(pleiades.database, lease, {decode(_DEAD): "push"}, now=pleiades.clock.now(), lasting=_HOUR)
    assert claimed is not None
    add(pleiades.database, pleiades.youtube(), pleiades.clock, [AddTarget(video_id=_DEAD)])
    decisions = {_DEAD: absent(FailedAttempts(absences=len(ABSENT_WAITS)), pleiades.clock.now())}
    admit(pleiades.database, claimed, [], decisions=decisions, acknowledge=[], now=pleiades.clock.now())
    assert rows(pleiades, "select state, found_by, retry_at from videos") == [("claimed", "added", None)]
    assert pleiades.hunter().hunt(("added",)).calls == {"general": 1}


def test_an_empty_reply_that_nobody_can_check_is_not_believed(pleiades: Installation) -> None:
    pleiades.hunter().hunt()
    advance(pleiades, _HOUR)
    pleiades.key_ring().ledger.mark_exhausted("demo", Bucket.GENERAL, None)
    set_faults(pleiades, Fault(method="videos.batchGetStats", empty=True))
    with pytest.raises(BadReply, match="none of"):
        pleiades.tracker().track()
    assert rows(pleiades, "select count(*) from watchlist where misses > 0") == [(0,)]


def test_a_list_of_dead_videos_is_absent_and_no_outage(pleiades: Installation) -> None:
    """All of 20 are missing, says videos.list, and so says the other method: nobody is told that YouTube is down."""
    dead = [AddTarget(video_id=encode(4_611_686_018_427_387_904 + number)) for number in range(20)]
    add(pleiades.database, pleiades.youtube(), pleiades.clock, dead)
    report = pleiades.hunter().hunt(("added",))
    assert not report.failures
    assert report.calls == {"general": 1, "stats": 1}
    assert rows(pleiades, "select distinct state, attempts, absences from videos") == [("claimed", 0, 1)]
    for wait in ABSENT_WAITS:
        advance(pleiades, wait)
        report = pleiades.hunter().hunt(("added",))
    assert report.gone == len(dead)
