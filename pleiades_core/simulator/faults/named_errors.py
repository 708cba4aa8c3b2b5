"""Refusals that only a fault plan gives: the API's errors about keys, projects and its own outages.

Belongs here: bodies that were captured or quoted in public (issues and sources, read 2026-11-22; consumers are masked), and
their names in a plan. Does not belong here: refusals of the simulated API itself (simulator/api/error_bodies.py).
"""

from __future__ import annotations

from typing import Any

from pleiades_core.simulator.api.error_bodies import (
    Refusal,
    general_spent,
    key_invalid,
    not_found,
    per_minute,
    refusal,
    search_spent,
    stats_spent,
    token_invalid,
)
from pleiades_core.simulator.api.quota import BUCKETS, SEARCH, STATS

_SERVICE = "youtube.googleapis.com"
_PROJECT = "000000000000"
_CONSOLE = "https://console.developers.google.com"


def _told(code: int, reason: str, detail: str, message: str, /, **first: Any) -> Refusal:
    """A refusal of today's frontend, with its meaning in `details`."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": detail,
        "domain": "googleapis.com",
        "metadata": {"service": _SERVICE, "consumer": f"projects/{_PROJECT}"},
    }
    domain = "usageLimits" if reason == "accessNotConfigured" else "global"
    return refusal(code, domain, reason, message, first=first, status="PERMISSION_DENIED", details=[info])


_PER_MINUTE_PER_USER = (
    f"Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service '{_SERVICE}'"
)
_DISABLED = (
    f"YouTube Data API v3 has not been used in project {_PROJECT} before or it is disabled. Enable it by visiting "
    f"{_CONSOLE}/apis/api/youtube.googleapis.com/overview?project={_PROJECT} then retry. If you enabled this API recently, "
    "wait a few minutes for the action to propagate to our systems and retry."
)
_DAILY_LEGACY = (
    "Daily Limit Exceeded. The quota will be reset at midnight Pacific Time (PT). You may monitor your quota usage and adjust "
    f"limits in the API Console: {_CONSOLE}/apis/api/youtube/quotas?project={_PROJECT}"
)
_BLOCKED = "Requests to this API youtube method youtube.api.v3.V3DataVideoService.List are blocked."
_REFERER = "Requests from referer <empty> are blocked."
_ADDRESS = (
    "The provided API key has an IP address restriction. The originating IP address of the call violates this restriction."
)

#: Name -> refusal. `spent` is not among them: it depends on the method (`named`).
BY_NAME: dict[str, Refusal] = {
    # No capture of a backend error exists.
    "backend_error": refusal(503, "global", "backendError", "Backend Error"),
    "internal_error": refusal(500, "global", "backendError", "Backend Error"),
    "per_minute": per_minute(_PROJECT),
    # From a public test after a live observation: no details.
    "per_minute_per_user": refusal(429, "global", "rateLimitExceeded", _PER_MINUTE_PER_USER, status="RESOURCE_EXHAUSTED"),
    # Likewise: the body does not say whether the minute or the day is meant.
    "bare_rate_limit": Refusal(
        429, {"error": {"code": 429, "message": "User Rate Limit Exceeded", "errors": [{"reason": "rateLimitExceeded"}]}}
    ),
    # The older form of that, documented for Google's APIs.
    "user_rate_limit": refusal(403, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded"),
    "general_spent": general_spent(),
    "search_spent": search_spent(_PROJECT, 0),
    "stats_spent": stats_spent(_PROJECT, 0),
    # tokland/youtube-upload#165 (2017).
    "daily_limit_legacy": refusal(403, "usageLimits", "dailyLimitExceeded", _DAILY_LEGACY),
    "key_invalid": key_invalid(),
    # sns-sdks/python-youtube, testdata/error_response.json (2019).
    "key_invalid_legacy": refusal(400, "usageLimits", "keyInvalid", "Bad Request"),
    "token_invalid": token_invalid(),
    # joostlek/python-youtube, tests/fixtures/youtube_not_activated.json.
    "api_not_enabled": _told(403, "accessNotConfigured", "SERVICE_DISABLED", _DISABLED, extendedHelp=_CONSOLE),
    # dmunozv04/iSponsorBlockTV#34.
    "key_blocked": _told(403, "forbidden", "API_KEY_SERVICE_BLOCKED", _BLOCKED),
    # Reasons as in google.api.ErrorReason (7 and 8); the messages have no capture at hand.
    "referer_blocked": _told(403, "forbidden", "API_KEY_HTTP_REFERRER_BLOCKED", _REFERER),
    "address_blocked": _told(403, "forbidden", "API_KEY_IP_ADDRESS_BLOCKED", _ADDRESS),
    # alaouy/YouTube#106; the body around the reason is reconstructed.
    "address_blocked_legacy": refusal(403, "usageLimits", "ipRefererBlocked", "The request's address is not allowed."),
    "not_found": not_found(),
    # As documented for videos.list; a live run saw `not_found` instead.
    "chart_missing": refusal(
        400, "youtube.video", "videoChartNotFound", "The requested video chart is not supported or is not available."
    ),
}

#: Every name that a plan may use.
NAMES = frozenset({*BY_NAME, "spent"})


def named(name: str, method: str) -> Refusal:
    """The refusal of a name; `spent` is the refusal of the bucket that `method` draws from.

    Raises:
        KeyError: there is no such name.
    """
    if name != "spent":
        return BY_NAME[name]
    bucket = BUCKETS.get(method)
    return BY_NAME["search_spent" if bucket == SEARCH else "stats_spent" if bucket == STATS else "general_spent"]
