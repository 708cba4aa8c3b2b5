"""Feeds over HTTP: no key, no quota, and outages on order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httplib2
import pytest
from lxml import etree

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults.fault import Fault, FaultPlan

ENTRY = "{http://www.w3.org/2005/Atom}entry"


@pytest.fixture
def read(base_url: str) -> Any:
    """Reads a path: status, headers, body."""
    http = httplib2.Http()

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        response, body = http.request(f"{base_url}{path}")
        return response.status, dict(response), body

    yield answer
    http.close()


def test_both_addresses_give_the_same_feed_and_cost_nothing(read: Any, control: SimulatorControl) -> None:
    channel = control.channels()[0]
    before = control.ledger()
    status, headers, body = read(f"/feeds/videos.xml?channel_id={channel}")
    assert (status, headers["content-type"]) == (200, "text/xml; charset=UTF-8")
    assert read(f"/xml/feeds/videos.xml?channel_id={channel}")[2] == body
    assert read(f"/feeds/videos.xml?playlist_id=UU{channel[2:]}")[0] == 200
    assert len(etree.fromstring(body).findall(ENTRY)) == 15
    after = control.ledger()
    assert (after["calls"], after["by_key"]) == (before["calls"], before["by_key"])
    assert after["feeds"]["calls"] == before["feeds"]["calls"] + 3


def test_an_upload_is_in_the_feed_as_soon_as_the_clock_passes_it(read: Any, control: SimulatorControl) -> None:
    begin = control.now()
    video_id, channel_id, at = control.uploads(begin, begin + timedelta(days=1))[5]
    path = f"/feeds/videos.xml?channel_id={channel_id}"
    control.set(at - timedelta(seconds=1))
    assert video_id.encode() not in read(path)[2]
    control.set(at)
    assert video_id.encode() in read(path)[2]


def test_an_unknown_channel_is_404(read: Any) -> None:
    assert read(f"/feeds/videos.xml?channel_id=UC{'A' * 22}")[0] == 404
    assert read("/feeds/videos.xml")[0] == 404


def test_outages_come_on_order(read: Any, control: SimulatorControl) -> None:
    """404 and 500 as in the outages of 2024 and 2026, feeds without entries, and views that are all zero."""
    path = f"/feeds/videos.xml?channel_id={control.channels()[0]}"
    begin = control.now()
    outage = Fault(method="feeds", status=500, body="", after=begin + timedelta(hours=1), before=begin + timedelta(hours=2))
    missing = Fault(method="feeds", first=2, last=2, status=404, body="")
    empty, zeros = Fault(method="feeds", first=3, last=3, empty=True), Fault(method="feeds", first=4, last=4, zeros=True)
    control.set_faults(FaultPlan((outage, missing, empty, zeros)))
    assert read(path)[0] == 200
    assert read(path)[0] == 404
    status, _, body = read(path)
    assert (status, etree.fromstring(body).findall(ENTRY)) == (200, [])
    body = read(path)[2]
    assert body.count(b'views="0"') == body.count(b"views=") == 15
    control.advance(timedelta(hours=1))
    assert read(path)[0] == 500
    control.advance(timedelta(hours=1))
    assert read(path)[0] == 200


def test_the_world_can_be_listed(control: SimulatorControl) -> None:
    channels = control.channels()
    assert len(channels) == len(set(channels)) == control.world()["channels"]
    now = control.now()
    uploads = control.uploads(now, now + timedelta(days=2))
    assert uploads
    assert {channel for _, channel, _ in uploads} <= set(channels)
    assert all(now <= at < now + timedelta(days=2) for _, _, at in uploads)
    assert control.truth(uploads[0][0], uploads[0][2])["state"] == "public"
