"""From a refusal of YouTube, an HTTP status and a body, to one error of the tree. Pure.

Belongs here: the API's reasons, statuses and names of limits. Does not belong here: what is done about an error (executor.py).

Status and reason alone cannot tell "slow down" from "come back tomorrow": since 1 June 2026 a spent search bucket answers 429
rateLimitExceeded. The limit's unit decides first, then the text of the message, then the reason.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from pleiades_core.clock import quota_resets_at
from pleiades_core.errors import (
    ApiDisabled,
    ApiError,
    BackendError,
    BadReply,
    BadRequest,
    KeyBlocked,
    KeyInvalid,
    KeyRefused,
    QuotaExhausted,
    RateLimited,
    ResourceMissing,
)


@dataclass(frozen=True, slots=True)
class _AboutKey:
    """What a refusal says of the key, as people read it, and what a person can do about it."""

    error: type[KeyRefused]
    description: str
    cure: str


_REPLACE = "replace the key in YOUTUBE_API_KEY_POOL_JSON"
_NO_KEY = _AboutKey(KeyInvalid, "the key does not exist", f"copy it again, or {_REPLACE}")
_NOT_TAKEN = _AboutKey(KeyInvalid, "the key is not accepted", _REPLACE)
_PAGE = "on the key's page in the Google Cloud console"
_NOT_FOR_API = _AboutKey(
    KeyBlocked, "the key may not be used for this API", f"add the YouTube Data API v3 to the API restrictions {_PAGE}"
)
_NOT_FROM_HERE = "the key may not be used from this address"
_ADDRESSES = (
    f"IP addresses with this machine's own, IPv4 and IPv6, as the application restriction {_PAGE}, not Websites or apps"
)
_NOT_ENABLED = _AboutKey(
    ApiDisabled,
    "the API is not enabled in the key's project",
    "enable the YouTube Data API v3 in the project of the key, in the Google Cloud console; it takes some minutes",
)

#: Reasons of `errors[]` (camelCase, the older form) and of google.rpc.ErrorInfo in `details[]` (capitals).
#: developers.google.com/youtube/v3/docs/errors, google/api/error_reason.proto (read 2026-11-22)
ABOUT_KEY: Mapping[str, _AboutKey] = MappingProxyType(
    {
        "SERVICE_DISABLED": _NOT_ENABLED,
        "accessNotConfigured": _NOT_ENABLED,
        "projectNotLinked": _NOT_ENABLED,
        "CONSUMER_SUSPENDED": _AboutKey(
            ApiDisabled, "the key's project is suspended", "read what Google wrote to the project's owner"
        ),
        "BILLING_DISABLED": _AboutKey(ApiDisabled, "billing is off in the key's project", "turn it on, or use another project"),
        "API_KEY_SERVICE_BLOCKED": _NOT_FOR_API,
        "API_KEY_IP_ADDRESS_BLOCKED": _AboutKey(KeyBlocked, _NOT_FROM_HERE, f"choose {_ADDRESSES}"),
        "ipRefererBlocked": _AboutKey(KeyBlocked, _NOT_FROM_HERE, f"choose {_ADDRESSES}"),
        "API_KEY_HTTP_REFERRER_BLOCKED": _AboutKey(KeyBlocked, "the key is for web pages only", f"choose {_ADDRESSES}"),
        "API_KEY_ANDROID_APP_BLOCKED": _AboutKey(KeyBlocked, "the key is for an Android app only", f"choose {_ADDRESSES}"),
        "API_KEY_IOS_APP_BLOCKED": _AboutKey(KeyBlocked, "the key is for an iOS app only", f"choose {_ADDRESSES}"),
        "API_KEY_INVALID": _NO_KEY,
        "keyInvalid": _NO_KEY,
        "keyExpired": _AboutKey(KeyInvalid, "the key has expired", _REPLACE),
        "CONSUMER_INVALID": _AboutKey(KeyInvalid, "the key's project does not exist", _REPLACE),
        "dailyLimitExceededUnreg": _NOT_TAKEN,
        "authError": _NOT_TAKEN,
        # google.rpc.Code's name for 401.
        "UNAUTHENTICATED": _NOT_TAKEN,
    }
)
_SPENT = {"quotaExceeded", "dailyLimitExceeded"}
_TOO_FAST = {
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "RATE_LIMIT_EXCEEDED",
    "servingLimitExceeded",
    "concurrentLimitExceeded",
}

_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,59}")
#: Parts of a server's text that could be an address or a credential: they are never repeated.
_UNSPEAKABLE = re.compile(r"<[^>]*>|\b\w+://\S+|\bAIza[\w-]+|\bkey=\S+|[^\x20-\x7e]", re.IGNORECASE)
_MESSAGE_CHARS = 160
#: A longer Retry-After is ignored.
_LONGEST_WAIT_S = 86_400.0

_TOO_MANY, _UNAUTHORIZED, _FORBIDDEN, _MISSING, _TIMEOUT = 429, 401, 403, 404, 408
_FIRST_REDIRECT, _FIRST_REFUSAL, _FIRST_FAILURE = 300, 400, 500


def parse_error(  # noqa: PLR0911  one return for each meaning
    status: int, headers: Mapping[str, str], body: bytes, *, project: str, bucket: str, now: datetime
) -> ApiError:
    """The error for a reply other than 200. Never raises.

    Args:
        status: HTTP status.
        headers: with lower-case names.
        body: as it came.
        project: whose units the call was charged to.
        bucket: from which the units came.
        now: aware instant.

    Returns:
        The error. It says what a person can do, and has no address, no key and no header in it.
    """
    wait_s = retry_after_s(headers.get("retry-after"), now)
    if status >= _FIRST_FAILURE or status == _TIMEOUT:
        return BackendError(f"YouTube answered {status}", retry_after=wait_s, status=status, reason="backendError")
    if status < _FIRST_REFUSAL:
        word = "a redirect" if status >= _FIRST_REDIRECT else "no content"
        return BadReply(
            f"YouTube answered {status}, {word}, which is not followed", cure="check PLEIADES_YOUTUBE_URL", status=status
        )
    error = _error_object(body)
    reasons, metadata = _reasons(error)
    reason = reasons[0] if reasons else ""
    message = error.get("message")
    text_of_api = " ".join(_UNSPEAKABLE.sub(" ", message[:2_000]).split())[:_MESSAGE_CHARS] if isinstance(message, str) else ""
    text = f"YouTube answered {status}{f' {reason}' if reason else ''}{f': {text_of_api}' if text_of_api else ''}"
    for word in ABOUT_KEY:
        # The order of the table matters: a project without the API gives that reason beside others.
        if word in reasons or (
            word == "UNAUTHENTICATED" and status == _UNAUTHORIZED and (reasons or error.get("code") == status)
        ):
            about = ABOUT_KEY[word]
            return about.error(f"{about.description}: {text}", cure=about.cure, status=status, reason=word)
    if status == _TOO_MANY or (status == _FORBIDDEN and set(reasons) & (_SPENT | _TOO_FAST)):
        if _is_daily(metadata, text_of_api, set(reasons)):
            resets_at, limit = quota_resets_at(now), _limit(metadata)
            return QuotaExhausted(project, bucket, resets_at, limit=limit, status=status, reason=reason)
        return RateLimited(text, retry_after=wait_s, status=status, reason=reason)
    if status == _MISSING or any(word.endswith("NotFound") or word == "notFound" for word in reasons):
        return ResourceMissing(text, status=status, reason=reason)
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and not error):
        # The page of a gateway on the way: the API's own refusals always have a reason. The key is not to blame.
        return BadReply(text, cure="check that nothing between here and YouTube answers for it", status=status)
    return BadRequest(text, status=status, reason=reason)


def in_words(reason: str) -> str:
    """A reason as people read it, with the API's own name for it. A reason that is not about keys is returned as it is."""
    about = ABOUT_KEY.get(reason)
    return f"{about.description} ({reason})" if about else reason


def _error_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _reasons(error: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Every reason given, the older form first, and the metadata of the first ErrorInfo that has some."""
    reasons: list[str] = []
    metadata: dict[str, Any] = {}
    for name in ("errors", "details"):
        rows = error.get(name)
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict):
                continue
            word = row.get("reason")
            if isinstance(word, str) and _WORD.fullmatch(word):
                reasons.append(word)
            if not metadata and isinstance(row.get("metadata"), dict):
                metadata = row["metadata"]
    return reasons, metadata


def _is_daily(metadata: dict[str, Any], message: str, reasons: set[str]) -> bool:
    unit = metadata.get("quota_unit")
    if isinstance(unit, str) and unit.startswith("1/"):
        return unit.startswith("1/d/") or unit == "1/d"
    lowered = message.lower()
    if "per day" in lowered:
        return True
    if "per minute" in lowered:
        return False
    return bool(reasons & _SPENT)


def _limit(metadata: dict[str, Any]) -> int | None:
    value = metadata.get("quota_limit_value")
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else None


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After header, given as a number or as a date. None when absent or not understood."""
    if value is None:
        return None
    value = value.strip()  # float() keeps separators such as U+001F, which strip() removes
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
        return min(float(value), _LONGEST_WAIT_S)
    try:
        at = email.utils.parsedate_to_datetime(value)
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
