"""docs/code-location.md, run as it is written, in a Dagster that is not ours: a default instance and a workspace file."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.paths import ROOT

from pleiades_dagster.day_checks import OF_COHORT, OF_METRICS, OF_VIDEOS

PAGE = (ROOT / "docs/code-location.md").read_text()
AUTOMATION = """repositoriesOrError{... on RepositoryConnection{nodes{
    schedules{name scheduleState{status}} sensors{name sensorState{status}}}}}"""
CHECKS = """assetNodes{assetKey{path} assetChecksOrError{... on AssetChecks{checks{
    name blocking canExecuteIndividually jobNames}}}}"""
POOLS = "instance{concurrencyLimits{concurrencyKey limit} poolConfig{poolGranularity}}"

Dagster = Callable[..., subprocess.CompletedProcess[str]]


def _block(name: str) -> str:
    """The text of the code block that follows `<!-- name -->`."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def _sourced(text: str) -> dict[str, str]:
    """The variables that a shell sets when it reads `text` with `set -a`, as `set -a; . ./environment` does."""
    done = subprocess.run(["sh", "-c", f"set -a\n{text}\nenv -0"], env={}, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    return {name: found[name] for name in re.findall(r"^(\w+)=", text, re.MULTILINE)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that Dagster lies."""
    return tmp_path_factory.mktemp("dagster")


@pytest.fixture(scope="module")
def dagster(folder: Path) -> Dagster:
    """Run a program of Dagster as the page says, with the environment, workspace and instance of the page."""
    (folder / "workspace.yaml").write_text(_block("workspace"))
    (folder / "instance").mkdir()
    (folder / "instance" / "dagster.yaml").write_text(_block("instance") + "telemetry: {enabled: false}\n")
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    environment |= _sourced(_block("environment")) | {
        "PLEIADES_HOME": str(folder / "home"), "DAGSTER_HOME": str(folder / "instance"), "PYTHONPATH": str(ROOT),
    }  # fmt: skip

    def run(program: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        return subprocess.run(command, cwd=folder, env=environment | more, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def ask(dagster: Dagster, folder: Path) -> Callable[..., Any]:
    """The answer to GraphQL queries on the workspace of the page, whose code is loaded in a process of its own."""

    def query(*parts: str, **more: str) -> Any:
        # Standard output is shared with the log of the code server.
        answer = folder / "answer.json"
        done = dagster("dagster-graphql", "-w", "workspace.yaml", "-t", f"{{{' '.join(parts)}}}", "-o", str(answer), **more)
        assert done.returncode == 0, done.stderr
        return json.loads(answer.read_text())["data"]

    return query


@pytest.fixture(scope="module")
def seen(ask: Callable[..., Any]) -> Any:
    """What a first look shows."""
    return ask(AUTOMATION, CHECKS, POOLS)


def _states(answer: Any) -> dict[str, str]:
    (repository,) = answer["repositoriesOrError"]["nodes"]
    schedules = {one["name"]: one["scheduleState"]["status"] for one in repository["schedules"]}
    return schedules | {one["name"]: one["sensorState"]["status"] for one in repository["sensors"]}


def test_the_environment_can_be_read_by_a_shell() -> None:
    """A shell removes the quotes of JSON that is not quoted itself."""
    said = _sourced(_block("environment"))
    assert json.loads(said["YOUTUBE_API_KEY_POOL_JSON"]) == ["your key"]
    assert set(said) == {"PLEIADES_HOME", "DATABASE_URL", "YOUTUBE_API_KEY_POOL_JSON"}


def test_the_page_says_what_checks_look_at_without_a_day() -> None:
    """tests/dagster/test_day_checks.py has each of these."""
    page = " ".join(PAGE.split())
    assert "Launch `verify` without the tag, or press *Execute all*" in page
    assert "Its checks are skipped" in page


def test_nothing_starts_by_itself_unless_it_is_said(ask: Callable[..., Any], seen: Any, folder: Path) -> None:
    """Neither a home nor a database is opened or made by looking."""
    stopped = _states(seen)
    assert {"hunt_hourly", "upkeep_daily", "verify_daily", "hourly_tier", "inbox", "day_closer", "deriver"} <= set(stopped)
    assert set(stopped.values()) == {"STOPPED"}
    (switch,) = re.findall(r"^(PLEIADES_AUTOMATION)=(\w+)$", PAGE, re.MULTILINE)
    running = _states(ask(AUTOMATION, **{switch[0]: switch[1]}))
    assert running == dict.fromkeys(stopped, "RUNNING")
    assert not (folder / "home").exists()


def test_the_workspace_is_valid(dagster: Dagster) -> None:
    done = dagster("dagster", "definitions", "validate", "-w", "workspace.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pool_is_limited_as_the_page_says(seen: Any, dagster: Dagster) -> None:
    """And not before: a pool without a limit is not limited."""
    assert seen["instance"]["concurrencyLimits"] == []
    assert seen["instance"]["poolConfig"]["poolGranularity"] == "run"
    program, *arguments = shlex.split(_block("pool"))
    done = dagster(program, *arguments)
    assert done.returncode == 0, done.stderr
    assert (
        dagster("dagster", "instance", "concurrency", "get", "youtube_api").stdout.strip()
        == '"youtube_api": 0 / 1 slots occupied'
    )


def test_the_checks_of_files_can_be_executed_alone(seen: Any) -> None:
    """*Execute* is not greyed out, and the job `verify` has them all. A check that finds wrong data blocks."""
    found = {
        (node["assetKey"]["path"][0], check["name"]): check
        for node in seen["assetNodes"]
        for check in node["assetChecksOrError"].get("checks", [])
    }
    for asset, about in {"daily_metrics": OF_METRICS, "discovered_videos": OF_VIDEOS, "watchlist": OF_COHORT}.items():
        for name, (_, severity) in about.items():
            check = found[asset, name]
            assert check["canExecuteIndividually"] == "CAN_EXECUTE", (asset, name)
            assert "verify" in check["jobNames"]
            assert check["blocking"] == (severity is dg.AssetCheckSeverity.ERROR)
    # What is measured while an asset works cannot be measured without it.
    assert found["discovered_videos", "units_left"]["canExecuteIndividually"] == "REQUIRES_MATERIALIZATION"
