"""The tests keep the rules that CONTRIBUTING states for tests."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
#: A longer test tells more than one story: split it, or move its set-up to `tests/support/`.
LONGEST_LINES = 80


def functions_over(longest: int, source: str) -> list[str]:
    """Functions and methods of a module that are longer than `longest` lines, decorators included, as `name (lines)`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines = (node.end_lineno or first) - first + 1
            if lines > longest:
                found.append(f"{node.name} ({lines})")
    return found


def test_no_function_of_the_tests_is_longer_than_eighty_lines() -> None:
    long = {
        str(path.relative_to(TESTS)): found
        for path in sorted(TESTS.rglob("*.py"))
        if (found := functions_over(LONGEST_LINES, path.read_text()))
    }
    assert not long


def test_a_function_over_the_limit_is_found() -> None:
    body = "\n".join(["    pass"] * 3)
    assert functions_over(3, f"@mark\ndef short():\n    pass\n\n\ndef long():\n{body}\n") == ["long (4)"]
