"""Every key of the vault is made in vault/layout.py, and only a store knows where its objects are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

from pleiades_core.errors import ConfigurationError
from pleiades_core.storage.objects import Capabilities, LocalObjects
from pleiades_core.vault.vault import Vault

#: How a key of the vault, or a part of one, begins or is spelled.
_KEY = re.compile(
    r"^(journal|metrics|videos|manifests|insights|losses|damaged|discovery_requests|vault\.json)(/|$)|date=|day\.parquet"
)
#: Names of tables, packages and views that are spelled like a folder of the vault.
_NAMES = {"discovery_requests", "videos", "metrics", "insights", "losses", "damaged", "journal"}


def _literals(source: str) -> Iterator[tuple[int, str]]:
    """Strings of a module that are no docstrings and no messages, with their lines."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and " " not in node.value
        ):
            yield node.lineno, node.value


def _keys(source: str) -> list[str]:
    return [f"{line}: {text}" for line, text in _literals(source) if _KEY.search(text) and text not in _NAMES]


def test_keys_are_made_in_the_layout_alone() -> None:
    files = [path for package in ("pleiades_core", "pleiades_dagster") for path in (ROOT / package).rglob("*.py")]
    made_elsewhere = {
        str(path.relative_to(ROOT)): keys
        for path in files
        if path.name != "layout.py" and "simulator" not in path.parts and (keys := _keys(path.read_text()))
    }
    assert made_elsewhere == {}


@pytest.mark.parametrize(
    "line", ['f"journal/{name}"', 'f"{folder}/date={day}"', '"metrics/x"', 'f"{folder}/day.parquet"', '"vault.json"']
)
def test_a_key_that_is_made_elsewhere_is_found(line: str) -> None:
    assert _keys(f"key = {line}\n") != []


def test_a_store_for_large_files_holds_no_journal(tmp_path: Path) -> None:
    class Archive(LocalObjects):
        capabilities = Capabilities(holds_a_journal=False)

    local = LocalObjects(tmp_path)
    Vault(journal=local, archive=Archive(tmp_path))
    with pytest.raises(ConfigurationError, match="cannot hold a journal"):
        Vault(journal=Archive(tmp_path), archive=local)
