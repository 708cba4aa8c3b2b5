"""Reading settings, once: environment, then `.env`, then `HOME/pleiades.toml`, then the defaults of the groups.

`searches_per_hunt` of the group `discovery` is `PLEIADES_DISCOVERY_SEARCHES_PER_HUNT` in the environment and in `.env`, and
`searches_per_hunt` in the table `[discovery]` of `pleiades.toml`.

Does not belong here: names, types and defaults (groups.py), what a key pool means (youtube/key_pool.py), opening anything.
Nothing is read when this module is imported.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, ValidationError, ValidationInfo, field_validator
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
from pleiades_core.settings.groups import (
    DatabaseSettings,
    DiscoverySettings,
    KeySettings,
    PushSettings,
    SettingsGroup,
    SqlSettings,
    TrackingSettings,
    VaultSettings,
    YouTubeSettings,
    default_of,
)

#: The file in HOME with the settings that differ from the defaults, and a table for each group.
SETTINGS_FILE = "pleiades.toml"
#: The file in the working directory with variables that are not in the environment.
ENV_FILE = ".env"
_PREFIX = "PLEIADES_"
#: Variables that have a name of their own, and the setting of each.
WELL_KNOWN: Mapping[str, tuple[str, str]] = {
    "DATABASE_URL": ("database", "url"),
    "DAGSTER_PG_URL": ("database", "dagster_url"),
    "YOUTUBE_API_KEY_POOL_JSON": ("keys", "pool"),
}
#: Variables with our prefix that are not settings: switches of tests and of the Makefile.
_NOT_SETTINGS = re.compile(r"PLEIADES_(TEST_\w+|SCREENSHOTS|DEMO_HOME)")


class _EmptyStays(EnvSettingsSource):
    """Variables, also those of `WELL_KNOWN`. An empty value stays: the group decides what it means."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return value if value == "" else super().decode_complex_value(field_name, field, value)

    def __call__(self) -> dict[str, Any]:
        given: dict[str, Any] = super().__call__()
        for name, (group, setting) in WELL_KNOWN.items():
            if (value := self.env_vars.get(name.lower())) is not None:
                given.setdefault(group, {})[setting] = value
        return given


class _Environment(_EmptyStays):
    """The environment."""


class _EnvFile(_EmptyStays, DotEnvSettingsSource):
    """The file `.env`."""


class Settings(BaseSettings):
    """The settings of an installation. Immutable; secrets do not show in `repr`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="_", env_nested_max_split=1, env_file=ENV_FILE, extra="ignore", frozen=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    #: Folder of everything that Pleiades keeps, unless another setting names another place.
    home: Path = Path(".pleiades")
    #: `simulator`: read the time from the simulator at `youtube.url`.
    clock: Literal["system", "simulator"] = "system"
    #: First UTC day of the partitioned assets. Unset: the day on which the installation was made (vault/first_day.py).
    first_day: date | None = None
    #: Dagster's schedules and sensors run without being switched on in the UI. `pleiades ui` sets it for what it starts; in
    #: another Dagster nothing runs by itself unless its operator sets it (docs/code-location.md).
    automation: bool = False
    #: True in a home that `pleiades demo` made: its data come from a simulator and may be thrown away.
    demo: bool = False
    #: The simulator's instant when it was stopped: the time for commands that only read.
    simulator_stopped_at: AwareDatetime | None = None

    keys: KeySettings = KeySettings()
    database: DatabaseSettings = DatabaseSettings()
    youtube: YouTubeSettings = YouTubeSettings()
    push: PushSettings = PushSettings()
    vault: VaultSettings = VaultSettings()
    sql: SqlSettings = SqlSettings()
    discovery: DiscoverySettings = DiscoverySettings()
    tracking: TrackingSettings = TrackingSettings()

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object, info: ValidationInfo) -> object:
        return default_of(cls, info.field_name) if value == "" else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the library's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before `.env` before the home's file, which is passed to the constructor. Overrides pydantic's method.

        Args:
            settings_cls: as pydantic passes it.
            init_settings: the values of the home's file.
            env_settings: not used.
            dotenv_settings: not used.
            file_secret_settings: not used.

        Returns:
            The sources, the first one wins.
        """
        return _Environment(settings_cls), _EnvFile(settings_cls), init_settings

    @property
    def vault_root(self) -> Path:
        """The folder of the vault."""
        return Path(self.vault.url.removeprefix("file://")) if self.vault.url else self.home / "vault"

    @property
    def postgres_folder(self) -> Path:
        """Where the embedded server keeps its data."""
        return self.home / "postgres"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    def changed(self, **settings: object) -> Self:
        """A copy with other values, which are not checked: `changed(discovery__searches_per_hunt=2, home=folder)`."""
        update: dict[str, Any] = {}
        for name, value in settings.items():
            group, separator, setting = name.partition("__")
            if separator:
                present = update.get(group, getattr(self, group))
                update[group] = present.model_copy(update={setting: value})
            else:
                update[name] = value
        return self.model_copy(update=update)


class _Process(BaseSettings):
    """Settings of the process, not of the installation: they hold in a demo's home too."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore")

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
        """The home's file, and the switch that `pleiades ui` sets. Overrides pydantic's method.

        Args:
            settings_cls: not used.
            init_settings: the values of the home's file.
            env_settings: not used.
            dotenv_settings: not used.
            file_secret_settings: not used.

        Returns:
            The sources, the first one wins.
        """
        return init_settings, EnvSettingsSource(_Process)


def setting_names() -> Iterator[tuple[str, str, FieldInfo]]:
    """Every setting: its variable, its dotted name in `pleiades.toml`, and its declaration."""
    of_setting = {setting: name for name, setting in WELL_KNOWN.items()}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, SettingsGroup):
            for setting, inner in field.annotation.model_fields.items():
                variable = of_setting.get((name, setting), f"{_PREFIX}{name}_{setting}".upper())
                yield variable, f"{name}.{setting}", inner
        else:
            yield f"{_PREFIX}{name}".upper(), name, field


def load_settings(home: Path | None = None) -> Settings:
    """Read the settings of an installation. `home` wins over PLEIADES_HOME.

    Raises:
        ConfigurationError: a setting is unknown or malformed. The message names it; values are not repeated, since they may be
            secrets.

    """
    try:
        chosen = (home or Settings().home).absolute()
        given = _home_file(chosen / SETTINGS_FILE)
        is_demo = given.get("demo") is True
        _require_known_names(chosen / SETTINGS_FILE, given)
        if not is_demo:
            _require_known_variables(os.environ)
            _require_known_variables(_EnvFile(Settings).env_vars, ENV_FILE)
        kind = DemoSettings if is_demo else Settings
        return kind(**given).model_copy(update={"home": chosen})
    except SettingsError as error:
        # Its cause holds the value.
        field = re.search('field "([a-z_]+)"', str(error))
        raise ConfigurationError(
            f"settings are not valid: {field[1] if field else 'one of them'} is not JSON",
            cure='write a list as ["US", "DE"] and an object as {"my-project": {"general": 50000}}; see .env.example',
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        # The error does not name the file; `.env` is the only file that is read here.
        raise ConfigurationError(
            f"{ENV_FILE} cannot be read: {error}", cure=f"make {Path(ENV_FILE).absolute()} readable, in UTF-8, or remove it"
        ) from None
    except ValidationError as error:
        problems = "; ".join(f"{_place(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigurationError(
            f"settings are not valid: {problems}",
            cure="correct them in the environment, .env or pleiades.toml; see .env.example",
        ) from None


def _require_known_variables(variables: Iterable[str], origin: str = "the environment") -> None:
    """Refuse a variable with our prefix that no setting has: a setting that was renamed must not be lost silently."""
    known = {variable for variable, _, _ in setting_names()}
    for name in sorted(variable.upper() for variable in variables):
        if name.startswith(_PREFIX) and name not in known and not _NOT_SETTINGS.fullmatch(name):
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            raise ConfigurationError(
                f"{origin} has {name}, which is no setting",
                cure=f"remove it{f', or write {nearest[0]}' if nearest else ''}; .env.example names every setting",
            )


def _require_known_names(path: Path, given: Mapping[str, Any]) -> None:
    known = {dotted for _, dotted, _ in setting_names()}
    for name, value in given.items():
        names = [f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [name]
        for dotted in names:
            if dotted not in known:
                nearest = difflib.get_close_matches(dotted, known, n=1, cutoff=0.4)
                raise ConfigurationError(
                    f"{path} has {dotted}, which is no setting",
                    cure=f"remove it{f', or write {nearest[0]}' if nearest else ''}; .env.example names every setting",
                )


def _place(loc: tuple[int | str, ...]) -> str:
    """Group, field, and positions in it. Names inside the value are left out: an operator may have written a key there."""
    return ".".join(str(part) for number, part in enumerate(loc) if number <= 1 or isinstance(part, int))


def _home_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", cure="correct or remove the file") from None
