"""Prose in the documents keeps the rules that CONTRIBUTING states: lines of at most 130 characters, short decision records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.paths import ROOT

LONGEST = 130
DECISION_LINES = range(10, 21)
#: docgen writes these from the code; their long lines are descriptions of one option or column.
GENERATED = {ROOT / "docs/commands.md", ROOT / "docs/columns.md"}
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - GENERATED)


def _long_lines(document: str) -> list[int]:
    """Numbers of the lines of prose over the limit. Tables and code are not prose; an address cannot be broken."""
    found, in_code = [], False
    for number, line in enumerate(document.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(("|", "    ")) and len(re.sub(r"https?://\S+", "", line)) > LONGEST:
            found.append(number)
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_line_of_prose_is_over_the_limit(path: Path) -> None:
    assert _long_lines(path.read_text()) == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_record_fits_on_a_page(path: Path) -> None:
    assert len(path.read_text().splitlines()) in DECISION_LINES


def test_a_long_line_is_found() -> None:
    long = "word " * 30
    assert _long_lines(f"short\n\n{long}\n\n| {long} |\n\n```\n{long}\n```\n\n- {long}\n") == [3, 11]
