"""The bodies with which the Data API refuses, as minimal templates.

Belongs here: bodies and HTTP statuses, each with the place where it was seen. Does not belong here: when each is returned
(methods.py, quota.py). Captures come from public issues and sources, read 2026-11-22; consumers are masked.
"""

from __future__ import annotations

from typing import Any

_SERVICE = "youtube.googleapis.com"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Refusal(Exception):
    """An HTTP status and the body that goes with it: the API's answer, not a failure of the simulator."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body

    @property
    def reason(self) -> str:
        """The API's own name of the error, such as `quotaExceeded`."""
        return str(self.body["error"]["errors"][0]["reason"])


def refusal(code: int, domain: str, reason: str, message: str, /, **more: Any) -> Refusal:
    """A refusal in the API's form.

    Args:
        code: HTTP status.
        domain: of the error.
        reason: of the error.
        message: of the error.
        **more: `first` goes into the first of its errors, everything else beside them.

    Returns:
        The refusal.
    """
    first = {"message": message, "domain": domain, "reason": reason, **more.pop("first", {})}
    return Refusal(code, {"error": {"code": code, "message": message, "errors": [first], **more}})


def _per_day_spent(metric_title: str, metric: str, limit_name: str, project: str, limit: int) -> Refusal:
    # Captured for search (fqscfqj/Y2A-Auto#124, 2026-08-16) and, without details, for uploads
    # (googleapis/google-api-python-client#2753, 2026-05-27).
    message = (
        f"Quota exceeded for quota metric '{metric_title}' and limit '{metric_title} per day' of service '{_SERVICE}' "
        f"for consumer 'project_number:{project}'."
    )
    metadata = {
        "quota_limit": limit_name,
        "quota_unit": "1/d/{project}",
        "service": _SERVICE,
        "quota_metric": metric,
        "consumer": f"projects/{project}",
        "quota_location": "global",
        "quota_limit_value": str(limit),
    }
    details = [{"@type": _ERROR_INFO, "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com", "metadata": metadata}]
    return refusal(429, "global", "rateLimitExceeded", message, status="RESOURCE_EXHAUSTED", details=details)


def search_spent(project: str, limit: int) -> Refusal:
    """The search bucket of `project` is spent for the Pacific day."""
    return _per_day_spent("Search Queries", f"{_SERVICE}/search_list", "defaultSearchListPerDayPerProject", project, limit)


def stats_spent(project: str, limit: int) -> Refusal:
    """The bucket of videos.batchGetStats is spent. No capture exists; the shape is that of search, the names are inferred."""
    name = "defaultVideoBatchGetStatsPerDayPerProject"
    return _per_day_spent("Video Batch Get Stats Queries", f"{_SERVICE}/video_batch_get_stats", name, project, limit)


def general_spent() -> Refusal:
    """The general units are spent. Captured: dmunozv04/iSponsorBlockTV#34 (2022)."""
    message = (
        'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>.'
    )
    return refusal(403, "youtube.quota", "quotaExceeded", message)


def key_invalid() -> Refusal:
    """The key does not exist. Captured 2026-09-07 (junk key on videos.list)."""
    message = "API key not valid. Please pass a valid API key."
    info = {"@type": _ERROR_INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com", "metadata": {"service": _SERVICE}}
    detail = {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}
    return refusal(400, "global", "badRequest", message, status="INVALID_ARGUMENT", details=[info, detail])


def key_missing() -> Refusal:
    """No key came with the request. The message is the API frontend's; no capture at hand."""
    message = (
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of "
        "API consumer identity to call this API."
    )
    return refusal(403, "global", "forbidden", message, status="PERMISSION_DENIED")


def token_invalid() -> Refusal:
    """An invalid access token. The message is from many public issues; no capture at hand."""
    message = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    first = {"message": "Invalid Credentials", "location": "Authorization", "locationType": "header"}
    return refusal(401, "global", "authError", message, first=first, status="UNAUTHENTICATED")


def invalid_filter(location: str = "parameters.") -> Refusal:
    """An invalid filter, such as more than 50 ids. Captured in a public source file."""
    message = "The request specifies an invalid filter parameter."
    first = {"location": location, "locationType": "other"}
    return refusal(400, "youtube.parameter", "invalidFilters", message, first=first)


def incompatible_parameters() -> Refusal:
    """Two filters of which only one may be given. Reason as documented; the message has no capture at hand."""
    message = "Incompatible parameters specified in the request."
    return refusal(400, "youtube.parameter", "incompatibleParameters", message, first={"location": "", "locationType": "other"})


def invalid_page_token() -> Refusal:
    """A page token that this list never gave out. Captured in a public source file."""
    message = "The request specifies an invalid page token."
    first = {"location": "pageToken", "locationType": "parameter"}
    return refusal(400, "youtube.parameter", "invalidPageToken", message, first=first)


def no_filter(expected: str) -> Refusal:
    """No filter was given, but exactly one is required. Captured in libgdata's source, without `expected`."""
    message = f"No filter selected. Expected one of: {expected}"
    return refusal(
        400, "youtube.parameter", "missingRequiredParameter", message, first={"location": "", "locationType": "parameter"}
    )


def missing_parameter(name: str) -> Refusal:
    """A required parameter is absent. Reason as documented; the message has no capture at hand."""
    first = {"location": name, "locationType": "parameter"}
    return refusal(400, "youtube.parameter", "missingRequiredParameter", f"Required parameter: {name}", first=first)


def unknown_part(name: str) -> Refusal:
    """A `part` that this method does not have. Reason as documented."""
    return refusal(400, "youtube.part", "unknownPart", f"'{name}'", first={"location": "part", "locationType": "parameter"})


def invalid_value(name: str, value: str) -> Refusal:
    """A parameter whose value cannot be read. Shape of the API frontend's answer to malformed values; no capture at hand."""
    message = f"Invalid value at '{name}': \"{value[:80]}\""
    return refusal(400, "global", "badRequest", message, status="INVALID_ARGUMENT")


def not_found() -> Refusal:
    """A chart that does not exist (live run of 2026-10-07, category 27, IN)."""
    return refusal(404, "global", "notFound", "Requested entity was not found.", status="NOT_FOUND")


def playlist_not_found() -> Refusal:
    """No such playlist. Reason as documented for playlistItems.list."""
    message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
    first = {"location": "playlistId", "locationType": "parameter"}
    return refusal(404, "youtube.playlistItem", "playlistNotFound", message, first=first)


def no_such_method() -> Refusal:
    """A path or an HTTP method that the API does not serve."""
    return refusal(404, "global", "notFound", "Not Found")


def per_minute(project: str = "0") -> Refusal:
    """Too many calls of a project in a minute. The shape is that of a spent day; limit and unit are inferred."""
    message = (
        f"Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service '{_SERVICE}' "
        f"for consumer 'project_number:{project}'."
    )
    metadata = {
        "quota_limit": "defaultPerMinutePerProject",
        "quota_unit": "1/min/{project}",
        "service": _SERVICE,
        "quota_metric": f"{_SERVICE}/default",
        "consumer": f"projects/{project}",
        "quota_location": "global",
    }
    details = [{"@type": _ERROR_INFO, "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com", "metadata": metadata}]
    return refusal(429, "global", "rateLimitExceeded", message, status="RESOURCE_EXHAUSTED", details=details)
