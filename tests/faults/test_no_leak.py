"""I6: no byte of a secret anywhere. Canaries in every role, failures at every endpoint, and then a search of everything.

Secrets are the keys of three pools and two projects, one that YouTube refuses, the secret of push and what follows from it for
each channel, and the password of the database. They may stand where the operator put them, in the environment of our
processes, and nowhere else.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import dagster as dg
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.leaks import MARK, Watcher, canary, dump_of, leaks_in, leaks_in_folder, leaks_in_postgres
from support.loopback import Loopback, reply, serve
from support.pushing import atom, caller_of, running, video

from pleiades_core.clock import ManualClock
from pleiades_core.discover.push.callbacks import callbacks_of
from pleiades_core.discover.push.subscriptions import renew
from pleiades_core.errors import PleiadesError
from pleiades_core.installation import Installation, open_installation
from pleiades_core.models import ChannelId, QuotaPool, VideoId
from pleiades_core.settings import SEVERAL_PROJECTS, Settings, load_settings
from pleiades_core.simulator.api.quota import SimulatedKey
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.simulator.faults.named_errors import NAMES
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.hub import Hub

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
_REFUSED = canary("refused")
_POOL: list[dict[str, Any]] = [
    # Refused at its first use, and then retired.
    {"key": _REFUSED, "project": "one", "pools": ["hunting"]},
    {"key": canary("hunting"), "project": "one", "pools": ["hunting"]},
    {"key": canary("tracking"), "project": "one", "pools": ["tracking"]},
    {"key": canary("archeology"), "project": "one", "pools": ["archeology"]},
    {"key": canary("second"), "project": "two"},
]
#: Characters that change in a URL.
_PUSH_SECRET = f"{MARK}/+ &=%{MARK}{MARK}"
_PASSWORD = f"{MARK}@/:?#{MARK}"
_VARIABLES = ("PLEIADES_", "YOUTUBE_", "DATABASE_URL", "DAGSTER_")


@dataclass
class Scene:
    """Where the play takes place: an installation with canaries for secrets, and a folder for whatever it says."""

    folder: Path
    #: With the password; in no traceback of ours either.
    url: str = field(repr=False)
    control: SimulatorControl
    settings: Settings
    clock: ManualClock
    watcher: Watcher

    @property
    def environment(self) -> dict[str, str]:
        """What the operator sets."""
        return {
            "YOUTUBE_API_KEY_POOL_JSON": json.dumps(_POOL),
            "DATABASE_URL": self.url,
            "PLEIADES_HOME": str(self.folder / "home"),
            "PLEIADES_KEYS_COMPLIANCE_MODE": SEVERAL_PROJECTS,
            "PLEIADES_YOUTUBE_URL": self.control.base_url,
            "PLEIADES_CLOCK": "simulator",
            "PLEIADES_YOUTUBE_CALL_DEADLINE_S": "2",
            "PLEIADES_DISCOVERY_SEED_TERMS": json.dumps(self.control.world()["terms"]),
            "PLEIADES_PUSH_SECRET": _PUSH_SECRET,
            "PLEIADES_PUSH_CALLBACK_URL": "http://127.0.0.1:9/push",
            "PLEIADES_PUSH_PORT": "0",
        }

    @contextlib.contextmanager
    def opened(self, **changes: Any) -> Iterator[Installation]:
        """The installation, with settings changed, which does not wait between attempts."""
        settings = self.settings.changed(**changes)
        with open_installation(settings, clock=self.clock, sleep=lambda _: None) as pleiades:
            yield pleiades

    def tell(self, what: str, said: str) -> None:
        """Keep what was said, to be searched."""
        with (self.folder / "said.txt").open("a") as file:
            file.write(f"== {what}\n{said}\n")

    def attempt(self, what: str, action: Callable[[], object], *, variables: bool = True) -> None:
        """Do something that may fail; what came of it is kept, a traceback included, and by default its frames' variables."""
        try:
            self.tell(what, repr(action()))
        except PleiadesError as error:
            traced = traceback.TracebackException.from_exception(error, capture_locals=variables)
            self.tell(what, f"{error!r} {error.cure} {vars(error)}\n{''.join(traced.format())}")


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """The whole play; the tests look at what it left behind. A short path: sockets' names are limited to 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="pln"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_logged(folder / "debug.log"))
        watcher = stack.enter_context(Watcher())
        parts = urlsplit(embedded_url(stack.enter_context(embedded(folder / "pg")), "leaks"))
        url = urlunsplit(parts._replace(netloc=f"postgres:{quote(_PASSWORD, safe='')}@{parts.netloc.rpartition('@')[2]}"))
        keys = tuple(SimulatedKey(key=str(row["key"]), project=str(row["project"])) for row in _POOL if row["key"] != _REFUSED)
        config = SimulatorConfig(videos=2_000, seed=3, start=START, days_ahead=3, uploads_per_day=300, keys=keys)
        simulator = stack.enter_context(start_subprocess(config, log_path=folder / "simulator.log"))
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        for name in list(os.environ):
            if name.startswith(_VARIABLES):
                patched.delenv(name)
        made = Scene(folder, url, SimulatorControl(simulator.base_url), Settings(), ManualClock(START), watcher)
        for name, value in made.environment.items():
            patched.setenv(name, value)
        made.settings = load_settings(folder / "home")
        with open_installation(made.settings, create=True, clock=made.clock) as pleiades:
            pleiades.hunter().hunt()

        _every_error_at_every_endpoint(made)
        _hunts_and_ticks_that_fail(made)
        _a_server_that_echoes(made)
        _databases_that_cannot_be_reached(made)
        _push(made)
        _commands(made)
        _dagster(made)
        yield made


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Everything that anybody logs, into a file."""
    root, handler = logging.getLogger(), logging.FileHandler(path)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def _endpoints(youtube: YouTube, pleiades: Installation) -> dict[str, Callable[[], object]]:
    """A question to each endpoint."""
    someone = ChannelId(f"UC{'x' * 21}A")
    return {
        "search.list": lambda: youtube.search("music"),
        "search.list, archeology": lambda: youtube.search(None, category=10, order="viewCount", pool=QuotaPool.ARCHEOLOGY),
        "videos.list": lambda: youtube.videos([VideoId(video(1))]),
        "videos.list, chart": lambda: youtube.chart("US", 10),
        "channels.list": lambda: youtube.channels([someone]),
        "playlistItems.list": lambda: youtube.uploads(someone),
        "videos.batchGetStats": lambda: youtube.stats([VideoId(video(1))]),
        "videoCategories.list": youtube.check_keys,
        "feeds": lambda: pleiades.feeds().read(someone),
        "hub.subscribe": lambda: _subscribe(pleiades, someone),
    }


def _subscribe(pleiades: Installation, channel_id: ChannelId) -> None:
    callbacks = callbacks_of(pleiades.settings)
    with contextlib.closing(Hub(pleiades.settings.youtube.hub_root, 2.0)) as hub:
        hub.subscribe(channel_id, callbacks.address(channel_id), callbacks.secret(channel_id), 3_600)


_SPOILT = {
    "html": Fault(status=200, body="<html>not JSON</html>"), "bare 500": Fault(status=500, body=""), "drop": Fault(drop=True),
    "reset": Fault(reset=True), "truncate": Fault(truncate=0.5), "redirect": Fault(redirect="http://127.0.0.1:9/elsewhere"),
    "bomb": Fault(bomb_bytes=50_000_000), "empty": Fault(empty=True), "list": Fault(status=200, body="[]"),
    "rows": Fault(status=200, body='{"items": [1, {"id": {}}, {"kind": "x", "snippet": []}]}'),
}  # fmt: skip


def _every_error_at_every_endpoint(scene: Scene) -> None:
    kinds = {name: Fault(error=name) for name in sorted(NAMES)} | _SPOILT
    for kind, fault in kinds.items():
        with psycopg.connect(scene.url) as connection:
            # What earlier kinds closed is opened again; what they wrote is kept for the search.
            for table in ("quota_ledger", "retired_keys"):
                scene.tell(table, str(connection.execute(f"select t::text from {table} t").fetchall()))
        _forget_quota(scene)
        scene.control.set_faults(FaultPlan(faults=(fault,)))
        with scene.opened() as pleiades:
            for endpoint, ask in _endpoints(pleiades.youtube(), pleiades).items():
                scene.attempt(f"{kind} at {endpoint}", ask)
            scene.tell("keys", f"{pleiades.key_ring().states()} {pleiades.settings!r}")
    scene.control.set_faults(FaultPlan())


def _hunts_and_ticks_that_fail(scene: Scene) -> None:
    _forget_quota(scene)
    plans = [
        (Fault(every=3, error="backend_error"),), (Fault(every=2, truncate=0.3),), (Fault(method="videos.list", drop=True),),
        (Fault(method="videos.batchGetStats", error="internal_error"),), (Fault(method="feeds", status=500),),
        (Fault(first=4, error="spent"),),
    ]  # fmt: skip
    for faults in plans:
        scene.clock.advance(timedelta(hours=1))
        scene.control.set(scene.clock.now())
        scene.control.set_faults(FaultPlan(faults=faults))
        with scene.opened(
            discovery__searches_per_hunt=2, discovery__uploads_per_hunt=10, discovery__feeds_per_hunt=20
        ) as pleiades:
            scene.attempt(f"hunt under {faults}", pleiades.hunter().hunt)
            scene.attempt(f"tick under {faults}", pleiades.tracker().track)
    scene.control.set_faults(FaultPlan())
    _forget_quota(scene)


def _forget_quota(scene: Scene) -> None:
    with psycopg.connect(scene.url) as connection:
        connection.execute("delete from quota_ledger")
        connection.execute("delete from retired_keys")


@contextlib.contextmanager
def _echoing() -> Iterator[str]:
    """A server that sends back what it was sent: in errors, in rows, in headers."""
    servers: list[Loopback] = []

    def answer(connection: Any) -> bool:
        lines = servers[0].requests[-1].decode("latin-1").split("\r\n")
        # The telling lines first: what is shown of a reply is cut somewhere.
        asked = "\r\n".join(sorted(lines, key=lambda line: MARK not in line and "hub.secret" not in line))
        turn = len(servers[0].requests)
        status = (400, 403, 404, 429, 500, 200, 200, 302)[turn % 8]
        error = {"code": status, "message": asked, "errors": [{"reason": asked, "domain": asked}], "status": asked}
        rows = {"items": [{"id": asked, "snippet": {"title": asked, "publishedAt": asked}}, asked], "nextPageToken": asked}
        body = json.dumps(rows if status == 200 else {"error": error}).encode() if turn % 3 else asked.encode()
        line = " ".join(asked.split())
        headers = (("Location", f"/{line}"), ("Retry-After", line), ("X-Echo", line), ("Content-Type", "application/json"))
        return reply(status, body, headers=headers)(connection)

    with serve(answer) as loopback:
        servers.append(loopback)
        yield loopback.base_url


def _a_server_that_echoes(scene: Scene) -> None:
    with _echoing() as base_url, scene.opened(youtube__url=base_url) as pleiades:
        for turn in range(8):
            _forget_quota(scene)
            for endpoint, ask in _endpoints(pleiades.youtube(), pleiades).items():
                scene.attempt(f"echo {turn} at {endpoint}", ask)
        scene.attempt("echoed hunt", pleiades.hunter().hunt)
    _forget_quota(scene)


def _databases_that_cannot_be_reached(scene: Scene) -> None:
    """Passwords as people write them: encoded, not encoded, with a slip."""
    host = "127.0.0.1:9/x"
    for password in (quote(_PASSWORD, safe=""), _PASSWORD, f"{MARK}@{MARK}", f"{MARK}/{MARK}", f"{MARK}:{MARK}", f"{MARK}%zz",
                     f"[{MARK}", f"{MARK}?{MARK}", f"{MARK}#{MARK}", f"{MARK} {MARK}", f"5432/{MARK}"):  # fmt: skip
        for url in (
            f"postgresql://u:{password}@{host}",
            f"postgresql://{host}?password={password}",
            f"postgresql:/u:{password}@{host}",
        ):
            settings = scene.settings.changed(database__url=url)
            for create in (True, False):
                scene.attempt(f"database {url.count('@')}", lambda: _open(settings, create=create), variables=False)  # noqa: B023


def _open(settings: Settings, *, create: bool) -> None:
    with open_installation(settings, create=create):
        pass


def _push(scene: Scene) -> None:
    """Subscriptions and notices, true and forged; every byte of the receiver's replies."""
    with scene.opened(push__port=0) as pleiades, running(pleiades.database, pleiades.clock, pleiades.settings) as base_url:
        for hub_root in (scene.control.base_url, "http://127.0.0.1:9"):
            with contextlib.closing(Hub(hub_root, 2.0)) as hub:
                report = renew(pleiades.database, hub, pleiades.clock, pleiades.settings, limit=20)
            scene.tell("renewed", repr(report))
        with _echoing() as echo, contextlib.closing(Hub(echo, 2.0)) as hub:
            scene.tell("renewed", repr(renew(pleiades.database, hub, pleiades.clock, pleiades.settings, limit=20)))
        caller = caller_of(base_url, pleiades.settings)
        with pleiades.database.transaction() as connection:
            asked = connection.execute("select channel_id from channels where push_asked_at is not null").fetchall()
        one = ChannelId(asked[0][0])
        body = atom((video(5), one))
        assert caller.notify(one, body) == 204
        assert caller.notify(one, body, secret=_PUSH_SECRET) == 204
        said = [
            caller.call("POST", caller.path(one), body), caller.verify(one), caller.verify(one, path=f"/{one}"),
            caller.call("GET", "/healthz"), caller.call("PUT", caller.path(one), body),
        ]  # fmt: skip
        scene.tell("receiver", str(said))
        assert [answer[0] for answer in said] == [204, 200, 404, 200, 405]


def _commands(scene: Scene) -> None:
    """The program as people run it, saying everything, while YouTube fails, echoes, and the database is not there."""
    _forget_quota(scene)
    _run(scene, "doctor --call")
    scene.control.set_faults(FaultPlan(faults=(Fault(every=9, error="internal_error"), Fault(every=13, drop=True))))
    for words in ("init-db", "hunt", "track", "quota", "sources"):
        _run(scene, words)
    scene.control.set_faults(FaultPlan())
    with _echoing() as base_url:
        # Every source was echoed above, without the waits between attempts; the command waits them out.
        for words in ("hunt --source search", "doctor --call"):
            _run(scene, words, PLEIADES_YOUTUBE_URL=base_url, PLEIADES_CLOCK="system")
    _run(scene, "quota", DATABASE_URL=f"postgresql://u:{quote(_PASSWORD, safe='')}@127.0.0.1:9/x")
    _run(scene, "hunt", YOUTUBE_API_KEY_POOL_JSON=f'["{canary("x")}", {canary("y")}]')
    _run(scene, "hunt", PLEIADES_KEYS_COMPLIANCE_MODE=canary("mistaken"))
    _run_push(scene)


def _run(scene: Scene, words: str, **changes: str) -> None:
    command = [sys.executable, "-m", "pleiades_dagster.cli", "-vv", *words.split()]
    done = subprocess.run(
        command, env={**os.environ, **changes}, cwd=scene.folder, capture_output=True, text=True, check=False, timeout=240
    )
    scene.tell(f"pleiades {words} ended with {done.returncode}", done.stdout + done.stderr)


def _run_push(scene: Scene) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pleiades_dagster.cli", "-vv", "push", "--json"],
        env=dict(os.environ), cwd=scene.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen = ""
        while "asked the hub" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        process.send_signal(signal.SIGTERM)
        scene.tell("pleiades push", seen + process.communicate(timeout=30)[0])
    assert process.returncode == 143


def _dagster(scene: Scene) -> None:
    """Runs that fail in Dagster's real storage, its compute logs included."""
    from dagster._core.instance.ref import InstanceRef

    from pleiades_dagster.definitions import build_defs
    from pleiades_dagster.instance import prepare

    @dg.asset
    def broken() -> None:
        """Fails as a defect of ours would, with secrets in its variables."""
        settings = load_settings()
        dg.get_dagster_logger().info("settings are %s", settings)
        raise RuntimeError(f"broken with {settings!r}")

    said = io.StringIO()
    environment = prepare(scene.settings, scene.url)
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        for name, value in environment.items():
            patched.setenv(name, value)
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(scene.settings.dagster_home)))
        try:
            today = scene.control.now().date().isoformat()
            defs = build_defs(home=str(scene.settings.home), first_day=START.date())
            for job, key, error in (
                ("hunt", today, "key_blocked"),
                ("hunt", today, "spent"),
                ("track", "HOURLY", "key_invalid"),
            ):
                _forget_quota(scene)
                scene.control.set_faults(FaultPlan(faults=(Fault(error=error),)))
                run = defs.resolve_job_def(job).execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
                scene.tell(f"{job} in Dagster", f"{run.success} {run.all_events}")
            run = dg.materialize([broken], instance=instance, raise_on_error=False)
            scene.tell("broken in Dagster", f"{run.success} {run.all_events}")
        finally:
            instance.dispose()
    scene.control.set_faults(FaultPlan())
    scene.tell("Dagster", said.getvalue())


def _derived(scene: Scene) -> list[bytes]:
    """What the hub was told for its channels: secrets, too."""
    callbacks = callbacks_of(scene.settings)
    with psycopg.connect(scene.url) as connection:
        channels = connection.execute("select channel_id from channels limit 200").fetchall()
    return [callbacks.secret(ChannelId(channel_id))[:24].encode() for (channel_id,) in channels]


def test_the_play_went_through_everything(scene: Scene) -> None:
    """A search that finds nothing says something only if something happened."""
    said = (scene.folder / "said.txt").read_text()
    log = (scene.folder / "debug.log").read_text()
    for name in (*sorted(NAMES), *_SPOILT, "echo 7"):
        assert f"== {name} at hub.subscribe" in said
    for error in ("KeyInvalid", "KeyBlocked", "QuotaExhausted", "BackendError", "BadReply", "BadRequest", "RateLimited"):
        assert f"{error}(" in said
    assert "is not used any more" in log
    assert "[key]" in said, "the server's echo was not seen"
    assert "broken with" in said
    for words in (
        "hunt ended with",
        "track ended with",
        "doctor --call ended with 4",
        "quota ended with 6",
        "hunt ended with 10",
    ):
        assert f"pleiades {words}" in said, words
    assert scene.watcher.ran("pleiades_dagster.cli -vv hunt")
    tables = {table: rows for each in _databases(scene) for table, rows in dump_of(each)}
    assert b"RUN_FAILURE" in tables["/leaks_dagster.event_logs"] or b"PIPELINE_FAILURE" in tables["/leaks_dagster.event_logs"]
    assert tables["/leaks.quarantine"]
    assert tables["/leaks.channels"]
    assert list(scene.folder.rglob("vault/**/*.parquet"))


def _databases(scene: Scene) -> list[str]:
    from support.leaks import databases_of

    return databases_of(scene.url)


def test_no_secret_in_anything_that_was_said_or_written(scene: Scene) -> None:
    """Logs at DEBUG, output, tracebacks with variables, replies, the vault, PostgreSQL's own files, Dagster's home."""
    logging.getLogger().handlers[-1].flush()
    assert leaks_in_folder(scene.folder, _derived(scene)) == []


def test_no_secret_in_any_table(scene: Scene) -> None:
    assert leaks_in_postgres(scene.url, _derived(scene)) == []


def test_no_secret_in_the_list_of_processes(scene: Scene) -> None:
    assert leaks_in("the list of processes", b"\n".join(scene.watcher.seen), _derived(scene)) == []


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    """In every form and every kind of place."""
    secret = canary("planted")
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + secret.encode())
        assert leaks_in("", b"...." + text), shift
        assert leaks_in("", base64.urlsafe_b64encode(b"y" * shift + b"\xff" + secret.encode())), shift
    for form in (secret, quote(_PASSWORD), quote(_PUSH_SECRET, safe=""), secret[:8], secret[20:36], secret.lower()):
        assert leaks_in("", f"before {form} after".encode()), form
    assert leaks_in("", secret.encode().hex().encode())
    assert leaks_in("", b"nothing", [b"thing"])
    assert not leaks_in("", b"nothing at all " + base64.b64encode(os.urandom(10_000)))
    places: dict[str, Callable[[Path], object]] = {
        "a.log": lambda path: path.write_text(f"key={secret}"),
        "b.parquet": lambda path: pq.write_table(pa.table({"x": [secret * 50] * 50}), path, compression="zstd"),
        "c.gz": lambda path: path.write_bytes(gzip.compress(secret.encode() * 9)),
        f"{secret}.txt": lambda path: path.write_text(""),
    }
    for name, plant in places.items():
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        plant(folder / name)
        assert leaks_in_folder(folder), name


def test_the_search_finds_what_is_planted_in_tables_and_arguments(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert leaks_in_postgres(database_url) == []
        connection.execute(
            "insert into quarantine (noticed_at, method, reason, content) values (now(), 'test', 'planted', %s)",
            [canary("planted")],
        )
        assert any("quarantine" in found for found in leaks_in_postgres(database_url))
        connection.execute("delete from quarantine")
    with Watcher() as watcher, subprocess.Popen(["sleep", "5"], executable="/bin/sleep") as harmless:
        harmless.kill()
    assert leaks_in("", b"\n".join(watcher.seen)) == []
    with subprocess.Popen([sys.executable, "-c", "input()", canary("planted")], stdin=subprocess.PIPE) as telling:
        with Watcher() as watcher:
            pass
        telling.kill()
    assert leaks_in("", b"\n".join(watcher.seen))
