"""One simulator for the fidelity tests, Google's own client to judge it, and a subscriber for its hub."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httplib2
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from pleiades_core.simulator.api.quota import SimulatedKey
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import FaultPlan
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess

KEYS = (
    SimulatedKey(key="key-one", project="roomy", limits={"search": 100_000}),
    SimulatedKey(key="key-two", project="roomy"),
    SimulatedKey(key="small", project="small", limits={"search": 2, "stats": 2, "general": 2}),
)


@pytest.fixture(scope="package")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("simulator") / "log"
    with start_subprocess(SimulatorConfig(videos=6_000, seed=7, keys=KEYS), log_path=log) as started:
        yield started.base_url
    assert log.read_text() == ""


@pytest.fixture
def control(base_url: str) -> Iterator[SimulatorControl]:
    """Drives the clock and sets faults; both are put back afterwards."""
    driven = SimulatorControl(base_url)
    begin = driven.now()
    yield driven
    driven.set(begin)
    driven.set_faults(FaultPlan())


@pytest.fixture
def client(base_url: str) -> Callable[[str | None], Any]:
    """Makes a client for a key; use it in a `with` block."""

    def made(key: str | None) -> Any:
        options = {"api_endpoint": base_url}
        return build("youtube", "v3", developerKey=key, http=httplib2.Http(), client_options=options, static_discovery=True)

    return made


@pytest.fixture
def youtube(client: Callable[[str | None], Any]) -> Iterator[Any]:
    with client("key-one") as made:
        yield made


@pytest.fixture
def some_ids(youtube: Any) -> Callable[..., list[str]]:
    """The newest videos that a search finds."""

    def found(count: int = 50, **more: Any) -> list[str]:
        reply = youtube.search().list(part="snippet", type="video", maxResults=count, order="date", **more).execute()
        return [item["id"]["videoId"] for item in reply["items"]]

    return found


@pytest.fixture
def refused() -> Callable[[Any], tuple[int, dict[str, Any]]]:
    """Status and `error` object of a request that must fail."""

    def answer(request: Any) -> tuple[int, dict[str, Any]]:
        with pytest.raises(HttpError) as caught:
            request.execute()
        return caught.value.resp.status, json.loads(caught.value.content)["error"]

    return answer


@pytest.fixture
def units(control: SimulatorControl) -> Callable[[str, str], int]:
    """Units charged so far to a bucket of a project."""

    def charged(project: str, bucket: str) -> int:
        return sum(row["units"] for row in control.ledger()["calls"] if (row["project"], row["bucket"]) == (project, bucket))

    return charged


@dataclass(slots=True)
class Subscriber:
    """An HTTP server on loopback that hubs can call; written for tests alone, from the WebSub specification."""

    #: Where the hub reaches it. A query of its own is part of the bargain.
    callback: str = ""
    #: The queries of all verifications, and path, headers and body of all notices.
    verifications: list[dict[str, str]] = field(default_factory=list)
    notices: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    #: Body of the answer to a verification instead of the challenge.
    echo: str | None = None
    #: Statuses of the next answers to notices; 204 when it is empty.
    answers: deque[int] = field(default_factory=deque)
    #: Speak HTTP/1.0 and close after each answer, as small servers do.
    closes: bool = False


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    known = Subscriber()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            known.verifications.append(query)
            self.answer(200, (query["hub.challenge"] if known.echo is None else known.echo).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.notices.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.answer(known.answers.popleft() if known.answers else 204, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            if known.closes:
                self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Threads of connections that a hub keeps open end with them, not before.
    server.block_on_close = False
    known.callback = f"http://127.0.0.1:{server.server_port}/push?of=pleiades"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield known
    server.shutdown()
    thread.join()
    server.server_close()
