"""The Dagster UI of a played demo, seen through a browser and through the guard that stands before it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.paths import ROOT
from support.playing import pleiades_command

from pleiades_dagster.demo.home import Played

DOCS = ROOT / "docs"
#: Also write the pictures into docs/.
KEEP = bool(os.environ.get("PLEIADES_SCREENSHOTS"))


@pytest.fixture
def page(chromium: Any) -> Any:
    """A page, and after the test the certainty that it complained of nothing and asked nobody but us."""
    opened = chromium.new_page(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("response", lambda reply: complaints.append(f"{reply.status} {reply.url}") if reply.status >= 400 else None)
    opened.on("request", lambda sent: complaints.append(f"foreign: {sent.url}") if not _ours(sent.url) else None)
    yield opened
    opened.close()
    assert complaints == []


#: The hour at which a demo's play ends, of the day after the last one.
_STOPS_AT_HOUR = 1


def _ours(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:", "ws://127.0.0.1:"))


def _picture(page: Any, name: str, tmp_path: Path) -> None:
    """A screenshot of what has settled; an empty page would be a small file."""
    page.wait_for_timeout(2_500)
    path = (DOCS if KEEP else tmp_path) / f"{name}.png"
    page.screenshot(path=str(path))
    assert path.stat().st_size > 20_000


def _ask(ui: str, query: str, **variables: Any) -> Any:
    reply = _send(ui, "POST", "/graphql", {"Content-Type": "application/json"}, {"query": query, "variables": variables})
    assert reply[0] == 200, reply
    return json.loads(reply[1])["data"]


def _send(ui: str, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection(ui.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_the_first_look_is_green(ui: str) -> None:
    """The tiers were looked at and owe nothing; the first tick used to poll an hour late, and its check warned."""
    for tier in ("hourly_tier", "daily_tier", "weekly_tier"):
        tick = _last_tick(ui, tier)
        assert tick["status"] == "SKIPPED", tick
        assert "nothing due" in tick["skipReason"]
    nodes = _ask(
        ui,
        "{assetNodes{assetKey{path} assetChecksOrError{... on AssetChecks{checks{name"
        " executionForLatestMaterialization{status evaluation{success}}}}}}}",
    )["assetNodes"]
    checks = {
        (node["assetKey"]["path"][0], check["name"]): check["executionForLatestMaterialization"]
        for node in nodes
        for check in node["assetChecksOrError"].get("checks", ())
    }
    assert ("tracking", "lateness") in checks
    # A check of a run that a schedule has just started has no evaluation yet.
    evaluations = {name: found["evaluation"] for name, found in checks.items() if found and found["evaluation"]}
    assert [name for name, evaluation in evaluations.items() if not evaluation["success"]] == []


def _last_tick(ui: str, sensor: str) -> Any:
    """The last tick of a sensor, once one has ended; the test's own time-out ends the wait."""
    query = (
        "query($s: SensorSelector!){sensorOrError(sensorSelector:$s)"
        "{... on Sensor{sensorState{ticks(limit:1){status skipReason}}}}}"
    )
    where = {"repositoryName": "__repository__", "repositoryLocationName": "pleiades", "sensorName": sensor}
    while True:
        ticks = _ask(ui, query, s=where)["sensorOrError"]["sensorState"]["ticks"]
        if ticks and ticks[0]["status"] != "STARTED":
            return ticks[0]
        time.sleep(0.5)


def test_a_second_ui_and_a_demo_are_refused_and_other_commands_are_not(ui: str, demo_home: Path) -> None:
    settings = (demo_home / "pleiades.toml").read_text().partition("simulator_stopped_at")[0]
    for command in (["ui", "--port", "3999"], ["demo"]):
        refused = subprocess.run(
            pleiades_command("--home", str(demo_home), *command), capture_output=True, text=True, timeout=200, check=False
        )
        assert refused.returncode == 10, refused.stderr
        assert f"this demo is open already at {ui}" in refused.stderr
    assert (demo_home / "pleiades.toml").read_text().partition("simulator_stopped_at")[0] == settings
    track = pleiades_command("--home", str(demo_home), "track", "--json")
    done = subprocess.run(track, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["quota_error"] == ""


def test_partitions_and_checks_of_the_closed_days_are_seen(ui: str, page: Any, demo_home: Path, tmp_path: Path) -> None:
    played = Played.read(demo_home)
    page.goto(f"{ui}/assets/daily_metrics?view=partitions&partition={played.start}")
    page.get_by_text(f"Materialized ({played.days})").first.wait_for(timeout=60_000)
    page.get_by_text("dagster/row_count").first.wait_for(timeout=60_000)
    _picture(page, "dagster-ui", tmp_path)
    page.goto(f"{ui}/assets/daily_metrics?view=checks")
    for name in ("checksum_matches", "coverage", "keys_unique", "rows_equal_batches", "share_of_falls", "times_inside_day"):
        page.get_by_text(name).first.wait_for(timeout=60_000)
    assert page.get_by_text("Succeeded").count() >= 6
    _picture(page, "dagster-checks", tmp_path)


def test_the_lineage_and_a_tick_are_seen(ui: str, page: Any, tmp_path: Path) -> None:
    page.goto(f"{ui}/assets/daily_metrics?view=lineage&lineageScope=neighborhood")
    for name in ("discovered_videos", "tracking", "daily_velocity", "rankings"):
        page.get_by_text(name).first.wait_for(timeout=60_000)
    _picture(page, "dagster-lineage", tmp_path)
    page.goto(f"{ui}/assets/tracking?view=events")
    page.get_by_text("lateness_median_s").first.wait_for(timeout=60_000)


def test_every_day_and_the_busy_tiers_are_materialised(ui: str, demo_home: Path) -> None:
    nodes = _ask(ui, "{assetNodes{assetKey{path} partitionStats{numMaterialized numFailed}}}")["assetNodes"]
    found = {node["assetKey"]["path"][0]: node["partitionStats"] for node in nodes}
    days = Played.read(demo_home).days
    for name in ("daily_metrics", "daily_velocity", "rankings"):
        assert found[name] == {"numMaterialized": days, "numFailed": 0}
    # The hunts of the hour after midnight belong to the next day.
    assert found["discovered_videos"] == {"numMaterialized": days + 1, "numFailed": 0}
    # A refused backfill, as below, shows on its tiers until their next tick.
    assert found["tracking"]["numMaterialized"] + found["tracking"]["numFailed"] >= 1


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Host": "evil.example"}, 421),
        ("/graphql?query=%7Bversion%7D", {}, 405),
        ("/assets", {"Origin": "http://evil.example"}, 403),
        ("/assets", {}, 200),
    ],
)
def test_another_sites_page_cannot_use_it(ui: str, path: str, headers: dict[str, str], status: int) -> None:
    """What the plain webserver would answer with 200: a foreign Host, and a mutation in a link."""
    assert _send(ui, "GET", path, headers)[0] == status


def test_backfills_launched_here_run_and_that_of_tracking_is_refused(ui: str, demo_home: Path) -> None:
    """Through daemon, queue and code server: what `pleiades ui` starts beside the page.

    The last day that is offered can be closed by the demo's clock, which is behind the machine's.
    """
    days = _offered_days(ui, demo_home)
    keys = {"rankings": days[:1], "daily_metrics": days[-1:], "tracking": ["HOURLY", "DAILY"]}
    backfills = {asset: _backfill(ui, asset, partitions) for asset, partitions in keys.items()}
    assert {asset: _finished(ui, backfill) for asset, backfill in backfills.items()} == {
        "rankings": "SUCCESS", "daily_metrics": "SUCCESS", "tracking": "FAILURE",
    }  # fmt: skip


@pytest.mark.sweep
def test_a_backfill_of_all_days_that_are_offered_succeeds(ui: str, demo_home: Path) -> None:
    """*Materialize*, *All*. The daemon looks at a backfill every 30 seconds."""
    backfill = _backfill(ui, "daily_metrics", _offered_days(ui, demo_home))
    status = "query($b: String!){partitionBackfillOrError(backfillId:$b){... on PartitionBackfill{status}}}"
    while (found := _ask(ui, status, b=backfill)["partitionBackfillOrError"]["status"]) in {"REQUESTED", "COMPLETING"}:
        time.sleep(1)
    assert found == "COMPLETED_SUCCESS"


def _offered_days(ui: str, demo_home: Path) -> list[str]:
    """The days of the demo, which are the partitions of `daily_metrics` that the page offers."""
    played = Played.read(demo_home)
    query = '{assetNodeOrError(assetKey:{path:["daily_metrics"]}){... on AssetNode{partitionKeys}}}'
    offered = _ask(ui, query)["assetNodeOrError"]["partitionKeys"]
    days = [str(played.start + timedelta(days=n)) for n in range(played.days)]
    # While the machine's time of day is before the demo's, their difference is rounded up to one day more.
    if datetime.now(UTC).hour > _STOPS_AT_HOUR:
        assert offered == days
    return days


def _backfill(ui: str, asset: str, keys: list[str]) -> str:
    """Launch a backfill of partitions of an asset; its id."""
    launch = (
        "mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams:$p)"
        "{__typename ... on LaunchBackfillSuccess{backfillId}}}"
    )
    order = {"partitionNames": keys, "assetSelection": [{"path": [asset]}], "fromFailure": False}
    return str(_ask(ui, launch, p=order)["launchPartitionBackfill"]["backfillId"])


def test_the_checks_of_a_day_run_without_materialising(ui: str, demo_home: Path) -> None:
    """The job `verify` with the tag of a day, as docs/code-location.md says."""
    day = str(Played.read(demo_home).start)
    launch = (
        "mutation($p: ExecutionParams!){launchRun(executionParams:$p)"
        "{__typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}"
    )
    selector = {"jobName": "verify", "repositoryLocationName": "pleiades", "repositoryName": "__repository__"}
    tags = [{"key": "dagster/partition", "value": day}]
    order = {"selector": selector, "mode": "default", "runConfigData": "{}", "executionMetadata": {"tags": tags}}
    run = _ask(ui, launch, p=order)["launchRun"]["run"]["runId"]
    looked = (
        "query($r: ID!){runOrError(runId:$r){... on Run{status assetMaterializations{partition}"
        " assetChecks{assetKey{path} name}}}}"
    )
    while (found := _ask(ui, looked, r=run)["runOrError"])["status"] not in {"SUCCESS", "FAILURE", "CANCELED"}:
        time.sleep(1)
    assert found["status"] == "SUCCESS"
    assert found["assetMaterializations"] == []
    assert {check["assetKey"]["path"][0] for check in found["assetChecks"]} == {
        "daily_metrics", "discovered_videos", "watchlist",
    }  # fmt: skip


def test_everything_is_switched_on_here(ui: str) -> None:
    """In a Dagster of somebody else's it is not: tests/docs/test_code_location.py."""
    query = (
        "{repositoriesOrError{... on RepositoryConnection{nodes"
        "{schedules{scheduleState{status}} sensors{sensorState{status}}}}}}"
    )
    (found,) = _ask(ui, query)["repositoriesOrError"]["nodes"]
    states = [one["scheduleState"]["status"] for one in found["schedules"]]
    states += [one["sensorState"]["status"] for one in found["sensors"]]
    assert set(states) == {"RUNNING"}


def _finished(ui: str, backfill: str) -> str:
    """The state in which the run of a backfill ends."""
    ours = {"tags": [{"key": "dagster/backfill", "value": backfill}]}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        runs = _ask(ui, "query($f: RunsFilter){runsOrError(filter:$f){... on Runs{results{status}}}}", f=ours)["runsOrError"][
            "results"
        ]
        if runs and runs[0]["status"] in {"SUCCESS", "FAILURE"}:
            return str(runs[0]["status"])
        time.sleep(1)
    return "not finished"


def test_nothing_but_loopback_is_listened_on(ui: str) -> None:
    """No part of it is reachable from another machine."""
    listening = []
    for process in psutil.Process().children(recursive=True):
        # Dagster's daemon starts and ends processes all the time: one that is gone listens on nothing.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            connections = process.net_connections("inet")
            listening += [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]
    assert ui
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}
