"""What a refusal means: bodies as the API was seen to send them, and as nobody should.

The bodies were captured or quoted by others: googleapis/google-api-python-client#2753, dmunozv04/iSponsorBlockTV#34,
tokland/youtube-upload#165, sns-sdks/python-youtube's and joostlek/python-youtube's test data, alaouy/YouTube#106.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.paths import ROOT
from support.replies import RECORDED_IN

from pleiades_core.errors import (
    ApiDisabled,
    ApiError,
    BackendError,
    BadReply,
    BadRequest,
    KeyBlocked,
    KeyInvalid,
    QuotaExhausted,
    RateLimited,
    ResourceMissing,
)
from pleiades_core.youtube.api_errors import ABOUT_KEY, in_words
from pleiades_core.youtube.connection import Reply
from pleiades_core.youtube.keyless_client import refusal
from pleiades_core.youtube.parse import parse_error

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEARCH_SPENT = "Quota exceeded for quota metric 'Search Queries' and limit 'Search Queries per day' of service 'youtube'"
PER_MINUTE = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service 'youtube'"


def refused(status: int, body: object, headers: dict[str, str] | None = None) -> ApiError:
    """The error for a body, given as JSON or as bytes."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return parse_error(status, headers or {}, content, project="p", bucket="search", now=NOW)


def body(message: str = "", *reasons: str, detail: str | None = None, **metadata: str) -> dict[str, Any]:
    """An error body in the API's form."""
    error: dict[str, Any] = {"message": message, "errors": [{"domain": "global", "reason": word} for word in reasons]}
    if detail:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": detail, "metadata": metadata}]
    return {"error": error}


DAILY = {"quota_unit": "1/d/{project}", "quota_limit_value": "0"}
CASES: list[tuple[str, int, object, type[ApiError]]] = [
    (
        "search bucket of 2026",
        429,
        body(SEARCH_SPENT, "rateLimitExceeded", detail="RATE_LIMIT_EXCEEDED", **DAILY),
        QuotaExhausted,
    ),
    ("the same without details", 429, body(SEARCH_SPENT, "rateLimitExceeded"), QuotaExhausted),
    ("unit wins over message", 429, body(SEARCH_SPENT, "x", detail="X", quota_unit="1/min/{project}/{user}"), RateLimited),
    ("unit wins over reason", 403, body("", "quotaExceeded", detail="X", quota_unit="1/min/{project}"), RateLimited),
    ("daily unit, old reason", 429, body("", "userRateLimitExceeded", detail="X", quota_unit="1/d/{project}"), QuotaExhausted),
    ("general units", 403, body("you have exceeded your <a href='/x'>quota</a>.", "quotaExceeded"), QuotaExhausted),
    ("legacy daily", 403, body("Daily Limit Exceeded. ...", "dailyLimitExceeded"), QuotaExhausted),
    ("per minute", 429, body(PER_MINUTE, "rateLimitExceeded"), RateLimited),
    ("per minute under the daily reason", 403, body(PER_MINUTE, "quotaExceeded"), RateLimited),
    ("bare", 429, body("User Rate Limit Exceeded", "rateLimitExceeded"), RateLimited),
    ("older per-user form", 403, body("", "userRateLimitExceeded"), RateLimited),
    ("unknown 429", 429, b"<html>sorry</html>", RateLimited),
    ("429 of another shape", 429, {"error": {"errors": "x", "details": [1, None, {"metadata": 3}]}}, RateLimited),
    ("key invalid", 400, body("API key not valid.", "badRequest", detail="API_KEY_INVALID"), KeyInvalid),
    ("key invalid, 2019", 400, body("Bad Request", "keyInvalid"), KeyInvalid),
    ("401 of the API", 401, body("Invalid Credentials", "authError"), KeyInvalid),
    ("401 of the API, new form", 401, {"error": {"code": 401, "message": "", "status": "UNAUTHENTICATED"}}, KeyInvalid),
    ("401 for another reason", 401, body("", "required"), KeyInvalid),
    ("401 without a body", 401, b"", BadReply),
    ("a gateway's 401", 401, b"<html>Sign in</html>", BadReply),
    ("a gateway's 401 in JSON", 401, {"error": "unauthorized"}, BadReply),
    ("a gateway's 401 in an object", 401, {"error": {"message": "Sign in"}}, BadReply),
    ("not enabled", 403, body("not been used in project 1", "accessNotConfigured", detail="SERVICE_DISABLED"), ApiDisabled),
    ("key barred", 403, body("are blocked.", "forbidden", detail="API_KEY_SERVICE_BLOCKED"), KeyBlocked),
    ("address barred", 403, body("", "ipRefererBlocked"), KeyBlocked),
    ("referer barred", 403, body("", "forbidden", detail="API_KEY_HTTP_REFERRER_BLOCKED"), KeyBlocked),
    ("filters", 400, body("The request specifies an invalid filter parameter.", "invalidFilters"), BadRequest),
    ("page token", 400, body("", "invalidPageToken"), BadRequest),
    ("no body", 400, b"", BadRequest),
    ("forbidden for another reason", 403, body("", "forbidden"), BadRequest),
    ("a gateway's 403", 403, b"<html>Forbidden</html>", BadReply),
    ("chart, documented", 400, body("", "videoChartNotFound"), ResourceMissing),
    ("chart, seen", 404, body("Requested entity was not found.", "notFound"), ResourceMissing),
    ("playlist", 404, body("", "playlistNotFound"), ResourceMissing),
    ("HTML 404", 404, b"<html>", ResourceMissing),
    ("500", 500, body("", "backendError"), BackendError),
    ("503 that says quota", 503, body(SEARCH_SPENT, "quotaExceeded"), BackendError),
    ("599", 599, b"", BackendError),
    ("408", 408, b"", BackendError),
    ("304", 304, b"", BadReply),
    ("204", 204, b"", BadReply),
]


@pytest.mark.parametrize(("status", "content", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_refusal_is_one_error(status: int, content: object, expected: type[ApiError]) -> None:
    """One table: what the API was seen or said to answer, and what it means here."""
    error = refused(status, content)
    assert type(error) is expected
    assert error.status == status
    assert error.cure or expected is BackendError


def test_a_spent_bucket_names_limit_and_reset() -> None:
    """Limit 0 is what new projects get; the reset is the next midnight in California."""
    error = refused(429, body(SEARCH_SPENT, "rateLimitExceeded", detail="RATE_LIMIT_EXCEEDED", **DAILY))
    assert isinstance(error, QuotaExhausted)
    assert (error.project, error.bucket, error.limit) == ("p", "search", 0)
    assert error.resets_at == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert "daily limit is 0" in str(error)
    assert "until" not in str(error)
    assert "ask Google" in error.cure
    assert error.exit_code == 42
    assert error.reason == "rateLimitExceeded"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("Sun, 01 Mar 2026 12:00:09 GMT", 9.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("999999999", 86_400.0),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a date; nonsense is as good as nothing."""
    error = refused(429, b"{}", {"retry-after": value})
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds
    failed = refused(503, b"{}", {"retry-after": value})
    assert isinstance(failed, BackendError)
    assert failed.retry_after == seconds
    feeds = refusal("the host", "PLEIADES_YOUTUBE_FEEDS_URL", Reply(status=503, headers={"retry-after": value}, body=b""), NOW)
    assert isinstance(feeds, BackendError)
    assert feeds.retry_after == seconds


@pytest.mark.parametrize(
    ("content", "reason", "words", "cure"),
    [
        (body("API key not valid.", "badRequest", detail="API_KEY_INVALID"), "API_KEY_INVALID", "does not exist", "copy it"),
        (
            body("are blocked.", "forbidden", detail="API_KEY_SERVICE_BLOCKED"),
            "API_KEY_SERVICE_BLOCKED",
            "for this API",
            "Data",
        ),
        (body("", "ipRefererBlocked"), "ipRefererBlocked", "from this address", "IPv6"),
        (body("", "x", detail="API_KEY_HTTP_REFERRER_BLOCKED"), "API_KEY_HTTP_REFERRER_BLOCKED", "web pages", "not Websites"),
        (body("", "accessNotConfigured", detail="SERVICE_DISABLED"), "SERVICE_DISABLED", "not enabled", "enable the YouTube"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_in_words(content: object, reason: str, words: str, cure: str) -> None:
    """The reason kept is the one that says it, not whichever came first."""
    error = refused(403, content)
    assert error.reason == reason
    assert words in str(error)
    assert words in in_words(reason)
    assert reason in in_words(reason)
    assert cure in error.cure


def test_the_page_on_keys_quotes_what_is_said() -> None:
    """Each phrase of its table is one that the doctor says, and no phrase is missing there."""
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    table = page.split("| it says | what to do |")[1].split("\n\n")[0]
    quoted = {line.split("|")[1].strip() for line in table.splitlines()[2:]}
    others = {"works", "quota of bucket … is spent until …", "project … has no quota in bucket …"}
    assert quoted == {about.description for about in ABOUT_KEY.values()} | others


def test_a_reason_that_is_not_about_keys_is_no_words() -> None:
    assert in_words("badRequest") == "badRequest"


def test_no_address_and_no_key_is_repeated() -> None:
    """The API's own text names the console's address with the project; others echo what they were sent."""
    text = "Enable it by visiting https://console.example/x?key=abc then retry AIzaSyCANARY key=CANARY <b>now</b>\nX"
    error = refused(400, body(text, "CANARY-1", "http://x/CANARY"))
    assert "CANARY" not in repr(error) + error.reason
    assert "://" not in str(error)
    assert str(error) == "YouTube answered 400: Enable it by visiting then retry now X"


#: Names of the bodies in a file that is not part of the project: what the live API was seen to answer, or is said to.
CAPTURED: dict[str, type[ApiError]] = {
    "search_daily_bucket_exhausted_2026": QuotaExhausted,
    "upload_daily_bucket_exhausted_2026": QuotaExhausted,
    "general_daily_units_exhausted": QuotaExhausted,
    "dailyLimitExceeded_legacy": QuotaExhausted,
    "per_minute_per_user": RateLimited,
    "bare_rate_limit": RateLimited,
    "key_invalid_now": KeyInvalid,
    "key_invalid_legacy": KeyInvalid,
    "api_not_enabled": ApiDisabled,
    "key_not_allowed_for_this_api": KeyBlocked,
    "invalid_filter": BadRequest,
    "invalid_page_token": BadRequest,
    "no_filter": BadRequest,
}


def test_every_captured_body_is_the_error_that_it_was() -> None:
    """All of them that come with a body; an unknown one fails, so that nobody overlooks it."""
    folder = os.environ.get(RECORDED_IN)
    if not folder or not (Path(folder) / "errors.json").exists():
        pytest.skip(f"{RECORDED_IN} names no folder with errors.json")
    cases = orjson.loads((Path(folder) / "errors.json").read_bytes())
    judged = {
        name: type(refused(case["http"], case["body"]))
        for name, case in cases.items()
        if isinstance(case, dict) and "body" in case
    }
    assert judged == CAPTURED
