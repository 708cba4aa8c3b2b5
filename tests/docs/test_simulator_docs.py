"""docs/simulator.md: its examples are run, and it has every path, field and name that there is."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT

from pleiades_core.simulator.api.quota import BUCKETS
from pleiades_core.simulator.app import FEEDS, SUBSCRIBE
from pleiades_core.simulator.endpoints import Endpoints
from pleiades_core.simulator.faults.fault import Fault, FaultPlan
from pleiades_core.simulator.faults.named_errors import NAMES
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess

TEXT = (ROOT / "docs/simulator.md").read_text()
ADDRESS = "http://127.0.0.1:8123"


def _rows(heading: str) -> list[list[str]]:
    """Cells of the table that follows some words."""
    table = TEXT.split(heading, 1)[1].split("| --- |", 1)[1].split("\n\n", 1)[0]
    return [row.strip("| ").split(" | ") for row in table.splitlines()[1:]]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_path_is_there() -> None:
    documented = {
        (verb, re.split(r"[?\[]", _names(row[0])[0])[0])
        for row in _rows("What it can be asked")
        for verb, said in zip(("GET", "POST"), row[1:], strict=False)
        if said.strip()
    }
    # Nothing is asked of the parts.
    parts: dict[str, Any] = dict.fromkeys(field.name for field in fields(Endpoints))
    routes = [(verb, route.path) for route in Endpoints(**parts).routes() for verb in route.methods or ()]
    served = {(verb, path.removeprefix("/simulator/")) for verb, path in routes if verb != "HEAD"}
    assert documented == served


def test_every_field_of_a_fault_is_there() -> None:
    documented = [
        name for words in ("Which calls:", "What happens to them:") for row in _rows(words) for name in _names(row[0])
    ]
    assert sorted(documented) == sorted(field.name for field in fields(Fault))


def test_every_method_and_every_error_is_there() -> None:
    (methods,) = (_names(row[2]) for row in _rows("Which calls:") if row[0] == "`method`")
    assert set(methods) == {*BUCKETS, FEEDS, SUBSCRIBE, "*"}
    assert set(_names(TEXT.split("Names of `error`:", 1)[1].split("\n\n", 1)[0])) == NAMES


def test_every_example_is_answered(tmp_path: Path) -> None:
    examples = [shlex.split(line) for line in TEXT.splitlines() if line.startswith("curl ")]
    with start_subprocess(SimulatorConfig(videos=300), log_path=tmp_path / "log") as running:
        for _, url, *rest in examples:
            body = rest[1].encode() if rest else None
            request = urllib.request.Request(url.replace(ADDRESS, running.base_url), data=body)  # noqa: S310  loopback
            with urllib.request.urlopen(request) as reply:  # noqa: S310
                answer = json.load(reply)
            assert answer, url
            for fault in json.loads(body or b"{}").get("faults", []):
                assert fault.items() <= answer["faults"][0].items() | answer["faults"][-1].items()
    assert len(examples) == TEXT.count("curl ")


@pytest.mark.parametrize("wrong", [{"error": "nope"}, {"metod": "*"}, {"first": "one"}])
def test_a_plan_that_is_wrong_is_answered_with_what_would_be_right(wrong: dict[str, str]) -> None:
    said = {"error": "backend_error", "metod": "method", "first": "integer"}
    with pytest.raises(ValueError, match=said[next(iter(wrong))]) as raised:
        FaultPlan.from_json({"faults": [wrong]})
    assert "pydantic" not in str(raised.value)
