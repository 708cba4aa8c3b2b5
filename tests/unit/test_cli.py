"""The command line on an empty home: help, usage errors, exit codes; nothing that needs a server."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import Commands, serving

from pleiades_core.storage.migrate import migrations

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    """Processes of the program."""
    with serving() as started:
        yield started


@pytest.fixture
def run(commands: Commands, tmp_path: Path) -> Run:
    """Run the program on a home that is empty at first."""
    return lambda *arguments: commands.run("--home", str(tmp_path / "h"), *arguments, cwd=tmp_path)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PLEIADES_HOME", "YOUTUBE_API_KEY_POOL_JSON"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "nonsense"),
        (["top", "yesterday"], 2, "2026-03-01"),
        (["top", "2999-01-01"], 2, "has not begun"),
        (["top", "9999-12-31"], 2, "out of range"),
        (["campaign", "add", "a", "--from", "9999-12", "--to", "9999-12"], 2, "out of range"),
        (["plan", "--found-a-day", "inf"], 2, "--found-a-day"),
        (["plan", "--found-a-day", "nan"], 2, "--found-a-day"),
        (["show", "not a video"], 2, "youtu.be"),
        (["show", "dQw4w9WgXcQ"], 3, "pleiades add -- dQw4w9WgXcQ"),
        (["sql", " "], 2, "select * from videos"),
        (["sql", "select nothing from nowhere"], 2, "videos, samples, metrics"),
        (["sql", "select * from read_text('/etc/passwd')"], 2, "no file, no network"),
        (["sql", "copy (select 1) to 'x.csv'"], 2, "`--output` writes the answer"),
        (["sql", "-"], 2, "nothing is asked"),
        (["sql", "select 1", "--output", "x.xlsx"], 2, ".csv or .parquet"),
        (["sql", "select 1", "--output", "no/such/folder/x.csv"], 2, "No such file or directory"),
        (["sql", "select 1", "--output", "h/vault/metrics/x.parquet"], 2, "in the vault"),
        (["sql", "select 1", "--output", "h/../h/vault/x.parquet"], 2, "in the vault"),
        (["top", "2020-01-01"], 3, "nothing was measured on 2020-01-01"),
        (["hunt"], 10, "YOUTUBE_API_KEY_POOL_JSON"),
        (["simulator", "--world", "/no/such/world"], 10, "/no/such/world"),
        (["simulator", "--keys", "{"], 2, "--keys"),
    ],
)
def test_a_mistake_says_what_to_do_and_ends_with_its_code(run: Run, arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("pool", ["", "{}", "[]", "[1]", '["short"]', '[{"kee": "x"}]', "not json canary-key-1"])
def test_a_malformed_key_pool_is_explained_and_never_repeated(run: Run, monkeypatch: pytest.MonkeyPatch, pool: str) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", pool)
    done = run("hunt")
    assert done.returncode == 10
    assert "YOUTUBE_API_KEY_POOL_JSON" in done.stderr
    assert "canary" not in done.stderr


def test_an_unreachable_database_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:canary-password@127.0.0.1:1/x")
    for command in ("init-db", "track"):
        done = run(command)
        assert done.returncode == 6
        assert "DATABASE_URL" in done.stderr
        assert "canary" not in done.stderr


@pytest.mark.parametrize("url", ["nonsense-canary", "mysql://canary/y", "postgresql://h:canary/y"])
def test_a_malformed_database_url_is_a_matter_of_configuration(run: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    done = run("init-db")
    assert (done.returncode, "DATABASE_URL" in done.stderr) in {(10, True), (6, True)}
    assert "Traceback" not in done.stderr


def test_the_first_init_db_says_what_it_applied_and_the_second_that_nothing_was_left(run: Run) -> None:
    first, second = (run("init-db", "--json") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert json.loads(first.stdout)["applied"] == [f"{step.version:04} {step.title}" for step in migrations()]
    assert json.loads(second.stdout)["applied"] == []


def test_columns_of_one_name_are_kept_apart(run: Run) -> None:
    query = "select 1 as x, 2 as x, 3 as y"
    plain, as_json = (run("sql", query, *more) for more in ([], ["--json"]))
    assert plain.returncode == 0
    assert json.loads(as_json.stdout) == {"rows": [{"x": 1, "x_1": 2, "y": 3}]}


def test_a_query_that_needs_more_memory_than_the_settings_give_fails_and_names_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLEIADES_SQL_MEMORY_MB", "100")
    done = run("sql", "select range from range(1000000000)")
    assert (done.returncode, "PLEIADES_SQL_MEMORY_MB above 100" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("PLEIADES_SQL_THREADS", "3")
    asked = run("sql", "select current_setting('threads') as threads", "--json")
    assert json.loads(asked.stdout) == {"rows": [{"threads": 3}]}


def test_an_answer_becomes_a_file_for_other_programs(run: Run, tmp_path: Path) -> None:
    """Lists become JSON where there are none; null and the empty text stay apart; a file is replaced whole."""
    query = """
        select 7 as vid, timestamptz '2026-03-01 12:00+00' as at, null::bigint as views, '' as title, ['a', 'b"'] as tags,
               sum(2) as total, {'a': 1} as facts, 1.5::decimal(5, 2) as share, time '10:00' as clock, 'x"y,z' as x
    """
    for _ in range(2):
        for name in ("x.csv", "x.parquet"):
            done = run("sql", query, "--output", name, "--json")
            assert done.returncode == 0, done.stderr
            size = (tmp_path / name).stat().st_size
            assert json.loads(done.stdout) == {"file": name, "rows": 1, "bytes": size}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h", "x.csv", "x.parquet"]
    (row,) = csv.DictReader((tmp_path / "x.csv").read_text().splitlines())
    assert row.pop("at").startswith("2026-03-01 12:00:00")
    assert row.pop("clock").startswith("10:00:00")
    assert row == {
        "vid": "7", "views": "", "title": "", "tags": '["a","b\\""]', "total": "2", "facts": '{"a":1}', "share": "1.50",
        "x": 'x"y,z',
    }  # fmt: skip
    (stored,) = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert (stored["vid"], stored["views"], stored["tags"]) == (7, None, ["a", 'b"'])
    assert stored["at"] == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_query_may_come_from_a_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pleiades_dagster.cli", "--home", "h", "sql", "-", "--json"]
    done = subprocess.run(
        command, input="select 1 as x;\n", cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, '{"rows":[{"x":1}]}\n'), done.stderr


def test_home_may_stand_before_the_command_and_after_it(commands: Commands, tmp_path: Path) -> None:
    """After it wins: it was said later."""
    for before, after in ((["--home", "a"], []), ([], ["--home", "a"]), (["--home", "b"], ["--home", "a"])):
        done = commands.run(*before, "sql", "select 1", *after, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done = commands.run(*before, "campaign", "list", *after, "--help", cwd=tmp_path)
        assert (done.returncode, "--home" in done.stdout) == (0, True), done.stderr
    (tmp_path / "a").mkdir(exist_ok=True)
    (tmp_path / "a" / "pleiades.toml").write_text("lease_s = 5000")
    for words in (
        ["sql", "select 1", "--home", "a"],
        ["campaign", "list", "--home", "a"],
        ["campaign", "--home", "a", "list"],
        ["campaign", "--home", "b", "list", "--home", "a"],
        ["add", "dQw4w9WgXcQ", "--home", "a"],
    ):
        done = commands.run(*words, cwd=tmp_path)
        assert (done.returncode, "lease_s" in done.stderr.lower()) == (10, True), done.stderr


def test_an_empty_vault_answers_with_nothing(run: Run) -> None:
    top, counted = (run(*command, "--json") for command in (["top"], ["sql", "select count(*) n from samples"]))
    assert (top.returncode, json.loads(top.stdout)["top"]) == (0, [])
    assert json.loads(counted.stdout) == {"rows": [{"n": 0}]}


def test_an_id_that_begins_with_a_dash_is_no_option(run: Run) -> None:
    done = run("show", "--2t6p3oFpU")
    assert done.returncode == 3, done.stderr
    assert "--2t6p3oFpU" in done.stderr


@pytest.mark.parametrize("command", [["init-db"], ["quota"], ["ui"], ["add", "dQw4w9WgXcQ"]])
def test_a_home_that_cannot_be_made_is_named(commands: Commands, tmp_path: Path, command: list[str]) -> None:
    done = commands.run("--home", "/proc/nope", *command, cwd=tmp_path)
    assert (done.returncode, "cure:" in done.stderr, "Traceback" in done.stderr) == (10, True, False), done.stderr
    assert "/proc/nope cannot be made" in done.stderr


def test_the_doctor_goes_on_without_a_home(commands: Commands, tmp_path: Path) -> None:
    done = commands.run("--home", "/proc/nope", "doctor", "--json", cwd=tmp_path)
    assert done.returncode == 10, done.stderr
    assert "/proc/nope cannot be made" in done.stdout


def test_an_overlong_term_is_not_repeated_whole(run: Run) -> None:
    done = run("terms", "add", "x" * 3_000)
    assert (done.returncode, len(done.stderr) < 400) == (2, True), done.stderr
