"""Shortcuts that were removed once and may not come back.

A rule is a pattern, the only files that may match it, and a line that the pattern must find.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from support.paths import ROOT


class Forbidden(NamedTuple):
    """A pattern that only some files may match, with a line that it must find."""

    pattern: str
    #: The only files that may match, relative to pleiades_core.
    allowed: frozenset[str]
    offender: str
    suffix: str = ".py"


RULES = {
    "cost is metered explicitly, by a meter that each call is given": Forbidden(
        r"\bcontextvars\b|\bContextVar\b", frozenset(), "import contextvars"
    ),
    "functions of the disk are in storage/disk.py": Forbidden(
        r"\b(disk_usage|statvfs)\(", frozenset({"storage/disk.py"}), "shutil.disk_usage(folder)"
    ),
    "an address of the vault is no local path": Forbidden(
        r"\bPath\([^)\n]*(\.address|\.uri\()", frozenset(), "Path(vault.archive.address)"
    ),
    "queries are in .sql files": Forbidden(
        r"\b(execute|rows|row|scalar)\(\s*f?\"(select|insert|update|delete|with)\b",
        # These need the query before the schema is there, or are one call of a function of PostgreSQL.
        frozenset({"storage/postgres.py", "storage/locks.py", "storage/migrate.py"}),
        'connection.execute("select state from videos")',
    ),
    "an error is complete when it is raised": Forbidden(
        r"\.add_note\(|\berror\.args = |object\.__setattr__\((error|failure)\b", frozenset(), 'error.add_note("later")'
    ),
    "a state of a video has a name": Forbidden(
        r"\bstate\s*(=|!=|<>|in)\s*\(?\s*[0-9]", frozenset(), "where state != 1", ".sql"
    ),
    "the rule of the tiers is one function of the schema": Forbidden(
        r"then\s+%\((hourly|daily|weekly)", frozenset(), "case when age < 1 then %(hourly)s", ".sql"
    ),
    "a pool of quota is a row": Forbidden(
        r"\b(hunting|tracking|archeology)_\w+\s+(bigint|int|integer|smallint)\b",
        frozenset(),
        "hunting_spent integer not null",
        ".sql",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_removed_shortcut_stays_away(rule: str) -> None:
    pattern, allowed, _, suffix = RULES[rule]
    core = ROOT / "pleiades_core"
    found = {
        path.relative_to(core).as_posix()
        for path in core.rglob(f"*{suffix}")
        if re.search(pattern, path.read_text(), re.IGNORECASE if suffix == ".sql" else 0)
    }
    assert found <= allowed


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_finds_its_offender(rule: str) -> None:
    assert re.search(RULES[rule].pattern, RULES[rule].offender)
