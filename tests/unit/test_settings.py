"""Settings: where each comes from, and what a bad one says."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import Field
from support.paths import ROOT

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import Bucket
from pleiades_core.settings import Settings, load_settings, setting_names
from pleiades_core.settings.groups import DiscoverySettings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "PLEIADES_HOME", "YOUTUBE_API_KEY_POOL_JSON"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_wins_over_dotenv_over_the_home_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "pleiades.toml").write_text("[tracking]\nlease_s = 1\ncalls_per_slice = 1\n[youtube]\nparallel_calls = 1\n")
    (tmp_path / ".env").write_text("PLEIADES_TRACKING_LEASE_S=2\nPLEIADES_YOUTUBE_PARALLEL_CALLS=2\n")
    monkeypatch.setenv("PLEIADES_TRACKING_LEASE_S", "3")
    settings = load_settings(home)
    assert (
        settings.tracking.lease_s,
        settings.youtube.parallel_calls,
        settings.tracking.calls_per_slice,
        settings.discovery.searches_per_hunt,
    ) == (3, 2, 1, 8)
    assert settings.vault_root == home / "vault"


def test_a_demo_home_listens_to_nothing_but_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pleiades.toml").write_text("demo = true\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody/real")
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["a real key"]')
    settings = load_settings(tmp_path)
    assert settings.database.url is None
    assert settings.keys.pool is None


def test_a_bad_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEIADES_TRACKING_LEASE_S", "canary-value")
    with pytest.raises(ConfigurationError, match=r"(?i)lease_s") as caught:
        load_settings()
    assert "canary-value" not in str(caught.value)
    assert ".env.example" in caught.value.cure


@pytest.mark.parametrize(
    ("name", "value"),
    [("KEYS_QUOTA_LIMITS", "canary"), ("DISCOVERY_CHART_REGIONS", "canary,DE"), ("DISCOVERY_SEED_TERMS", "canary x")],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_what_is_not_json_is_named_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, in_file: bool
) -> None:
    if in_file:
        (tmp_path / ".env").write_text(f"PLEIADES_{name}={value}\n")
    else:
        monkeypatch.setenv(f"PLEIADES_{name}", value)
    with pytest.raises(ConfigurationError, match="is not JSON") as caught:
        load_settings()
    assert caught.value.exit_code == 10
    assert caught.value.__suppress_context__
    assert "canary" not in str(caught.value) + caught.value.cure
    assert '["US", "DE"]' in caught.value.cure


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"canary": {"serach": 5}}', "none of search, stats, general"),
        ('{"canary": {"search": -1}}', "not between 0 and"),
        ('{"canary": {"search": 5000000000}}', "not between 0 and"),
        ('{"canary": {"search": "canary"}}', "integer"),
        ('{"canary": 5}', "dictionary"),
    ],
)
def test_limits_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    monkeypatch.setenv("PLEIADES_KEYS_QUOTA_LIMITS", value)
    with pytest.raises(ConfigurationError, match=f"quota_limits: .*{said}") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_limits_may_be_given_for_the_buckets_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {str(bucket): 0 for bucket in Bucket}
    monkeypatch.setenv("PLEIADES_KEYS_QUOTA_LIMITS", json.dumps({"mine": limits}))
    assert load_settings().keys.quota_limits == {"mine": limits}


def test_a_broken_home_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pleiades.toml").write_text("this is [not toml")
    with pytest.raises(ConfigurationError, match=r"pleiades\.toml"):
        load_settings(tmp_path)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["canary-key-1"]')
    assert "canary" not in repr(load_settings())


def test_a_dotenv_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"PLEIADES_VAULT_URL=/canary/caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read") as caught:
        load_settings()
    assert "canary" not in str(caught.value)
    assert str(tmp_path / ".env") in caught.value.cure

    def refuse(*_: object, **__: object) -> NoReturn:
        # Root, who runs these tests, may read everything.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), ".env")

    monkeypatch.setattr("pydantic_settings.sources.DotEnvSettingsSource._read_env_file", refuse)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        load_settings()


@pytest.mark.parametrize("in_file", [False, True])
def test_what_is_empty_is_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_file: bool) -> None:
    """Also where `.env` says something: `DATABASE_URL= pleiades ...` asks for the embedded server."""
    names = {dotted: variable for variable, dotted, _ in setting_names()}
    for name in names.values():
        monkeypatch.delenv(name, raising=False)
    plain = load_settings()
    given = {
        "database.url": "postgresql://somebody/real", "discovery.seed_terms": '["lofi"]',
        "keys.quota_limits": '{"mine": {"general": 5}}',
    }  # fmt: skip
    (tmp_path / ".env").write_text("".join(f"{names[dotted]}={value}\n" for dotted, value in given.items()))
    assert load_settings().discovery.seed_terms == ("lofi",)
    if in_file:
        (tmp_path / ".env").write_text("".join(f"{name}=\n" for name in names.values()))
    else:
        for name in names.values():
            monkeypatch.setenv(name, "")
    assert load_settings() == plain


@pytest.mark.parametrize("in_file", [False, True])
def test_an_unknown_variable_is_refused_with_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_file: bool
) -> None:
    """A setting that was renamed, or misspelt, must not be lost silently."""
    if in_file:
        (tmp_path / ".env").write_text("PLEIADES_SEARCHES_PER_HUNT=3\n")
    else:
        monkeypatch.setenv("PLEIADES_SEARCHES_PER_HUNT", "3")
    with pytest.raises(ConfigurationError, match="PLEIADES_SEARCHES_PER_HUNT, which is no setting") as caught:
        load_settings()
    assert "PLEIADES_DISCOVERY_SEARCHES_PER_HUNT" in caught.value.cure


@pytest.mark.parametrize("line", ["searches_per_hunt = 3", "discovery.search_per_hunt = 3"])
def test_an_unknown_name_in_the_home_is_refused_with_the_nearest_name(tmp_path: Path, line: str) -> None:
    (tmp_path / "pleiades.toml").write_text(f"{line}\n")
    with pytest.raises(ConfigurationError, match="which is no setting") as caught:
        load_settings(tmp_path)
    assert "discovery.searches_per_hunt" in caught.value.cure


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "hf://datasets/me/x", "s3://bucket", "file://relative"])
def test_a_vault_that_is_no_folder_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Such a URL made a folder of that name."""
    monkeypatch.setenv("PLEIADES_VAULT_URL", url)
    with pytest.raises(ConfigurationError, match=r"vault\.url: .*not supported yet"):
        load_settings()


def test_a_vault_may_be_a_path_or_a_file_url(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("/data/vault", "file:///data/vault"):
        monkeypatch.setenv("PLEIADES_VAULT_URL", url)
        assert load_settings().vault_root == Path("/data/vault")


def test_a_new_setting_is_one_line_in_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk of CONTRIBUTING.md, "Add a setting", followed with a toy setting."""

    class WithToy(DiscoverySettings):
        #: A setting that no other code knows.
        toys_per_hunt: int = Field(default=3, ge=1)

    class Toy(Settings):
        discovery: WithToy = WithToy()

    monkeypatch.setattr("pleiades_core.settings.loading.Settings", Toy)
    assert load_settings().discovery.toys_per_hunt == 3  # type: ignore[attr-defined]
    (tmp_path / "pleiades.toml").write_text("[discovery]\ntoys_per_hunt = 4\n")
    assert load_settings(tmp_path).discovery.toys_per_hunt == 4  # type: ignore[attr-defined]
    monkeypatch.setenv("PLEIADES_DISCOVERY_TOYS_PER_HUNT", "5")
    assert load_settings(tmp_path).discovery.toys_per_hunt == 5  # type: ignore[attr-defined]
    monkeypatch.setenv("PLEIADES_DISCOVERY_TOYS_PER_HUNT", "0")
    with pytest.raises(ConfigurationError, match=r"discovery\.toys_per_hunt: .*greater than or equal to 1"):
        load_settings(tmp_path)


def test_the_example_names_every_setting() -> None:
    """But those that a demo writes for itself."""
    example = (ROOT / ".env.example").read_text()
    own = {"PLEIADES_DEMO", "PLEIADES_SIMULATOR_STOPPED_AT"}
    names = {variable for variable, _, _ in setting_names()} - own
    assert sorted(name for name in names if f"# {name}=" not in example) == []
    assert sorted(set(re.findall(r"\b(?:PLEIADES|DATABASE|DAGSTER|YOUTUBE)_[A-Z_]+(?==)", example)) - names) == []
