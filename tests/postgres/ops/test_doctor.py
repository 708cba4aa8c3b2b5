"""The doctor on keys: what compliance mode leaves out, who shares a project, what was refused, and a live test of each."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr
from support.loopback import Answer, json_reply, serve

from pleiades_core.ops import doctor
from pleiades_core.ops.doctor import Finding, examine
from pleiades_core.settings import SEVERAL_PROJECTS, DemoSettings

POOL = orjson.dumps(
    [
        {"key": "CANARY-first-of-one", "project": "one"},
        {"key": "CANARY-second-of-one", "project": "one"},
        {"key": "CANARY-of-two", "project": "two", "pools": ["tracking"]},
    ]
).decode()
WORKS = json_reply({"kind": "youtube#videoCategoryListResponse", "items": []})


def refusal(status: int, reason: str) -> Answer:
    """A refusal in the API's form."""
    return json_reply({"error": {"code": status, "message": "no", "errors": [{"reason": reason}]}}, status)


def findings(
    tmp_path: Path,
    database_url: str,
    *answers: Answer,
    mode: str = "on",
    pool: str | None = POOL,
    call: bool = False,
    limits: dict[str, dict[str, int]] | None = None,
) -> list[Finding]:
    """Everything that the doctor says of an installation."""
    (tmp_path / "vault").mkdir(exist_ok=True)
    with serve(*answers or (WORKS,)) as server:
        settings = DemoSettings(home=tmp_path).changed(
            database__url=database_url,
            youtube__url=server.base_url,
            keys__compliance_mode=mode,
            youtube__call_deadline_s=5,
            keys__pool=SecretStr(pool) if pool else None,
            keys__quota_limits=limits or {},
        )
        said = examine(settings, call=call)
        assert bool(server.requests) == call
    assert "CANARY" not in repr(said)
    return said


def of(part: str, said: list[Finding]) -> Finding:
    """The one finding about a part."""
    (found,) = (finding for finding in said if finding.part == part)
    return found


def test_ignored_keys_and_shared_projects_are_named(tmp_path: Path, database_url: str) -> None:
    said = findings(tmp_path, database_url)
    assert all(finding.ok for finding in said)
    assert of("keys", said).found.startswith("2 of 1 project(s): ")
    assert of("compliance", said).found.startswith("the quota of project one alone is used; ignored: ")
    assert of("compliance", said).found.endswith(" (two)")
    assert of("sharing", said).found == "project one is shared by the pools hunting, tracking, archeology"


def test_a_database_that_outgrows_its_promise_is_a_warning(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wrong yet, and there is something to see to."""
    small = of("database", findings(tmp_path, database_url))
    assert (small.word, small.cure) == ("ok", "")
    monkeypatch.setattr(doctor, "MOST_SQL_BYTES", 1_000_000)
    large = of("database", findings(tmp_path, database_url))
    assert (large.ok, large.word, large.exit_code) == (True, "warning", 0)
    assert large.found.startswith(small.found.split(" MB")[0].rsplit(" ", 1)[0])
    assert "more than 80 % of the 0.5 GB" in large.found
    assert "docs/deploy.md" in large.cure


def test_quota_that_no_key_reaches_is_told(tmp_path: Path, database_url: str) -> None:
    """A second key of the project reaches it still."""
    findings(tmp_path, database_url, refusal(400, "keyInvalid"), WORKS, call=True)
    refused = [finding for finding in findings(tmp_path, database_url) if not finding.ok]
    assert ["no other key reaches" in finding.found for finding in refused] == [False]
    findings(tmp_path, database_url, refusal(400, "keyInvalid"), call=True)
    refused = [finding for finding in findings(tmp_path, database_url) if not finding.ok]
    assert ["no other key reaches" in finding.found for finding in refused] == [True, True]


def test_several_projects_and_one(tmp_path: Path, database_url: str) -> None:
    said = findings(tmp_path, database_url, mode=SEVERAL_PROJECTS)
    assert "2 projects are used" in of("compliance", said).found
    said = findings(tmp_path, database_url, pool='["CANARY-only-key"]')
    assert "no key is ignored" in of("compliance", said).found


@pytest.mark.parametrize(("mode", "pool"), [("off", POOL), ("on", "[]"), ("on", None)])
def test_settings_that_are_wrong_are_said_once(tmp_path: Path, database_url: str, mode: str, pool: str | None) -> None:
    said = findings(tmp_path, database_url, mode=mode, pool=pool)
    (wrong,) = (finding for finding in said if not finding.ok)
    assert (wrong.part, wrong.exit_code, bool(wrong.cure)) == ("keys", 10, True)


def test_every_key_is_tried_and_its_cure_said(tmp_path: Path, database_url: str) -> None:
    """The next look, without a call, remembers; a call that works forgets."""
    said = findings(tmp_path, database_url, WORKS, refusal(403, "ipRefererBlocked"), call=True)
    keys = [finding for finding in said if finding.part.startswith("key ")]
    assert [(key.ok, key.exit_code) for key in keys] == [(True, 0), (False, 4)]
    assert "works (project one)" in keys[0].found
    assert keys[1].found.startswith("the key may not be used from this address: ")
    assert "not Websites" in keys[1].cure
    (refused,) = (finding for finding in findings(tmp_path, database_url) if not finding.ok)
    assert (refused.part, refused.exit_code) == (keys[1].part, 4)
    assert "ipRefererBlocked" in refused.found
    assert "doctor --call" in refused.cure
    again = findings(tmp_path, database_url, WORKS, call=True)
    assert [finding.found for finding in again if "again" in finding.found] == ["works, and is used again (project one)"]
    assert all(finding.ok for finding in findings(tmp_path, database_url))


def test_keys_that_are_not_tried_are_named(tmp_path: Path, database_url: str) -> None:
    """An operator who tries every key may otherwise believe that the ignored one works."""
    said = of("not tried", findings(tmp_path, database_url, call=True))
    assert (said.ok, "(two): compliance mode" in said.found) == (True, True)
    assert "not tried" not in [found.part for found in findings(tmp_path, database_url, mode=SEVERAL_PROJECTS, call=True)]


@pytest.mark.parametrize("mode", ["on", SEVERAL_PROJECTS])
def test_limits_of_a_project_without_a_key_are_named(tmp_path: Path, database_url: str, mode: str) -> None:
    """A misspelt name would be no limit at all. Compliance mode's ignored keys have their projects all the same."""
    limits = {"one": {"general": 5}, "two": {"general": 5}, "oen": {"search": 5}, "CANARY-of-two": {"search": 5}}
    said = findings(tmp_path, database_url, mode=mode, limits=limits)
    (wrong,) = (finding for finding in said if not finding.ok)
    assert (wrong.part, wrong.exit_code) == ("limits", 10)
    assert wrong.found == "PLEIADES_KEYS_QUOTA_LIMITS names oen, a key, of which there is no key"
    assert wrong.cure.endswith(": one, two")
    assert all(finding.ok for finding in findings(tmp_path, database_url, mode=mode, limits={"one": {"general": 5}}))


def test_a_server_that_is_down_is_no_key_s_fault(tmp_path: Path, database_url: str) -> None:
    said = findings(tmp_path, database_url, json_reply({}, 503), call=True)
    assert [finding.exit_code for finding in said if not finding.ok] == [5, 5]
    assert all(finding.ok for finding in findings(tmp_path, database_url))


def test_the_disk_of_the_vault_is_looked_at_where_it_is_another(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full one was "ok": the home's disk had room."""
    vault = tmp_path / "vault"
    monkeypatch.setattr("pleiades_core.ops.doctor.free_bytes", lambda folder: 28_000 if folder == vault else 10**12)
    (shared,) = [found for found in findings(tmp_path, database_url) if found.part == "disk"]
    assert (shared.ok, shared.found) == (True, f"1000.0 GB free at {tmp_path}")
    monkeypatch.setattr("pleiades_core.ops.doctor.device_of", lambda folder: folder)
    full, home = [found for found in findings(tmp_path, database_url) if found.part == "disk"]
    assert (full.ok, full.found, full.exit_code) == (False, f"0.0 GB free at {vault}", 6)
    assert home.ok
