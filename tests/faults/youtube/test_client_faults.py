"""A hostile or broken server: every fault ends in one error of the tree, in time, without a byte of the key."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import psutil
import pytest
from pydantic import SecretStr
from support.faulty import CANARY, EMPTY, FAULTS, HOLD, PACKED, deadline_s, everything_said, reset
from support.loopback import Answer, Loopback, json_reply, reply, serve

from pleiades_core.clock import ManualClock
from pleiades_core.errors import ApiError, BackendError, BadReply, BadRequest, ConfigurationError, ReplyTooLarge
from pleiades_core.models import Bucket, QuotaPool, VideoId
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.client import Transport
from pleiades_core.youtube.connection import HttpConnection, Origin, Reply
from pleiades_core.youtube.executor import HydraExecutor
from pleiades_core.youtube.keyring import ApiKey, KeyRing
from pleiades_core.youtube.quota import Ledger

PARAMS = {"part": "id,statistics", "id": "dQw4w9WgXcQ"}


@pytest.fixture
def transport_of() -> Iterator[list[Transport]]:
    """Transports to close at the end."""
    opened: list[Transport] = []
    yield opened
    for transport in opened:
        transport.close()


def executor(database: Database, clock: ManualClock, transport: Transport, *, attempts: int = 2) -> HydraExecutor:
    """An executor with one key, which does not wait between attempts."""
    key = ApiKey(secret=SecretStr(CANARY), project="p", pools=frozenset({QuotaPool.HUNTING, QuotaPool.TRACKING}))
    ring = KeyRing([key], Ledger(database, clock))
    return HydraExecutor(ring, transport, clock, sleep=lambda _: None, attempts=attempts)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_error_in_time_and_without_the_key(
    fault: str, database: Database, clock: ManualClock, transport_of: list[Transport], caplog: pytest.LogCaptureFixture
) -> None:
    """Also: as many requests arrive as the ledger was debited for, so nothing is sent again unseen."""
    answer, expected = FAULTS[fault]
    caplog.set_level(logging.DEBUG)
    with serve(answer) as server:
        transport = Transport(server.base_url, deadline_s(fault), max_body_bytes=1_000_000)
        transport_of.append(transport)
        tried = executor(database, clock, transport)
        with pytest.raises(ApiError) as caught:
            tried.execute("videos.list", PARAMS, pool=QuotaPool.TRACKING)
    assert type(caught.value) is expected
    arrived, spent = len(server.requests), tried.ring.ledger.rows()[0].spent
    assert spent == (1 if expected in {BadRequest, ReplyTooLarge} else 2)
    # On a busy machine a deadline can pass between the debit and the sending: that unit is gone, and nothing arrived.
    assert arrived <= spent if fault in HOLD else arrived == spent
    assert CANARY not in everything_said(caught.value, but=__file__)
    assert "127.0.0.1" not in str(caught.value) + caught.value.cure
    assert CANARY not in caplog.text


def test_a_gzip_bomb_is_not_unpacked(transport_of: list[Transport]) -> None:
    """40 MB of 40 kB are refused after the first megabyte."""
    with serve(FAULTS["gzip bomb"][0]) as server:
        transport_of.append(Transport(server.base_url, 30, max_body_bytes=1_000_000))
        tracemalloc.start()
        with pytest.raises(BadReply, match="when unpacked"):
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10_000_000


def test_a_redirect_to_another_origin_is_not_followed(transport_of: list[Transport]) -> None:
    """The key must not reach the host that a Location header names."""
    with serve(json_reply(EMPTY)) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            with serve(reply(status, headers=(("Location", f"{elsewhere.base_url}/youtube/v3/videos"),))) as server:
                transport_of.append(Transport(server.base_url, 30))
                got = transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
                assert got.status == status
                assert len(server.requests) == 1
        assert elsewhere.requests == []
        assert elsewhere.connections == 0


@pytest.mark.parametrize("status", [200, 400])
def test_a_key_that_a_server_echoes_is_cut_out_of_the_reply(status: int, transport_of: list[Transport]) -> None:
    """Rows are quarantined and messages logged, so a key of any shape must be gone before anybody reads the reply."""
    with serve(
        json_reply({"items": [{"id": "plain-canary-7"}], "error": {"message": "not plain-canary-7!"}}, status)
    ) as server:
        transport_of.append(Transport(server.base_url, 30))
        got = transport_of[-1].send("videos.list", PARAMS, SecretStr("plain-canary-7"))
    assert got.body == b'{"items":[{"id":"[key]"}],"error":{"message":"not [key]!"}}'


def test_nobody_listens(transport_of: list[Transport]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    transport_of.append(Transport(f"http://127.0.0.1:{port}", 30))
    with pytest.raises(BackendError, match="ConnectionRefusedError") as caught:
        transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
    assert CANARY not in everything_said(caught.value, but=__file__)
    assert not caught.value.sent


def test_no_such_host(transport_of: list[Transport]) -> None:
    transport_of.append(Transport("http://no-such-host.invalid", 30))
    with pytest.raises(BackendError, match="gaierror") as caught:
        transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
    assert not caught.value.sent


@pytest.mark.parametrize("fault", ["closed without an answer", "dripping body"])
def test_what_reached_a_server_was_sent(fault: str, transport_of: list[Transport]) -> None:
    """Also over a connection that was open before: it may have been billed."""
    with serve(json_reply(EMPTY), FAULTS[fault][0]) as server:
        transport_of.append(Transport(server.base_url, 1))
        transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        with pytest.raises(BackendError) as caught:
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        assert caught.value.sent
        assert len(server.requests) == 2


def test_plain_http_behind_https(transport_of: list[Transport], caplog: pytest.LogCaptureFixture) -> None:
    """A TLS handshake with a server that speaks none fails in time and sends no key."""
    with serve(json_reply(EMPTY)) as server:
        transport_of.append(Transport(server.base_url.replace("http:", "https:"), 1))
        with pytest.raises(BackendError) as caught:
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        assert not caught.value.sent
        assert not any(CANARY.encode() in request for request in server.requests)
    assert CANARY not in caplog.text


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a self-signed certificate for 127.0.0.1, in one file."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl command here to make a certificate with")
    made = tmp_path / "made.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem")]
    subprocess.run(["openssl", *words.split(), *extra], check=True, capture_output=True)
    made.write_bytes((tmp_path / "k.pem").read_bytes() + (tmp_path / "c.pem").read_bytes())
    return made


def test_over_tls(certificate: Path, transport_of: list[Transport]) -> None:
    """As in production: one connection for many calls, one deadline, and no key for a host without a valid certificate."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    packed = reply(200, PACKED, headers=(("Content-Encoding", "gzip"),))
    with serve(packed, packed, packed, FAULTS["dripping body"][0], packed, tls=server_side) as server:
        transport_of.append(Transport(server.base_url, 30))
        with pytest.raises(BackendError, match="certificate is not accepted") as caught:
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        assert not caught.value.sent
        assert server.requests == []
        transport_of.append(Transport(server.base_url, 4))
        transport_of[-1]._context = ssl.create_default_context(cafile=str(certificate))  # noqa: SLF001
        for _ in range(3):
            assert transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY)).body == orjson.dumps(EMPTY)
        assert server.connections == 2
        with pytest.raises(BackendError, match="within 4 s") as caught:
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        assert caught.value.sent
        assert transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY)).status == 200


def test_the_host_header_names_no_usual_port() -> None:
    """`youtube.googleapis.com:443` is another name to some front ends."""
    for url, usual in (("https://youtube.googleapis.com", 443), ("http://127.0.0.1", 80)):
        context = ssl.create_default_context() if usual == 443 else None
        line = HttpConnection(Origin.of(url), deadline_s=1, max_body_bytes=1, context=context)
        assert line._connection.port == line._connection.default_port == usual  # noqa: SLF001


def test_the_key_travels_in_its_header_and_nowhere_else(transport_of: list[Transport]) -> None:
    with serve(json_reply(EMPTY)) as server:
        transport_of.append(Transport(server.base_url, 30))
        transport_of[-1].send("videos.batchGetStats", PARAMS, SecretStr(CANARY))
    head = server.requests[0].decode()
    first, *headers = head.split("\r\n")
    assert first.startswith("GET /youtube/v3/videos:batchGetStats?")
    assert f"X-Goog-Api-Key: {CANARY}" in headers
    assert head.count(CANARY) == 1
    assert "User-Agent: pleiades/0.1 (gzip)" in headers
    assert "Accept-Encoding: gzip" in headers


def test_a_long_query_is_posted(transport_of: list[Transport]) -> None:
    """Longer than 2,048 characters: POST with a form body, as googleapiclient does."""
    with serve(json_reply(EMPTY)) as server:
        transport_of.append(Transport(server.base_url, 30))
        transport_of[-1].send("search.list", {"part": "snippet", "q": "é" * 600}, SecretStr(CANARY))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /youtube/v3/search HTTP/1.1")
    assert b"X-HTTP-Method-Override: GET" in head
    assert body.count(b"%C3%A9") == 600
    assert CANARY.encode() not in body


def test_one_connection_for_many_calls_and_a_stale_one_is_replaced_before_sending(transport_of: list[Transport]) -> None:
    """An idle connection that the server closed costs no unit: it is found out without sending."""
    answers = [json_reply(EMPTY)] * 3 + [reply(200, b'{"kind": "youtube#x"}', keep=False), json_reply(EMPTY)]
    with serve(*answers) as server:
        transport_of.append(Transport(server.base_url, 30))
        for _ in range(4):
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        assert server.connections == 1
        while not _closed_by_server(server):
            time.sleep(0.01)
        assert transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY)).status == 200
        assert server.connections == 2
        assert len(server.requests) == 5


def _closed_by_server(server: Loopback) -> bool:
    """A connection of ours to the server is closed at its other end."""
    port = urlsplit(server.base_url).port
    connections = psutil.Process().net_connections("tcp")
    return any(each.raddr and each.raddr.port == port and each.status == psutil.CONN_CLOSE_WAIT for each in connections)


def test_after_a_deadline_the_next_call_gets_its_own_answer(transport_of: list[Transport]) -> None:
    """The late answer of the first call must not be taken for that of the second."""
    expired, sent = threading.Event(), threading.Event()

    def late(connection: socket.socket) -> bool:
        expired.wait()
        try:
            return json_reply({"kind": "youtube#late"})(connection)
        finally:
            sent.set()

    with serve(late, json_reply({"kind": "youtube#own"})) as server:
        transport_of.append(Transport(server.base_url, 0.3))
        with pytest.raises(BackendError, match=r"within 0\.3 s"):
            transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY))
        expired.set()
        sent.wait()
        assert transport_of[-1].send("videos.list", PARAMS, SecretStr(CANARY)).body == b'{"kind":"youtube#own"}'


def test_threads_never_get_each_others_answers(transport_of: list[Transport]) -> None:
    """Eight threads, 400 calls; with a shared googleapiclient service 32 of 480 answers were another call's."""
    wrong: list[Reply] = []

    def call(transport: Transport, number: int) -> None:
        for turn in range(50):
            token = f"t{number}x{turn}"
            got = transport.send("videos.list", {"part": "id", "pageToken": token}, SecretStr(CANARY))
            if got.body != token.encode():
                wrong.append(got)

    with serve(reply()) as server:
        # The answer depends on the request, so it is made where the request is known.
        def answer(request: bytes) -> Answer:
            server.requests.append(b"")
            return reply(200, request.split(b"pageToken=")[1].split(b"&")[0].split(b" ")[0])

        server.answer = answer  # type: ignore[method-assign]
        transport_of.append(Transport(server.base_url, 30))
        threads = [threading.Thread(target=call, args=(transport_of[-1], number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 400
        assert server.connections <= 8
    assert wrong == []


@pytest.mark.parametrize(
    "url", ["", "youtube", "ftp://x", "http://", "http://u:p@h", "http://h:99999", "http://h/?key=1", "http://a b"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PLEIADES_YOUTUBE_URL") as caught:
        Transport(url, 1)
    assert caught.value.cure


def test_unknown_methods_and_parameters_are_not_sent(transport_of: list[Transport]) -> None:
    with serve(json_reply(EMPTY)) as server:
        transport_of.append(Transport(server.base_url, 30))
        bad: tuple[tuple[str, dict[str, str]], ...] = (
            ("videos.rate", {}),
            ("videos.list", {"part": "id", "nonsense": "1"}),
            ("search.list", {"part": "id", "q": "\ud800"}),
        )
        for method, params in bad:
            with pytest.raises(BadRequest) as caught:
                transport_of[-1].send(method, params, SecretStr(CANARY))
            assert not caught.value.sent
        assert server.requests == []


def test_a_call_succeeds_after_faults_and_each_attempt_is_paid(
    database: Database, clock: ManualClock, transport_of: list[Transport]
) -> None:
    good = {"kind": "youtube#videoListResponse", "items": [{"id": "dQw4w9WgXcQ", "statistics": {"viewCount": "7"}}]}
    with serve(reply(503), reset, json_reply(good)) as server:
        transport_of.append(Transport(server.base_url, 30))
        tried = executor(database, clock, transport_of[-1], attempts=4)
        youtube = YouTube(tried, lambda _source, _rows: None)
        youtube._refusal.until = clock.now().replace(year=2027)  # noqa: SLF001  videos.list at once
        (counts,), _ = youtube.stats([VideoId("dQw4w9WgXcQ")])
        assert counts.views == 7
        assert youtube.ledger.left("p", Bucket.GENERAL) == 10_000 - 3 == 10_000 - len(server.requests)
