"""Generated pages say what the code says now."""

from __future__ import annotations

from support.paths import ROOT

from docgen import columns, commands, schema


def test_the_schema_page_is_the_schema(database_url: str) -> None:
    """`python -m docgen` writes it; the fixture's database was migrated by the program."""
    assert (ROOT / "docs" / "schema.sql").read_text() == schema.dump(database_url)


def test_the_page_of_commands_is_what_the_program_declares() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == commands.text()


def test_the_page_of_columns_is_what_the_program_declares() -> None:
    assert (ROOT / "docs" / "columns.md").read_text() == columns.text()
