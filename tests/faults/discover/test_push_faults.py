"""Push when things go wrong: the database away, kill -9 between commit and reply, and the command as people run it."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from support.loopback import reply, serve
from support.pushing import SECRET, Caller, atom, caller_of, channel, follow, inbox, running, settings_of, video

from pleiades_core.clock import ManualClock, SystemClock
from pleiades_core.discover.push import inbox_writer, receiver
from pleiades_core.discover.push.inbox_writer import NoticeWriter
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.storage.postgres import Database, ensure_database
from pleiades_core.videoid import decode

ONE = channel(1)


def test_while_the_database_is_away_the_hub_is_told_to_come_again(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is stopped and started again, as for an upgrade: 503 meanwhile, nothing lost, nothing to restart."""
    monkeypatch.setattr(inbox_writer, "DATABASE_WAIT_S", 1.0)
    monkeypatch.setattr(receiver, "DATABASE_WAIT_S", 1.0)
    settings = settings_of(tmp_path)
    # A short path: a Unix socket's name is limited to 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="plp"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = stack.enter_context(contextlib.ExitStack())
        url = embedded_url(server.enter_context(embedded(folder / "pg")), "push")
        ensure_database(url)
        database = Database(url)
        database.open()
        stack.callback(database.close)
        database.migrate()
        follow(database, ONE, asked_at=clock.now())
        caller = caller_of(stack.enter_context(running(database, clock, settings)), settings)
        assert caller.notify(ONE, atom((video(1), ONE))) == 204

        server.close()
        assert caller.notify(ONE, atom((video(2), ONE))) == 503
        assert caller.verify(ONE)[0] == 503
        assert caller.call("GET", "/healthz")[0] == 503

        stack.enter_context(embedded(folder / "pg"))
        deadline = time.monotonic() + 60
        while caller.notify(ONE, atom((video(2), ONE))) != 204:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert caller.verify(ONE)[0] == 200
        assert caller.call("GET", "/healthz")[0] == 200
        assert {row[1] for row in inbox(database)} == {decode(video(1)), decode(video(2))}


def test_a_restart_of_the_database_is_survived(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Every connection ends in mid-work; the hub repeats what was refused, and all is there."""
    settings = settings_of(tmp_path)
    follow(database, ONE, asked_at=clock.now())
    with running(database, clock, settings) as base_url:
        caller = caller_of(base_url, settings)
        assert caller.notify(ONE, atom((video(0), ONE))) == 204
        with psycopg.connect(database.url, autocommit=True) as admin:
            for number in range(1, 6):
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                    " and pid <> pg_backend_pid()"
                )
                answers: list[int] = []
                while not answers or answers[-1] != 204:
                    answers.append(caller.notify(ONE, atom((video(number), ONE))))
                    assert len(answers) < 20
                assert set(answers[:-1]) <= {503}
    assert {row[1] for row in inbox(database)} == {decode(video(number)) for number in range(6)}


class _Dying(NoticeWriter):
    """An inbox whose process is killed just before or just after it commits."""

    after = True

    def _write(self, notices: Any) -> int:
        new = super()._write(notices) if self.after else 0
        os.kill(os.getpid(), signal.SIGKILL)
        return new


def _serve_and_die(url: str, settings: DemoSettings, now: Any, told: Connection, after: bool) -> None:
    """In a child: serve until the first notice."""
    from pleiades_core.discover.push.server import listening

    database = Database(url)
    database.open()
    clock = ManualClock(now)
    inbox = _Dying(database, clock)
    inbox.after = after
    with listening(database, clock, settings, inbox=inbox) as listener:
        told.send(listener.base_url)
        threading.Event().wait()


@pytest.mark.parametrize("after", [True, False], ids=["after the commit", "before the commit"])
def test_kill_9_between_commit_and_reply_neither_loses_nor_doubles(
    database: Database, clock: ManualClock, tmp_path: Path, after: bool
) -> None:
    settings = settings_of(tmp_path)
    follow(database, ONE)
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    child = context.Process(target=_serve_and_die, args=(database.url, settings, clock.now(), theirs, after))
    child.start()
    try:
        assert ours.poll(60)
        caller = caller_of(ours.recv(), settings)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            caller.notify(ONE, atom((video(1), ONE)))
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
    finally:
        child.kill()
        child.join()
    assert len(inbox(database)) == after
    with running(database, clock, settings) as base_url:
        assert caller_of(base_url, settings).notify(ONE, atom((video(1), ONE))) == 204
    assert [row[1] for row in inbox(database)] == [decode(video(1))]


def test_stopping_gives_every_waiting_notice_its_answer(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    follow(database, ONE)
    answers: list[int] = []

    def notify(caller: Caller, number: int) -> None:
        answers.append(caller.notify(ONE, atom((video(number), ONE))))

    with database.transaction() as blocking:
        blocking.execute("lock table inbox in exclusive mode")
        with running(database, clock, settings) as base_url:
            caller = caller_of(base_url, settings)
            threads = [threading.Thread(target=notify, args=(caller, number)) for number in range(8)]
            for thread in threads:
                thread.start()
            while orjson.loads(caller.call("GET", "/healthz")[2])["notices"] < len(threads):
                time.sleep(0.01)
            unlock = threading.Timer(0.5, blocking.commit)
            unlock.start()
        # The receiver is down here.
        for thread in (*threads, unlock):
            thread.join()
    assert answers == [204] * 8
    assert len(inbox(database)) == 8


@pytest.fixture
def start(tmp_path: Path, database: Database) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `pleiades push` on the test's database, and ends what is left of it."""
    started: list[subprocess.Popen[bytes]] = []
    (tmp_path / "home" / "vault").mkdir(parents=True)

    def begin(*options: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PLEIADES_", "YOUTUBE_"))}
        environment |= {"DATABASE_URL": database.url, "PLEIADES_HOME": str(tmp_path / "home"), "PLEIADES_PUSH_PORT": "0"}
        command = [sys.executable, "-m", "pleiades_dagster.cli", *options, "push", "--json"]
        process = subprocess.Popen(
            command, env=environment | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_command_subscribes_takes_notices_and_stops_cleanly(
    start: Callable[..., subprocess.Popen[bytes]], database: Database, tmp_path: Path, number: int, code: int
) -> None:
    settings = settings_of(tmp_path)
    follow(database, ONE)
    with serve(reply(202)) as hub:
        process = start(
            "-v", PLEIADES_YOUTUBE_HUB_URL=hub.base_url, PLEIADES_PUSH_SECRET=SECRET,
            PLEIADES_PUSH_CALLBACK_URL=str(settings.push.callback_url),
        )  # fmt: skip
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0], "it did not start"
        said = orjson.loads(process.stdout.readline())
        caller = caller_of(said["base_url"], settings)
        while not hub.requests:
            time.sleep(0.02)
        assert caller.verify(ONE)[0] == 200
        assert caller.notify(ONE, atom((video(1), ONE))) == 204
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code, err.decode()
    assert out == b""
    assert b"Traceback" not in err
    assert SECRET.encode() not in err
    assert len(inbox(database)) == 1


def test_the_command_goes_on_while_the_hub_is_down(
    start: Callable[..., subprocess.Popen[bytes]], database: Database, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    follow(database, ONE)
    process = start(
        PLEIADES_YOUTUBE_HUB_URL="http://127.0.0.1:1", PLEIADES_PUSH_SECRET=SECRET,
        PLEIADES_PUSH_CALLBACK_URL=str(settings.push.callback_url),
    )  # fmt: skip
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 60)[0], "it did not start"
    caller = caller_of(orjson.loads(process.stdout.readline())["base_url"], settings)
    assert caller.notify(ONE, atom((video(1), ONE))) == 204
    assert len(inbox(database)) == 1


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "PLEIADES_PUSH_CALLBACK_URL"),
        ({"PLEIADES_PUSH_CALLBACK_URL": "https://pleiades.test/hub"}, "token_urlsafe"),
        ({"PLEIADES_PUSH_CALLBACK_URL": "https://pleiades.test/hub", "PLEIADES_PUSH_SECRET": "short"}, "push.secret"),
        ({"PLEIADES_PUSH_CALLBACK_URL": "nonsense", "PLEIADES_PUSH_SECRET": "x" * 16}, "PLEIADES_PUSH_CALLBACK_URL"),
    ],
)
def test_what_is_missing_ends_with_10_and_a_cure(
    start: Callable[..., subprocess.Popen[bytes]], variables: dict[str, str], named: str
) -> None:
    process = start(**variables)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (10, b""), err.decode()
    assert named.lower() in err.decode().lower()
    assert b"Traceback" not in err


def test_the_clock_of_a_simulator_that_is_gone_is_no_reason_to_lose_a_notice(database: Database, tmp_path: Path) -> None:
    """Whatever fails while a notice is written, the hub is told to come again."""

    class Broken(SystemClock):
        def now(self) -> Any:
            raise ZeroDivisionError

    settings = settings_of(tmp_path)
    follow(database, ONE)
    with running(database, Broken(), settings) as base_url:
        caller = caller_of(base_url, settings)
        assert caller.notify(ONE, atom((video(1), ONE))) == 503
        assert caller.notify(ONE, atom((video(1), ONE))) == 503
    assert inbox(database) == []
