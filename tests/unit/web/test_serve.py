"""One way to serve HTTP: the host check, the shutdown, and no second server anywhere."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import threading
import time
from typing import Any

import pytest
from support.paths import ROOT

from pleiades_core.errors import ConfigurationError
from pleiades_core.web.serve import base_url_of, bind, serve_until_signal, server_of, serving


async def _answer(scope: Any, _receive: Any, send: Any) -> None:
    """An application that says which path it was asked for."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def _ask(port: int, host: str) -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/here", headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]", 200), ("Pleiades.Test", 200), ("pleiades.test:8443", 200),
        ("evil.test", 421), ("localhost.evil.test", 421), ("", 421),
    ],
)  # fmt: skip
def test_a_server_answers_to_its_names_alone(host: str, status: int) -> None:
    bound = bind("127.0.0.1", 0, program="the test", cure="none")
    port = bound.getsockname()[1]
    with serving(server_of(_answer, names={"pleiades.test"}, grace_s=1), bound, name="test") as ended:
        answer = _ask(port, host)
        assert not ended.is_set()
    assert answer[0] == status
    assert (answer[1] == b"/here") == (status == 200)
    assert ended.is_set(), "the thread has ended"


def test_any_name_may_be_allowed() -> None:
    bound = bind("127.0.0.1", 0, program="the test", cure="none")
    port = bound.getsockname()[1]
    with serving(server_of(_answer, names=None, grace_s=1), bound, name="test"):
        assert _ask(port, "evil.test")[0] == 200


def test_a_port_that_is_taken_is_an_error_with_a_cure() -> None:
    with bind("127.0.0.1", 0, program="the test", cure="none") as bound:
        port = bound.getsockname()[1]
        assert base_url_of(bound) == f"http://127.0.0.1:{port}"
        with pytest.raises(ConfigurationError, match=f"the other one cannot listen on 127.0.0.1:{port}") as caught:
            bind("127.0.0.1", port, program="the other one", cure="take another")
    assert caught.value.cure == "take another"


def test_a_signal_ends_the_server_and_the_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    server = server_of(_answer, names=None, grace_s=1)

    def stop() -> None:
        while not server.started:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    assert serve_until_signal(server, bind("127.0.0.1", 0, program="the test", cure="none")) == signal.SIGTERM
    stopping.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_else_makes_a_server() -> None:
    """The UI, the push receiver and the simulator are served by web/serve.py."""
    made = re.compile(r"uvicorn\.(Server|Config|run)\b|HTTPServer\(|create_server\(")
    code = [*(ROOT / "pleiades_core").rglob("*.py"), *(ROOT / "pleiades_dagster").rglob("*.py")]
    assert {path.name for path in code if made.search(path.read_text())} == {"serve.py"}
    server = re.compile(r"^\s*(?:import|from) (?:uvicorn|http\.server|socketserver|wsgiref)\b", re.MULTILINE)
    served = {path.relative_to(ROOT).as_posix() for path in code if server.search(path.read_text())}
    # The simulator's server.py subclasses uvicorn's protocol, so that a fault can cut a reply off.
    assert served == {
        "pleiades_core/web/serve.py", "pleiades_core/web/connections.py", "pleiades_core/simulator/server.py",
    }  # fmt: skip
