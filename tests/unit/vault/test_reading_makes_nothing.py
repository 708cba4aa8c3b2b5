"""A command that reads makes no installation: in a wrong folder it says so, and leaves nothing behind.

The commands are those of the program, each called as its own first example calls it: a new one is looked at too.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.commands import Commands, serving
from typer.main import get_command

from pleiades_dagster.cli import app

#: These make an installation where there is none. `simulator` works without one.
MAKING = {"init-db", "demo", "add", "terms add", "hunt", "ui", "campaign add"}
NEITHER = {"simulator"}
VAULT_ALONE = {"top", "sql"}


def examples(group: Any, *before: str) -> Iterator[tuple[str, list[str]]]:
    """Every command with its first example, without the program's name and what stands behind a pipe."""
    for name, command in group.commands.items():
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from examples(command, *words)
        else:
            line = (command.epilog or "").replace("\\[", "[").splitlines()[1]
            yield " ".join(words), shlex.split(line.partition(" | ")[0])[1:]


READING = {name: words for name, words in examples(get_command(app)) if name not in MAKING | NEITHER}


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    """Processes of the program."""
    with serving() as started:
        yield started


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is set but the place."""
    for name in ("DATABASE_URL", "PLEIADES_HOME", "PLEIADES_VAULT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", '["a-key-that-nobody-tries"]')
    monkeypatch.setenv("PLEIADES_YOUTUBE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PLEIADES_PUSH_CALLBACK_URL", "https://pleiades.test/hub")
    monkeypatch.setenv("PLEIADES_PUSH_SECRET", "x" * 16)
    # Tables are printed in full.
    monkeypatch.delenv("COLUMNS", raising=False)


def left(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*")]


@pytest.mark.parametrize("name", READING)
def test_in_a_wrong_folder_a_reading_command_says_so_and_makes_nothing(commands: Commands, tmp_path: Path, name: str) -> None:
    for words, where in (([], tmp_path / ".pleiades"), (["--home", "typo"], tmp_path / "typo")):
        done = commands.run(*words, *READING[name], cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        said = done.stdout if name == "doctor" else done.stderr
        assert f"no installation at {where}" in " ".join(said.replace("│", " ").split())
        assert left(tmp_path) == []


@pytest.mark.parametrize("name", sorted(READING.keys() - VAULT_ALONE))
def test_a_database_that_nobody_answers_for_is_unreachable_and_no_missing_installation(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
    done = commands.run(*READING[name], cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "127.0.0.1:1/x" in " ".join((done.stdout + done.stderr).split())
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", sorted(VAULT_ALONE))
def test_what_reads_the_vault_alone_says_which_vault(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A person who names a database may believe that the answer comes from it."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
    done = commands.run(*READING[name], cwd=tmp_path)
    assert (done.returncode, f"there is no vault {tmp_path}/.pleiades/vault" in done.stderr) == (3, True), done.stderr
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("PLEIADES_VAULT_URL", "elsewhere")
    done = commands.run(*READING[name], cwd=tmp_path)
    assert (done.returncode, f"read from the vault {tmp_path}/elsewhere\n" in done.stderr) == (0, True), done.stderr
    assert left(tmp_path) == ["elsewhere"]


@pytest.fixture
def empty_database(cluster: str) -> Iterator[str]:
    """URL of a database without a table."""
    name = sql.Identifier("empty")
    with psycopg.connect(cluster.replace("/template?", "/postgres?"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        yield cluster.replace("/template?", "/empty?")
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def test_a_database_without_a_schema_is_no_installation(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: str
) -> None:
    """And `terms add` makes one in it, and says so; the second time there is nothing to make."""
    monkeypatch.setenv("DATABASE_URL", empty_database)
    for name in sorted(READING.keys() - VAULT_ALONE):
        done = commands.run(*READING[name], cwd=tmp_path)
        assert done.returncode == 3, (name, done.stderr)
        assert "no installation in the database 'empty'" in " ".join((done.stdout + done.stderr).replace("│", " ").split())
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
    assert left(tmp_path) == []
    first, second = (commands.run("terms", "add", "lofi", cwd=tmp_path) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stderr.startswith(f"made a new installation in {tmp_path}/.pleiades")
    assert second.stderr == ""


def test_a_schema_without_its_vault_is_not_given_an_empty_one(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    done = commands.run("quota", cwd=tmp_path)
    assert (done.returncode, f"there is no vault {tmp_path}/.pleiades/vault" in done.stderr) == (3, True), done.stderr
    assert "PLEIADES_VAULT_URL" in done.stderr
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "words", [["init-db"], ["terms", "add", "lofi"], ["campaign", "add", "old", "--from", "2019-01", "--to", "2019-02"]]
)
def test_what_makes_an_installation_says_so_once(commands: Commands, short_tmp: Path, words: list[str]) -> None:
    home = short_tmp / "h"
    first = commands.run("--home", "h", *words, cwd=short_tmp)
    assert (first.returncode, f"made a new installation in {home}\n" in first.stderr) == (0, True), first.stderr
    second = commands.run("--home", "h", "init-db", cwd=short_tmp)
    assert (second.returncode, second.stderr) == (0, "")
    assert commands.run("--home", "h", "quota", cwd=short_tmp).returncode == 0


@pytest.mark.parametrize("words", [["hunt"], ["add", "dQw4w9WgXcQ"]])
def test_without_a_key_nothing_is_made(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY_POOL_JSON")
    done = commands.run(*words, cwd=tmp_path)
    assert done.returncode == 10, done.stderr
    assert left(tmp_path) == []


def test_an_older_schema_of_somebody_s_server_is_brought_up_to_date_by_init_db_alone(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    """Another version of the program may be at work on it."""
    with psycopg.connect(database_url) as connection:
        connection.execute("delete from schema_migrations where version = (select max(version) from schema_migrations)")
    monkeypatch.setenv("DATABASE_URL", database_url)
    done = commands.run("terms", "add", "lofi", cwd=tmp_path)
    assert (done.returncode, "run `pleiades init-db`" in done.stderr) == (6, True), done.stderr
