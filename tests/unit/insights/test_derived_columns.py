"""Columns that are computed from samples: a gain is measured between samples, hidden is null, and missing is not zero."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pleiades_core.models import SampleStatus
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES
from pleiades_core.vault.query import query
from pleiades_core.vault.vault import Vault, open_vault
from pleiades_core.watchlist.cohorts import fold_cohort

FIRST = date(2026, 9, 1)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path)


def _poll(
    vault: Vault, day: int, hour: int, views: int | None, *, status: int = 0, definition: int = 3, likes: int | None = None
) -> None:
    """One poll of video 7, so many days after FIRST."""
    at = datetime(2026, 9, 1, hour, tzinfo=UTC) + timedelta(days=day)
    row = {"vid": 7, "polled_at": at, "status": status, "definition": definition, "views": views, "likes": likes}
    table = pa.Table.from_pylist([row], SAMPLES.schema)
    write_batch(vault, SAMPLES, at.date(), table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())


def _describe(vault: Vault, vids: Iterable[int] = (7,)) -> None:
    at = datetime(2026, 9, 1, 0, tzinfo=UTC)
    rows = [
        {
            "vid": vid, "video_id": f"AAAAAAAAA{vid:02}", "channel_id": "UC", "channel_title": "c", "title": "t",
            "description": "", "tags": [], "live": "none", "published_at": at, "discovered_at": at,
            "source": "uploads", "watched": True,
        }
        for vid in vids
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, REGISTRY.schema)
    write_batch(vault, REGISTRY, FIRST, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())


def _metrics(vault: Vault, columns: str, **words: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in query(vault, f"select {columns} from metrics order by day", **words).to_pylist()]


def test_a_gain_is_counted_from_the_last_sample_before_the_day(vault: Vault) -> None:
    """A video that is polled once a day gained 0 on every day. Polls before the last one of a day do not matter."""
    for day, hour, views in ((0, 9, 100), (1, 9, 130), (2, 8, 150), (2, 20, 190)):
        _poll(vault, day, hour, views)
    assert _metrics(vault, "views, views_gained") == [(100, None), (130, 30), (190, 60)]


def test_the_first_sample_of_all_has_no_gain_however_many_polls_its_day_has(vault: Vault) -> None:
    """Growth within the first day is not the growth of the day: what was before its first poll is unknown."""
    _poll(vault, 0, 9, 100)
    _poll(vault, 0, 20, 150)
    assert _metrics(vault, "views, views_gained, base_at, definition_changed") == [(150, None, None, False)]


def test_the_sample_before_may_be_months_old(vault: Vault) -> None:
    _poll(vault, 0, 9, 100)
    _poll(vault, 90, 9, 1_000)
    base = datetime(2026, 9, 1, 9, tzinfo=UTC)
    assert _metrics(vault, "views_gained, base_at") == [(None, None), (900, base)]


def test_hidden_and_missing_counts_are_passed_over_and_never_zero(vault: Vault) -> None:
    """A day without a count has no gain; the next count is compared with the last one before, across misses."""
    _poll(vault, 0, 9, 100)
    _poll(vault, 1, 9, None)
    _poll(vault, 2, 9, None, status=SampleStatus.MISSING)
    _poll(vault, 3, 9, None, status=SampleStatus.UNREADABLE)
    _poll(vault, 4, 8, 150)
    _poll(vault, 4, 9, None)
    _poll(vault, 5, 9, 170)
    assert _metrics(vault, "polls, misses, views, views_gained") == [
        (1, 0, 100, None), (1, 0, None, None), (0, 1, None, None), (0, 0, None, None), (2, 0, None, None), (1, 0, 170, 20),
    ]  # fmt: skip


def test_views_that_fall_are_a_negative_gain(vault: Vault) -> None:
    _poll(vault, 0, 9, 100)
    _poll(vault, 1, 9, 80)
    assert _metrics(vault, "views_gained") == [(None,), (-20,)]


def test_no_gain_crosses_a_change_of_the_counting_definition(vault: Vault) -> None:
    """The jump from 100 to 5,000 is a change of what is counted; within the new definition there are gains again."""
    _poll(vault, 0, 9, 100, definition=2)
    _poll(vault, 1, 9, 5_000, definition=3)
    _poll(vault, 2, 9, 5_010, definition=3)
    assert _metrics(vault, "views_gained, definition_changed") == [(None, False), (None, True), (10, False)]


def test_videos_do_not_share_their_gains(vault: Vault) -> None:
    at = datetime(2026, 9, 1, 9, tzinfo=UTC)
    for day in range(3):
        rows = [
            {"vid": vid, "polled_at": at + timedelta(days=day), "status": 0, "definition": 3, "views": 1_000 * vid + day * vid}
            for vid in range(1, 50)
        ]
        table = pa.Table.from_pylist(rows, SAMPLES.schema)
        write_batch(vault, SAMPLES, FIRST + timedelta(days=day), table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    found = query(vault, "select vid, views_gained from metrics where views_gained is not null").to_pylist()
    assert len(found) == 98
    assert all(row["views_gained"] == row["vid"] for row in found)


def test_a_video_without_a_description_keeps_its_counts(vault: Vault) -> None:
    _poll(vault, 0, 9, 100)
    assert _metrics(vault, "video_id, vid") == [(None, 7)]
    _describe(vault)
    _describe(vault)
    assert _metrics(vault, "video_id, vid") == [("AAAAAAAAA07", 7)]


def test_a_cohort_hides_what_the_last_answer_hid(vault: Vault) -> None:
    """An earlier count is not shown as if it were the last answer's."""
    _describe(vault)
    _poll(vault, 0, 9, 100, likes=5)
    _poll(vault, 0, 12, None)
    (row,) = fold_cohort(vault, FIRST, FIRST).to_pylist()
    assert (row["answered_at"].hour, row["views"], row["likes"]) == (12, None, None)


def test_an_unreadable_answer_ends_a_row_of_misses_as_it_does_in_the_schedule(vault: Vault) -> None:
    """The video was in the reply: it is not missing."""
    _describe(vault, (7, 8))
    for hour, status in ((9, SampleStatus.MISSING), (10, SampleStatus.UNREADABLE), (11, SampleStatus.MISSING)):
        _poll(vault, 0, hour, None, status=status)
    seen, never_polled = fold_cohort(vault, FIRST, FIRST).to_pylist()
    assert (seen["polls"], seen["misses"], seen["answered_at"]) == (3, 1, None)
    assert (never_polled["polls"], never_polled["misses"], never_polled["polled_at"]) == (0, 0, None)
