"""Faults on order, seen from outside."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

import httplib2
import pytest

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults import Fault, FaultPlan

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
