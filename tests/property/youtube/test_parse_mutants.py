"""Replies with something wrong in them: never a crash, never a zero for a missing count, good rows stay, bad ones are named.

Some thousand here, more than 100,000 under `make sweep`; recorded replies too where PLEIADES_TEST_REPLIES names their folder.
"""

from __future__ import annotations

import contextlib
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support.mutants import Mutant, mutants
from support.replies import KINDS, RECORDED_IN, Kind, key_of, recorded

from pleiades_core.errors import ApiError, BadReply
from pleiades_core.youtube import parse
from pleiades_core.youtube.connection import gunzip

#: Of one method's reply, here and under `make sweep`: six times 18,000 = 108,000.
QUICK, SWEEP = 500, 18_000
#: Of recorded replies altogether.
RECORDED = 100_000

_MAX_BYTES = 2_000_000
_LARGEST = 2**63 - 1


def judge(kind: Kind, mutant: Mutant) -> None:
    """Read a mutant as the client does, and hold what comes of it against what is known of the mutant."""
    asked = kind.asked()
    try:
        body = gunzip(mutant.body, _MAX_BYTES) if mutant.packed else mutant.body
        reply = parse.parse_object(body)
        rows = parse.require_list(reply)
        records, bad = kind.read(reply, asked)
    except BadReply:
        # Rows are lost only where the reply as such was wrong. Any other error, of the tree or not, fails this test.
        assert not mutant.untouched
        return
    found = {key_of(record): record for record in records}
    assert len(found) == len(records)
    if kind.folds:
        assert len(records) + len(bad) <= len(rows)
    else:
        assert len(records) + len(bad) == len(rows)
    for one in bad:
        assert one.reason
        assert len(one.row) <= 500
    _is_storable([*records, *bad])
    _good_rows_stay(kind, mutant, found, asked)
    for record in records:
        _counts_are_those_given(kind, record, rows)


def _is_storable(value: Any) -> None:
    """No text within it holds what PostgreSQL or Parquet refuse."""
    if isinstance(value, str):
        assert "\x00" not in value
        value.encode("utf-8")
    elif isinstance(value, tuple | list):
        for one in value:
            _is_storable(one)
    elif is_dataclass(value):
        for one in fields(value):
            _is_storable(getattr(value, one.name))


def _good_rows_stay(kind: Kind, mutant: Mutant, found: dict[str, Any], asked: list[Any]) -> None:
    """Every untouched row is there; as it was, unless a row in front of it claimed the same id."""
    for row in mutant.untouched:
        (good,), _ = kind.read({"items": [row]}, asked)
        assert key_of(good) in found
        rivals = sum(repr(key_of(good)) in repr(other) for other in mutant.reply["items"])
        assert found[key_of(good)] == good or rivals > 1


def _counts_are_those_given(kind: Kind, record: Any, rows: list[Any]) -> None:
    """Each count is what one of the rows of its id says: absent is None, and zero is only what says zero."""
    counts = getattr(record, "counts", record)
    taken = {name: getattr(counts, name) for name in kind.counts}
    assert all(count is None or 0 <= count <= _LARGEST for count in taken.values())
    possible = [_given(kind, row) for row in rows if isinstance(row, dict) and row.get("id") == key_of(record)]
    assert not taken or taken in possible


def _given(kind: Kind, row: dict[str, Any]) -> dict[str, int | None] | None:
    """The counts of a row, by a reading of its own; None where one of them is none."""
    given = row.get("statistics")
    if given is not None and not isinstance(given, dict):
        return None
    counts: dict[str, int | None] = {}
    for name, field in kind.counts.items():
        value = (given or {}).get(field)
        if field == "subscriberCount" and (given or {}).get("hiddenSubscriberCount") is True:
            value = None
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
            return None
        with contextlib.suppress(ValueError):
            counts[name] = None if value is None else int(value)
    return counts if len(counts) == len(kind.counts) else None


def run(kind: Kind, examples: int) -> None:
    """So many mutants of one kind of reply."""

    @settings(
        max_examples=examples, deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutants(kind))
    def judged(mutant: Mutant) -> None:
        judge(kind, mutant)

    judged()


@pytest.mark.parametrize("name", KINDS)
def test_good_replies_are_read_whole(name: str) -> None:
    """What the mutants are made of has nothing wrong with it."""
    kind = KINDS[name]
    records, bad = kind.read({"kind": "youtube#listResponse", "items": kind.rows}, kind.asked())
    assert (len(records), bad) == (len(kind.rows), ())


@pytest.mark.parametrize("name", KINDS)
def test_mutants(name: str) -> None:
    run(KINDS[name], QUICK)


@pytest.mark.sweep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", KINDS)
def test_many_mutants(name: str) -> None:
    run(KINDS[name], SWEEP)


@pytest.mark.sweep
@pytest.mark.timeout(7_200)
def test_many_mutants_of_recorded_replies() -> None:
    """Every recorded page gets its part of them."""
    kinds = list(recorded())
    if not kinds:
        pytest.skip(f"{RECORDED_IN} names no folder with recorded replies")
    for kind in kinds:
        run(kind, -(-RECORDED // len(kinds)))


def test_recorded_replies_are_read_whole() -> None:
    """Not a row of what YouTube was seen to answer is rejected."""
    kinds = list(recorded())
    if not kinds:
        pytest.skip(f"{RECORDED_IN} names no folder with recorded replies")
    for kind in kinds:
        records, bad = kind.read({"kind": "youtube#listResponse", "items": kind.rows}, kind.asked())
        assert (len(records), bad) == (len(kind.rows), ()), kind.name


@example(b"", 429, {"retry-after": "0\x1f"})
@given(
    st.binary(max_size=200), st.integers(100, 599), st.dictionaries(st.sampled_from(["retry-after", "x"]), st.text(max_size=9))
)
def test_any_refusal_is_one_error_of_the_tree(body: bytes, status: int, headers: dict[str, str]) -> None:

    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert isinstance(parse.parse_error(status, headers, body, project="p", bucket="search", now=now), ApiError)
