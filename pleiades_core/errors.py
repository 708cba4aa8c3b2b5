"""All errors of Pleiades, as one tree: each error knows whether a retry helps, and what a person should do.

    PleiadesError                          exit code
    ├── UsageError                              2    the command line is wrong
    ├── NotFound                                3    no such video, day or file
    │   └── NoInstallation                           nothing was ever installed where the settings point
    ├── StorageError                            6    the database or the vault failed
    │   ├── DatabaseUnreachable                      retry helps once the server is back
    │   ├── DatabaseBusy                             retry helps: a lock, a deadlock, a time limit of the server
    │   ├── SchemaMismatch                           newer than this program, or changed by hand
    │   ├── LeaseLost                                another process owns the work now; the written file is adopted
    │   └── VaultError
    │       ├── AlreadyExists                        create-only write met other content under its name
    │       ├── PublishConflict                      another generation was published meanwhile
    │       ├── MissingFile                          a recorded file is gone
    │       ├── CorruptFile                          bytes do not match their SHA-256, or are not Parquet
    │       │   └── DamagedAnswer                    an answer that lacks the rows of damaged files
    │       ├── ForeignFile                          a whole file of another installation, or in the wrong place
    │       └── OlderDatabase                        the vault was used by a newer copy of the database
    ├── ConfigurationError                     10    a setting is missing or malformed
    │   └── ForeignVault                             the vault belongs to another installation
    └── ApiError                                5    YouTube's answer, or the lack of one
        ├── QuotaExhausted                     42    retry at `resets_at`, not before
        ├── RateLimited                              retry after `retry_after` seconds
        ├── BackendError                             retry with back-off, after `retry_after`: 5xx, lost connection, deadline
        ├── BadReply                                 retry with back-off: the body is not what the API promises
        │   ├── ReplyTooLarge                        a retry gives the same answer; asking for less may help
        │   └── EmptyReply                           the reply has none of many requested ids
        ├── KeyRefused                          4    retire the key; another one may work
        │   └── KeyInvalid, KeyBlocked, ApiDisabled
        ├── BadRequest                               a retry gives the same answer
        └── ResourceMissing                          a retry gives the same answer

Programs use `retry_helps` and `retry_at`; no other module keeps a list of errors that are worth a retry. Does not belong here:
the meaning of a refusal of YouTube (youtube/api_errors.py). Every error carries a `cure`: what a person can do about it. No
error carries a URL with a key in it, or a request's headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar


class PleiadesError(Exception):
    """An error that Pleiades understands."""

    exit_code: ClassVar[int] = 1
    #: The program may succeed if it tries again within minutes.
    retry_helps: ClassVar[bool] = False
    #: What a person can do about errors of this kind, unless the code that raises one knows better.
    usual_cure: ClassVar[str] = "run it again; if that does not help, report it with the log"

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        #: One sentence for a person: what to do now.
        self.cure = cure or self.usual_cure

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute once, in the constructor: an error is complete when it is raised.

        Raises:
            AttributeError: the attribute is set already. Python's own (`__traceback__`, `__notes__`) may change.

        """
        if name in self.__dict__ and not name.startswith("__"):
            raise AttributeError(f"{type(self).__name__}.{name} is set already: an error is complete when it is raised")
        super().__setattr__(name, value)

    def retry_at(self, now: datetime) -> datetime | None:
        """When a retry may help, not before `now`, an aware instant. None: waiting does not help."""
        return now if self.retry_helps else None


class UsageError(PleiadesError):
    """The command line is wrong."""

    exit_code = 2
    usual_cure = "`pleiades --help` shows the commands and their options"


class NotFound(PleiadesError):
    """No such video, day or file."""

    exit_code = 3
    usual_cure = "check the spelling; `pleiades sql` lists videos and days"


class NoInstallation(NotFound):
    """No installation is in the home, or in the database, that the settings name. A command that only reads makes none."""

    usual_cure = "check --home, PLEIADES_HOME and the current folder; `pleiades init-db` makes a new installation"


class StorageError(PleiadesError):
    """The database or the vault failed."""

    exit_code = 6
    usual_cure = "`pleiades doctor` looks at the database and the vault"


class DatabaseUnreachable(StorageError):
    """No connection to PostgreSQL."""

    retry_helps = True
    usual_cure = "start the server, or correct DATABASE_URL"


class DatabaseBusy(StorageError):
    """PostgreSQL ended a statement or a transaction: another session held a lock, or a time limit of the server was reached."""

    retry_helps = True
    usual_cure = "run it again; `select * from pg_stat_activity` shows what else the server does"


class SchemaMismatch(StorageError):
    """The database's schema is newer than this program, or a migration was edited after it ran."""

    usual_cure = "run the newest Pleiades; `pleiades init-db` brings an older schema up to date"


class LeaseLost(StorageError):
    """The lease expired or belongs to another epoch; nothing was committed, and the written file will be adopted."""

    retry_helps = True
    usual_cure = "nothing to do: the next run adopts what was written"


class VaultError(StorageError):
    """The vault refused or failed."""


class AlreadyExists(VaultError):
    """A create-only write met other content under its name."""


class PublishConflict(VaultError):
    """Another generation of the file was published between reading and publishing."""

    retry_helps = True
    usual_cure = "run it again: another process was faster"


class MissingFile(VaultError):
    """A file that the database or the manifest records is not in the vault: data are lost, unless a copy is left."""

    usual_cure = "restore the file from a copy; or give it up with `pleiades give-up`"


class CorruptFile(VaultError):
    """The bytes do not match their SHA-256, or are not the Parquet they should be."""

    usual_cure = "restore the file from a copy"


class DamagedAnswer(CorruptFile):
    """An answer lacks the rows of files that are damaged; the answer itself was given."""

    def __init__(self, message: str, *, cure: str = "", files: Mapping[str, str] | None = None) -> None:
        super().__init__(message, cure=cure)
        #: The damaged files by their key, and what is wrong with each.
        self.files = dict(files or {})


class ForeignFile(VaultError):
    """The file is whole, but its footer names another installation, day or batch than its place."""

    usual_cure = "move the file out of the vault; nothing of it was read"


class OlderDatabase(VaultError):
    """The vault was used by a newer copy of this database: its numbers would be given out twice."""

    usual_cure = "connect the newest copy of the database"


class ConfigurationError(PleiadesError):
    """A setting is missing or malformed."""

    exit_code = 10
    usual_cure = "`pleiades doctor` looks at the settings, .env.example explains them"


class ForeignVault(ConfigurationError):
    """The vault belongs to another installation than the database."""


class ApiError(PleiadesError):
    """YouTube refused, failed or did not answer."""

    exit_code = 5
    usual_cure = "nothing is lost: ask again later"

    def __init__(
        self, message: str, *, cure: str = "", status: int | None = None, reason: str = "", retry_after: float | None = None,
        sent: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(message, cure=cure)
        #: HTTP status, or None when no reply arrived.
        self.status = status
        #: The API's own name of the error, such as `quotaExceeded`.
        self.reason = reason
        #: Seconds that the server demands before a retry; None: it demands none.
        self.retry_after = retry_after
        #: False: provably no byte of the request left this machine, so it is not billed.
        self.sent = sent

    def retry_at(self, now: datetime) -> datetime | None:
        """When a retry may help: at once, or once the server's Retry-After has passed."""
        return now + timedelta(seconds=self.retry_after or 0) if self.retry_helps else None


class QuotaExhausted(ApiError):
    """The project has no units left in this bucket until the reset."""

    exit_code = 42
    usual_cure = "wait for the reset; `pleiades quota` shows what is left in which bucket"

    def __init__(
        self, project: str, bucket: str, resets_at: datetime, *, limit: int | None = None, pool: str | None = None,
        status: int | None = None, reason: str = "",
    ) -> None:  # fmt: skip
        until = f"until {resets_at:%Y-%m-%d %H:%M} UTC"
        cure = ""
        if limit == 0:
            message = f"project {project!r} has no quota in bucket {bucket!r}: its daily limit is 0, which no reset changes"
            cure = "ask Google for quota (console.cloud.google.com, IAM & Admin, Quotas),"
            cure += " then name it in PLEIADES_KEYS_QUOTA_LIMITS"
        elif pool:
            message = f"what is left of bucket {bucket!r} of project {project!r} is kept for other pools than {pool!r}"
            message += f" {until} or earlier"
        else:
            message = f"quota of bucket {bucket!r} of project {project!r} is spent {until}"
        super().__init__(message, cure=cure, status=status, reason=reason)
        self.project = project
        self.bucket = bucket
        #: Aware UTC: the next midnight in the Pacific zone.
        self.resets_at = resets_at
        #: The daily limit that the error body names, or that the ledger counts on; None when unknown. May be 0.
        self.limit = limit
        #: The pool that is exhausted while other pools still have units; None if the whole bucket is exhausted. Its share grows
        #: as those of the other pools lapse.
        self.pool = pool

    def retry_at(self, now: datetime) -> datetime | None:
        """The reset; None for a limit of 0, which no reset changes."""
        return None if self.limit == 0 else max(now, self.resets_at)


class RateLimited(ApiError):
    """Too many calls in a short while; the daily quota is not spent."""

    retry_helps = True
    usual_cure = "nothing to do: Pleiades waits and tries again"


class BackendError(ApiError):
    """YouTube's side failed: 5xx, a lost connection, no answer before the deadline."""

    retry_helps = True


class BadReply(ApiError):
    """The reply's body is not what the API promises: not JSON, not an object, too large, cut off."""

    retry_helps = True
    usual_cure = "nothing is lost: ask again later; if it stays, check what stands between here and YouTube"


class ReplyTooLarge(BadReply):
    """The reply's body is larger than any reply of the API to such a request."""

    retry_helps = False
    usual_cure = "nothing to do: the request is repeated in smaller portions, or left out"


class EmptyReply(BadReply):
    """Many ids were requested, and a well-formed reply has none of them: more likely a fault than the truth."""

    def __init__(
        self, message: str, *, method: str = "", cure: str = "", status: int | None = None, reason: str = "",
        retry_after: float | None = None, sent: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(message, cure=cure, status=status, reason=reason, retry_after=retry_after, sent=sent)
        #: The method of the reply: only another method can confirm it.
        self.method = method


class KeyRefused(ApiError):
    """YouTube refuses the key, now and later."""

    exit_code = 4
    usual_cure = "replace the key in YOUTUBE_API_KEY_POOL_JSON; `pleiades doctor --call` tries every key"


class KeyInvalid(KeyRefused):
    """The key does not exist (any more)."""


class KeyBlocked(KeyRefused):
    """The key exists and may not be used for this call or from this address."""


class ApiDisabled(KeyRefused):
    """The YouTube Data API is not enabled in the key's project."""


class BadRequest(ApiError):
    """The call itself is wrong; a retry gives the same answer."""

    usual_cure = "this is a defect of Pleiades, or of its input: report it"


class ResourceMissing(ApiError):
    """The playlist, chart or channel in the call does not exist."""

    usual_cure = "it was removed, made private or never there"
