"""The home of a demo: removed only when it is one, and unable to reach the real YouTube."""

from __future__ import annotations

import os
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.errors import UsageError
from pleiades_core.settings import load_settings
from pleiades_core.storage.embedded import embedded
from pleiades_dagster.cli import looking_at
from pleiades_dagster.demo_home import holds_older_demo, is_demo, remove, toml_string, write_settings
from pleiades_dagster.options import USUAL


def _write(home: Path) -> None:
    write_settings(home, youtube_url="http://127.0.0.1:9", first_day=date(2026, 3, 1), terms=('a "b"\\', "日本 🎉", "news"))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    _write(tmp_path)
    settings = load_settings(tmp_path)
    assert settings.demo
    assert settings.clock == "simulator"
    assert settings.first_day == date(2026, 3, 1)
    assert settings.seed_terms == ('a "b"\\', "日本 🎉", "news")


@given(st.text(st.characters()))
def test_any_text_survives_toml(text: str) -> None:
    """Terms come from a recorded world, which may hold anything; only lone surrogates, which no file can hold, are lost."""
    kept = text.encode("utf-8", "ignore").decode()
    assert tomllib.loads(f"a = {toml_string(text)}") == {"a": kept}


def test_an_older_demo_is_removed_and_nothing_else(tmp_path: Path) -> None:
    home, precious = tmp_path / "demo", tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    _write(home)
    (home / "vault").mkdir()
    (home / "vault" / "a.parquet").write_text("x")
    (home / "link").symlink_to(precious)
    assert holds_older_demo(home)
    remove(home)
    assert list(home.iterdir()) == []
    assert (precious / "file").read_text() == "keep"


@pytest.mark.parametrize("content", ["", "demo = false\n", 'demo = "true"\n', "demo = 1\n", "not toml ["])
def test_another_folder_is_refused_untouched(tmp_path: Path, content: str) -> None:
    (tmp_path / "pleiades.toml").write_text(content)
    (tmp_path / "thesis.txt").write_text("years of work")
    assert not is_demo(tmp_path)
    with pytest.raises(UsageError, match="nothing was touched") as raised:
        holds_older_demo(tmp_path)
    assert "--home" in raised.value.cure
    assert (tmp_path / "thesis.txt").exists()


def test_a_missing_or_empty_folder_needs_no_clearing(tmp_path: Path) -> None:
    assert not holds_older_demo(tmp_path)
    assert not holds_older_demo(tmp_path / "new")


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(UsageError):
        holds_older_demo(tmp_path / "home")


def test_a_demo_that_is_running_is_not_removed(tmp_path: Path) -> None:
    _write(tmp_path)
    with embedded(tmp_path / "postgres"), pytest.raises(UsageError, match=f"in use by process {os.getpid()}"):
        holds_older_demo(tmp_path)
    assert is_demo(tmp_path)


def test_a_demo_ignores_real_keys_and_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may well be in the environment of somebody who tries the demo."""
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["A-REAL-KEY-OF-SOMEBODY"]')
    monkeypatch.setenv("DATABASE_URL", "postgresql://prod.example/real")
    monkeypatch.setenv("PLEIADES_YOUTUBE_URL", "https://youtube.googleapis.com")
    monkeypatch.setenv("PLEIADES_VAULT", "/srv/real")
    monkeypatch.setenv("PLEIADES_CLOCK", "system")
    _write(tmp_path)
    settings = load_settings(tmp_path)
    assert settings.youtube_url == "http://127.0.0.1:9"
    assert settings.clock == "simulator"
    assert settings.database_url is None
    assert settings.vault_root == tmp_path / "vault"
    assert settings.api_key_pool is not None
    assert "REAL" not in settings.api_key_pool.get_secret_value()


def test_a_real_home_is_left_to_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://prod.example/real")
    assert load_settings(tmp_path).database_url == "postgresql://prod.example/real"


def test_what_to_type_to_look_at_a_demo_leads_to_that_demo(tmp_path: Path) -> None:
    assert looking_at(USUAL.home) == "make ui    (or: pleiades ui --home .pleiades/demo)"
    assert looking_at(tmp_path / "my demo") == f"pleiades ui --home '{tmp_path}/my demo'"
