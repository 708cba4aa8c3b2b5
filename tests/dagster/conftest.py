"""Definitions over an installation that talks to a simulator, and Dagster instances that forget everything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import dagster as dg
import pytest
from support.playing import PlayedDemo, played_once

from pleiades_core.clock import Clock
from pleiades_core.installation import Installation
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.resources import SharedInstallation

Run = Callable[..., dg.ExecuteInProcessResult]


class FixedClock:
    """A stand-in for the clock resource: hands out the clock it was given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def clock(self) -> Clock:
        """What it was given."""
        return self._clock


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Dagster prints a dozen lines a run."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def resources(pleiades: Installation) -> dict[str, Any]:
    """What takes the place of the resources that would open an installation of their own."""
    return {"installation": SharedInstallation(pleiades), "clock": FixedClock(pleiades.clock)}


@pytest.fixture
def defs(pleiades: Installation, resources: dict[str, Any], world_start: datetime) -> dg.Definitions:
    """Definitions over the installation of the simulator's world."""
    return build_defs(home=str(pleiades.settings.home), first_day=world_start.date(), **resources)


@pytest.fixture
def run(defs: dg.Definitions, instance: dg.DagsterInstance) -> Run:
    """Run a job by its name; failures are returned and not raised."""

    def execute(job: str, key: str | date | None = None, **options: Any) -> dg.ExecuteInProcessResult:
        partition = str(key) if key is not None else None
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key=partition, raise_on_error=False, **options
        )

    return execute


@pytest.fixture(scope="session")
def played_demo(tmp_path_factory: pytest.TempPathFactory) -> PlayedDemo:
    """A demo of one day, shared by all tests: they copy it."""
    return played_once(tmp_path_factory)
