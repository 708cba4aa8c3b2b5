"""`pleiades ui`: the Dagster UI on 127.0.0.1, with the daemon, one code server and the database it needs.

Belongs here: starting them in order, and stopping them in reverse order. Does not belong here: which requests the UI refuses
(pleiades_core/web/guard.py), child processes (child_processes.py).

The code server is started here and shared. Without this, webserver and daemon each start their own, and those shut down when
the machine is too busy to send them a heartbeat within 20 seconds (dagster 1.13.27, three times in five minutes).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pleiades_core.installation import open_installation
from pleiades_core.settings import Settings, load_settings
from pleiades_core.storage.postgres import database_url
from pleiades_core.web.serve import bind, serve_until_signal, server_of
from pleiades_dagster.child_processes import child, signals_wait, stopped_once, wait_until
from pleiades_dagster.demo.home import running_simulator
from pleiades_dagster.instance import prepare
from pleiades_dagster.ui.home_lock import Holder, hold

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
_MODULE = "pleiades_dagster.definitions"
_LOCATION = "pleiades"
#: Seconds to wait for the code server. Importing Dagster takes two CPU-seconds and the definitions one; a busy machine needs
#: many times that.
_CODE_SERVER_S = 120.0
#: Seconds to wait for open requests at the stop: the UI keeps websockets open for ever.
_GRACE_S = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UiOptions:
    """The options of the command line."""

    home: Path | None = None
    port: int = 3000
    #: No runs, no backfills, no switching of sensors.
    read_only: bool = False
    #: Without the daemon nothing runs by itself, and runs launched in the UI stay queued.
    daemon: bool = True


def serve(options: UiOptions, *, say: Callable[[str], None]) -> None:
    """Serve the UI until a signal's handler raises; nothing that was started here is left behind.

    The handlers are the program's (cli/main.py): the signal that stopped the server is raised again once it has stopped.

    Args:
        options: of the command line.
        say: prints one line for the person at the terminal.

    Raises:
        ConfigurationError: another `ui` or `demo` has the home open, the port is taken, or a part does not come up.
        DatabaseUnreachable: PostgreSQL does not answer.
        SchemaMismatch: the schema does not fit.

    """
    address = f"http://{HOST}:{options.port}"
    with (
        stopped_once(),
        _open_alone(load_settings(options.home), options, address),
        bind(HOST, options.port, program="the UI", cure="choose another port with --port") as bound,
    ):
        # Read again: the previous session recorded its clock there until it released the home.
        settings = load_settings(options.home)
        with parts(settings, options, say=say) as app:
            say(f"Dagster UI of {settings.home}: {address}  (Ctrl-C stops it)")
            # The guard of the UI checks the host name too, and websockets.
            if number := serve_until_signal(server_of(app, names=None, grace_s=_GRACE_S, ws="auto"), bound):
                signal.raise_signal(number)


@contextlib.contextmanager
def _open_alone(settings: Settings, options: UiOptions, address: str) -> Iterator[None]:
    """Lock the home: a demo has one simulator, and two daemons on one instance would run everything twice."""
    if not (settings.demo or options.daemon):
        yield
        return
    with hold(settings.home, Holder(program="ui", demo=settings.demo, address=address)):
        yield


@contextlib.contextmanager
def parts(settings: Settings, options: UiOptions, *, say: Callable[[str], None]) -> Iterator[ASGIApp]:
    """Database, simulator of a demo's home, code server and daemon, running.

    Args:
        settings: of the installation.
        options: of the command line.
        say: prints one line for the person at the terminal.

    Yields:
        The guarded application to serve.
    """
    with contextlib.ExitStack() as stack:
        # A signal takes effect between two of these parts, never while one is half started.
        with signals_wait():
            # A schema that does not fit is refused here, before anything runs on it.
            with open_installation(settings, create=True) as opened:
                if opened.is_new:
                    say(f"made a new installation in {settings.home}")
            url = stack.enter_context(database_url(settings))
            environment = prepare(settings, url)
        with signals_wait():
            stack.enter_context(running_simulator(settings))
        # A Unix socket: another server could be bound to a port too, and both would answer in turns. A folder of its own: the
        # names of sockets are limited to 107 bytes, and HOME may be deep.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pleiades-")))
        code = folder / "code.sock"
        logs = settings.dagster_home / "logs"
        with signals_wait():
            server = stack.enter_context(
                child(
                    [
                        "-m",
                        "dagster",
                        "code-server",
                        "start",
                        "--socket",
                        str(code),
                        "-m",
                        _MODULE,
                        "--location-name",
                        _LOCATION,
                    ],
                    environment=environment,
                    log=logs / "code-server.log",
                )
            )
        wait_until(
            lambda: _answers(code), server, what="Dagster's code server", log=logs / "code-server.log", within_s=_CODE_SERVER_S
        )
        if options.daemon:
            workspace = folder / "workspace.yaml"
            code_location = {"grpc_server": {"socket": str(code), "location_name": _LOCATION}}
            workspace.write_text(json.dumps({"load_from": [code_location]}), encoding="utf-8")  # JSON is YAML.
            with signals_wait():
                stack.enter_context(
                    child(
                        ["-m", "dagster._daemon", "run", "-w", str(workspace)], environment=environment, log=logs / "daemon.log"
                    )
                )
        with signals_wait():
            app = stack.enter_context(_application(code, environment, read_only=options.read_only))
        yield app


@contextlib.contextmanager
def _application(code: Path, environment: dict[str, str], *, read_only: bool) -> Iterator[ASGIApp]:
    """Dagster's webserver as an application, behind our guard."""
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import GrpcServerTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    from pleiades_core.web.guard import LoopbackOnly

    os.environ.update(environment)
    target = GrpcServerTarget(host="localhost", port=None, socket=str(code), location_name=_LOCATION)
    with DagsterInstance.get() as instance:
        # As Dagster's webserver does: statements end after 15 s, connections are renewed every hour.
        instance.optimize_for_webserver(15_000, 3600, 20)
        with WorkspaceProcessContext(
            instance, version=__version__, read_only=read_only, workspace_load_target=target
        ) as context:
            yield LoopbackOnly(create_app_from_workspace_process_context(context))


def _answers(code: Path) -> bool:
    if not code.exists():
        return False
    from dagster._grpc.client import DagsterGrpcClient

    with contextlib.suppress(Exception):
        return bool(DagsterGrpcClient(socket=str(code)).ping("there?"))
    return False
