"""Real parts for tests. A session has one PostgreSQL server; each test has its own database and simulator.

Databases are cloned and dropped, never emptied: no test can touch a database that is not its own. The server does not wait for
the disk (`fsync = off`): a clone takes 0.15 s instead of 0.3 s, the end of a session 0.4 s instead of 50 s.
Tests of crashes start servers of their own, with the product's settings.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from support.clusters import made_cluster, short_folder
from support.simulators import ForkedSimulator, Simulators, forking

from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation, open_installation
from pleiades_core.settings import DemoSettings
from pleiades_core.simulator.api.quota import DEMO_KEYS
from pleiades_core.simulator.config import SimulatorConfig
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.storage import migrate
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.storage.postgres import Database, ensure_database

_counter = itertools.count()

#: The files that take longest, in that order (CPU-seconds, measured). xdist hands out files in order, and a long one at the end
#: would leave the other worker with nothing to do.
_LONGEST = (
    "faults/test_kill.py", "simulator/test_plan_simulated.py", "faults/test_no_leak.py", "browser/test_dagster_ui.py",
    "dagster/test_play.py", "unit/cli/test_cli.py", "dagster/test_assets.py", "faults/discover/test_hunt_sources.py",
    "faults/track/test_tracker.py", "faults/discover/test_brownout.py", "faults/test_smoke.py", "dagster/test_recorded_demo.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order within a file stays."""
    rank = {Path(__file__).parent / name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """URL of a running server whose database `template` has the whole schema."""
    with short_folder() as root, embedded(root / "pg") as server:
        url = embedded_url(server, "template")
        ensure_database(url)
        with psycopg.connect(url) as connection:
            migrate.migrate(connection)
        with _admin(url) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(psycopg.sql.SQL("alter system set {} = off").format(psycopg.sql.Identifier(setting)))
            connection.execute("select pg_reload_conf()")
        yield url


def _admin(url: str) -> psycopg.Connection:
    """A connection to the server of `cluster`; each statement is a transaction."""
    return psycopg.connect(url.replace("/template?", "/postgres?"), autocommit=True)


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder whose path is short: the name of PostgreSQL's Unix socket is limited to 107 bytes.

    And of its own: pytest closes the folder of all its runs to other users, of whom the embedded server is one.
    """
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def data_folder() -> Iterator[Path]:
    """A data folder whose embedded server was started and stopped once, below a short path; shared by the tests of a module."""
    with made_cluster() as folder:
        yield folder


@pytest.fixture
def database_url(cluster: str) -> Iterator[str]:
    """URL of a fresh database with the whole schema."""
    name = f"test_{os.getpid()}_{next(_counter)}"
    with _admin(cluster) as connection:
        connection.execute(psycopg.sql.SQL("create database {} template template").format(psycopg.sql.Identifier(name)))
        yield cluster.replace("/template?", f"/{name}?")
        # By force: tests kill programs that are connected.
        connection.execute(psycopg.sql.SQL("drop database {} with (force)").format(psycopg.sql.Identifier(name)))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database with the whole schema, open."""
    opened = Database(database_url)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon UTC of an ordinary day."""
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def world_start() -> datetime:
    """The first instant of the simulator that `simulator` starts."""
    return datetime(2026, 9, 1, 7, tzinfo=UTC)


@pytest.fixture(scope="session")
def simulators() -> Iterator[Simulators]:
    """Simulators, each in a process of its own."""
    with forking() as started:
        yield started


@pytest.fixture
def simulator(simulators: Simulators, tmp_path: Path, world_start: datetime) -> Iterator[ForkedSimulator]:
    """A small synthetic YouTube on loopback, its clock at `world_start`."""
    config = SimulatorConfig(videos=4_000, seed=7, start=world_start, days_ahead=4, uploads_per_day=700)
    with simulators.running(config, log_path=tmp_path / "simulator.log") as running:
        yield running


@pytest.fixture
def pleiades(tmp_path: Path, database_url: str, simulator: ForkedSimulator, world_start: datetime) -> Iterator[Installation]:
    """An installation on the simulator, with a clock that moves the simulator's along."""
    control = SimulatorControl(simulator.base_url)
    keys = json.dumps([{"key": key.key, "project": key.project} for key in DEMO_KEYS])
    # Not `Settings`: a variable in the environment of the tests must not decide where they write.
    settings = DemoSettings(home=tmp_path / "home").changed(
        database__url=database_url,
        youtube__url=simulator.base_url,
        keys__pool=SecretStr(keys),
        discovery__seed_terms=tuple(control.world()["terms"]),
        discovery__uploads_per_hunt=40,
    )
    # Nobody waits for the next attempt in an outage that a test makes.
    clock = DrivingClock(control, world_start)
    with open_installation(settings, create=True, clock=clock, sleep=lambda _: None) as opened:
        yield opened


class DrivingClock(ManualClock):
    """A manual clock that takes the simulator's along."""

    def __init__(self, control: SimulatorControl, instant: datetime) -> None:
        self._control = control
        super().__init__(instant)

    def set(self, instant: datetime) -> None:
        """Move both."""
        super().set(instant)
        self._control.set(instant)

    def advance(self, by: timedelta) -> None:
        """Move both."""
        self.set(self.now() + by)
