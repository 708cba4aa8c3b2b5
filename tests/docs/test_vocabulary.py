"""One thing, one name: retired words stay out of code, SQL, documents and output, and the glossary speaks of what exists."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT
from typer.main import get_command

from pleiades_core.discover.sources import SOURCES
from pleiades_dagster.cli import app

#: Words that were ours alone, and the field's words that took their places. They may not come back anywhere.
RETIRED = {
    r"roads?": "source (of discovery)",
    r"(road_)?pulls?": "discovery request",
    r"arms?": "target",
    r"tally|tallies": "usage",
    r"patience": "retry policy",
    r"whoever": "the person or program that is meant",
    r"archeologist": "campaign",
    r"pleiades learn": "pleiades upkeep",
}
#: Names that say nothing of the thing: no variable, parameter, attribute, function or class is called so.
NO_NAMES = {
    "one", "ones", "words", "said", "asked", "ours", "mine", "theirs", "who", "whose", "other", "others", "same", "alone",
    "in_turn", "meant", "wanted", "road", "roads", "pull", "pulls", "arm", "arms", "tally", "patience",
}  # fmt: skip
_CODE = ("pleiades_core", "pleiades_dagster", "benchmarks", "docgen")
_TEXTS = (".py", ".sql", ".md", ".toml", ".yaml", ".example", ".service", ".timer", ".sh")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith(_TEXTS) and (ROOT / name).exists()]


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name that a module gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


@pytest.mark.parametrize("package", _CODE)
def test_names_are_nouns_and_verbs_of_the_field(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in (ROOT / package).rglob("*.py")
        for line, name in _names(ast.parse(path.read_text()))
        if name.strip("_").lower() in NO_NAMES
    ]
    assert found == []


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_is_nowhere(word: str) -> None:
    """But here, in the history of changes, and in the record that explains why the words changed."""
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])", re.IGNORECASE)
    allowed = {"CHANGELOG.md", "0016-vocabulary.md", Path(__file__).name}
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked()
        if path.name not in allowed
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == [], f"use: {RETIRED[word]}"


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
