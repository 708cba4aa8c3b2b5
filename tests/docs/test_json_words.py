"""The rules of docs/cli.md for what `--json` prints, held to every command on a small installation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.simulators import ForkedSimulator
from typer.main import get_command
from typer.testing import CliRunner

from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.usage import DETAILS
from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.simulator.api.quota import DEMO_KEYS
from pleiades_core.simulator.control import SimulatorControl
from pleiades_dagster.cli import app

#: In the order of a life. `push` goes on until it is stopped, and `demo` is looked at in tests/dagster/test_play.py.
LIFE = (
    "init-db", "hunt", "terms add", "terms list", "campaign add", "campaign list", "add", "track", "close-day", "give-up",
    "upkeep", "top", "show", "quota", "plan", "sources", "coverage", "sql", "doctor", "campaign remove",
)  # fmt: skip
ELSEWHERE = {"push", "demo"}
#: Names that are data: what stands under them is by bucket, by source and so on.
DATA = {*Bucket, *QuotaPool, *Tier, *SOURCES, DETAILS}


@pytest.fixture
def said(simulator: ForkedSimulator, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each command printed."""
    control = SimulatorControl(simulator.base_url)
    monkeypatch.delenv("PLEIADES_HOME", raising=False)
    for name, value in {
        "DATABASE_URL": database_url, "PLEIADES_YOUTUBE_URL": simulator.base_url, "PLEIADES_CLOCK": "simulator",
        "YOUTUBE_API_KEY_POOL_JSON": json.dumps([key.key for key in DEMO_KEYS]),
        "PLEIADES_DISCOVERY_SEED_TERMS": json.dumps(control.world()["terms"]), "PLEIADES_DISCOVERY_UPLOADS_PER_HUNT": "40",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json", "--home", str(tmp_path / "home")])
        assert done.exception is None, (arguments, done.exception)
        return json.loads(done.stdout)

    video, channel, _ = control.uploads(control.now() - timedelta(days=2), control.now())[0]
    more = {
        "terms add": ["lofi"], "campaign add": ["old", "--from", "2019-01", "--to", "2019-12"], "campaign remove": ["old"],
        "add": [video, channel], "show": [video], "sources": ["--targets"], "sql": ["select * from samples limit 1"],
        "give-up": ["2026-01-01"],
        "doctor": ["--call"],
    }  # fmt: skip
    answers = {}
    for command in LIFE:
        if command == "track":
            control.set(control.now() + timedelta(hours=26))
        answers[command] = run(*command.split(), *more.get(command, []))
    return answers


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every name in an answer with what stands under it; of a list, each of its elements."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from walk(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, key)


def kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def breaks_a_rule(name: str, value: Any) -> bool:
    """True for a value that its name does not announce, or a name whose value is something else."""
    if name.endswith("_at") or name in {"since", "until"}:
        return _utc_offset(value) != timedelta(0)
    if name == "day" or (name.endswith("_day") and not name.endswith("_a_day")):
        return not re.fullmatch(r"\d{4}-\d\d-\d\d", str(value))
    if re.search(r"(_s|_a_day|^bytes|_bytes|_hours|_per_\w+|^total)$", name):
        return kind(value) != "number"
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\d(T\S+)?", value))


def _utc_offset(value: Any) -> timedelta | None:
    try:
        return datetime.fromisoformat(value).utcoffset()
    except (TypeError, ValueError):
        return None


def test_what_every_command_prints_keeps_the_rules(said: dict[str, Any]) -> None:
    """One object; a suffix says what a value is, and a value of that sort has it; a name is one sort of thing in an answer."""
    assert {command: type(answer) for command, answer in said.items()} == dict.fromkeys(said, dict)
    known = [(command, name, value) for command, answer in said.items() for name, value in walk(answer) if value is not None]
    assert [one for one in known if breaks_a_rule(*one[1:])] == []
    kinds: dict[tuple[str, str], set[str]] = {}
    for command, name, value in known:
        if name not in DATA:
            kinds.setdefault((command, name), set()).add(kind(value))
    assert {where: found for where, found in kinds.items() if len(found) > 1} == {}


def test_a_list_stands_in_an_object_and_total_counts_what_a_limit_cuts(said: dict[str, Any]) -> None:
    assert said["terms list"]["total"] > len(said["terms list"]["terms"]) == 40
    assert "total" not in said["top"]
    inside = [one for answer in said.values() for _, value in walk(answer) if isinstance(value, list) for one in value]
    assert [one for one in inside if isinstance(one, list)] == []


def test_every_command_that_answers_is_looked_at(said: dict[str, Any]) -> None:
    """And shows something: a rule that is held by an empty list is not held."""

    def answering(group: Any, *before: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from answering(command, *before, name)
            elif any(option.name == "as_json" for option in command.params):
                yield " ".join([*before, name])

    assert set(answering(get_command(app))) == {*LIFE, *ELSEWHERE}
    assert said["hunt"]["new"] > 0
    assert said["hunt"]["quota_error"] == said["track"]["quota_error"] == ""
    assert set(said["track"]["units_left"]) == {"stats"}
    for command, name in (
        ("terms list", "terms"), ("campaign list", "campaigns"), ("top", "top"), ("show", "samples"), ("quota", "ledger"),
        ("sources", "sources"), ("sql", "rows"), ("doctor", "findings"), ("close-day", "closed"),
    ):  # fmt: skip
        assert said[command][name], command
