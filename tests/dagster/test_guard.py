"""The guard before the Dagster UI, with a real server and real requests."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from pleiades_core.web.guard import LoopbackOnly


async def _page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("through")


async def _socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("through")
    await websocket.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of a guarded application that answers everything with "through"."""
    inner = Starlette(
        routes=[
            WebSocketRoute("/graphql", _socket),
            Route("/{path:path}", _page, methods=["GET", "POST", "HEAD", "PUT"]),
        ]
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(LoopbackOnly(inner), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def _status(port: int, method: str, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body is not None else None)
        reply = connection.getresponse()
        reply.read()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}
    finally:
        connection.close()


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/", {"Host": "localhost:3000"}, 200),
        ("GET", "/", {"Host": "127.0.0.1"}, 200),
        ("GET", "/", {"Host": "[::1]:8080"}, 200),
        ("GET", "/", {"Host": "evil.example"}, 421),
        ("GET", "/", {"Host": "evil.example:3000"}, 421),
        ("GET", "/", {"Host": "localhost.evil.example"}, 421),
        ("GET", "/", {"Host": "localhost@evil.example"}, 421),
        ("GET", "/", {"Host": "127.0.0.1:3000:1"}, 421),
        ("GET", "/", {"Host": "0.0.0.0:3000"}, 421),
        ("GET", "/", {"Host": ""}, 421),
        ("GET", "/assets", {"Host": "localhost", "Origin": "http://evil.example"}, 403),
        ("GET", "/graphql?query=mutation{x}", {"Host": "localhost"}, 405),
        ("GET", "/graphql/?query=mutation{x}", {"Host": "localhost"}, 405),
        ("GET", "/%67raphql?query=mutation{x}", {"Host": "localhost"}, 405),
        ("HEAD", "/graphql?query=mutation{x}", {"Host": "localhost"}, 405),
        ("PUT", "/graphql", {"Host": "localhost"}, 405),
        ("POST", "/graphql", {"Host": "localhost", **JSON}, 200),
        ("POST", "/graphql", {"Host": "localhost:3000", "Origin": "http://localhost:3000", **JSON}, 200),
        ("POST", "/graphql", {"Host": "localhost:3000", "Origin": "https://localhost:3000", **JSON}, 200),
        ("POST", "/graphql", {"Host": "localhost:3000", "Origin": "http://localhost:8000", **JSON}, 403),
        ("POST", "/graphql", {"Host": "localhost:3000", "Origin": "null", **JSON}, 403),
        ("POST", "/graphql", {"Host": "localhost", "Origin": "http://evil.example", **JSON}, 403),
        ("POST", "/graphql", {"Host": "evil.example", "Origin": "http://evil.example", **JSON}, 421),
        ("POST", "/graphql", {"Host": "localhost", "Sec-Fetch-Site": "cross-site", **JSON}, 403),
        ("POST", "/graphql", {"Host": "localhost", "Content-Type": "text/plain"}, 415),
        ("POST", "/graphql", {"Host": "localhost", "Content-Type": "multipart/form-data; boundary=x"}, 415),
        ("POST", "/report_asset_materialization/a", {"Host": "localhost", "Origin": "http://evil.example"}, 403),
    ],
)
def test_only_our_own_pages_get_through(port: int, method: str, path: str, headers: dict[str, str], expected: int) -> None:
    status, answered = _status(port, method, path, headers, body="{}" if method in {"POST", "PUT"} else None)
    assert status == expected
    assert expected != 200 or answered["x-frame-options"] == "DENY"


def test_two_hosts_are_no_host(port: int) -> None:
    """Which of them the next program would believe is anybody's guess."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert raw.recv(200).split(b" ")[1] in {b"400", b"421"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "localhost"}, 101),
        ({"Host": "localhost:3000", "Origin": "http://localhost:3000"}, 101),
        ({"Host": "localhost", "Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
def test_websockets_are_judged_like_requests(port: int, headers: dict[str, str], expected: int) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    status, _ = _status(port, "GET", "/graphql", {**headers, **handshake})
    assert status == expected
