"""Keys, projects, buckets and the clock of a running simulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httplib2

from pleiades_core.simulator.control import SimulatorControl

Ids = Callable[..., list[str]]
Make = Callable[[str | None], Any]
Refused = Callable[[Any], tuple[int, dict[str, Any]]]
Units = Callable[[str, str], int]

NEVER_ISSUED = "AAAAAAAAAAA"


def test_the_key_may_come_in_the_query_or_in_the_header(client: Make, refused: Refused) -> None:
    with client(None) as bare:
        request = bare.videos().list(part="id", id=NEVER_ISSUED)
        request.headers["X-Goog-Api-Key"] = "key-two"
        assert request.execute()["items"] == []
        status, error = refused(bare.videos().list(part="id", id=NEVER_ISSUED))
        assert (status, error["status"]) == (403, "PERMISSION_DENIED")


def test_a_bad_key_is_refused_as_today_and_charged_to_nobody(control: SimulatorControl, client: Make, refused: Refused) -> None:
    before = control.ledger()["calls"]
    with client("junk") as junk:
        status, error = refused(junk.videos().list(part="id", id=NEVER_ISSUED))
    assert status == 400
    assert error["errors"][0]["reason"] == "badRequest"
    assert error["details"][0]["reason"] == "API_KEY_INVALID"
    assert control.ledger()["calls"] == before


def test_spent_buckets_are_separate_and_come_back_at_pacific_midnight(
    control: SimulatorControl, client: Make, refused: Refused
) -> None:
    """1 November 2026 has 25 hours in the Pacific zone: quota returns at 07:00Z before it and at 08:00Z after."""
    with client("small") as small:
        control.set(datetime(2026, 10, 31, 8, tzinfo=UTC))
        search = small.search().list(part="id", type="video")
        stats = small.videos().batchGetStats(part=["id"], id=[NEVER_ISSUED])
        general = small.videos().list(part="id", id=NEVER_ISSUED)
        for request in (search, stats, general):
            request.execute()
            request.execute()
        status, error = refused(search)
        assert (status, error["status"], error["errors"][0]["reason"]) == (429, "RESOURCE_EXHAUSTED", "rateLimitExceeded")
        metadata = error["details"][0]["metadata"]
        assert metadata["quota_unit"] == "1/d/{project}"
        assert metadata["quota_limit_value"] == "2"
        assert metadata["quota_metric"] == "youtube.googleapis.com/search_list"
        status, error = refused(stats)
        assert (status, error["details"][0]["metadata"]["quota_unit"]) == (429, "1/d/{project}")
        status, error = refused(general)
        assert (status, error["errors"][0]["domain"], error["errors"][0]["reason"]) == (403, "youtube.quota", "quotaExceeded")
        assert "details" not in error
        control.set(datetime(2026, 11, 1, 6, 59, 59, tzinfo=UTC))
        refused(general)
        control.set(datetime(2026, 11, 1, 7, tzinfo=UTC))
        general.execute()
        general.execute()
        control.set(datetime(2026, 11, 2, 7, 59, 59, tzinfo=UTC))
        refused(general)
        control.set(datetime(2026, 11, 2, 8, tzinfo=UTC))
        general.execute()
    rows = {(r["bucket"], r["pacific_day"]): r for r in control.ledger()["calls"] if r["project"] == "small"}
    assert rows["general", "2026-10-31"] | {"calls": 4, "units": 2, "limit": 2} == rows["general", "2026-10-31"]


def test_an_unchanged_reply_is_304_and_charged_all_the_same(base_url: str, units: Units) -> None:
    http = httplib2.Http()
    address = f"{base_url}/youtube/v3/videoCategories?part=snippet&regionCode=US"
    headers = {"x-goog-api-key": "key-one"}
    _, content = http.request(address, headers=headers)
    before = units("roomy", "general")
    response, _ = http.request(address, headers=headers | {"if-none-match": json.loads(content)["etag"]})
    assert response.status == 304
    assert units("roomy", "general") == before + 1
    http.close()


def test_the_clock_stands_still_and_can_be_driven(control: SimulatorControl) -> None:
    begin = control.now()
    assert begin.tzinfo is not None
    assert control.now() == begin
    assert control.advance(timedelta(hours=1.5)) == begin + timedelta(hours=1.5) == control.now()


def test_the_world_names_terms_that_find_something(control: SimulatorControl, some_ids: Ids) -> None:
    world = control.world()
    assert world["kind"] == "synthetic"
    assert world["videos"] == 6_000
    assert 10 <= len(world["terms"]) <= 40
    assert all(some_ids(5, q=term) for term in world["terms"][:5])


def test_unknown_paths_are_404_in_the_api_s_own_form(base_url: str) -> None:
    http = httplib2.Http()
    response, content = http.request(f"{base_url}/youtube/v3/nothing")
    assert response.status == 404
    assert json.loads(content)["error"]["code"] == 404
    http.close()


def test_a_word_that_is_no_order_is_refused(base_url: str) -> None:
    """By plain HTTP: Google's client would not send it."""
    http = httplib2.Http()
    response, _ = http.request(f"{base_url}/youtube/v3/search?part=id&order=size&key=key-one")
    assert response.status == 400
    http.close()
