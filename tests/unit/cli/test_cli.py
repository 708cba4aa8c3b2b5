"""The command line on a small installation and on an empty home: usage errors, exit codes, streams."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.commands import Commands, serving
from support.paths import ROOT

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


@pytest.fixture(scope="module")
def installed(commands: Commands) -> Iterator[Path]:
    """The home of an installation without a video. A short path: the names of sockets are limited to 107 bytes."""
    home = Path(tempfile.mkdtemp(prefix="plh"))
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("DATABASE_URL", raising=False)
        done = commands.run("--home", str(home), "init-db", cwd=home)
    assert done.returncode == 0, done.stderr
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def look(commands: Commands, installed: Path) -> Run:
    """Run the program on that installation."""
    return lambda *arguments: commands.run("--home", str(installed), *arguments, cwd=installed)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PLEIADES_HOME", "YOUTUBE_API_KEY_POOL_JSON"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "nonsense"),
        (["top", "yesterday"], 2, "write a date like 2026-03-01"),
        (["top", "2999-01-01"], 2, "has not begun"),
        (["top", "2020-01-01"], 3, "nothing was measured on 2020-01-01 in /"),
        (["top", "9999-12-31"], 2, "out of range"),
        (["campaign", "add", "a", "--from", "9999-12", "--to", "9999-12"], 2, "out of range"),
        (["plan", "--found-a-day", "inf"], 2, "--found-a-day"),
        (["plan", "--found-a-day", "nan"], 2, "--found-a-day"),
        (["show", "not a video"], 2, "youtu.be"),
        (["show", "dQw4w9WgXcQ"], 3, " add -- dQw4w9WgXcQ` has it watched"),
        (["sql", " "], 2, "select * from videos"),
        (["sql", "select nothing from nowhere"], 2, "videos, samples, discovery_requests, metrics"),
        (["sql", "select * from read_text('/etc/passwd')"], 2, "no file, no network"),
        (["sql", "copy (select 1) to 'x.csv'"], 2, "`--output` writes the answer"),
        (["sql", "-"], 2, "nothing is asked"),
        (["sql", "select * from range(300000)"], 2, "--output FILE"),
        (["sql", "select repeat('x', 60000000)", "--json"], 2, "--output FILE"),
        (["sql", "select 'infinity'::timestamp"], 2, "cast(x as varchar)"),
        (["sql", "select '20000-01-01'::date", "--json"], 2, "cast(x as varchar)"),
        (["sql", "select '-infinity'::timestamptz"], 2, "cast(x as varchar)"),
        (["sql", "from test_all_types()"], 2, "cast(x as varchar)"),
        (["sql", "select 1", "--output", "x.xlsx"], 2, ".csv or .parquet"),
        (["sql", "select 1", "--output", "no/such/folder/x.csv"], 2, "No such file or directory"),
        (["sql", "select 1", "--output", "vault/metrics/x.parquet"], 2, "in the vault"),
        (["sql", "select 1", "--output", "vault/../vault/x.parquet"], 2, "in the vault"),
        (["hunt"], 10, "YOUTUBE_API_KEY_POOL_JSON"),
        (["add", "--file", "/no/such/file"], 3, "there is no file /no/such/file"),
        (["add", "--file", "/"], 2, "cannot be read"),
        (["simulator", "--world", "/no/such/world"], 10, "/no/such/world"),
        (["simulator", "--keys", "{"], 2, "--keys"),
    ],
)
def test_a_mistake_says_what_to_do_and_ends_with_its_code(look: Run, arguments: list[str], code: int, words: str) -> None:
    done = look(*arguments)
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
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["a-key-that-nobody-tries"]')
    for command in ("init-db", "track", "hunt", "show dQw4w9WgXcQ", "quota", "plan", "terms list"):
        done = run(*command.split())
        assert done.returncode == 6, done.stderr
        assert "DATABASE_URL" in done.stderr
        assert "canary" not in done.stderr


@pytest.mark.parametrize("url", ["nonsense-canary", "mysql://canary/y", "postgresql://h:canary/y"])
def test_a_malformed_database_url_is_a_matter_of_configuration(run: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    done = run("init-db")
    assert (done.returncode, "DATABASE_URL" in done.stderr) in {(10, True), (6, True)}
    assert "Traceback" not in done.stderr


def test_the_first_init_db_says_what_it_applied_and_the_second_that_nothing_was_left(
    commands: Commands, short_tmp: Path
) -> None:
    first, second = (commands.run("--home", "h", "init-db", "--json", cwd=short_tmp) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert json.loads(first.stdout)["applied"] == [f"{step.version:04} {step.title}" for step in migrations()]
    assert json.loads(second.stdout)["applied"] == []


def test_columns_of_one_name_are_kept_apart(look: Run) -> None:
    query = "select 1 as x, 2 as x, 3 as y"
    plain, as_json = (look("sql", query, *more) for more in ([], ["--json"]))
    assert plain.returncode == 0
    assert json.loads(as_json.stdout) == {"rows": [{"x": 1, "x_1": 2, "y": 3}], "left_out": {}}


def test_a_query_that_needs_more_memory_than_the_settings_give_fails_and_names_them(
    look: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLEIADES_SQL_MEMORY_MB", "100")
    done = look("sql", "select range from range(1000000000)")
    assert (done.returncode, "PLEIADES_SQL_MEMORY_MB above 100" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("PLEIADES_SQL_THREADS", "3")
    asked = look("sql", "select current_setting('threads') as threads", "--json")
    assert json.loads(asked.stdout)["rows"] == [{"threads": 3}]


def test_an_answer_becomes_a_file_for_other_programs(look: Run, tmp_path: Path) -> None:
    """Lists become JSON where there are none; null and the empty text stay apart; a file is replaced whole."""
    query = """
        select 7 as vid, timestamptz '2026-03-01 12:00+00' as at, null::bigint as views, '' as title, ['a', 'b"'] as tags,
               sum(2) as total, {'a': 1} as facts, 1.5::decimal(5, 2) as share, time '10:00' as clock, 'x"y,z' as x
    """
    for _ in range(2):
        for name in ("x.csv", "x.parquet"):
            done = look("sql", query, "--output", str(tmp_path / name), "--json")
            assert done.returncode == 0, done.stderr
            size = (tmp_path / name).stat().st_size
            assert json.loads(done.stdout) == {"file": str(tmp_path / name), "rows": 1, "bytes": size}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.parquet"]
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


def test_a_query_may_come_from_a_pipe(installed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pleiades_dagster", "--home", str(installed), "sql", "-", "--json"]
    done = subprocess.run(
        command, input="select 1 as x;\n", cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, '{"rows":[{"x":1}],"left_out":{}}\n'), done.stderr


def test_home_may_stand_before_the_command_and_after_it(commands: Commands, tmp_path: Path) -> None:
    """After it wins: it was said later."""
    (tmp_path / "a" / "vault").mkdir(parents=True)
    for before, after in ((["--home", "a"], []), ([], ["--home", "a"]), (["--home", "b"], ["--home", "a"])):
        done = commands.run(*before, "sql", "select 1", *after, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done = commands.run(*before, "campaign", "list", *after, "--help", cwd=tmp_path)
        assert (done.returncode, "--home" in done.stdout) == (0, True), done.stderr
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


def test_an_empty_vault_answers_with_nothing_and_names_itself(look: Run, installed: Path) -> None:
    top, counted = (look(*command, "--json") for command in (["top"], ["sql", "select count(*) n from samples"]))
    assert (top.returncode, json.loads(top.stdout)["top"]) == (0, [])
    assert json.loads(counted.stdout) == {"rows": [{"n": 0}], "left_out": {}}
    for done in (top, counted):
        assert f"read from the vault {installed}/vault" in done.stderr
    assert f"nothing was measured in these 24 hours in {installed}: " in top.stderr
    for command, said in (
        (["terms", "list"], "no term yet in"), (["campaign", "list"], "no campaign yet in"),
        (["sources"], "no source was asked in these days in"),
        (["coverage"], "no video that was published in these days was found in"),
        (["close-day"], "no day can be closed in"),
    ):  # fmt: skip
        done = look(*command)
        assert (done.returncode, f"{said} {installed}: " in done.stderr) == (0, True), done.stderr


def test_an_id_that_begins_with_a_dash_is_no_option(look: Run) -> None:
    done = look("show", "--2t6p3oFpU")
    assert done.returncode == 3, done.stderr
    assert "--2t6p3oFpU" in done.stderr


@pytest.mark.parametrize("command", [["init-db"], ["ui"], ["add", "dQw4w9WgXcQ"], ["terms", "add", "lofi"]])
def test_a_home_that_cannot_be_made_is_named(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["a-key-that-nobody-tries"]')
    done = commands.run("--home", "/proc/nope", *command, cwd=tmp_path)
    assert (done.returncode, "cure:" in done.stderr, "Traceback" in done.stderr) == (10, True, False), done.stderr
    assert "/proc/nope cannot be made" in done.stderr


def test_the_doctor_goes_on_without_a_home(commands: Commands, tmp_path: Path) -> None:
    done = commands.run("--home", "/proc/nope", "doctor", "--json", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    first, *others = json.loads(done.stdout)["findings"]
    assert (first["part"], "no installation at /proc/nope" in first["found"]) == ("installation", True)
    assert {"program", "keys", "disk"} <= {finding["part"] for finding in others}


def test_the_doctor_says_which_program_it_looks_at(look: Run) -> None:
    """As `--version` does, for a person who reports a defect."""
    version = metadata.version("pleiades")
    findings = json.loads(look("doctor", "--json").stdout)["findings"]
    assert [f"pleiades {version}, " in found["found"] for found in findings if found["part"] == "program"] == [True]
    for option in ("--version", "-V"):
        done = look(option)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"pleiades {version}\n", "")


def test_an_overlong_term_is_not_repeated_whole(look: Run) -> None:
    done = look("terms", "add", "x" * 3_000)
    assert (done.returncode, len(done.stderr) < 400) == (2, True), done.stderr


def test_a_cure_works_as_it_is_printed(look: Run, installed: Path, commands: Commands, tmp_path: Path) -> None:
    """In the folder where the command was typed: it repeats the home."""
    done = look("top", "2020-01-01")
    assert (done.returncode, f"cure: `pleiades --home {installed} sql " in " ".join(done.stderr.split())) == (3, True)
    program, *words = shlex.split(done.stderr.split("`")[1])
    assert program == "pleiades"
    assert commands.run(*words, cwd=tmp_path).returncode == 0
    for order in (["--home", str(installed), "show", "dQw4w9WgXcQ"], ["show", "dQw4w9WgXcQ", "--home", str(installed)]):
        done = commands.run(*order, cwd=tmp_path)
        assert f"`pleiades --home {installed} add -- dQw4w9WgXcQ`" in done.stderr, done.stderr
    assert f"`pleiades --home {installed} hunt`" in look("top").stderr
    (without,) = [finding for finding in json.loads(look("doctor", "--json").stdout)["findings"] if finding["part"] == "keys"]
    assert "`pleiades demo`" in without["cure"]


def test_a_new_term_is_shown_without_what_is_not_known_of_it(look: Run) -> None:
    done = look("terms", "add", "city pop")
    assert ("city pop" in done.stdout, done.returncode) == (True, 0)
    assert [word for word in ("mentions", "requests", "reward", "readiness", "found") if word in done.stdout] == []
    assert "mentions" in json.loads(look("terms", "add", "city pop", "--json").stdout)
