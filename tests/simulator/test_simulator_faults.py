"""Faults on order, seen from outside."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import httplib2
import pytest

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import KINDS, Fault, FaultPlan
from pleiades_core.simulator.faults.named_errors import BY_NAME, NAMES, named

Ids = Callable[..., list[str]]
Make = Callable[[str | None], Any]
Refused = Callable[[Any], tuple[int, dict[str, Any]]]
Units = Callable[[str, str], int]

NEVER_ISSUED = "AAAAAAAAAAA"


def test_faults_hit_the_calls_they_name_and_are_still_charged(
    youtube: Any, control: SimulatorControl, refused: Refused, units: Units
) -> None:
    before = units("roomy", "general")
    control.set_faults(FaultPlan((Fault(method="videos.list", first=2, last=2, error="backend_error"),)))
    request = youtube.videos().list(part="id", id=NEVER_ISSUED)
    request.execute()
    status, error = refused(request)
    assert (status, error["errors"][0]["reason"]) == (503, "backendError")
    request.execute()
    assert units("roomy", "general") == before + 3


@pytest.mark.parametrize("fault", [Fault(drop=True), Fault(truncate=0.5), Fault(truncate=0.0)], ids=["drop", "half", "nothing"])
def test_connections_break_on_order(base_url: str, control: SimulatorControl, fault: Fault) -> None:
    """Plain sockets of the standard library: httplib2 would hide a broken connection by asking again."""
    control.set_faults(FaultPlan((fault,)))
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/youtube/v3/videoCategories?part=snippet&regionCode=US&key=key-one")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            connection.getresponse().read()
    finally:
        connection.close()


def test_replies_can_drip_redirect_and_be_replaced(base_url: str, control: SimulatorControl) -> None:
    address = f"{base_url}/youtube/v3/videoCategories?part=snippet&regionCode=US&key=key-one"
    http = httplib2.Http()
    http.follow_redirects = False
    _, whole = http.request(address)
    control.set_faults(
        FaultPlan(
            (
                Fault(first=1, last=1, drip_bytes_per_s=50_000),
                Fault(first=2, last=2, redirect="http://127.0.0.1:9/elsewhere"),
                Fault(first=3, last=3, status=200, body="<html>not JSON"),
            )
        )
    )
    assert http.request(address)[1] == whole
    assert http.request(address)[0]["location"] == "http://127.0.0.1:9/elsewhere"
    assert http.request(address)[1] == b"<html>not JSON"
    assert http.request(address)[1] == whole
    http.close()


def test_a_fault_plan_that_cannot_be_is_refused(base_url: str) -> None:
    http = httplib2.Http()
    response, content = http.request(f"{base_url}/simulator/faults", "POST", body=b'{"faults": [{"mehtod": "*"}]}')
    assert response.status == 400
    assert b"mehtod" in content
    http.close()


METHODS = {
    "search.list": "search?part=id&type=video",
    "videos.list": f"videos?part=id&id={NEVER_ISSUED}",
    "videos.batchGetStats": f"videos:batchGetStats?part=id&id={NEVER_ISSUED}",
    "channels.list": f"channels?part=id&id=UC{'A' * 22}",
    "playlistItems.list": "playlistItems?part=id&id=none",
    "videoCategories.list": "videoCategories?part=snippet&regionCode=US",
}


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_error_can_be_had_from_every_method(base_url: str, control: SimulatorControl, method: str) -> None:
    names = sorted(NAMES)
    control.set_faults(FaultPlan(tuple(Fault(method=method, first=n, last=n, error=name) for n, name in enumerate(names, 1))))
    http = httplib2.Http()
    for name in names:
        response, body = http.request(f"{base_url}/youtube/v3/{METHODS[method]}&key=key-one")
        assert (response.status, json.loads(body)) == (named(name, method).status, named(name, method).body)
    assert http.request(f"{base_url}/youtube/v3/{METHODS[method]}&key=key-one")[0].status == 200
    http.close()


def test_errors_may_say_when_to_come_back(base_url: str, control: SimulatorControl) -> None:
    control.set_faults(FaultPlan((KINDS["retry_after"],)))
    http = httplib2.Http()
    response, _ = http.request(f"{base_url}/youtube/v3/{METHODS['videos.list']}&key=key-one")
    assert (response.status, response["retry-after"]) == (BY_NAME["backend_error"].status, "120")
    http.close()


def test_a_bomb_is_small_until_it_is_opened(base_url: str, control: SimulatorControl) -> None:
    control.set_faults(FaultPlan((Fault(bomb_bytes=5_000_000),)))
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    connection.request("GET", f"/youtube/v3/{METHODS['videos.list']}&key=key-one")
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    assert (reply.status, reply.headers["content-encoding"]) == (200, "gzip")
    assert len(body) < 20_000
    assert gzip.decompress(body) == bytes(5_000_000)


def test_blanks_may_follow_what_is_good_json(base_url: str, control: SimulatorControl) -> None:
    control.set_faults(FaultPlan((Fault(pad_bytes=300_000),)))
    http = httplib2.Http()
    _, body = http.request(f"{base_url}/youtube/v3/{METHODS['videoCategories.list']}&key=key-one")
    assert len(body) > 300_000
    assert json.loads(body)["items"]
    http.close()


@pytest.mark.parametrize("fault", [Fault(reset=True), Fault(reset=True, truncate=0.5)], ids=["at once", "midway"])
def test_a_reset_is_a_reset(base_url: str, control: SimulatorControl, fault: Fault) -> None:
    """RST and not FIN: reading raises instead of ending."""
    control.set_faults(FaultPlan((fault,)))
    address = urlsplit(base_url)
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=5) as raw:
        raw.sendall(
            f"GET /youtube/v3/{METHODS['videoCategories.list']}&key=key-one HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        with raw.makefile("rb") as reading, pytest.raises(ConnectionResetError):
            reading.read()


def test_a_subscription_can_fail_too(base_url: str, control: SimulatorControl) -> None:
    """As Google's hub did in September 2026 (SeoulSKY/ytnoti#8)."""
    control.set_faults(FaultPlan((Fault(method="hub.subscribe", status=503, body="", retry_after="120"),)))
    http = httplib2.Http()
    form = {"hub.mode": "subscribe", "hub.callback": "http://127.0.0.1:9/", "hub.verify": "async"}
    form["hub.topic"] = f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={control.channels()[0]}"
    before = control.hub()
    response, _ = http.request(f"{base_url}/subscribe", "POST", body=urlencode(form))
    assert (response.status, response["retry-after"]) == (503, "120")
    assert control.hub() == before
    http.close()


def test_lists_can_come_back_empty(youtube: Any, control: SimulatorControl, some_ids: Ids) -> None:
    ids = some_ids(5)
    control.set_faults(FaultPlan((Fault(first=1, last=1, empty=True),)))
    request = youtube.videos().list(part="id", id=ids)
    assert request.execute()["items"] == []
    assert len(request.execute()["items"]) == 5
