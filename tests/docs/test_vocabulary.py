"""One thing, one name: retired words stay out of code, SQL, documents and output, and the glossary speaks of what exists."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from support.paths import ROOT
from typer.main import get_command

from docgen.rules import RETIRED_WORDS, empty_names
from pleiades_core.discover.sources import SOURCES
from pleiades_dagster.cli import app

_CODE = ("pleiades_core", "pleiades_dagster", "benchmarks", "docgen")
_TEXTS = (".py", ".sql", ".md", ".toml", ".yaml", ".example", ".service", ".timer", ".sh")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith(_TEXTS) and (ROOT / name).exists()]


@pytest.mark.parametrize("package", _CODE)
def test_names_are_nouns_and_verbs_of_the_field(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in (ROOT / package).rglob("*.py")
        for line, name in empty_names(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize("word", RETIRED_WORDS)
def test_a_retired_word_is_nowhere(word: str) -> None:
    """But here, in the history of changes, and in the record that explains why the words changed."""
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])", re.IGNORECASE)
    allowed = {"0016-vocabulary.md", "rules.py"}
    assert [str(path) for path in _tracked() if pattern.search(path.relative_to(ROOT).as_posix())] == []
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked()
        if path.name not in allowed
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == [], f"use: {RETIRED_WORDS[word]}"


def _glossary() -> dict[str, str]:
    """Term to where it stands in the code, as the glossary says it."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| `([^`|]+)` \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    return {term.strip(): place for term, place in rows}


def test_the_glossary_speaks_of_what_exists() -> None:
    """Each term names a file of the code, and the name in it, where it stands."""
    glossary = _glossary()
    assert len(glossary) > 30
    assert list(glossary) == sorted(glossary, key=str.casefold)
    wrong = []
    for term, place in glossary.items():
        file, _, name = place.partition(":")
        path = ROOT / file
        if not path.is_file() or (name and not re.search(rf"\b{re.escape(name)}\b", path.read_text())):
            wrong.append(f"{term}: {place}")
    assert wrong == []


def test_commands_and_sources_are_documented_by_their_names() -> None:
    commands = (ROOT / "docs/commands.md").read_text()
    assert [name for name in get_command(app).commands if f"`pleiades {name}`" not in commands] == []  # type: ignore[attr-defined]
    architecture = (ROOT / "docs/architecture.md").read_text()
    assert [name for name in SOURCES if f"`{name}`" not in architecture] == []


def test_a_class_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for package in ("pleiades_core", "pleiades_dagster"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
