"""Every setting, read once: environment, then `.env`, then `HOME/pleiades.toml`, then the default here.

Belongs here: names, types, defaults and their reasons. Does not belong here: what a key pool means (youtube/keyring.py), or
opening anything. Nothing is read when this module is imported.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, AwareDatetime, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import Bucket

YOUTUBE_URL = "https://youtube.googleapis.com"
#: Not the API's host: nothing that is sent there carries a key.
_FEEDS_URL = "https://www.youtube.com"
#: The hub that YouTube's feeds name. developers.google.com/youtube/v3/guides/push_notifications (read 2026-11-22)
_HUB_URL = "https://pubsubhubbub.appspot.com"
#: What compliance mode is set to in order to use the quota of several projects. developers.google.com/youtube/terms/
#: developer-policies, III.D.1.c, as of 14 Sep 2026: "exactly one (1) API Project for that API Client".
SEVERAL_PROJECTS = "off: each project is an API client of its own (Developer Policies III.D.1.c: one project per API client)"

#: The ledger's columns hold no more.
_MOST_UNITS = 2**31 - 1

#: The file in HOME that holds what differs from the defaults, under the field names below.
SETTINGS_FILE = "pleiades.toml"
#: The file in the working directory that holds what else would stand in the environment.
ENV_FILE = ".env"


class _EmptyStays(PydanticBaseSettingsSource):
    """JSON is decoded here before any validator runs; an empty value is none, and `Settings` knows what that means."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return value if value == "" else super().decode_complex_value(field_name, field, value)


class _Environment(_EmptyStays, EnvSettingsSource):
    """The environment."""


class _EnvFile(_EmptyStays, DotEnvSettingsSource):
    """The file `.env`."""


class Settings(BaseSettings):
    """What an installation is made of. Immutable; secrets do not show in `repr`."""

    model_config = SettingsConfigDict(
        env_prefix="PLEIADES_", env_file=ENV_FILE, extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    #: Folder of everything that Pleiades keeps when nothing else is said.
    home: Path = Path(".pleiades")
    #: PostgreSQL 15 or newer. Unset: a server of our own under HOME/postgres.
    database_url: str | None = Field(default=None, validation_alias=AliasChoices("DATABASE_URL", "database_url"), repr=False)
    #: Dagster's own database. Unset: a second database of the same server, named like the first with `_dagster` after it.
    dagster_pg_url: str | None = Field(
        default=None, validation_alias=AliasChoices("DAGSTER_PG_URL", "dagster_pg_url"), repr=False
    )
    #: JSON: a list of keys, or of {"key", "project", "pools"}.
    api_key_pool: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("YOUTUBE_API_KEY_POOL_JSON", "api_key_pool")
    )
    #: `on`: the quota of one project alone is used. The other value is `SEVERAL_PROJECTS`, which states Google's rule.
    compliance_mode: str = "on"
    #: Daily limits that Google granted: {"project": {"general": 50000}}. What is not named has the limit that the API named
    #: lately, or the default.
    quota_limits: dict[str, dict[str, int]] = Field(default_factory=dict)
    #: The only switch between YouTube and the simulator: feeds and hub follow it.
    youtube_url: str = YOUTUBE_URL
    #: Where Atom feeds come from. Unset: YouTube's own host, or `youtube_url` where that is a simulator.
    feeds_url: str | None = None
    #: The WebSub hub. Unset: Google's, or the simulator's.
    hub_url: str | None = None
    #: Public address under which the hub reaches `pleiades push`. Unset: no push.
    push_callback_url: str | None = None
    #: Signs what the hub sends; at least 16 characters. Required for push.
    push_secret: SecretStr | None = Field(default=None, min_length=16)
    #: Where `pleiades push` listens.
    push_host: str = "127.0.0.1"
    push_port: int = Field(default=8478, ge=0, le=65_535)
    #: `simulator`: ask the server at `youtube_url` what time it is.
    clock: Literal["system", "simulator"] = "system"
    #: Root of the vault. Unset: HOME/vault.
    vault: Path | None = None
    #: First UTC day of the partitioned assets. Unset: the day on which the installation was made (vault/first_day.py).
    first_day: date | None = None
    #: Dagster's schedules and sensors run without being switched on in the UI. `pleiades ui` sets it for what it starts; in
    #: another Dagster nothing runs by itself unless its operator sets it (docs/code-location.md).
    automation: bool = False
    #: True in a home that `pleiades demo` made: its data are a simulator's and may be thrown away.
    demo: bool = False
    #: Where the simulator's clock stood when it was stopped: the time of commands that only look at what it left.
    simulator_stopped_at: AwareDatetime | None = None

    #: Terms that a new search queue starts with.
    seed_terms: tuple[str, ...] = (
        "music", "official video", "trailer", "gameplay", "highlights", "news", "podcast", "comedy", "tutorial", "live",
    )  # fmt: skip
    #: How far back the first search for a term looks. Findability falls after 20 days (arXiv 2506.11727).
    search_window_hours: int = Field(default=7 * 24, ge=1)
    #: Most pages of search in one hunt; quota is spread over the day all the same.
    searches_per_hunt: int = Field(default=8, ge=0, le=100)
    #: Most general units that one hunt spends on uploads lists and checks; likewise.
    uploads_per_hunt: int = Field(default=1_000, ge=0, le=5_000)
    #: Most Atom feeds read in one hunt. They cost no quota; this bounds time and courtesy.
    feeds_per_hunt: int = Field(default=2_000, ge=0, le=50_000)
    #: Regions whose charts are read, twice a day: 3 categories, 4 units each.
    chart_regions: tuple[str, ...] = ("US", "IN", "BR", "DE", "JP")
    #: Channels that are followed; beyond it those that upload least are forgotten, never those of `add`. 300 B of SQL each.
    followed_channels: int = Field(default=200_000, ge=0)
    #: Terms in the search queue; beyond it those that promise least are forgotten.
    queue_terms: int = Field(default=20_000, ge=1)
    #: A video older than this when it is found is not watched, unless a person added it.
    admission_max_age_days: int = Field(default=3650, ge=1)
    #: What happens to new videos that quota cannot watch: `sample` watches an unbiased share, `refuse` none, `admit` all.
    #: They are described and kept in the registry in any case.
    when_full: Literal["sample", "refuse", "admit"] = "sample"

    #: Memory of one query of `pleiades sql`, in MB; its answer may be as large again. It has no disk to spill to.
    sql_memory_mb: int = Field(default=2_000, ge=100)
    #: Threads of one query of `pleiades sql`.
    sql_threads: int = Field(default=4, ge=1, le=256)

    #: Calls of one slice: the unit of leasing, of loss and of commit (docs/architecture.md).
    calls_per_slice: int = Field(default=100, ge=1, le=100)
    #: A slice stops asking when three quarters of its lease are gone, and commits what came. Its most is below
    #: the time after which a day may be closed (vault/archive.py).
    lease_s: int = Field(default=600, ge=1, le=1_200)
    #: The whole of one call, connecting included.
    call_deadline_s: float = Field(default=20.0, gt=0)
    #: Calls in flight at once.
    parallel_calls: int = Field(default=4, ge=1, le=64)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object, info: ValidationInfo) -> object:
        """`DATABASE_URL=` takes back what `.env` says."""
        return cls.model_fields[info.field_name or ""].get_default(call_default_factory=True) if value == "" else value

    @field_validator("quota_limits")
    @classmethod
    def _limits_of_buckets(cls, limits: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        # The words of the message are ours: a name in the value may be a pasted key.
        if any(bucket not in set(Bucket) for of_project in limits.values() for bucket in of_project):
            raise ValueError(f"a bucket is none of {', '.join(Bucket)}")
        if any(not 0 <= units <= _MOST_UNITS for of_project in limits.values() for units in of_project.values()):
            raise ValueError(f"a limit is not between 0 and {_MOST_UNITS}")
        return limits

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the library's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over `.env` over what the home's file says, which is passed to the constructor."""
        return _Environment(settings_cls), _EnvFile(settings_cls), init_settings

    @property
    def feeds_root(self) -> str:
        """Where `/feeds/videos.xml` is, without a slash at the end."""
        return (self.feeds_url or (_FEEDS_URL if self.youtube_url == YOUTUBE_URL else self.youtube_url)).rstrip("/")

    @property
    def hub_root(self) -> str:
        """Where `/subscribe` is, without a slash at the end."""
        return (self.hub_url or (_HUB_URL if self.youtube_url == YOUTUBE_URL else self.youtube_url)).rstrip("/")

    @property
    def vault_root(self) -> Path:
        """Where the vault is."""
        return self.vault or self.home / "vault"

    @property
    def postgres_folder(self) -> Path:
        """Where the embedded server keeps its data."""
        return self.home / "postgres"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def asking_s(self) -> float:
        """For so long the calls of one lease may go on; the rest of it is for writing and committing."""
        return self.lease_s * 0.75

    @property
    def lease(self) -> timedelta:
        """How long a lease lives, by the database's clock."""
        return timedelta(seconds=self.lease_s)


class _Process(BaseSettings):
    """What the environment says of the process, not of the installation: it holds in a demo's home too."""

    model_config = SettingsConfigDict(env_prefix="PLEIADES_", extra="ignore")

    automation: bool = False


class DemoSettings(Settings):
    """The settings of a demo's home. The environment, which may hold real keys and databases, decides `automation` alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the home's file says, and the switch that `pleiades ui` sets."""
        return init_settings, EnvSettingsSource(_Process)


def load_settings(home: Path | None = None) -> Settings:
    """Read the settings of an installation. `home` wins over PLEIADES_HOME.

    Raises ConfigurationError that names the setting and what is wrong with it; values are not repeated, they may be secrets.
    """
    try:
        chosen = (home or Settings().home).absolute()
        said = _home_file(chosen / SETTINGS_FILE)
        kind = DemoSettings if said.get("demo") is True else Settings
        return kind(**said).model_copy(update={"home": chosen})
    except SettingsError as error:
        # Its cause holds the value.
        field = re.search('field "([a-z_]+)"', str(error))
        raise ConfigurationError(
            f"settings are not valid: {field[1] if field else 'one of them'} is not JSON",
            cure='write a list as ["US", "DE"] and an object as {"my-project": {"general": 50000}}; see .env.example',
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        # Of the two files only this one is read here without a name in its errors.
        raise ConfigurationError(
            f"{ENV_FILE} cannot be read: {error}", cure=f"make {Path(ENV_FILE).absolute()} readable, in UTF-8, or remove it"
        ) from None
    except ValidationError as error:
        problems = "; ".join(f"{_place(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigurationError(
            f"settings are not valid: {problems}",
            cure="correct them in the environment, .env or pleiades.toml; see .env.example",
        ) from None


def _place(loc: tuple[int | str, ...]) -> str:
    """The field, and positions in it. Not names in it: whoever confuses projects with keys has written a key there."""
    return ".".join(str(part) for number, part in enumerate(loc) if number == 0 or isinstance(part, int))


def _home_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", cure="correct or remove the file") from None
