"""Writes every generated page, or with `--check` names those that are not up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from docgen import columns, commands, schema

DOCS = Path(__file__).parents[1] / "docs"
#: Page and what it should say.
PAGES = {"columns.md": columns.text, "commands.md": commands.text, "schema.sql": schema.text}


def main() -> int:
    """Returns the exit code: 1 when `--check` found a page that is not up to date."""
    stale = 0
    for name, text in PAGES.items():
        page, expected = DOCS / name, text()
        if page.exists() and page.read_text(encoding="utf-8") == expected:
            continue
        print(f"docs/{name} {'is not up to date' if '--check' in sys.argv else 'written'}")
        if "--check" in sys.argv:
            stale = 1
        else:
            page.write_text(expected, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
