"""Dagster's own instance: its folder under HOME, its settings, its database beside ours.

Belongs here: writing HOME/dagster/dagster.yaml, and naming the database in the environment: a password does not belong into a
file. Does not belong here: what runs (definitions.py), serving the UI (ui/processes.py).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pleiades_core.settings import Settings
from pleiades_core.storage.disk import make_folder
from pleiades_core.storage.postgres import dagster_urls, ensure_database

if TYPE_CHECKING:
    import dagster as dg

#: As dagster.yaml at the root of the repository, which has the reasons, plus the storage; a test keeps them equal.
INSTANCE: dict[str, Any] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "storage": {"postgres": {"postgres_url": {"env": "DAGSTER_PG_URL"}}},
    "run_coordinator": {
        "module": "dagster._core.run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_use_threads": True, "dequeue_num_workers": 2, "dequeue_interval_seconds": 2},
    },
    "concurrency": {"runs": {"max_concurrent_runs": 2}, "pools": {"default_limit": 1, "granularity": "run"}},
    "sensors": {"use_threads": True, "num_workers": 4, "num_submit_workers": 2},
    "schedules": {"use_threads": True, "num_workers": 2},
    "retention": {
        "schedule": {"purge_after_days": 30},
        "sensor": {"purge_after_days": {"skipped": 1, "started": 7, "failure": 30, "success": 7}},
    },
    "run_monitoring": {"enabled": True, "start_timeout_seconds": 300},
}

#: Connections of a program that makes hundreds of runs in a row. Opening one for every statement, as Dagster does outside its
#: webserver, was more than half of a run's time (0.27 s against 0.11 s, measured).
_STATEMENT_TIMEOUT_MS, _RECYCLE_S, _OVERFLOW = 15_000, 3600, 10


def prepare(settings: Settings, url: str) -> dict[str, str]:
    """Make HOME/dagster, and Dagster's database on the server of `url`. Returns the environment that Dagster's programs need.

    Raises:
        DatabaseUnreachable: the database cannot be made.
        ConfigurationError: the folder cannot be made.
    """
    folder = settings.dagster_home
    make_folder(folder)
    # JSON is YAML.
    (folder / "dagster.yaml").write_text(json.dumps(INSTANCE, indent=1), encoding="utf-8")
    dagster = dagster_urls(settings, url)
    ensure_database(dagster.plain)
    return {
        "DAGSTER_HOME": str(folder),
        "DAGSTER_PG_URL": dagster.sqlalchemy,
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PLEIADES_HOME": str(settings.home),
        # In our own instance schedules and sensors run at once; in another Dagster they wait until they are switched on.
        "PLEIADES_AUTOMATION": "on",
    }


@contextlib.contextmanager
def open_instance(folder: Path, environment: dict[str, str]) -> Iterator[dg.DagsterInstance]:
    """The instance in `folder` for runs in this process: with pooled connections, and without capturing of its output.

    The environment of the process is restored after the block.
    """
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef

    # Capturing would redirect the process's own stdout and stderr, with progress bar and JSON, into a file for every run.
    quiet = {"compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        instance = DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=quiet))
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _RECYCLE_S, _OVERFLOW)
        try:
            yield instance
        finally:
            instance.dispose()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
