"""Everything that can go wrong, as one tree that answers: would a retry help, and what should a person do?

    PleiadesError                          exit code
    ├── UsageError                              2    the command line is wrong
    ├── NotFound                                3    no such video, day or file
    ├── StorageError                            6    the database or the vault failed
    │   ├── DatabaseUnreachable                      retry helps once the server is back
    │   ├── SchemaMismatch                           newer than this program, or changed by hand
    │   ├── LeaseLost                                somebody else owns the work now; the written file gets adopted
    │   └── VaultError
    │       ├── AlreadyExists                        create-only write met other content under its name
    │       ├── PublishConflict                      another generation was published meanwhile
    │       └── CorruptFile                          bytes do not match their SHA-256, or are not Parquet
    ├── ConfigurationError                     10    a setting is missing or malformed
    └── ApiError                                5    YouTube's answer, or the lack of one
        ├── QuotaExhausted                     42    retry at `resets_at`, not before
        ├── RateLimited                              retry after `retry_after` seconds
        ├── BackendError                             retry with back-off, after `retry_after`: 5xx, lost connection, deadline
        ├── BadReply                                 retry with back-off: the body is not what the API promises
        │   └── ReplyTooLarge                        a retry gives the same answer; asking for less may help
        ├── KeyInvalid, KeyBlocked, ApiDisabled 4    retire the key; another one may work
        ├── BadRequest                               a retry gives the same answer
        └── ResourceMissing                          a retry gives the same answer

Every error carries a `cure`: what a person can do about it. No error carries a URL with a key in it, or a request's headers.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar


class PleiadesError(Exception):
    """Something that Pleiades understands went wrong."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        #: One sentence for a person: what to do now. Empty when there is nothing to do.
        self.cure = cure


class UsageError(PleiadesError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class NotFound(PleiadesError):
    """No such video, day or file."""

    exit_code = 3


class StorageError(PleiadesError):
    """The database or the vault failed."""

    exit_code = 6


class DatabaseUnreachable(StorageError):
    """No connection to PostgreSQL."""


class SchemaMismatch(StorageError):
    """The database's schema is newer than this program, or a migration was edited after it ran."""


class LeaseLost(StorageError):
    """The lease expired or belongs to another epoch; nothing was committed, and the written file will be adopted."""


class VaultError(StorageError):
    """The vault refused or failed."""


class AlreadyExists(VaultError):
    """A create-only write met other content under its name."""


class PublishConflict(VaultError):
    """Another generation of the file was published between reading and publishing."""


class CorruptFile(VaultError):
    """The bytes do not match their SHA-256, or are not the Parquet they should be."""


class ConfigurationError(PleiadesError):
    """A setting is missing or malformed."""

    exit_code = 10


class ApiError(PleiadesError):
    """YouTube refused, failed or did not answer."""

    exit_code = 5

    def __init__(self, message: str, *, cure: str = "", status: int | None = None, reason: str = "") -> None:
        super().__init__(message, cure=cure)
        #: HTTP status, or None when no reply arrived.
        self.status = status
        #: The API's own word for the error, such as `quotaExceeded`.
        self.reason = reason


class QuotaExhausted(ApiError):
    """The project has no units left in this bucket until the reset."""

    exit_code = 42

    def __init__(
        self, project: str, bucket: str, resets_at: datetime, *, limit: int | None = None, pool: str | None = None
    ) -> None:
        until = f"until {resets_at:%Y-%m-%d %H:%M} UTC"
        cure = "wait for the reset; `pleiades quota` shows what is left in which bucket"
        if limit == 0:
            said = f"project {project!r} has no quota in bucket {bucket!r}: its daily limit is 0, which no reset changes"
            cure = "ask Google for quota (console.cloud.google.com, IAM & Admin, Quotas), then name it in PLEIADES_QUOTA_LIMITS"
        elif pool:
            said = f"what is left of bucket {bucket!r} of project {project!r} is kept for other pools than {pool!r}"
            said += f" {until} or earlier"
        else:
            said = f"quota of bucket {bucket!r} of project {project!r} is spent {until}"
        super().__init__(said, cure=cure)
        self.project = project
        self.bucket = bucket
        #: Aware UTC: the next midnight in the Pacific zone.
        self.resets_at = resets_at
        #: The daily limit that the error body names, or that the ledger counts on; None when unknown. May be 0.
        self.limit = limit
        #: The pool that may take no more while others may; None when nobody may. Its share grows as theirs lapse.
        self.pool = pool


class RateLimited(ApiError):
    """Too many calls in a short while; the daily quota is not spent."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None, reason: str = "") -> None:
        super().__init__(message, cure="nothing to do: Pleiades waits and asks again", status=status, reason=reason)
        #: Seconds the server asked for; None when it did not say.
        self.retry_after = retry_after


class BackendError(ApiError):
    """YouTube's side failed: 5xx, a lost connection, no answer before the deadline."""

    def __init__(
        self,
        message: str,
        *,
        cure: str = "",
        retry_after: float | None = None,
        status: int | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message, cure=cure, status=status, reason=reason)
        #: Seconds the server asked for; None when it did not say.
        self.retry_after = retry_after


class BadReply(ApiError):
    """The reply's body is not what the API promises: not JSON, not an object, too large, cut off."""


class ReplyTooLarge(BadReply):
    """The reply's body is larger than anything the API sends for a question of this size."""


class KeyInvalid(ApiError):
    """The key does not exist (any more)."""

    exit_code = 4


class KeyBlocked(ApiError):
    """The key exists and may not be used for this call or from this address."""

    exit_code = 4


class ApiDisabled(ApiError):
    """The YouTube Data API is not enabled in the key's project."""

    exit_code = 4


class BadRequest(ApiError):
    """The call itself is wrong; asking again gives the same answer."""


class ResourceMissing(ApiError):
    """The playlist, chart or channel that the call names is not there."""
