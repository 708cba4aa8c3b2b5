"""What goes over the wire besides replies: compression, and users' tokens."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pleiades_core.simulator.server import SimulatorConfig, start_subprocess

PATH = "/youtube/v3/videoCategories?part=snippet&regionCode=US&key=demo-key-1"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http.client.HTTPConnection]:
    """A connection to a simulator that compresses."""
    log = tmp_path_factory.mktemp("simulator") / "log"
    with start_subprocess(SimulatorConfig(videos=50, compress=True), log_path=Path(log)) as started:
        connection = http.client.HTTPConnection(started.base_url.removeprefix("http://"), timeout=5)
        yield connection
        connection.close()


def asked(line: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, str | None, bytes]:
    """Status, encoding and body."""
    line.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    reply = line.getresponse()
    return reply.status, reply.headers.get("content-encoding"), reply.read()


def test_gzip_needs_both_headers(line: http.client.HTTPConnection) -> None:
    status, encoding, plain = asked(line, PATH, Accept_Encoding="gzip", User_Agent="curl")
    assert (status, encoding) == (200, None)
    assert asked(line, PATH, User_Agent="mine (gzip)")[1] is None
    _, encoding, packed = asked(line, PATH, Accept_Encoding="gzip", User_Agent="mine (gzip)")
    assert encoding == "gzip"
    assert len(packed) < len(plain) / 2
    assert gzip.decompress(packed) == plain


def test_short_replies_are_not_compressed(line: http.client.HTTPConnection) -> None:
    status, encoding, _ = asked(line, "/youtube/v3/videos", Accept_Encoding="gzip", User_Agent="mine (gzip)")
    assert (status, encoding) == (403, None)


def test_a_token_stands_for_a_project_and_a_bad_one_is_401(line: http.client.HTTPConnection) -> None:
    bare = PATH.partition("&key=")[0]
    assert asked(line, bare, Authorization="Bearer demo-key-1")[0] == 200
    assert asked(line, PATH, Authorization="Bearer demo-key-2")[0] == 200
    for path in (bare, PATH):
        status, _, body = asked(line, path, Authorization="Bearer None")
        assert (status, json.loads(body)["error"]["status"]) == (401, "UNAUTHENTICATED")
