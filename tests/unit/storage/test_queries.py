"""SQL stands in files, is used, and shells have none of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.paths import ROOT

from pleiades_core.storage.queries import parse_queries

_CORE = "\n".join(path.read_text() for path in (ROOT / "pleiades_core").rglob("*.py"))


@pytest.mark.parametrize("file", sorted((ROOT / "pleiades_core/storage/sql").glob("*.sql")), ids=lambda file: file.stem)
def test_every_query_is_used(file: Path) -> None:
    names = re.findall(r"^-- (\w+): .+$", file.read_text(), re.MULTILINE)
    assert names
    assert [name for name in names if f".{name}" not in _CORE] == []


def test_a_name_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_queries("some", "-- one: a\nselect 1\n-- one: b\nselect 2\n")


def test_shells_run_no_sql() -> None:
    """The command line and Dagster ask the modules that own the tables."""
    shells = [*(ROOT / "pleiades_core/cli").glob("*.py"), *(ROOT / "pleiades_dagster").rglob("*.py")]
    assert [path.name for path in shells if re.search(r"\.execute\(|load_queries", path.read_text())] == []


def test_nobody_takes_queries_from_another_module() -> None:
    assert re.findall(r"import .*(?:\bQUERIES\b|\b_SQL\b).*", _CORE) == []
