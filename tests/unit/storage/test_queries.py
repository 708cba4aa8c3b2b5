"""SQL stands in files, every query is used, and every query that code names exists."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from support.paths import ROOT

from pleiades_core.storage.queries import parse_queries

_CORE = ROOT / "pleiades_core"
_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_LOADERS = {"load_queries", "load_duckdb_queries"}


def _names(path: Path) -> set[str]:
    return set(_HEAD.findall(path.read_text()))


def _files() -> dict[str, Path]:
    """Files of named queries, by the name that code loads them by."""
    files = {path.stem: path for path in (_CORE / "storage" / "sql").glob("*.sql")}
    return files | {path.name.removesuffix(".duckdb.sql"): path for path in _CORE.rglob("*.duckdb.sql") if _names(path)}


def _loaded(tree: ast.Module) -> dict[str, str]:
    """Variables of a module that hold queries, and the name of the file of each."""
    found: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        called = node.value
        names = [name.id for name in ast.walk(called) if isinstance(name, ast.Name)]
        if not _LOADERS & set(names):
            continue
        texts = [text.value for text in ast.walk(called) if isinstance(text, ast.Constant) and isinstance(text.value, str)]
        (target,) = node.targets
        variables = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
        found |= dict(zip(variables, texts, strict=False))
    return found


def _used() -> dict[str, set[str]]:
    """File of queries to the queries of it that some module names."""
    used: dict[str, set[str]] = defaultdict(set)
    for path in _CORE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        loaded = _loaded(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in loaded:
                used[loaded[node.value.id]].add(node.attr)
    return used


def test_every_query_is_used_and_every_used_query_exists() -> None:
    files = _files()
    assert len(files) > 20
    assert _used() == {name: _names(path) for name, path in files.items()}


def test_a_query_says_what_it_does() -> None:
    """The line after the head is a comment."""
    silent = [
        f"{path.name}: {match[1]}"
        for path in _files().values()
        for match in _HEAD.finditer(path.read_text())
        if not path.read_text()[match.end() + 1 :].startswith("-- ")
    ]
    assert silent == []


def test_files_of_duckdb_are_named_so() -> None:
    """PostgreSQL's files are in storage/; every other one is DuckDB's."""
    elsewhere = [path for path in _CORE.rglob("*.sql") if not path.is_relative_to(_CORE / "storage")]
    assert [path.name for path in elsewhere if not path.name.endswith(".duckdb.sql")] == []
    assert list((_CORE / "storage").rglob("*.duckdb.sql")) == []


def test_a_name_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_queries("some", "-- name: one\nselect 1\n-- name: one\nselect 2\n")


def test_shells_run_no_sql() -> None:
    """The command line and Dagster call the modules that own the tables."""
    shells = [*(_CORE / "cli").rglob("*.py"), *(ROOT / "pleiades_dagster").rglob("*.py")]
    assert [path.name for path in shells if re.search(r"\.execute\(|load_queries", path.read_text())] == []


def test_no_module_takes_queries_from_another_module() -> None:
    core = "\n".join(path.read_text() for path in _CORE.rglob("*.py"))
    assert re.findall(r"import .*(?:\bQUERIES\b|\b_SQL\b).*", core) == []


def test_states_of_videos_have_names() -> None:
    """`videos.state` is compared with its names, never with numbers."""
    numbered = [
        f"{path.name}: {line}"
        for path in _CORE.rglob("*.sql")
        for line in path.read_text().splitlines()
        if re.search(r"\bstate\s*(=|<>|in\s*\()\s*\d", line)
    ]
    assert numbered == []
