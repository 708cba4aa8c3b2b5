"""Keys over the life of an installation: retired ones stay so, tested ones come back, ignored ones are named."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import psycopg
import pytest
from pydantic import SecretStr
from support.full_disk import fill_the_disk
from support.loopback import Answer, json_reply, reply, serve

from pleiades_core.clock import ManualClock
from pleiades_core.errors import ConfigurationError, KeyInvalid
from pleiades_core.models import Bucket, QuotaPool, VideoId
from pleiades_core.planner.plan import plan
from pleiades_core.reports.quota import quota
from pleiades_core.settings import SEVERAL_PROJECTS, Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube, open_youtube
from pleiades_core.youtube.keyring import KeyRing, open_keyring, parse_pool
from pleiades_core.youtube.quota import Ledger
from pleiades_core.youtube.retired_keys import RetiredKeys

A = VideoId("dQw4w9WgXcQ")
EMPTY = json_reply({"kind": "youtube#videoListResponse", "items": []})
TWO_PROJECTS = orjson.dumps(
    [
        {"key": "CANARY-first-of-one", "project": "one"},
        {"key": "CANARY-second-of-one", "project": "one"},
        {"key": "CANARY-of-two", "project": "two", "pools": ["tracking"]},
    ]
).decode()


def refusal(status: int, reason: str) -> Answer:
    """A refusal in the API's form."""
    error = {"code": status, "message": "no", "errors": [{"domain": "usageLimits", "reason": reason}]}
    return json_reply({"error": error}, status)


INVALID, DISABLED = refusal(400, "keyInvalid"), refusal(403, "accessNotConfigured")
NO_KEY = "refused: the key does not exist (keyInvalid)"
NOT_ENABLED = "refused: the API is not enabled in the key's project (accessNotConfigured)"


@contextlib.contextmanager
def opened(
    database: Database, clock: ManualClock, tmp_path: Path, *answers: Answer, pool: str = TWO_PROJECTS, mode: str = "on"
) -> Iterator[tuple[YouTube, list[bytes]]]:
    """YouTube as an installation opens it, and the requests that arrive at the server in its place."""
    with serve(*answers) as server:
        settings = Settings(home=tmp_path).changed(
            keys__pool=SecretStr(pool), youtube__url=server.base_url, keys__compliance_mode=mode, youtube__call_deadline_s=5
        )
        with open_youtube(settings, database, clock) as youtube:
            yield youtube, server.requests


def states(youtube: YouTube) -> list[str]:
    """What the ring says of each key."""
    return [key.description for key in youtube.ring.states()]


def test_ignored_keys_are_named_and_never_sent(
    database: Database, clock: ManualClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By fingerprint and project, as a warning, when YouTube is opened; their project's quota is not counted on."""
    caplog.set_level(logging.INFO)
    with opened(database, clock, tmp_path, INVALID) as (youtube, requests):
        assert youtube.units_left(Bucket.SEARCH) == 100
        with pytest.raises(KeyInvalid):
            youtube.videos([A])
        assert not any(b"CANARY-of-two" in request for request in requests)
        assert len(requests) == 2
        assert states(youtube)[2] == "ignored: compliance mode"
        assert youtube.ring.projects == ("one",)
        assert youtube.units_left(Bucket.SEARCH) == 0, "its own keys were refused, and those of the other are not used"
        (ignored,) = youtube.ring.ignored
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"key {ignored.fingerprint} of project two is ignored" in said[0]
    assert "project one is shared by the pools hunting, tracking, archeology" in caplog.text
    assert "CANARY" not in caplog.text


def test_several_projects_are_used_where_that_is_stated(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with opened(database, clock, tmp_path, EMPTY, mode=SEVERAL_PROJECTS) as (youtube, _):
        ring = youtube.ring
        assert ring.projects == ("one", "two")
        assert ring.shared() == {"one": tuple(QuotaPool)}
        assert (youtube.units_left(Bucket.SEARCH), youtube.units_left(Bucket.GENERAL, QuotaPool.TRACKING)) == (
            200,
            10_000 + 3_333,
        )


def test_units_of_a_pool_are_those_of_projects_whose_keys_serve_it(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """At noon most of a share has lapsed, and the ledger would lend it to any pool."""
    with opened(database, clock, tmp_path, EMPTY, mode=SEVERAL_PROJECTS) as (youtube, _):
        clock.advance(timedelta(hours=12))
        assert youtube.ledger.left("two", Bucket.GENERAL, QuotaPool.HUNTING) > 0
        assert youtube.units_left(Bucket.GENERAL, QuotaPool.HUNTING) == youtube.ledger.left(
            "one", Bucket.GENERAL, QuotaPool.HUNTING
        )
        assert youtube.ring.serving() == youtube.ring.serving(QuotaPool.TRACKING) == ("one", "two")
        assert youtube.ring.serving(QuotaPool.HUNTING, QuotaPool.ARCHEOLOGY) == ("one",)


def test_units_that_only_refused_keys_reach_are_nobodys(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Neither what is left nor the plan counts on them, and `quota` says that no pool may take them."""
    pool = orjson.dumps([{"key": f"CANARY-of-{name}", "project": name} for name in ("a", "b")]).decode()
    with opened(database, clock, tmp_path, EMPTY, pool=pool, mode=SEVERAL_PROJECTS) as (youtube, _):
        ring, settings = youtube.ring, Settings(home=tmp_path)
        assert (youtube.units_left(Bucket.GENERAL), youtube.units_left(Bucket.STATS, QuotaPool.TRACKING)) == (20_000, 20_000)
        ring.retire(ring.keys[0], KeyInvalid("no", reason="keyInvalid"))
        assert ring.living() == {"a": frozenset(), "b": frozenset(QuotaPool)}
        assert (youtube.units_left(Bucket.GENERAL), youtube.units_left(Bucket.STATS, QuotaPool.TRACKING)) == (10_000, 10_000)
        made = plan(database, ring.ledger, settings, clock.now(), projects=ring.living(), days=1)
        assert made.projects == ("b",)
        free = {(row.project, row.bucket): sum(row.free_for.values()) for row in quota(ring).ledger}
        assert [free["a", bucket] for bucket in Bucket] == [0, 0, 0]
        assert min(free["b", bucket] for bucket in Bucket) > 0
        ring.retire(ring.keys[1], KeyInvalid("no", reason="keyInvalid"))
        made = plan(database, ring.ledger, settings, clock.now(), projects=ring.living(), days=1)
        assert {row.supply for row in made.rows} == {0}
        assert {one.why for one in made.starved} == {"YouTube refused every key"}


def test_a_wrong_compliance_mode_opens_nothing(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="COMPLIANCE"), opened(database, clock, tmp_path, EMPTY, mode="off"):
        pass


def test_a_refused_key_is_not_tried_by_the_next_process(
    database: Database, clock: ManualClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, from the process that was refused."""
    with opened(database, clock, tmp_path, INVALID, EMPTY) as (youtube, requests):
        youtube.videos([A])
        assert len(requests) == 2
    alerts = [record for record in caplog.records if "is not used any more" in record.getMessage()]
    assert len(alerts) == 1
    assert alerts[0].levelno == logging.WARNING
    with opened(database, clock, tmp_path, EMPTY) as (youtube, requests):
        youtube.videos([A])
        assert [b"CANARY-second-of-one" in request for request in requests] == [True]
        assert states(youtube)[:2] == [NO_KEY, "live"]


def test_a_project_without_the_api_loses_all_its_keys(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """The second key of the project would be told the same, for a unit."""
    with opened(database, clock, tmp_path, DISABLED) as (youtube, requests):
        for _ in range(2):
            with pytest.raises(KeyInvalid, match="accessNotConfigured") as caught:
                youtube.videos([A])
        assert len(requests) == 1
        assert "doctor --call" in caught.value.cure
        assert states(youtube)[:2] == [NOT_ENABLED] * 2


def test_a_live_test_brings_back_what_works_and_retires_what_does_not(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """One unit each; what is found and what to do is said for every key in use."""
    with opened(database, clock, tmp_path, DISABLED) as (youtube, _), pytest.raises(KeyInvalid):
        youtube.videos([A])
    with opened(database, clock, tmp_path, EMPTY, INVALID) as (youtube, requests):
        assert states(youtube)[:2] == [NOT_ENABLED] * 2
        first, second = youtube.check_keys()
        assert (first.ok, first.found) == (True, "works, and is used again")
        assert (second.ok, second.exit_code) == (False, 4)
        assert second.found.startswith("the key does not exist: ")
        assert "YOUTUBE_API_KEY_POOL_JSON" in second.cure
        assert [b"/youtube/v3/videoCategories?" in request for request in requests] == [True, True]
        assert states(youtube)[:2] == ["live", NO_KEY]
        assert youtube.units_left(Bucket.GENERAL) == 10_000 - 1 - 2
    with opened(database, clock, tmp_path, EMPTY) as (youtube, requests):
        youtube.videos([A])
        assert b"CANARY-first-of-one" in requests[0]


def test_a_live_test_of_a_failing_server_retires_nothing(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with opened(database, clock, tmp_path, reply(503)) as (youtube, requests):
        assert [check.ok for check in youtube.check_keys()] == [False, False]
        assert len(requests) == 2
        assert states(youtube)[:2] == ["live", "live"]


def test_a_live_test_is_not_sent_unpaid(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with opened(database, clock, tmp_path, EMPTY) as (youtube, requests):
        youtube.ledger.mark_exhausted("one", Bucket.GENERAL, None)
        assert [check.exit_code for check in youtube.check_keys()] == [42, 42]
        assert requests == []


def test_a_live_test_that_hears_spent_tells_the_ledger(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """So `quota` says what the doctor says, and the project's second key is not sent after it."""
    with opened(database, clock, tmp_path, refusal(403, "quotaExceeded")) as (youtube, requests):
        assert [check.exit_code for check in youtube.check_keys()] == [42, 42]
        assert len(requests) == 1
        assert states(youtube)[:2] == ["live", "live"]
        (row,) = (row for row in quota(youtube.ring).ledger if row.bucket == Bucket.GENERAL)
        assert (row.spent, row.left, row.exhausted) == (1, 0, True)


def test_a_gateway_that_wants_a_password_retires_no_key(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """A captive portal's 401 is a fault on the way; once it is gone everything goes on."""
    with opened(database, clock, tmp_path, *[reply(401, b"<html>Sign in</html>")] * 2, EMPTY) as (youtube, requests):
        assert [check.ok for check in youtube.check_keys()] == [False, False]
        assert states(youtube)[:2] == ["live", "live"]
        youtube.videos([A])
        assert len(requests) == 3


def test_an_empty_ring_shows_what_a_quota_command_needs(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Without any key: no project, no row, no error."""
    ring = open_keyring(Settings(home=tmp_path).changed(keys__pool=None), database, clock)
    assert (ring.projects, ring.shared(), ring.states(), ring.ledger.rows()) == ((), {}, (), [])


def test_granted_limits_are_those_of_the_settings(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    granted = {"one": {"general": 50_000, "search": 0}}
    settings = Settings(home=tmp_path).changed(keys__pool=SecretStr(TWO_PROJECTS), keys__quota_limits=granted)
    ledger = open_keyring(settings, database, clock).ledger
    assert [ledger.left("one", bucket) for bucket in Bucket] == [0, 10_000, 50_000]


def test_a_table_that_cannot_be_written_costs_no_call(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is retired in this process all the same."""
    ring = KeyRing(parse_pool('["CANARY-key-1"]'), Ledger(database, clock), retired=RetiredKeys(database, clock))
    fill_the_disk(database, "retired_keys")
    ring.retire(ring.keys[0], KeyInvalid("no", reason="keyInvalid"))
    assert ring.states()[0].description == NO_KEY
    assert "could not be kept: StorageError" in caplog.text


def test_a_defect_in_the_table_of_retired_keys_is_not_hidden(database: Database, clock: ManualClock) -> None:
    with database.transaction() as connection:
        connection.execute("drop table retired_keys")
    with pytest.raises(psycopg.errors.UndefinedTable):
        RetiredKeys(database, clock).add("fingerprint", "project", "reason")


def test_spent_projects_sleep_until_their_reset_in_every_process(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Each bucket of each project by itself; nothing is sent meanwhile."""
    spent = refusal(403, "quotaExceeded")
    with opened(database, clock, tmp_path, spent, EMPTY, mode=SEVERAL_PROJECTS) as (youtube, requests):
        youtube.stats([A])
        assert [b"CANARY-first-of-one" in requests[0], b"CANARY-of-two" in requests[1]] == [True, True]
    with opened(database, clock, tmp_path, EMPTY, mode=SEVERAL_PROJECTS) as (youtube, requests):
        youtube.stats([A])
        youtube.videos([A])
        clock.advance(timedelta(days=1))
        youtube.stats([A])
        keys = [request.split(b"X-Goog-Api-Key: CANARY-")[1].split(b"\r\n")[0] for request in requests]
        assert keys == [b"of-two", b"first-of-one", b"first-of-one"]
