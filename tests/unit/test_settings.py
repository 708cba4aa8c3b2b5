"""Settings: where each comes from, and what a bad one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pleiades_core.errors import ConfigurationError
from pleiades_core.settings import load_settings


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


def test_a_broken_home_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pleiades.toml").write_text("this is [not toml")
    with pytest.raises(ConfigurationError, match=r"pleiades\.toml"):
        load_settings(tmp_path)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["canary-key-1"]')
    assert "canary" not in repr(load_settings())
