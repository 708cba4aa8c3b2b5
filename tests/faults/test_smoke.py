"""`pytest -m smoke` passes on a healthy deployment, and fails with a reason on each damaged one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from support.paths import ROOT
from support.simulators import ForkedSimulator, Simulators

from pleiades_core.installation import open_installation
from pleiades_core.settings import DemoSettings
from pleiades_core.simulator.api.quota import DEMO_KEYS
from pleiades_core.simulator.config import SimulatorConfig
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.storage.postgres import dagster_urls

TESTS = ROOT / "tests" / "smoke"
#: How many tests are in tests/smoke.
SMOKE_TESTS = 4


@pytest.fixture
def youtube(simulators: Simulators, tmp_path: Path) -> Iterator[ForkedSimulator]:
    """A simulator for the calls of the keys."""
    with simulators.running(SimulatorConfig(videos=100), log_path=tmp_path / "simulator.log") as running:
        yield running


@pytest.fixture
def deployment(tmp_path: Path, database_url: str, youtube: ForkedSimulator) -> dict[str, str]:
    """The environment of a healthy deployment as `pleiades hunt` makes it: the database and a vault, nothing of Dagster's."""
    home = tmp_path / "home"
    with open_installation(DemoSettings(home=home).changed(database__url=database_url), create=True):
        pass
    return {
        "PLEIADES_HOME": str(home), "DATABASE_URL": database_url, "PLEIADES_YOUTUBE_URL": youtube.base_url,
        "YOUTUBE_API_KEY_POOL_JSON": json.dumps([{"key": key.key, "project": key.project} for key in DEMO_KEYS]),
    }  # fmt: skip


def smoke(tmp_path: Path, environment: dict[str, str]) -> tuple[int, dict[str, int], str]:
    """Run `pytest -m smoke`; its exit code, the number of tests by outcome, and its output."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "smoke",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
        str(TESTS),
    ]
    # A folder without a `.env`: it may hold the developer's own keys.
    done = _run(command, tmp_path, environment)
    last = done.stdout.splitlines()[-1]
    counts = {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)}
    return done.returncode, counts, done.stdout + done.stderr


def _run(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command with `environment` in place of the settings of this process."""
    kept = {
        name: value for name, value in os.environ.items() if not re.match("PLEIADES_|YOUTUBE_|DATABASE_|DAGSTER_|PYTEST_", name)
    }
    return subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False)


def test_a_healthy_deployment_passes_and_stays_unchanged(
    tmp_path: Path, deployment: dict[str, str], youtube: ForkedSimulator
) -> None:
    home = Path(deployment["PLEIADES_HOME"])
    before = sorted(home.rglob("*"))
    spent = SimulatorControl(youtube.base_url).ledger()
    code, counts, said = smoke(tmp_path, deployment)
    assert (code, counts) == (0, {"passed": SMOKE_TESTS}), said
    assert sorted(home.rglob("*")) == before
    assert SimulatorControl(youtube.base_url).ledger() != spent, "no key was tried"
    with psycopg.connect(dagster_urls(DemoSettings(home=home), deployment["DATABASE_URL"]).plain) as connection:
        made = connection.execute("select to_regclass('runs') is not null").fetchone()
    assert made == (True,), "Dagster's tables were not made"


def test_make_ends_with_2_where_pytest_ends_with_1(deployment: dict[str, str]) -> None:
    """As docs/deploy.md says. `-o .venv`: the environment of this test is taken as it is."""
    _no_database(deployment)
    done = _run(["make", "-o", ".venv", f"BIN={Path(sys.executable).parent}", "smoke"], ROOT, deployment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no connection to" in done.stdout
    page = (ROOT / "docs/deploy.md").read_text()
    assert "`pytest` ends with 1, and `make` with 2" in page.replace("\n", " ")


def _no_deployment(deployment: dict[str, str]) -> None:
    del deployment["DATABASE_URL"]


def _no_database(deployment: dict[str, str]) -> None:
    deployment["DATABASE_URL"] = "postgresql://somebody:hidden@127.0.0.1:1/pleiades"


def _old_schema(deployment: dict[str, str]) -> None:
    with psycopg.connect(deployment["DATABASE_URL"]) as connection:
        connection.execute("delete from schema_migrations where version = (select max(version) from schema_migrations)")


def _refused_key(deployment: dict[str, str]) -> None:
    deployment["YOUTUBE_API_KEY_POOL_JSON"] = '["nobodys-key"]'


def _read_only_vault_and_no_dagster(deployment: dict[str, str]) -> None:
    # Root cannot write there either.
    deployment["PLEIADES_VAULT_URL"] = "/sys/kernel"
    deployment["DAGSTER_PG_URL"] = "postgresql://somebody:hidden@127.0.0.1:1/elsewhere"


@pytest.mark.parametrize(
    ("damage", "passed", "words"),
    [
        (_no_deployment, 0, ["no deployment: DATABASE_URL is not set, and there is no installation at "]),
        (_no_database, 0, ["no connection to postgresql://somebody:***@127.0.0.1:1/pleiades"]),
        (_old_schema, 1, ["-> run `pleiades init-db`"]),
        (_refused_key, SMOKE_TESTS - 1, [" of default: "]),
        (
            _read_only_vault_and_no_dagster,
            2,
            ["cannot write /sys/kernel/", "database 'elsewhere' cannot be reached or created"],
        ),
    ],
)
def test_a_damaged_deployment_fails_and_says_why(
    tmp_path: Path, deployment: dict[str, str], damage: Callable[[dict[str, str]], None], passed: int, words: list[str]
) -> None:
    damage(deployment)
    code, counts, said = smoke(tmp_path, deployment)
    assert (code, counts.get("passed", 0)) == (1, passed), said
    assert counts.get("failed", 0) + counts.get("error", 0) == SMOKE_TESTS - passed, "no test is skipped"
    assert [word for word in words if word not in said] == [], said
    assert "hidden" not in said
    assert "nobodys-key" not in said
