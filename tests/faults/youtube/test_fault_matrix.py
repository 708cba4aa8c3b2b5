"""Every error at every endpoint: one error of the tree, in time, paid for, and without a byte of the key."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from support.faulty import CANARY, FAULTS, HOLD, deadline_s, everything_said
from support.loopback import Answer, reply, serve

from pleiades_core.clock import ManualClock
from pleiades_core.errors import (
    ApiError,
    BackendError,
    BadReply,
    BadRequest,
    KeyInvalid,
    QuotaExhausted,
    RateLimited,
    ResourceMissing,
)  # fmt: skip
from pleiades_core.models import ChannelId, QuotaPool, VideoId
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube
from pleiades_core.youtube.client import Transport
from pleiades_core.youtube.executor import HydraExecutor
from pleiades_core.youtube.keyring import ApiKey, KeyRing
from pleiades_core.youtube.quota import BUCKET_OF_METHOD, Ledger
from pleiades_core.youtube.shares import POOLS

VIDEO, CHANNEL = VideoId("dQw4w9WgXcQ"), ChannelId("UCooVYzDxdwTtGYAkcPmOgOw")
SINCE = datetime(2026, 2, 1, tzinfo=UTC)
ATTEMPTS = 2
#: What the test of keys asks.
CHECK = "videoCategories.list"

#: Every question that Pleiades asks, and the methods that may be called for it in turn.
ENDPOINTS: dict[str, tuple[Callable[[YouTube], object], tuple[str, ...]]] = {
    "search": (lambda youtube: youtube.search("x", published_after=SINCE), ("search.list",)),
    "campaign": (
        lambda youtube: youtube.search(None, category=10, order="viewCount", pool=QuotaPool.ARCHEOLOGY),
        ("search.list",),
    ),
    "stats": (lambda youtube: youtube.stats([VIDEO]), ("videos.batchGetStats", "videos.list")),
    "videos": (lambda youtube: youtube.videos([VIDEO]), ("videos.list",)),
    "chart": (lambda youtube: youtube.chart("US", 10), ("videos.list",)),
    "channels": (lambda youtube: youtube.channels([CHANNEL]), ("channels.list",)),
    "handle": (lambda youtube: youtube.channel_of_handle("@x"), ("channels.list",)),
    "uploads": (lambda youtube: youtube.uploads(CHANNEL), ("playlistItems.list",)),
    "categories": (lambda youtube: youtube.executor.execute(CHECK, {"part": "id"}, pool=QuotaPool.HUNTING), (CHECK,)),
}


def refused(status: int, reason: str, message: str = "no", *, detail: str | None = None, **metadata: str) -> Answer:
    """A refusal in the API's form, which shows the key as a careless server would."""
    error: dict[str, Any] = {
        "code": status, "message": f"{message} ({CANARY})",
        "errors": [{"domain": "global", "reason": reason, "message": CANARY}],
    }  # fmt: skip
    if detail:
        error["details"] = [{"reason": detail, "metadata": {**metadata, "consumer": f"api_key:{CANARY}"}}]
    return reply(status, orjson.dumps({"error": error}), headers=(("Content-Type", "application/json"),))


DAILY = {"quota_unit": "1/d/{project}", "quota_limit_value": "0"}
MINUTE = {"quota_unit": "1/min/{project}"}
#: A key that is refused leaves none, so all three of its errors end in the one that says so.
REFUSALS: dict[str, tuple[Answer, type[ApiError]]] = {
    "spent, 2026": (refused(429, "rateLimitExceeded", detail="RATE_LIMIT_EXCEEDED", **DAILY), QuotaExhausted),
    "spent, general": (refused(403, "quotaExceeded"), QuotaExhausted),
    "spent, legacy": (refused(403, "dailyLimitExceeded"), QuotaExhausted),
    "too fast": (refused(429, "rateLimitExceeded", detail="RATE_LIMIT_EXCEEDED", **MINUTE), RateLimited),
    "too fast, old": (refused(403, "userRateLimitExceeded"), RateLimited),
    "unknown 429": (reply(429, b"<html>"), RateLimited),
    "no such key": (refused(400, "badRequest", detail="API_KEY_INVALID"), KeyInvalid),
    "no such key, old": (refused(400, "keyInvalid"), KeyInvalid),
    "key barred": (refused(403, "forbidden", detail="API_KEY_SERVICE_BLOCKED"), KeyInvalid),
    "address barred": (refused(403, "ipRefererBlocked"), KeyInvalid),
    "not enabled": (refused(403, "accessNotConfigured", detail="SERVICE_DISABLED"), KeyInvalid),
    "filter": (refused(400, "invalidFilters"), BadRequest),
    "page token": (refused(400, "invalidPageToken"), BadRequest),
    "forbidden": (refused(403, "forbidden"), BadRequest),
    "missing": (refused(404, "notFound"), ResourceMissing),
    "chart missing": (refused(400, "videoChartNotFound"), ResourceMissing),
    "playlist missing": (refused(404, "playlistNotFound"), ResourceMissing),
    "backend": (refused(500, "backendError"), BackendError),
    "gateway": (reply(403, b"<html>Forbidden</html>"), BadReply),
}
MATRIX = {**FAULTS, **REFUSALS}
_numbers = itertools.count()


def requests_expected(expected: type[ApiError], methods: tuple[str, ...]) -> int:
    """How often a call is sent: transient errors are tried again, what a method's refusal may mean goes to the next method."""
    if expected in {BackendError, BadReply, RateLimited}:
        return ATTEMPTS
    return len(methods) if expected in {QuotaExhausted, BadRequest, ResourceMissing} else 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_error_at_this_endpoint(
    endpoint: str, database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One database for all of them: a project of its own for each. Those that end with the deadline wait for it together."""
    caplog.set_level(logging.DEBUG)
    question, methods = ENDPOINTS[endpoint]
    ledger = Ledger(database, clock)

    def one(name: str) -> None:
        answer, expected = MATRIX[name]
        project = f"p{next(_numbers)}"
        with serve(answer) as server:
            transport = Transport(server.base_url, deadline_s(name), max_body_bytes=1_000_000)
            ring = KeyRing([ApiKey(secret=SecretStr(CANARY), project=project, pools=POOLS)], ledger)
            executor = HydraExecutor(ring, transport, clock, sleep=lambda _: None, attempts=ATTEMPTS)
            youtube = YouTube(executor, lambda _source, _rows: None)
            with pytest.raises(ApiError) as caught:
                question(youtube)
            transport.close()
            arrived = len(server.requests)
        context = f"{endpoint}: {name}"
        assert type(caught.value) is expected, context
        spent = sum(row.spent for row in ledger.rows() if row.project == project)
        assert spent == requests_expected(expected, methods), context
        # On a busy machine a deadline can pass between the debit and the sending: that unit is gone, and nothing arrived.
        assert arrived <= spent if name in HOLD else arrived == spent, context
        assert CANARY not in everything_said(caught.value, but=__file__), context
        assert caught.value.cure, context

    with ThreadPoolExecutor(len(HOLD)) as threads:
        list(threads.map(one, HOLD))
    for name in MATRIX.keys() - HOLD:
        one(name)
    assert CANARY not in caplog.text


def test_every_method_has_its_row() -> None:
    """A method that is added needs a question here."""
    assert {method for _, methods in ENDPOINTS.values() for method in methods} == set(BUCKET_OF_METHOD)
