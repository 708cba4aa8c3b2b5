"""What the documents say is so."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT
from typer.main import get_command

from pleiades_core import errors
from pleiades_dagster.cli import app

MODULES = sorted(path for package in ("pleiades_core", "pleiades_dagster") for path in (ROOT / package).rglob("*.py"))
QUERIES = sorted((ROOT / "pleiades_core").rglob("*.sql"))


#: Packages whose modules are all of one kind.
_ALIKE = {"pleiades_core/cli/commands", "pleiades_core/discover/sources", "pleiades_core/storage/objects"}


def commands(group: Any, *before: str) -> Iterator[str]:
    """The words of every command, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join([*before, name])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_stays_short(path: Path) -> None:
    """300 lines are the aim, docstrings aside: lists of arguments and errors make no module harder to follow."""
    text = path.read_text()
    documented = sum(
        node.body[0].end_lineno - node.body[0].lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
        and node.body[0].end_lineno is not None
    )
    assert len(text.splitlines()) - documented < 300


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_what_does_not_belong_in_it(path: Path) -> None:
    """A package may leave that to its modules, and the modules of `_ALIKE` to their package."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    alike = path.parent.relative_to(ROOT).as_posix() in _ALIKE
    assert path.name == "__init__.py" or alike or "not belong here" in " ".join(text.split())


def _is_found(name: str, path: Path) -> bool:
    """Whether the name leads to a file from the module's folder, a folder above it, or the folder of the queries."""
    folders = [*path.relative_to(ROOT).parents, Path("pleiades_core"), Path("pleiades_core/storage/sql")]
    return any((ROOT / folder / name).is_file() for folder in folders)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_files_that_a_module_points_to_exist(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    named = [name for name in re.findall(r"[\w./]*\w\.(?:py|sql)\b", said) if "NNNN" not in name]
    assert [name for name in named if not _is_found(name, path)] == []


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_files_that_a_comment_of_sql_points_to_exist(path: Path) -> None:
    comments = "\n".join(line for line in path.read_text().splitlines() if line.startswith("--"))
    named = re.findall(r"[\w./]*\w\.(?:py|sql)\b", comments)
    assert [name for name in named if not _is_found(name, path)] == []


def test_the_common_jobs_name_commands_that_there_are() -> None:
    jobs = (ROOT / "docs/cli.md").read_text().split("## Where")[0]
    named = set(re.findall(r"`pleiades ([a-z][a-z-]+)", jobs))
    assert named
    assert named <= {name.split()[0] for name in commands(get_command(app))}


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "docs/cli.md").read_text(), re.MULTILINE)}
    raised = {
        kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PleiadesError)
    }
    assert raised | {0, 130, 143} <= documented


def test_the_error_tree_is_drawn_whole() -> None:
    drawn = errors.__doc__ or ""
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.PleiadesError)]
    assert [name for name in kinds if not re.search(rf"\b{name}\b", drawn)] == []


def test_the_readme_has_its_two_commands() -> None:
    block = re.search(r"<!-- two commands -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    assert block[1].splitlines() == ["make demo", "make test"]


def test_links_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http|#)([^)]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_layer_of_the_contract_exists() -> None:
    layers = re.search(r"layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert layers is not None
    for name in re.findall(r"[a-z]+", layers[1]):
        assert (ROOT / "pleiades_core" / name).is_dir() or (ROOT / "pleiades_core" / f"{name}.py").is_file()


def test_no_file_is_committed_that_a_clean_checkout_would_make() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    assert [name for name in tracked if "__pycache__" in name or name.endswith((".pyc", ".db")) or ".venv/" in name] == []
