"""What people type and pipe: ids that look like options, readers that have had enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pleiades_dagster.cli", "--home", str(home), *arguments]


@pytest.fixture(autouse=True)
def _installed(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name in ("YOUTUBE_API_KEY_POOL_JSON", "PLEIADES_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("arguments", [["plan"], ["quota"], ["plan", "--json"]])
def test_a_reader_that_goes_away_is_no_failure(arguments: list[str], tmp_path: Path) -> None:
    """As in `pleiades plan | head`; also with --json, which does not go through rich."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(tmp_path, *arguments), stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("video_id", ["-abcdhfgXi0", "--2t6p3oFpU"])
@pytest.mark.parametrize("what", ["show", "add"])
def test_an_id_that_looks_like_options_is_an_id(what: str, video_id: str, tmp_path: Path) -> None:
    """`-h` among its letters is no option. The video is unknown to `show`; `add` gets as far as the missing keys."""
    done = subprocess.run(command(tmp_path, what, video_id), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == {"show": 3, "add": 10}[what], done.stderr
    assert done.stdout == ""
    if what == "show":
        assert video_id in done.stderr


@pytest.mark.parametrize("what", ["show", "add"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_still_there(what: str, option: str, tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, what, option), capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "Usage" in done.stdout) == (0, True)


def test_behind_two_hyphens_nothing_is_an_option(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, "show", "--", "-h"), capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "-h" in done.stderr, done.stdout) == (2, True, "")
