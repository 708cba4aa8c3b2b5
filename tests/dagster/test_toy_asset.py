"""The walk of CONTRIBUTING.md, "Add an asset", followed with a toy asset: one file, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from pleiades_dagster import assets
from pleiades_dagster.definitions import build_defs

_TOY = '''
"""`toy`: counts the partitions that it was given."""

import dagster as dg

from pleiades_dagster.building import Building


def definitions(building: Building) -> dg.Definitions:
    @dg.asset(key=dg.AssetKey("toy"), partitions_def=building.days.over, group_name="insights")
    def toy(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """One row a day."""
        return dg.MaterializeResult(metadata={"day": context.partition_key})

    return dg.Definitions(
        assets=[toy],
        jobs=[dg.define_asset_job("play", selection=["toy"], description="Materialise the toy.")],
        schedules=[
            dg.ScheduleDefinition(
                name="play_daily", job_name="play", cron_schedule="0 5 * * *", default_status=building.schedule_status
            )
        ],
    )
'''


@pytest.fixture
def _toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file `toy.py` in the package of assets: in a folder of its own, so that the checkout stays as it is."""
    (tmp_path / "toy.py").write_text(_TOY)
    monkeypatch.setattr(assets, "__path__", [*assets.__path__, str(tmp_path)])
    yield
    sys.modules.pop("pleiades_dagster.assets.toy", None)


@pytest.mark.usefixtures("_toy")
def test_a_new_asset_is_one_file(tmp_path: Path) -> None:
    defs = build_defs(home=str(tmp_path / "home"), first_day=date(2026, 3, 1), automation=True)
    repository = defs.get_repository_def()
    node = repository.asset_graph.get(dg.AssetKey("toy"))
    assert (node.group_name, node.is_partitioned) == ("insights", True)
    assert repository.has_job("play")
    schedule = repository.get_schedule_def("play_daily")
    assert (schedule.job_name, schedule.default_status) == ("play", dg.DefaultScheduleStatus.RUNNING)
    with dg.DagsterInstance.ephemeral() as instance:
        result = repository.get_job("play").execute_in_process(partition_key="2026-03-02", instance=instance)
    assert result.asset_materializations_for_node("toy")[0].metadata["day"].value == "2026-03-02"
