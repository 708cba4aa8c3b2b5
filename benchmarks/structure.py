"""The structure of the source tree in figures, and the way of one claimed video through it.

    packages             for each package: files, imports from other packages and by them, median and longest function
    in_the_form          share of public functions whose docstring has the sections that docgen/rules.py needs
    retired_words        how often a retired word stands in code, SQL and documents
    empty_names          how often a name that says nothing is given to something
    claimed_id           the modules that one claimed video id passes through in a hunt, in the order of its way

The rival of a tree is the tree at another commit (`--before`). A package is a folder of pleiades_core, or pleiades_dagster.
The trace plays one hunt on the simulator twice: the first hunt shows which video is admitted, the second one follows its id.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import itertools
import json
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from benchmarks.discovery import staged
from docgen.rules import RETIRED_WORDS, AnyFunction, empty_names, lines_of, missing_sections, public_functions
from pleiades_core.videoid import encode

ROOT = Path(__file__).parents[1]
_PRODUCT = ("pleiades_core", "pleiades_dagster")
#: Where a retired word is history, or the rule itself.
_HISTORY = {"0016-vocabulary.md", "rules.py", "test_vocabulary.py"}
_TEXTS = {".py", ".sql", ".md", ".toml", ".yaml", ".service", ".timer", ".sh"}
_HUNTER = "pleiades_core.discover.hunter"
#: How deep, and among how many elements, an argument is searched for the id.
_DEEPEST, _MOST_ELEMENTS = 4, 2_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object (the default)")
    parser.add_argument("--before", metavar="COMMIT", help="the commit to compare with")
    options = parser.parse_args()
    figures: dict[str, Any] = {"now": measure(ROOT), "claimed_id": trace()}
    if options.before:
        archive = subprocess.run(["git", "archive", options.before], cwd=ROOT, capture_output=True, check=True).stdout
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=BytesIO(archive)) as files:
                files.extractall(folder, filter="data")
            figures["before"] = {"commit": options.before, **measure(Path(folder))}
    print(json.dumps(figures, indent=1))


class _Module(NamedTuple):
    package: str
    tree: ast.Module


def measure(root: Path) -> dict[str, Any]:
    """The figures of the tree under `root`; nothing in it is imported."""
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts): _Module(
            _package(path.relative_to(root)), ast.parse(path.read_text())
        )
        for package in _PRODUCT
        for path in sorted((root / package).rglob("*.py"))
    }
    return {
        "packages": _packages(modules),
        "functions": _lengths([node for module in modules.values() for node in _functions(module.tree)]),
        "tests": _lengths(
            [node for path in (root / "tests").rglob("*.py") for node in _functions(ast.parse(path.read_text()))]
        ),
        "in_the_form": _share_in_the_form([module.tree for module in modules.values()]),
        "retired_words": _retired_words(root),
        "empty_names": sum(1 for module in modules.values() for _ in empty_names(module.tree)),
    }


def _package(path: Path) -> str:
    """`pleiades_core.vault` of pleiades_core/vault/archive.py; `pleiades_core` of a module at its top; `pleiades_dagster`."""
    parts = path.parts[:-1]
    return ".".join(parts[:2]) if parts[0] == "pleiades_core" else parts[0]


def _functions(tree: ast.Module) -> list[AnyFunction]:
    return [node for node in ast.walk(tree) if isinstance(node, AnyFunction)]


def _lengths(functions: list[AnyFunction]) -> dict[str, Any]:
    """Number, median and longest function, in lines."""
    longest = max(functions, key=lines_of)
    return {
        "functions": len(functions),
        "median_lines": statistics.median(map(lines_of, functions)),
        "longest_lines": lines_of(longest),
        "longest": longest.name,
    }


def _imports(tree: ast.Module) -> set[str]:
    """The modules, or names in modules, that a module imports from the product."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith(_PRODUCT)}


def _packages(modules: Mapping[str, _Module]) -> dict[str, Any]:
    """Figures of each package. An arrow is a pair of a module and a module of another package that it imports."""
    arrows: set[tuple[str, str]] = set()
    for name, module in modules.items():
        for imported in _imports(module.tree):
            target = imported if imported in modules else imported.rpartition(".")[0]
            target = target if target in modules else f"{target}.__init__"
            if target in modules and modules[target].package != module.package:
                arrows.add((name, target))
    into, out_of = (Counter(modules[arrow[end]].package for arrow in arrows) for end in (1, 0))
    files = Counter(module.package for module in modules.values())
    functions: defaultdict[str, list[AnyFunction]] = defaultdict(list)
    for module in modules.values():
        functions[module.package] += _functions(module.tree)
    return {
        package: {"files": count, "imports": out_of[package], "imported_by": into[package], **_lengths(functions[package])}
        for package, count in sorted(files.items())
        if functions[package]
    }


def _share_in_the_form(trees: list[ast.Module]) -> dict[str, float]:
    public = [node for tree in trees for _, node in public_functions(tree.body)]
    in_the_form = sum(ast.get_docstring(node) is not None and not missing_sections(node) for node in public)
    return {"public_functions": len(public), "in_the_form": in_the_form, "share": round(in_the_form / len(public), 3)}


def _retired_words(root: Path) -> dict[str, int]:
    texts = [
        path.read_text(errors="replace")
        for path in root.rglob("*")
        if path.suffix in _TEXTS
        and path.name not in _HISTORY
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
    counts = {
        word: sum(len(re.findall(rf"(?<![a-z]){word}(?![a-z])", text, re.IGNORECASE)) for text in texts)
        for word in RETIRED_WORDS
    }
    return {**counts, "total": sum(counts.values())}


def trace() -> dict[str, Any]:
    """Follow one id of a search result through a hunt."""
    with staged(200, 20, seed=5, days=2) as played:
        played.pleiades.hunter().hunt()
        with played.pleiades.database.transaction() as connection:
            row = connection.execute("select id8 from videos where state = 'admitted' order by vid limit 1").fetchone()
    if row is None:
        raise RuntimeError("the hunt admitted no video")
    path = _Path(encode(row[0]))
    with staged(200, 20, seed=5, days=2) as played:
        hunter = played.pleiades.hunter()
        threading.setprofile(path.look)
        sys.setprofile(path.look)
        try:
            hunter.hunt()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    steps = [module for module, _ in itertools.groupby(path.modules)]
    return {
        "modules": list(dict.fromkeys(steps)),
        "packages": list(dict.fromkeys(".".join(module.split(".")[:-1]) for module in steps)),
        "returns_to_the_hunter": max(0, steps.count(_HUNTER) - 1),
    }


class _Path:
    """The modules that receive the id, as an argument or as a result, in the order in which they do."""

    def __init__(self, video_id: str) -> None:
        self.video_id = video_id
        self.modules: list[str] = []

    def look(self, frame: FrameType, event: str, result: object) -> None:
        """A profile function: calls and returns between functions of the core."""
        receiver = frame if event == "call" else frame.f_back
        name = receiver.f_globals.get("__name__", "") if receiver and event in {"call", "return"} else ""
        if not name.startswith("pleiades_core") or ".simulator" in name:
            return
        found = self._holds(frame.f_locals, _DEEPEST) if event == "call" else self._holds(result, _DEEPEST)
        if found:
            self.modules.append(name)

    def _holds(self, value: object, depth: int) -> bool:
        if isinstance(value, str):
            return self.video_id in value
        if isinstance(value, bytes):
            return self.video_id.encode() in value
        if depth == 0:
            return False
        elements: list[object] = []
        if isinstance(value, dict):
            elements = [*itertools.islice(value.keys(), _MOST_ELEMENTS), *itertools.islice(value.values(), _MOST_ELEMENTS)]
        elif isinstance(value, list | tuple | set | frozenset):
            elements = list(itertools.islice(value, _MOST_ELEMENTS))
        elif dataclasses.is_dataclass(value):
            elements = [getattr(value, field.name, None) for field in dataclasses.fields(value)]
        return any(self._holds(element, depth - 1) for element in elements)


if __name__ == "__main__":
    main()
