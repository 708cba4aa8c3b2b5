"""Public functions say what they take, give and raise in one form: Google's sections `Args:`, `Returns:`, `Raises:`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

from docgen.rules import missing_sections, public_functions


def _short_of_the_form(path: Path) -> Iterator[str]:
    """Public functions of a module whose docstring is not in the form."""
    for name, node in public_functions(ast.parse(path.read_text()).body):
        if missing := missing_sections(node):
            yield f"{path.relative_to(ROOT)}: {name}: {' '.join(missing)}"


@pytest.mark.parametrize("package", ["pleiades_core", "pleiades_dagster"])
def test_public_docstrings_are_in_the_form(package: str) -> None:
    assert [line for path in sorted((ROOT / package).rglob("*.py")) for line in _short_of_the_form(path)] == []


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ('def f(a, b) -> int:\n    """The sum."""\n', []),
        ('def f(a, b, c) -> int:\n    """The sum."""\n', ["Args:", "a:", "b:", "c:", "Returns:"]),
        ('def f(a, b, c) -> None:\n    """Adds.\n\n    Args:\n        a: x\n        b: y\n        c: z\n    """\n', []),
        ('def f(a, b, c) -> None:\n    """Adds.\n\n    Args:\n        a: x\n        c: z\n    """\n', ["b:"]),
        ('def f(a, b, c) -> None:\n    """Adds. Args: a: x, b: y, c: z."""\n', ["Args:", "a:", "b:", "c:"]),
        ('class C:\n    def f(self, a, b) -> int:\n        """The sum."""\n', []),
        ('def f() -> int:\n    """One. Raises VaultError."""\n', ["Raises:"]),
        ('def f() -> int:\n    """One."""\n    raise VaultError("x")\n', ["Raises:"]),
        ('def f() -> int:\n    """One."""\n    raise\n', []),
    ],
)
def test_the_rule(source: str, missing: list[str]) -> None:
    [(_, node)] = public_functions(ast.parse(source).body)
    assert missing_sections(node) == missing
