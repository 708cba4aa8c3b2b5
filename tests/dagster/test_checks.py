"""Verdicts on a closed day: each check fails for its own reason and for no other."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest

from pleiades_core.models import Bucket, Tier
from pleiades_core.vault.day_facts import DayInspection
from pleiades_dagster.day_checks import OF_METRICS, metrics_verdicts
from pleiades_dagster.run_checks import MOST_LATENESS_S, lateness_result, units_left_result

GOOD = DayInspection(
    day=date(2026, 3, 1),
    rows=100,
    expected_rows=100,
    unknown_batches=0,
    recorded_rows=100,
    distinct_keys=100,
    distinct_videos=10,
    outside=0,
    first_polled_at=datetime(2026, 3, 1, tzinfo=UTC),
    last_polled_at=datetime(2026, 3, 1, 23, tzinfo=UTC),
    pairs=90,
    falls=1,
    misses=3,
    hours=24,
    sha256="a" * 64,
    manifest_sha256="a" * 64,
    recorded_sha256="a" * 64,
)


def _failed(**changed: Any) -> list[tuple[str, dg.AssetCheckSeverity]]:
    found = metrics_verdicts(dataclasses.replace(GOOD, **changed))
    assert [verdict.name for verdict in found] == list(OF_METRICS)
    return [(verdict.name, OF_METRICS[verdict.name][1]) for verdict in found if not verdict.passed]


def test_a_good_day_passes_everything() -> None:
    assert _failed() == []


@pytest.mark.parametrize(
    ("changed", "name", "severity"),
    [
        ({"expected_rows": 101}, "rows_equal_batches", dg.AssetCheckSeverity.ERROR),
        ({"unknown_batches": 2, "recorded_rows": 99}, "rows_equal_batches", dg.AssetCheckSeverity.ERROR),
        ({"unknown_batches": 2, "recorded_rows": None}, "rows_equal_batches", dg.AssetCheckSeverity.ERROR),
        ({"distinct_keys": 99}, "keys_unique", dg.AssetCheckSeverity.ERROR),
        ({"sha256": "b" * 64}, "checksum_matches", dg.AssetCheckSeverity.ERROR),
        ({"manifest_sha256": None}, "checksum_matches", dg.AssetCheckSeverity.ERROR),
        ({"recorded_sha256": "b" * 64}, "checksum_matches", dg.AssetCheckSeverity.ERROR),
        ({"outside": 1}, "times_inside_day", dg.AssetCheckSeverity.ERROR),
        ({"falls": 2}, "share_of_falls", dg.AssetCheckSeverity.WARN),
        ({"hours": 21}, "coverage", dg.AssetCheckSeverity.WARN),
    ],
)
def test_each_check_fails_for_its_own_reason(changed: dict[str, Any], name: str, severity: dg.AssetCheckSeverity) -> None:
    assert _failed(**changed) == [(name, severity)]


@pytest.mark.parametrize(
    "changed",
    [
        {"unknown_batches": 5, "expected_rows": 0},
        {"recorded_sha256": None},
        {"hours": 22},
        {"pairs": 0, "falls": 0},
    ],
)
def test_what_is_not_a_fault_passes(changed: dict[str, Any]) -> None:
    """Swept batch rows, a database that was restored, a short pause, a day of single samples."""
    assert _failed(**changed) == []


def test_an_empty_day_is_only_uncovered() -> None:
    empty = {
        "rows": 0,
        "expected_rows": 0,
        "distinct_keys": 0,
        "distinct_videos": 0,
        "pairs": 0,
        "falls": 0,
        "misses": 0,
        "hours": 0,
    }
    assert _failed(**empty, first_polled_at=None, last_polled_at=None) == [("coverage", dg.AssetCheckSeverity.WARN)]


@pytest.mark.parametrize("tier", list(Tier))
def test_lateness_warns_beyond_a_third_of_the_interval(tier: Tier) -> None:
    assert lateness_result(tier, MOST_LATENESS_S[tier], None).passed
    assert lateness_result(tier, None, None).passed
    late = lateness_result(tier, MOST_LATENESS_S[tier] + 1, 1e6)
    assert not late.passed
    assert late.severity == dg.AssetCheckSeverity.WARN


def test_units_left_warns_with_the_reset() -> None:
    assert units_left_result({Bucket.SEARCH: 3}, None).passed
    spent = units_left_result({}, datetime(2026, 3, 2, 8, tzinfo=UTC))
    assert not spent.passed
    assert "2026-03-02 08:00 UTC" in str(spent.description)
