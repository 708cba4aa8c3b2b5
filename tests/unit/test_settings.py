"""Settings: where each comes from, and what a bad one says."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import AliasChoices

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import Bucket
from pleiades_core.settings import Settings, load_settings


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
    (home / "pleiades.toml").write_text("lease_s = 1\nparallel_calls = 1\ncalls_per_slice = 1\n")
    (tmp_path / ".env").write_text("PLEIADES_LEASE_S=2\nPLEIADES_PARALLEL_CALLS=2\n")
    monkeypatch.setenv("PLEIADES_LEASE_S", "3")
    settings = load_settings(home)
    assert (settings.lease_s, settings.parallel_calls, settings.calls_per_slice, settings.searches_per_hunt) == (3, 2, 1, 8)
    assert settings.vault_root == home / "vault"


def test_a_demo_home_listens_to_nothing_but_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pleiades.toml").write_text("demo = true\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody/real")
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["a real key"]')
    settings = load_settings(tmp_path)
    assert settings.database_url is None
    assert settings.api_key_pool is None


def test_a_bad_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEIADES_LEASE_S", "canary-value")
    with pytest.raises(ConfigurationError, match=r"(?i)lease_s") as caught:
        load_settings()
    assert "canary-value" not in str(caught.value)
    assert ".env.example" in caught.value.cure


@pytest.mark.parametrize(
    ("name", "value"), [("QUOTA_LIMITS", "canary"), ("CHART_REGIONS", "canary,DE"), ("SEED_TERMS", "canary lofi")]
)
@pytest.mark.parametrize("in_file", [False, True])
def test_what_is_not_json_is_named_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, in_file: bool
) -> None:
    if in_file:
        (tmp_path / ".env").write_text(f"PLEIADES_{name}={value}\n")
    else:
        monkeypatch.setenv(f"PLEIADES_{name}", value)
    with pytest.raises(ConfigurationError, match=f"{name.lower()} is not JSON") as caught:
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
    monkeypatch.setenv("PLEIADES_QUOTA_LIMITS", value)
    with pytest.raises(ConfigurationError, match=f"quota_limits: .*{said}") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_limits_may_be_given_for_the_buckets_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {str(bucket): 0 for bucket in Bucket}
    monkeypatch.setenv("PLEIADES_QUOTA_LIMITS", json.dumps({"mine": limits}))
    assert load_settings().quota_limits == {"mine": limits}


def test_a_broken_home_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pleiades.toml").write_text("this is [not toml")
    with pytest.raises(ConfigurationError, match=r"pleiades\.toml"):
        load_settings(tmp_path)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["canary-key-1"]')
    assert "canary" not in repr(load_settings())


def test_a_dotenv_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"PLEIADES_VAULT=/canary/caf\xe9\n")
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
    """Also where `.env` says something: whoever writes `DATABASE_URL= pleiades ...` wants the embedded server."""
    names = {field: _name(field) for field in Settings.model_fields}
    for name in names.values():
        monkeypatch.delenv(name, raising=False)
    plain = load_settings()
    said = {"database_url": "postgresql://somebody/real", "seed_terms": '["lofi"]', "quota_limits": '{"mine": {"general": 5}}'}
    (tmp_path / ".env").write_text("".join(f"{names[field]}={value}\n" for field, value in said.items()))
    assert load_settings().seed_terms == ("lofi",)
    if in_file:
        (tmp_path / ".env").write_text("".join(f"{name}=\n" for name in names.values()))
    else:
        for name in names.values():
            monkeypatch.setenv(name, "")
    assert load_settings() == plain


def _name(field: str) -> str:
    """In the environment."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"PLEIADES_{field.upper()}"
