"""Google's client for Node judges the simulator. It is installed for the run, and nothing of it stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pleiades_core.simulator.control import SimulatorControl

PACKAGE = "@googleapis/youtube@39"
JUDGE = Path(__file__).parent / "node" / "judge.mjs"

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed; skips, with the reason, where that cannot be done."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    # No lock file and no scripts of other people's packages.
    command = ["npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(f"{PACKAGE} could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    assert not (folder / "package-lock.json").exists()
    return folder


@pytest.fixture
def verdict(modules: Path, base_url: str, control: SimulatorControl) -> dict[str, Any]:
    """What the judge saw."""
    # A day of its own: other tests may have spent the small project's quota.
    control.advance(timedelta(days=3))
    done = subprocess.run(
        ["node", str(JUDGE), base_url],
        env={"PATH": os.environ["PATH"], "JUDGE_MODULES": str(modules)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_google_s_node_client_understands_every_reply_and_error(verdict: dict[str, Any]) -> None:
    assert len(set(verdict["found"])) == 30
    videos = {video_id: views for video_id, views, title in verdict["videos"] if title}
    assert list(videos) == verdict["found"][:20]
    assert dict(verdict["stats"]) == videos
    assert all(views.isdigit() for views in videos.values())
    assert verdict["handleLeadsTo"] == verdict["channelId"]
    assert len(verdict["uploads"]) == len(set(verdict["uploads"])) == int(verdict["videoCount"])
    assert set(verdict["uploads"]) & set(videos)
    assert set(verdict["chart"]) <= {"1", "10", "20"}
    assert verdict["categories"]["10"] == "Music"
    errors = {name: (said["status"], said["reason"]) for name, said in verdict["errors"].items()}
    assert errors == {
        "key": (400, "badRequest"),
        "playlist": (404, "playlistNotFound"),
        "ids": (400, "invalidFilters"),
        "token": (400, "invalidPageToken"),
        "general": (403, "quotaExceeded"),
        "search": (429, "rateLimitExceeded"),
    }
    assert verdict["errors"]["key"]["detail"] == "API_KEY_INVALID"
    assert verdict["errors"]["search"]["unit"] == "1/d/{project}"
