"""The rules of this code base that a program can check: its words, and the form of its docstrings.

Belongs here: the rules as data and pure functions. tests/docs/ holds the tree to them; benchmarks/structure.py counts by them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

#: Words that were ours alone, and the field's words that took their places. They may not come back anywhere.
RETIRED_WORDS = {
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
EMPTY_NAMES = {
    "one", "ones", "words", "said", "asked", "ours", "mine", "theirs", "who", "whose", "other", "others", "same", "alone",
    "in_turn", "meant", "wanted", "road", "roads", "pull", "pulls", "arm", "arms", "tally", "patience",
}  # fmt: skip
#: A public function of so many parameters lists them.
MANY_PARAMETERS = 3

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def given_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name that a module gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, AnyFunction | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def empty_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names of a module that are in EMPTY_NAMES, with their lines."""
    return ((line, name) for line, name in given_names(tree) if name.strip("_").lower() in EMPTY_NAMES)


def lines_of(node: AnyFunction) -> int:
    """The length of a function in lines, from its first decorator to its end."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return (node.end_lineno or first) - first + 1


def public_functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, AnyFunction]]:
    """Public functions of a module and public methods of its public classes.

    Left out are properties, overrides, and commands: the docstring of a command is its `--help`, and its options declare what
    they mean.
    """
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, AnyFunction) and not node.name.startswith("_"):
            decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
            if not any(word in decorators for word in ("property", "override", ".command(")):
                yield f"{prefix}{node.name}", node


def missing_sections(node: AnyFunction) -> list[str]:
    """The sections that the rule asks of a function's docstring and that it lacks.

    A function of MANY_PARAMETERS parameters or more has `Args:`, with each of its parameters, and `Returns:` (or `Yields:`). A
    function that raises an error, or whose docstring speaks of raising, has `Raises:`. A smaller function needs no section. The
    heading of a section is a line of its own.
    """
    docstring = ast.get_docstring(node) or ""
    lines = docstring.splitlines()
    arguments = node.args
    parameters = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *(variable for variable in (arguments.vararg, arguments.kwarg) if variable),
    ]
    needed = []
    names = [parameter.arg for parameter in parameters if parameter.arg not in {"self", "cls"}]
    if len(names) >= MANY_PARAMETERS:
        needed += ["Args:", *(f"    {name}:" for name in names)]
        if node.returns is not None and ast.unparse(node.returns) not in {"None", "NoReturn", "Never"}:
            needed.append("Yields:" if "Yields:" in lines else "Returns:")
    # Errors that pass through from a function below may be listed too, and then in the form.
    if _raises_an_error(node) or "aises " in docstring:
        needed.append("Raises:")
    return [line.strip() for line in needed if not any(_begins(given, line) for given in lines)]


def _begins(given: str, line: str) -> bool:
    """Whether a line of a docstring is this heading, or begins the entry of this parameter, whose stars it may repeat."""
    return given == line or (line.startswith(" ") and re.sub(r"^    \*{1,2}", "    ", given).startswith(line))


def _raises_an_error(node: ast.AST) -> bool:
    """True if the body has `raise Name(...)`, nested functions and classes aside."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, AnyFunction | ast.Lambda | ast.ClassDef):
            continue
        if (isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call)) or _raises_an_error(child):
            return True
    return False
