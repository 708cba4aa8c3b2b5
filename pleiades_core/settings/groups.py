"""The groups of settings. A setting is one line in its group: name, type, default, and a comment with its meaning.

Does not belong here: where values come from (loading.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from pleiades_core.models import Bucket

YOUTUBE_URL = "https://youtube.googleapis.com"
#: The host of Atom feeds. No request to it carries a key.
_FEEDS_URL = "https://www.youtube.com"
#: The hub that YouTube's feeds name. developers.google.com/youtube/v3/guides/push_notifications (read 2026-11-22)
_HUB_URL = "https://pubsubhubbub.appspot.com"
#: The value of compliance mode that uses the quota of several projects. developers.google.com/youtube/terms/
#: developer-policies, III.D.1.c, as of 14 Sep 2026: "exactly one (1) API Project for that API Client".
SEVERAL_PROJECTS = "off: each project is an API client of its own (Developer Policies III.D.1.c: one project per API client)"

#: The most units that the ledger's columns hold.
_MOST_UNITS = 2**31 - 1


class SettingsGroup(BaseModel):
    """A group of settings. Immutable; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object, info: ValidationInfo) -> object:
        """An empty value counts as unset: `DATABASE_URL=` in the environment removes the value of `.env`."""
        return default_of(cls, info.field_name) if value == "" else value


class KeySettings(SettingsGroup):
    """API keys and their quota."""

    #: JSON: a list of keys, or of {"key", "project", "pools"}. YOUTUBE_API_KEY_POOL_JSON.
    pool: SecretStr | None = None
    #: `on`: the quota of one project alone is used. The other value is `SEVERAL_PROJECTS`, which states Google's rule.
    compliance_mode: str = "on"
    #: Daily limits that Google granted: {"project": {"general": 50000}}. A bucket without an entry has the limit that the API
    #: named lately, or the default.
    quota_limits: dict[str, dict[str, int]] = Field(default_factory=dict)

    @field_validator("quota_limits")
    @classmethod
    def _limits_of_buckets(cls, limits: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        # The message repeats nothing of the value: a name in it may be a pasted key.
        if any(bucket not in set(Bucket) for of_project in limits.values() for bucket in of_project):
            raise ValueError(f"a bucket is none of {', '.join(Bucket)}")
        if any(not 0 <= units <= _MOST_UNITS for of_project in limits.values() for units in of_project.values()):
            raise ValueError(f"a limit is not between 0 and {_MOST_UNITS}")
        return limits


class DatabaseSettings(SettingsGroup):
    """PostgreSQL."""

    #: PostgreSQL 15 or newer. Unset: an embedded server under HOME/postgres. DATABASE_URL.
    url: str | None = Field(default=None, repr=False)
    #: Dagster's own database. Unset: a second database of the same server, named like the first with `_dagster` after it.
    #: DAGSTER_PG_URL.
    dagster_url: str | None = Field(default=None, repr=False)


class YouTubeSettings(SettingsGroup):
    """YouTube's servers, and how they are called."""

    #: The only switch between YouTube and the simulator: feeds and hub follow it.
    url: str = YOUTUBE_URL
    #: Where Atom feeds come from. Unset: YouTube's own host, or `url` if that is a simulator.
    feeds_url: str | None = None
    #: The WebSub hub. Unset: Google's, or the simulator's.
    hub_url: str | None = None
    #: Seconds for the whole of one call, connecting included.
    call_deadline_s: float = Field(default=20.0, gt=0)
    #: Calls in flight at once.
    parallel_calls: int = Field(default=4, ge=1, le=64)

    @property
    def feeds_root(self) -> str:
        """The address before `/feeds/videos.xml`, without a slash at the end."""
        return (self.feeds_url or (_FEEDS_URL if self.url == YOUTUBE_URL else self.url)).rstrip("/")

    @property
    def hub_root(self) -> str:
        """The address before `/subscribe`, without a slash at the end."""
        return (self.hub_url or (_HUB_URL if self.url == YOUTUBE_URL else self.url)).rstrip("/")


class PushSettings(SettingsGroup):
    """The receiver of the hub's notices, `pleiades push`."""

    #: Public address under which the hub reaches `pleiades push`. Unset: no push.
    callback_url: str | None = None
    #: Signs the hub's notices; at least 16 characters. Required for push.
    secret: SecretStr | None = Field(default=None, min_length=16)
    #: Where `pleiades push` listens.
    host: str = "127.0.0.1"
    port: int = Field(default=8478, ge=0, le=65_535)


class VaultSettings(SettingsGroup):
    """The vault."""

    #: A folder, as a path or as file:///path. Unset: HOME/vault.
    url: str | None = None

    @field_validator("url")
    @classmethod
    def _a_folder(cls, url: str | None) -> str | None:
        scheme, separator, path = (url or "").partition("://")
        if separator and (scheme != "file" or not path.startswith("/")):
            raise ValueError("a vault is a folder, as a path or as file:///path; buckets and the Hub are not supported yet")
        return url


class SqlSettings(SettingsGroup):
    """Limits of one query of `pleiades sql`."""

    #: Memory in MB; the answer may be as large again. A query has no disk to spill to.
    memory_mb: int = Field(default=2_000, ge=100)
    threads: int = Field(default=4, ge=1, le=256)


class DiscoverySettings(SettingsGroup):
    """How hunts find videos, and which of the videos are watched."""

    #: Terms that a new search queue starts with.
    seed_terms: tuple[str, ...] = (
        "music", "official video", "trailer", "gameplay", "highlights", "news", "podcast", "comedy", "tutorial", "live",
    )  # fmt: skip
    #: How far back the first search for a term looks. Findability falls after 20 days (arXiv 2506.11727).
    search_window_hours: int = Field(default=7 * 24, ge=1)
    #: Most pages of search in one hunt. Quota is spread over the day in any case.
    searches_per_hunt: int = Field(default=8, ge=0, le=100)
    #: Most general units that one hunt spends on uploads lists and checks. Quota is spread over the day in any case.
    uploads_per_hunt: int = Field(default=1_000, ge=0, le=5_000)
    #: Most Atom feeds read in one hunt. They cost no quota; this bounds the time and the load on the service.
    feeds_per_hunt: int = Field(default=2_000, ge=0, le=50_000)
    #: Regions whose charts are read, twice a day: 3 categories, 4 units each.
    chart_regions: tuple[str, ...] = ("US", "IN", "BR", "DE", "JP")
    #: Most followed channels. Beyond it, channels that upload least are forgotten, never added ones. 300 B of SQL each.
    followed_channels: int = Field(default=200_000, ge=0)
    #: Most terms in the search queue. Beyond it, the least promising terms are forgotten.
    queue_terms: int = Field(default=20_000, ge=1)
    #: A video that is older than this when it is found is not watched, unless a person added it.
    admission_max_age_days: int = Field(default=3650, ge=1)
    #: What happens to new videos that quota cannot watch: `sample` watches an unbiased share, `refuse` none, `admit` all.
    #: They are described and kept in the registry in any case.
    when_full: Literal["sample", "refuse", "admit"] = "sample"


class TrackingSettings(SettingsGroup):
    """How watched videos are polled."""

    #: Calls of one slice: the unit of leasing, of loss and of commit (docs/architecture.md).
    calls_per_slice: int = Field(default=100, ge=1, le=100)
    #: Seconds of a lease. A slice stops polling after three quarters of its lease, and commits. The bound is below the time
    #: after which a day may be closed (vault/archive.py).
    lease_s: int = Field(default=600, ge=1, le=1_200)

    @property
    def asking_s(self) -> float:
        """Seconds that the calls of one lease may take; the rest of the lease is for writing and committing."""
        return self.lease_s * 0.75

    @property
    def lease(self) -> timedelta:
        """How long a lease lives, by the database's clock."""
        return timedelta(seconds=self.lease_s)


def default_of(model: type[BaseModel], field: str | None) -> object:
    """The default of a field."""
    return model.model_fields[field or ""].get_default(call_default_factory=True)
