"""Push on real PostgreSQL and real HTTP: which calls are believed, what is durable when, who is asked for and when again."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr
from support.loopback import Loopback, reply, serve
from support.pushing import PUBLISHED, SECRET, Caller, atom, caller_of, channel, follow, inbox, running, settings_of, video

from pleiades_core.clock import ManualClock
from pleiades_core.discover.push.callbacks import callbacks_of
from pleiades_core.discover.push.inbox_writer import NoticeWriter
from pleiades_core.discover.push.server import listening
from pleiades_core.discover.push.subscriptions import LEASE, RENEW_BEFORE_END, RenewReport, due, renew
from pleiades_core.errors import ConfigurationError
from pleiades_core.models import ChannelId
from pleiades_core.settings import DemoSettings, load_settings
from pleiades_core.storage.postgres import Database
from pleiades_core.videoid import decode
from pleiades_core.youtube.hub import Hub

ONE, OTHER, STRANGER = channel(1), channel(2), channel(3)


@pytest.fixture
def settings(tmp_path: Path) -> DemoSettings:
    """Settings with push."""
    return settings_of(tmp_path)


@pytest.fixture
def hub_calls(database: Database, clock: ManualClock, settings: DemoSettings) -> Iterator[Caller]:
    """A receiver that follows ONE and OTHER, which it has just asked the hub for."""
    follow(database, ONE, OTHER, asked_at=clock.now())
    with running(database, clock, settings) as base_url:
        yield caller_of(base_url, settings)


def counts(caller: Caller) -> dict[str, int]:
    """What /healthz says."""
    answer: dict[str, int] = orjson.loads(caller.call("GET", "/healthz")[2])
    return answer


def state(database: Database, channel_id: ChannelId) -> tuple[object, ...]:
    """push_until, push_asked_at and push_refusals of a channel."""
    with database.transaction() as connection:
        row = connection.execute(
            "select push_until, push_asked_at, push_refusals from channels where channel_id = %s", [channel_id]
        ).fetchone()
    assert row is not None
    return row


# Notices


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signed_notice_is_durable_when_it_is_answered(
    hub_calls: Caller, database: Database, clock: ManualClock, algorithm: str
) -> None:
    assert hub_calls.notify(ONE, atom((video(1), ONE)), algorithm=algorithm) == 204
    ((source, id8, channel_id, published_at, received_at),) = inbox(database)
    assert (source, id8, channel_id, received_at) == ("push", decode(video(1)), ONE, clock.now())
    assert published_at.isoformat() == PUBLISHED  # type: ignore[attr-defined]


def test_the_token_in_the_address_is_not_needed_where_there_is_a_signature(hub_calls: Caller, database: Database) -> None:
    hub_calls.path = lambda channel_id: f"/{channel_id}"  # type: ignore[method-assign]
    assert hub_calls.notify(ONE, atom((video(1), ONE))) == 204
    assert len(inbox(database)) == 1


def test_a_notice_that_comes_again_adds_nothing(hub_calls: Caller, database: Database, clock: ManualClock) -> None:
    assert hub_calls.notify(ONE, atom((video(1), ONE))) == 204
    before = inbox(database)
    for _ in range(5):
        clock.advance(timedelta(minutes=1))
        assert hub_calls.notify(ONE, atom((video(1), ONE), (video(1), ONE))) == 204
    assert inbox(database) == before
    assert counts(hub_calls)["kept"] == 1


@pytest.mark.parametrize("signer", ["", "wrong", SECRET, OTHER])
def test_a_forged_notice_is_answered_like_a_good_one_and_ignored(hub_calls: Caller, database: Database, signer: str) -> None:
    """The installation's own secret and another channel's are as wrong as any."""
    secret = hub_calls.callbacks.secret(OTHER) if signer == OTHER else signer
    assert hub_calls.notify(ONE, atom((video(1), ONE)), secret=secret) == 204
    assert inbox(database) == []
    assert counts(hub_calls)["forged"] == 1


@pytest.mark.parametrize(
    "header", [None, "", "sha1", "sha1=", "=", "md5=00", "sha1=zz", "sha1=\xff", "none=", "sha256=" + "0" * 64, "sha1=" * 900]
)
def test_a_malformed_signature_is_a_forged_one(hub_calls: Caller, database: Database, header: str | None) -> None:
    headers = {} if header is None else {"X-Hub-Signature": header}
    status, _, body = hub_calls.call("POST", hub_calls.path(ONE), atom((video(1), ONE)), headers)
    assert (status, body) == (204, b"")
    assert inbox(database) == []


def test_a_channel_cannot_speak_for_another(hub_calls: Caller, database: Database) -> None:
    assert hub_calls.notify(ONE, atom((video(1), OTHER), (video(2), ONE), (video(3), STRANGER))) == 204
    assert [(row[1], row[2]) for row in inbox(database)] == [(decode(video(2)), ONE)]
    assert counts(hub_calls)["foreign"] == 2


def test_what_is_not_followed_any_more_is_ignored(hub_calls: Caller, database: Database) -> None:
    assert hub_calls.notify(STRANGER, atom((video(1), STRANGER))) == 204
    assert inbox(database) == []


_BOMB = b"""<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">
%s]><feed xmlns="http://www.w3.org/2005/Atom"><title>&z;</title></feed>"""
_NESTED = b"".join(
    b"<!ENTITY %c '%s'>" % (now, b"&%c;" % before * 20)
    for before, now in zip(b"abcdefghijklmnopqrstuvwxy", b"bcdefghijklmnopqrstuvwxyz", strict=True)
)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\0", b"<", b"not xml", b"<html/>", b"{}", b"\xff\xfe\x00\xd8", atom((video(1), ONE))[:-30],
        atom(("not a video", ONE)), atom((video(1), "UCnobody")), atom((video(1), ONE), published="yesterday"),
        _BOMB % _NESTED, b"<a>" * 50_000,
        b'<!DOCTYPE feed SYSTEM "file:///etc/passwd"><feed xmlns="http://www.w3.org/2005/Atom"/>',
        b'<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed xmlns="http://www.w3.org/2005/Atom">&x;</feed>',
        atom()[:-7] + b"<entry/>" * 20_000 + b"</feed>",
    ],
    ids=range(16),
)  # fmt: skip
def test_garbage_and_bombs_that_are_signed_keep_nothing_and_break_nothing(
    hub_calls: Caller, database: Database, body: bytes
) -> None:
    assert hub_calls.notify(ONE, body) == 204
    assert inbox(database) == []
    assert hub_calls.notify(ONE, atom((video(7), ONE))) == 204
    assert len(inbox(database)) == 1


def test_a_bad_entry_does_not_hide_a_good_one(hub_calls: Caller, database: Database) -> None:
    assert hub_calls.notify(ONE, atom(("not a video", ONE), (video(2), ONE))) == 204
    assert [row[1] for row in inbox(database)] == [decode(video(2))]


def test_a_megabyte_is_not_read(hub_calls: Caller, database: Database) -> None:
    body = atom((video(1), ONE)) + b" " * 1_000_000
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if headers else body
        try:
            status = hub_calls.call("POST", hub_calls.path(ONE), content, headers)[0]
        except (BrokenPipeError, ConnectionResetError):
            continue  # The connection was closed on what was still being sent.
        assert status == 413
    assert inbox(database) == []
    assert counts(hub_calls)["too_large"] == 2


def test_notices_that_come_at_once_share_a_commit(hub_calls: Caller, database: Database) -> None:
    """While one commit waits the next notices gather: xmin is the number of the transaction that wrote a row."""
    with database.transaction() as blocking, ThreadPoolExecutor(24) as threads:
        blocking.execute("lock table inbox in exclusive mode")
        waiting = [threads.submit(hub_calls.notify, ONE, atom((video(n), ONE))) for n in range(24)]
        for _ in range(600):
            if counts(hub_calls)["notices"] == len(waiting):
                break
        blocking.commit()
        assert {answer.result() for answer in waiting} == {204}
    with database.transaction() as connection:
        (commits, rows), = connection.execute("select count(distinct xmin::text), count(*) from inbox").fetchall()  # fmt: skip
    assert rows == 24
    assert commits <= 3


def test_many_hubs_at_once_lose_nothing(hub_calls: Caller, database: Database) -> None:
    def burst(start: int) -> set[int]:
        return {hub_calls.notify(ONE, atom((video(n % 150), ONE), (video(n), ONE))) for n in range(start, start + 25)}

    with ThreadPoolExecutor(12) as threads:
        assert set().union(*threads.map(burst, range(0, 300, 25))) == {204}
    assert {row[1] for row in inbox(database)} == {decode(video(n)) for n in range(300)}


def test_a_full_inbox_is_said_and_empties_again(
    database: Database, clock: ManualClock, settings: DemoSettings, caplog: pytest.LogCaptureFixture
) -> None:
    follow(database, ONE)
    with listening(database, clock, settings, inbox=NoticeWriter(database, clock, most_rows=3)) as listener:
        caller = caller_of(listener.base_url, settings)
        with caplog.at_level(logging.WARNING):
            answers = [caller.notify(ONE, atom((video(n), ONE))) for n in range(5)]
        assert answers == [204, 204, 204, 503, 503]
        assert len(inbox(database)) == 3
        assert sum("full" in message for message in caplog.messages) == 1
        assert caller.call("GET", "/healthz")[0] == 503
        with database.transaction() as connection:
            connection.execute("delete from inbox")
        listener.receiver._inbox._counted_at = float("-inf")  # noqa: SLF001  the second between two counts
        assert caller.notify(ONE, atom((video(9), ONE))) == 204
        assert caller.call("GET", "/healthz")[0] == 200


# Verification


def test_a_subscription_that_was_asked_for_is_confirmed_by_our_clock(
    hub_calls: Caller, database: Database, clock: ManualClock
) -> None:
    status, headers, body = hub_calls.verify(ONE, lease_seconds="3600")
    assert (status, body) == (200, b"echo me")
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"
    assert state(database, ONE) == (clock.now() + timedelta(hours=1), clock.now(), 0)
    assert state(database, OTHER)[0] is None


def test_the_older_spelling_of_a_topic_is_understood(hub_calls: Caller) -> None:
    assert hub_calls.verify(ONE, topic=f"https://www.youtube.com/feeds/videos.xml?channel_id={ONE}")[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"topic": ""}, {"topic": f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={OTHER}"},
        {"topic": f"https://evil.test/xml/feeds/videos.xml?channel_id={ONE}"}, {"mode": ""}, {"mode": "publish"},
        {"challenge": ""}, {"challenge": "x" * 3_000}, {"lease_seconds": "soon"}, {"lease_seconds": "1e9"},
    ],
    ids=range(9),
)  # fmt: skip
def test_what_was_not_asked_for_is_not_confirmed(hub_calls: Caller, database: Database, fields: dict[str, str]) -> None:
    status, _, body = hub_calls.verify(ONE, **fields)
    assert status == 404
    assert b"echo me" not in body
    assert state(database, ONE)[0] is None


@pytest.mark.parametrize("seconds", ["999999999999999999999", "-5", "0"])
def test_no_lease_is_believed_to_last_for_ever_or_to_end_before_it_begins(
    hub_calls: Caller, database: Database, clock: ManualClock, seconds: str
) -> None:
    assert hub_calls.verify(ONE, lease_seconds=seconds)[0] == 200
    until = state(database, ONE)[0]
    assert clock.now() <= until <= clock.now() + 4 * LEASE  # type: ignore[operator]


def test_nobody_confirms_who_does_not_know_the_address(hub_calls: Caller, database: Database) -> None:
    for path in (
        f"/{ONE}",
        f"/{ONE}/",
        f"/{ONE}/00",
        hub_calls.path(OTHER).replace(OTHER, ONE),
        f"/{ONE}/%ff",
        f"/{ONE}/\N{BULLET}",
    ):
        assert hub_calls.verify(ONE, path=urllib.parse.quote(path, safe="/%"))[0] == 404
    assert state(database, ONE)[0] is None


def test_channels_that_nobody_asked_for_lately_are_not_confirmed(
    hub_calls: Caller, database: Database, clock: ManualClock
) -> None:
    follow(database, STRANGER)
    assert hub_calls.verify(STRANGER)[0] == 404
    assert hub_calls.verify(channel(99))[0] == 404
    clock.advance(timedelta(days=1, minutes=1))
    assert hub_calls.verify(ONE)[0] == 404
    assert counts(hub_calls)["unasked"] == 3


def test_the_end_of_a_subscription_is_noted(hub_calls: Caller, database: Database) -> None:
    assert hub_calls.verify(ONE)[0] == 200
    status, _, body = hub_calls.verify(ONE, mode="denied")
    assert (status, body) == (204, b"")
    assert state(database, ONE)[0] is None


def test_nobody_ends_a_subscription_for_us(hub_calls: Caller, database: Database) -> None:
    """The hub asks whether it was us; we never are, so somebody else was."""
    assert hub_calls.verify(ONE)[0] == 200
    before = state(database, ONE)
    assert hub_calls.verify(ONE, mode="unsubscribe")[0] == 404
    assert state(database, ONE) == before


# Everything else


@pytest.mark.parametrize("verb", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(hub_calls: Caller, verb: str) -> None:
    status, headers, body = hub_calls.call(verb, hub_calls.path(ONE), headers={"X-Echo": "reflect-me"})
    assert (status, headers["allow"]) == (405, "GET, POST")
    assert b"reflect-me" not in body
    assert "reflect-me" not in str(headers)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/favicon.ico",
        "/hub",
        f"/{ONE}/a/b",
        "/UCshort",
        "/../etc/passwd",
        f"/x/{ONE}",
        "/healthz/x",
        "/" + "x" * 9_000,
    ],
)
def test_other_paths_are_not_there(hub_calls: Caller, path: str) -> None:
    for verb in ("GET", "POST"):
        assert hub_calls.call(verb, path, b"" if verb == "POST" else None)[0] == 404


def test_a_proxy_may_take_the_prefix_away(hub_calls: Caller, database: Database) -> None:
    assert hub_calls.path(ONE).startswith(f"/hub/{ONE}/")
    assert hub_calls.verify(ONE, path=hub_calls.path(ONE).removeprefix("/hub"))[0] == 200
    assert state(database, ONE)[0] is not None


# Asking


@pytest.fixture
def asked(settings: DemoSettings) -> Iterator[tuple[DemoSettings, Loopback]]:
    """Settings with a hub that takes every question, and what it was asked."""
    with serve(reply(202)) as loopback:
        yield settings.changed(youtube__hub_url=loopback.base_url), loopback


def form(request: bytes) -> dict[str, str]:
    """The form of a request."""
    return dict(urllib.parse.parse_qsl(request.partition(b"\r\n\r\n")[2].decode()))


def round_of(database: Database, clock: ManualClock, settings: DemoSettings, limit: int = 500) -> RenewReport:
    """One round of asking, with a fresh connection to the hub."""
    hub = Hub(settings.youtube.hub_root, 5.0)
    try:
        return renew(database, hub, clock, settings, limit=limit)
    finally:
        hub.close()


def test_the_hub_is_told_topic_address_secret_and_lease(
    database: Database, clock: ManualClock, asked: tuple[DemoSettings, Loopback]
) -> None:
    settings, loopback = asked
    follow(database, ONE)
    report = round_of(database, clock, settings)
    assert (report.requested, report.refused, report.live, report.followed, report.error) == (1, 0, 0, 1, None)
    told = form(loopback.requests[0])
    callbacks = callbacks_of(settings)
    assert told["hub.mode"] == "subscribe"
    assert told["hub.topic"] == f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={ONE}"
    assert told["hub.callback"] == callbacks.address(ONE)
    assert told["hub.secret"] == callbacks.secret(ONE)
    assert told["hub.lease_seconds"] == "432000"


def test_what_a_clock_that_was_ahead_asked_for_is_asked_for_by_the_next_round(
    database: Database, clock: ManualClock, asked: tuple[DemoSettings, Loopback]
) -> None:
    settings, loopback = asked
    year = timedelta(days=365)
    follow(database, ONE, OTHER)
    with database.transaction() as connection:
        for channel_id, column in ((ONE, "push_asked_at"), (OTHER, "push_until")):
            connection.execute(f"update channels set {column} = %s where channel_id = %s", [clock.now() + year, channel_id])
    assert round_of(database, clock, settings).requested == 2
    assert {form(request)["hub.topic"][-24:] for request in loopback.requests} == {ONE, OTHER}


def test_the_busiest_channels_come_first_and_none_twice(
    database: Database, clock: ManualClock, asked: tuple[DemoSettings, Loopback]
) -> None:
    settings, loopback = asked
    for number in range(6):
        follow(database, channel(number), uploads_a_day=number)
    for _ in range(4):
        round_of(database, clock, settings, limit=2)
    order = [int(form(request)["hub.topic"][-22:-1]) for request in loopback.requests]
    assert [set(order[:2]), set(order[2:4]), set(order[4:])] == [{5, 4}, {3, 2}, {1, 0}]


def test_two_that_ask_at_once_do_not_ask_twice(
    database: Database, clock: ManualClock, asked: tuple[DemoSettings, Loopback]
) -> None:
    settings, loopback = asked
    follow(database, *map(channel, range(40)))
    threads = [threading.Thread(target=round_of, args=(database, clock, settings)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loopback.requests) == 40


def test_a_verification_that_is_faster_than_the_answer_is_confirmed(
    database: Database, clock: ManualClock, settings: DemoSettings
) -> None:
    """The hub may call back before it answers; so the question is noted before it is asked."""
    follow(database, ONE)
    with running(database, clock, settings) as base_url:
        caller = caller_of(base_url, settings)
        seen: list[int] = []

        def verify_first(connection: socket.socket) -> bool:
            seen.append(caller.verify(ONE)[0])
            return reply(202)(connection)

        with serve(verify_first) as loopback:
            report = round_of(database, clock, settings.changed(youtube__hub_url=loopback.base_url))
    assert seen == [200]
    assert (report.requested, report.live) == (1, 1)


def test_leases_are_renewed_over_weeks_before_they_end(database: Database, clock: ManualClock, settings: DemoSettings) -> None:
    """Three simulated weeks, a round every 6 hours: always live, asked about every 90 hours."""
    follow(database, ONE)
    with running(database, clock, settings) as base_url, serve(reply(202)) as loopback:
        caller = caller_of(base_url, settings)
        chosen = settings.changed(youtube__hub_url=loopback.base_url)
        for turn in range(21 * 4):
            before = len(loopback.requests)
            round_of(database, clock, chosen)
            if len(loopback.requests) > before:
                assert caller.verify(ONE)[0] == 200
            until = state(database, ONE)[0]
            assert until > clock.now() + RENEW_BEFORE_END - timedelta(hours=6), turn  # type: ignore[operator]
            clock.advance(timedelta(hours=6))
    assert len(loopback.requests) == pytest.approx(21 * 24 / 96, abs=1)


def test_a_lease_that_ended_is_asked_for_again(database: Database, clock: ManualClock) -> None:
    follow(database, ONE)
    with database.transaction() as connection:
        connection.execute("update channels set push_until = %(now)s, push_asked_at = %(asked)s",
                           {"now": clock.now() + LEASE, "asked": clock.now()})  # fmt: skip
        assert due(connection, clock.now(), 9) == []
        assert due(connection, clock.now() + LEASE - RENEW_BEFORE_END - timedelta(seconds=1), 9) == []
        assert [found[1] for found in due(connection, clock.now() + 2 * LEASE, 9)] == [ONE]


def test_what_the_hub_never_confirms_is_asked_for_less_and_less(
    database: Database, clock: ManualClock, asked: tuple[DemoSettings, Loopback]
) -> None:
    settings, loopback = asked
    follow(database, ONE)
    times = []
    for _ in range(30 * 24 * 2):
        before = len(loopback.requests)
        round_of(database, clock, settings)
        if len(loopback.requests) > before:
            times.append(clock.now())
        clock.advance(timedelta(minutes=30))
    hours = [(later - earlier).total_seconds() / 3600 for earlier, later in itertools.pairwise(times)]
    assert hours[:8] == [1, 2, 4, 8, 16, 32, 64, 120]
    assert set(hours[7:]) == {120}


def test_a_refusal_is_reported_and_holds_nobody_else_up(database: Database, clock: ManualClock, settings: DemoSettings) -> None:
    follow(database, *map(channel, range(5)))
    with serve(reply(202), reply(400, b"bad topic"), reply(202)) as loopback:
        report = round_of(database, clock, settings.changed(youtube__hub_url=loopback.base_url, youtube__parallel_calls=1))
    assert (report.requested, report.refused) == (5, 1)
    assert report.error
    assert callbacks_of(settings).secret(channel(1)) not in report.error


def test_an_outage_of_the_hub_ends_the_round_and_is_held_against_nobody(
    database: Database, clock: ManualClock, settings: DemoSettings
) -> None:
    follow(database, *map(channel, range(50)))
    with serve(reply(503)) as loopback:
        chosen = settings.changed(youtube__hub_url=loopback.base_url, youtube__parallel_calls=2)
        report = round_of(database, clock, chosen)
        assert 3 <= report.requested == report.refused <= 6
        assert len(loopback.requests) == report.requested
        again = round_of(database, clock, chosen)
    with database.transaction() as connection:
        rows = connection.execute("select push_asked_at is null, push_refusals from channels").fetchall()
    assert {refusals for _, refusals in rows} == {0}
    assert sum(never for never, _ in rows) == 50 - report.requested - again.requested, (
        "the next round began with the same channels"
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"push__callback_url": None}, "PLEIADES_PUSH_CALLBACK_URL"),
        ({"push__secret": None}, "PLEIADES_PUSH_SECRET"),
        ({"push__callback_url": "pleiades.test/hub"}, "PLEIADES_PUSH_CALLBACK_URL"),
        ({"push__callback_url": "ftp://pleiades.test/hub"}, "PLEIADES_PUSH_CALLBACK_URL"),
        ({"push__callback_url": "https://pleiades.test/hub?x=1"}, "PLEIADES_PUSH_CALLBACK_URL"),
    ],
)
def test_what_is_missing_is_named(settings: DemoSettings, change: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as raised:
        callbacks_of(settings.changed(**change))
    assert raised.value.cure


@pytest.mark.parametrize("missing", ["push.callback_url", "push.secret"])
def test_what_cures_works_in_a_demo_s_home_and_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """A demo does not read the environment, so the cure there is the home's file: written as told, it cures."""
    given = {"push.callback_url": "https://pleiades.test/hub", "push.secret": SECRET}
    for demo in (True, False):
        home = tmp_path / f"{demo}"
        home.mkdir()
        lines = ["demo = true"] * demo + [f'{name} = "{value}"' for name, value in given.items() if name != missing]
        (home / "pleiades.toml").write_text("\n".join(lines) + "\n")
        with pytest.raises(ConfigurationError) as raised:
            callbacks_of(load_settings(home))
        assert (f"{missing} = " in str(raised.value.cure), str(home) in str(raised.value.cure)) == (demo, demo)
        if demo:
            with (home / "pleiades.toml").open("a") as file:
                file.write(f'{missing} = "{given[missing]}"\n')
        else:
            monkeypatch.setenv(f"PLEIADES_{missing.upper().replace('.', '_')}", given[missing])
        assert callbacks_of(load_settings(home)).base_url == given["push.callback_url"]


def test_a_port_that_is_taken_is_named(database: Database, clock: ManualClock, settings: DemoSettings) -> None:
    with running(database, clock, settings) as base_url:
        taken = settings.changed(push__port=int(base_url.rpartition(":")[2]))
        with pytest.raises(ConfigurationError, match="cannot listen"), running(database, clock, taken):
            pass


def test_secrets_show_nowhere(settings: DemoSettings) -> None:
    secret = SecretStr("canary-of-the-push-secret")
    callbacks = callbacks_of(settings.changed(push__secret=secret))
    assert "canary" not in repr(callbacks) + str(callbacks) + callbacks.address(ONE) + callbacks.secret(ONE)
    assert callbacks.secret(ONE) != callbacks.secret(OTHER)
    assert callbacks.token(ONE) not in callbacks.secret(ONE)
