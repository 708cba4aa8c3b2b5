"""Dagster's resources open an installation and never make one."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from pleiades_core.errors import NoInstallation
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.resources import InstallationResource, KeyRingResource, VaultResource


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PLEIADES_HOME", "PLEIADES_VAULT_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_resource_in_a_wrong_folder_makes_nothing(tmp_path: Path) -> None:
    home = str(tmp_path / "typo")
    with pytest.raises(NoInstallation, match=f"no installation at {home}"), InstallationResource(home=home).open():
        pass
    with pytest.raises(NoInstallation), KeyRingResource(home=home).open():
        pass
    with pytest.raises(NoInstallation):
        VaultResource(home=home).open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["hourly_tier", "inbox", "day_closer"])
def test_a_sensor_in_a_wrong_folder_fails_with_the_cure_and_makes_nothing(tmp_path: Path, name: str) -> None:
    home = str(tmp_path / "typo")
    repository = build_defs(home=home).get_repository_def()
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance,
            sensor_name=name,
            repository_def=repository,
            resources={"installation": InstallationResource(home=home)},
        ) as context,  # fmt: skip
        pytest.raises(dg.Failure) as caught,
    ):
        repository.get_sensor_def(name).evaluate_tick(context)
    assert f"no installation at {home}" in str(caught.value.description)
    assert "pleiades init-db" in str(caught.value.description)
    assert list(tmp_path.iterdir()) == []
