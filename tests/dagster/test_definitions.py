"""What Dagster is told: it loads without touching anything, and changes only on purpose."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from support.paths import ROOT

from pleiades_core.models import Tier
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.instance import INSTANCE
from pleiades_dagster.partitions import TIERS

SNAPSHOT = Path(__file__).with_name("specs.json")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection can be made: any attempt fails the test."""

    def refuse(*_arguments: Any) -> None:
        raise AssertionError("loading definitions opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.mark.usefixtures("alone")
def test_loading_opens_nothing(tmp_path: Path) -> None:
    """Not even in a home that does not exist, which it does not make either."""
    home = tmp_path / "nowhere"
    built = build_defs(home=str(home), first_day=date(2026, 3, 1))
    dg.Definitions.validate_loadable(built)
    assert not home.exists()


def test_specs_are_those_of_the_snapshot(tmp_path: Path) -> None:
    """A changed key, group, dependency, check or partition is a change for everybody who uses the assets.

    If it is meant: PLEIADES_TEST_UPDATE_SNAPSHOT=1 writes the file anew.
    """
    found = _described(build_defs(home=str(tmp_path), first_day=date(2026, 3, 1)))
    if os.environ.get("PLEIADES_TEST_UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(SNAPSHOT.read_text())


def _described(defs: dg.Definitions) -> dict[str, Any]:
    repository = defs.get_repository_def()
    return {
        "assets": {
            spec.key.to_user_string(): {
                "group": spec.group_name,
                "kinds": sorted(spec.kinds),
                "owners": list(spec.owners),
                "code_version": spec.code_version,
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "partitions": type(spec.partitions_def).__name__ if spec.partitions_def else None,
                "automation": bool(spec.automation_condition),
                "described": bool(spec.description),
            }
            for spec in sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)
        },
        "checks": sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in repository.asset_graph.asset_check_keys),
        "blocking": sorted(
            f"{key.asset_key.to_user_string()}:{key.name}"
            for key in repository.asset_graph.asset_check_keys
            if repository.asset_graph.get_check_spec(key).blocking
        ),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {s.name: [s.cron_schedule, s.job_name] for s in repository.schedule_defs},
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def test_no_secret_can_be_configured(tmp_path: Path) -> None:
    """Resource configuration is shown in the UI, so all there is to configure is where the installation lies."""
    for resource in (build_defs(home=str(tmp_path), first_day=date(2026, 3, 1)).resources or {}).values():
        assert set(type(resource).model_fields) == {"home"}


def test_every_tier_is_a_partition() -> None:
    assert TIERS.get_partition_keys() == [tier.value for tier in Tier]


def test_dagster_yaml_is_what_our_commands_write() -> None:
    storage = {"storage": {"postgres": {"postgres_url": {"env": "DAGSTER_PG_URL"}}}}
    assert yaml.safe_load((ROOT / "dagster.yaml").read_text()) | storage == INSTANCE


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "dagster", "definitions", "validate", "-m", "pleiades_dagster.definitions"],
        ["-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        ["-m", "dagster_dg_cli.cli", "check", "defs"],
    ],
)
def test_dagsters_own_checks_pass(command: list[str], tmp_path: Path) -> None:
    """In a fresh environment: no database, no keys, no DAGSTER_HOME."""
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    environment |= {"PLEIADES_HOME": str(tmp_path / "home"), "DAGSTER_DISABLE_TELEMETRY": "yes", "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["daily_velocity", "rankings"])
def test_what_looks_back_a_day_depends_on_the_eve_too(name: str) -> None:
    graph = build_defs(home="", first_day=date(2026, 9, 1)).get_repository_def().asset_graph
    mapping = graph.get_partition_mapping(dg.AssetKey(name), dg.AssetKey("daily_metrics"))
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert (mapping.start_offset, mapping.end_offset) == (-1, 0)
