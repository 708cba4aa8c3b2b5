"""One simulator for the fidelity tests, and Google's own client to judge it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httplib2
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.faults import FaultPlan
from pleiades_core.simulator.quota import ApiKey
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess

KEYS = (
    ApiKey(key="key-one", project="roomy", limits={"search": 100_000}),
    ApiKey(key="key-two", project="roomy"),
    ApiKey(key="small", project="small", limits={"search": 2, "stats": 2, "general": 2}),
)


@pytest.fixture(scope="package")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("simulator") / "log"
    with start_subprocess(SimulatorConfig(videos=6_000, seed=7, keys=KEYS), log_path=log) as started:
        yield started.base_url
    assert log.read_text() == ""


@pytest.fixture
def control(base_url: str) -> Iterator[SimulatorControl]:
    """Drives the clock and sets faults; both are put back afterwards."""
    driven = SimulatorControl(base_url)
    begin = driven.now()
    yield driven
    driven.set(begin)
    driven.set_faults(FaultPlan())


@pytest.fixture
def client(base_url: str) -> Callable[[str | None], Any]:
    """Makes a client for a key; use it in a `with` block."""

    def made(key: str | None) -> Any:
        options = {"api_endpoint": base_url}
        return build("youtube", "v3", developerKey=key, http=httplib2.Http(), client_options=options, static_discovery=True)

    return made


@pytest.fixture
def youtube(client: Callable[[str | None], Any]) -> Iterator[Any]:
    with client("key-one") as made:
        yield made


@pytest.fixture
def some_ids(youtube: Any) -> Callable[..., list[str]]:
    """The newest videos that a search finds."""

    def found(count: int = 50, **more: Any) -> list[str]:
        reply = youtube.search().list(part="snippet", type="video", maxResults=count, order="date", **more).execute()
        return [item["id"]["videoId"] for item in reply["items"]]

    return found


@pytest.fixture
def refused() -> Callable[[Any], tuple[int, dict[str, Any]]]:
    """Status and `error` object of a request that must fail."""

    def answer(request: Any) -> tuple[int, dict[str, Any]]:
        with pytest.raises(HttpError) as caught:
            request.execute()
        return caught.value.resp.status, json.loads(caught.value.content)["error"]

    return answer


@pytest.fixture
def units(control: SimulatorControl) -> Callable[[str, str], int]:
    """Units charged so far to a bucket of a project."""

    def charged(project: str, bucket: str) -> int:
        return sum(row["units"] for row in control.ledger()["calls"] if (row["project"], row["bucket"]) == (project, bucket))

    return charged
