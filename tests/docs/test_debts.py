"""Shortcuts that were removed once and may not come back.

A rule is a pattern, the lines that it must find, and the only files that may match it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from support.paths import ROOT


class Forbidden(NamedTuple):
    """A pattern that only some files may match, with lines that it must find: one for each of its alternatives."""

    pattern: str
    offenders: tuple[str, ...]
    #: The only files that may match, and do.
    allowed: frozenset[str] = frozenset()
    suffix: str = ".py"


RULES = {
    "cost is metered explicitly, by a meter that each call is given": Forbidden(
        r"\b(contextvars|ContextVar)\b", ("import contextvars", "units: ContextVar[int]")
    ),
    "functions of the disk are in storage/disk.py": Forbidden(
        r"\b(disk_usage|statvfs)\(",
        ("shutil.disk_usage(folder)", "os.statvfs(folder)"),
        frozenset({"pleiades_core/storage/disk.py"}),
    ),
    "an address of the vault is no local path": Forbidden(
        r"\bPath\([^)\n]*(\.address|\.uri\()", ("Path(vault.archive.address)", "Path(vault.archive.uri(key))")
    ),
    "queries are in .sql files": Forbidden(
        r"\bexecute\(\s*f?\"(select|insert|update|delete|with)\b",
        (
            'connection.execute("select state from videos")',
            'connection.execute("insert into batches values (1)")',
            'connection.execute(f"update videos set state = {state}")',
            'connection.execute("delete from videos")',
            'connection.execute("with due as (select 1) table due")',
        ),
        # These need their query before the schema is there, or call one function of PostgreSQL.
        frozenset({f"pleiades_core/storage/{name}.py" for name in ("postgres", "locks", "migrate")}),
    ),
    "a state of a video has a name": Forbidden(
        r"\bstate\s*(=|!=|<>|in)\s*\(?\s*[0-9]",
        ("where state = 1", "where state != 1", "where state <> 1", "where state in (1, 2)"),
        suffix=".sql",
    ),
    "the rule of the tiers is one function of the schema": Forbidden(
        r"\bthen\s+%\((hourly|daily|weekly)",
        tuple(f"case when age < 1 then %({tier})s" for tier in ("hourly", "daily", "weekly")),
        suffix=".sql",
    ),
    "a pool of quota is a row": Forbidden(
        r"\b(hunting|tracking|archeology)_\w+\s+(bigint|int|integer|smallint)\b",
        ("hunting_spent integer not null", "tracking_spent bigint", "archeology_spent int,", "hunting_left smallint"),
        suffix=".sql",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_removed_shortcut_stays_away(rule: str) -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("pleiades_core", "pleiades_dagster")
        for path in (ROOT / package).rglob(f"*{RULES[rule].suffix}")
        if re.search(RULES[rule].pattern, path.read_text())
    }
    assert found == RULES[rule].allowed


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_finds_its_offenders(rule: str) -> None:
    assert [line for line in RULES[rule].offenders if not re.search(RULES[rule].pattern, line)] == []
