"""The tests keep the rules that CONTRIBUTING states for tests."""

from __future__ import annotations

import ast
from pathlib import Path

from docgen.rules import AnyFunction, lines_of

TESTS = Path(__file__).resolve().parents[1]
#: A longer test tells more than one story: split it, or move its set-up to `tests/support/`.
LONGEST_LINES = 80


def _functions_over(longest: int, source: str) -> list[str]:
    """Functions and methods of a module that are longer than `longest` lines, as `name (lines)`."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, AnyFunction)]
    return [f"{node.name} ({lines_of(node)})" for node in functions if lines_of(node) > longest]


def test_no_function_of_the_tests_is_longer_than_eighty_lines() -> None:
    long = {
        str(path.relative_to(TESTS)): found
        for path in sorted(TESTS.rglob("*.py"))
        if (found := _functions_over(LONGEST_LINES, path.read_text()))
    }
    assert not long


def test_a_function_over_the_limit_is_found() -> None:
    body = "\n".join(["    pass"] * 3)
    assert _functions_over(3, f"@mark\ndef short():\n    pass\n\n\ndef long():\n{body}\n") == ["long (4)"]
