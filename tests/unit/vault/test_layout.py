"""Keys of the vault: every key that Pleiades makes is understood, and nothing else is."""

from __future__ import annotations

import uuid
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.vault import layout
from pleiades_core.vault.layout import DATASETS, ParsedKey, days_by_key, parse_key

_DAYS = st.dates(date(2005, 4, 23), date(2200, 1, 1))


@given(day=_DAYS, batch=st.uuids())
def test_every_key_that_is_made_is_understood(day: date, batch: uuid.UUID) -> None:
    for dataset in DATASETS.values():
        assert parse_key(dataset.batch_key(day, batch)) == ParsedKey(dataset.name, day, batch)
        assert parse_key(dataset.day_key(day)) == ParsedKey(dataset.archive_folder, day, None)
        assert parse_key(dataset.manifest_key(day)) == ParsedKey(f"manifests/{dataset.archive_folder}", day, None)
    assert parse_key(layout.discovery_requests_key(day)) == ParsedKey("discovery_requests", day, None)
    assert parse_key(layout.insight_key("velocity", day)) == ParsedKey("insights/velocity", day, None)
    assert parse_key(layout.checkpoint_key(day)) == ParsedKey("checkpoints", day, None)
    assert parse_key(layout.loss_key(batch)) == ParsedKey("losses", None, batch)
    assert parse_key(layout.OWNER_KEY) == ParsedKey("", None, None)
    damaged = parse_key(layout.damaged_key(layout.discovery_requests_key(day), "0" * 64))
    assert damaged
    assert damaged.folder == layout.DAMAGED


@pytest.mark.parametrize(
    "key",
    [
        "", "x", "README.txt", "metrics/README.txt", "metrics/date=2026-03-01", "metrics/date=2026-02-30/day.parquet",
        "metrics/date=not-a-day/day.parquet", "metrics/date=2026-03-01/day.parquet.bak",
        "metrics/date=2026-03-01/x/day.parquet",
        "old/metrics/date=2026-03-01/day.parquet", "journal/samples/date=2026-03-01/x.parquet",
        "journal/samples/backup/0b0e7c3e-8a67-4b73-9d3c-000000000000.parquet",
        "journal/samples/date=2026-03-01/0B0E7C3E-8A67-4B73-9D3C-000000000000.parquet", "vault.json.bak", "losses/x.json",
    ],
)  # fmt: skip
def test_strays_are_told_apart(key: str) -> None:
    assert parse_key(key) is None


@given(st.text())
def test_no_name_is_too_odd(key: str) -> None:
    parse_key(key)
    days_by_key([key], "metrics")
