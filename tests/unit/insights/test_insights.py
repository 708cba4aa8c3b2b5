"""Velocity and rankings on samples written by hand."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pleiades_core.insights.publish import ask, compute
from pleiades_core.insights.ranking import RankedVideo, live, rank_day
from pleiades_core.insights.velocity import velocity_day
from pleiades_core.insights.video import description, history
from pleiades_core.models import Counts, Sample, SampleStatus, Vid, VideoId
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, samples_by_day
from pleiades_core.vault.query import QueryLimits, query
from pleiades_core.vault.vault import Vault, open_vault

DAY = date(2026, 8, 24)  # The counting definition changes at its first instant.
NOON = datetime(2026, 8, 24, 12, tzinfo=UTC)
_IDS = ["AAAAAAAAAAA", "AAAAAAAAAAE", "AAAAAAAAAAI", "AAAAAAAAAAM"]


def _write(vault: Vault, rows: Iterable[tuple[int, float, int | None, int]]) -> None:
    """Samples as (vid, hours before noon, views, definition), and a registry row for each vid."""
    samples: list[dict[str, Any]] = [
        {"vid": vid, "polled_at": NOON - timedelta(hours=ago), "status": 0, "definition": definition, "views": views}
        for vid, ago, views, definition in rows
    ]
    videos = [
        {
            "vid": vid, "video_id": _IDS[vid], "channel_id": "UC", "channel_title": "channel", "title": f"title {vid}",
            "description": "", "tags": [], "live": "none", "published_at": NOON - timedelta(hours=30),
            "discovered_at": NOON - timedelta(hours=29), "source": "uploads",
        }
        for vid in {row["vid"] for row in samples}
    ]  # fmt: skip
    for dataset, written in ((REGISTRY, videos), (SAMPLES, samples)):
        table = pa.Table.from_pylist(written, dataset.schema)
        write_batch(vault, dataset, DAY, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path)


def _only(vault: Vault) -> RankedVideo:
    (video,) = live(vault, NOON)
    return video


def test_velocity_is_measured_between_samples_and_acceleration_between_halves(vault: Vault) -> None:
    """1,000 views in the first 12 hours, 3,000 in the last 12: 166.7 an hour, gaining 166.7 / 12 an hour each hour."""
    _write(vault, [(0, 24, 10_000, 3), (0, 12, 11_000, 3), (0, 0, 14_000, 3)])
    video = _only(vault)
    assert video.views_per_hour == pytest.approx(4_000 / 24, abs=0.001)
    assert video.acceleration == pytest.approx((3_000 / 12 - 1_000 / 12) / 12, abs=0.001)
    assert (video.age_hours, video.span_hours, video.samples, video.views_gained) == (30, 24, 3, 4_000)
    assert video.viral_score is None


def test_one_sample_has_no_velocity(vault: Vault) -> None:
    _write(vault, [(0, 1, 10_000, 3)])
    assert live(vault, NOON) == ()


def test_a_video_that_was_not_polled_in_the_window_is_not_ranked(vault: Vault) -> None:
    _write(vault, [(0, 40, 1, 3), (0, 30, 10_000, 3)])
    assert live(vault, NOON) == ()


def test_hidden_views_are_no_zero(vault: Vault) -> None:
    _write(vault, [(0, 10, None, 3), (0, 5, 100, 3), (0, 0, 200, 3)])
    assert _only(vault).views_per_hour == pytest.approx(20)


def test_likes_that_were_hidden_since_stay_hidden(vault: Vault) -> None:
    """The last answer had no likes: the 50 of the answer before are not shown as if they were today's."""
    rows = [
        {"vid": 0, "polled_at": NOON - timedelta(hours=ago), "status": 0, "definition": 3, "views": views, "likes": likes}
        for ago, views, likes in ((5, 100, 50), (0, 200, None))
    ]
    _write(vault, [(0, 6, 90, 3)])
    table = pa.Table.from_pylist(rows, SAMPLES.schema)
    write_batch(vault, SAMPLES, DAY, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    assert (_only(vault).views, _only(vault).likes) == (200, None)
    (day,) = query(vault, "select views, likes from metrics").to_pylist()
    assert day == {"views": 200, "likes": None}


def test_of_two_samples_that_are_as_near_the_earlier_counts_in_whatever_order_they_lie(tmp_path: Path) -> None:
    """Hourly polls at the half hour are all as far from the window's start as their neighbours."""
    rows = [(0, 24.5 - hour, 1_000 + hour * hour, 3) for hour in range(25)]
    answers: list[list[dict[str, Any]]] = []
    for order in (rows, rows[::-1]):
        vault = open_vault(tmp_path / str(len(answers)))
        for row in order:
            _write(vault, [row])
        answers.append(compute(vault, "ranking", NOON, limit=1).to_pylist())
    assert answers[0] == answers[1]
    assert answers[0][0]["span_hours"] == 24


def test_views_that_fall_give_a_negative_velocity(vault: Vault) -> None:
    _write(vault, [(0, 10, 500, 3), (0, 0, 400, 3)])
    assert _only(vault).views_per_hour == pytest.approx(-10)


def test_no_velocity_crosses_a_change_of_the_counting_definition_unmarked(vault: Vault) -> None:
    """The jump from 1,000 to 50,000 is a change of what is counted."""
    _write(vault, [(0, 20, 1_000, 2), (0, 10, 50_000, 3), (0, 0, 50_100, 3)])
    video = _only(vault)
    assert video.views_per_hour == pytest.approx(10)
    assert video.definition_changed


def test_the_fastest_comes_first_and_the_limit_holds(vault: Vault) -> None:
    _write(vault, [row for vid in range(4) for row in ((vid, 10, 0, 3), (vid, 0, 10 * (vid + 1), 3))])
    assert [video.video_id for video in live(vault, NOON, 3)] == _IDS[:0:-1]


def test_a_day_is_published_the_same_however_often(vault: Vault, tmp_path: Path) -> None:
    _write(vault, [(0, 10, 500, 3), (0, 0, 400, 3), (1, 10, 1, 3), (1, 0, 9, 3)])
    velocity, ranking = velocity_day(vault, DAY), rank_day(vault, DAY)
    content = {path: path.read_bytes() for path in tmp_path.rglob("insights/**/*.parquet")}
    assert (velocity_day(vault, DAY), rank_day(vault, DAY)) == (velocity, ranking)
    assert len(content) == 2
    assert all(path.read_bytes() == before for path, before in content.items())
    assert velocity.falls == 1


def test_a_day_without_samples_has_an_empty_ranking(vault: Vault) -> None:
    assert (rank_day(vault, DAY).rows, velocity_day(vault, DAY).fastest) == (0, None)


def test_of_two_descriptions_every_reader_takes_the_same(vault: Vault) -> None:
    """Both were written at the same instant: the title decides."""
    _write(vault, [(0, 24, 10_000, 3), (0, 0, 14_000, 3)])
    first = query(vault, "select * from raw_videos").to_pylist()[0]
    table = pa.Table.from_pylist([{**first, "title": "another"}], REGISTRY.schema)
    write_batch(vault, REGISTRY, DAY, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    assert query(vault, "select title from videos").to_pylist() == [{"title": "another"}]
    assert _only(vault).title == "another"
    found = description(vault, VideoId(_IDS[0]))
    assert found is not None
    assert list(found) == REGISTRY.schema.names
    assert found["title"] == "another"
    assert description(vault, VideoId(_IDS[1])) is None


def test_samples_are_cut_at_midnight_and_say_why_they_have_no_counts(vault: Vault) -> None:
    """To the second, in the order of the columns, each day a table."""
    last = datetime(2026, 8, 24, 23, 59, 59, 999_999, tzinfo=UTC)
    counts = Counts(video_id=VideoId(_IDS[0]), views=7, likes=None, comments=0)
    days = samples_by_day(
        [
            Sample.of(Vid(0), last + timedelta(seconds=1), SampleStatus.MISSING),
            Sample.of(Vid(0), last, counts),
            Sample.of(Vid(0), last - timedelta(hours=1), SampleStatus.UNREADABLE),
        ]
    )
    assert list(days) == [DAY, DAY + timedelta(days=1)]
    for day, table in days.items():
        assert table.schema == SAMPLES.schema
        write_batch(vault, SAMPLES, day, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    nothing = {"views": None, "likes": None, "comments": None}
    second = last.replace(microsecond=0)
    assert history(vault, 0) == [
        {"polled_at": second - timedelta(hours=1), "status": "unreadable", **nothing},
        {"polled_at": second, "status": "ok", "views": 7, "likes": None, "comments": 0},
        {"polled_at": second + timedelta(seconds=1), "status": "missing", **nothing},
    ]
    assert query(vault, "select status from samples order by polled_at").column("status").to_pylist() == [
        "unreadable", "ok", "missing"
    ]  # fmt: skip


def test_what_is_published_is_a_view_with_its_day(vault: Vault, tmp_path: Path) -> None:
    """Stray files beside it are passed over: a note, a folder of no day, a pipe."""
    limits = QueryLimits(memory_mb=200, threads=2)
    assert ask(vault, "select * from rankings", limits).num_rows == 0
    _write(vault, [(0, 10, 500, 3), (0, 0, 400, 3), (1, 10, 1, 3), (1, 0, 9, 3)])
    velocity_day(vault, DAY)
    rank_day(vault, DAY)
    for folder in (tmp_path / "insights" / "rankings", tmp_path / "discovery_requests"):
        for name in ("date=not-a-day", "date=2026-08-25"):
            (folder / name).mkdir(parents=True)
        (folder / "README.txt").write_text("a note")
        (folder / "date=not-a-day" / "day.parquet").write_text("a note")
        os.mkfifo(folder / "date=2026-08-25" / "day.parquet")
    ranked = ask(vault, "select day, rank, video_id, viral_score from rankings order by rank", limits).to_pylist()
    assert ranked == [
        {"day": DAY, "rank": 1, "video_id": _IDS[1], "viral_score": None},
        {"day": DAY, "rank": 2, "video_id": _IDS[0], "viral_score": None},
    ]
    speeds = "select day, vid, views_gained from daily_velocity where day >= '2026-08-24' order by vid"
    assert [tuple(row.values()) for row in ask(vault, speeds, limits).to_pylist()] == [(DAY, 0, -100), (DAY, 1, 8)]
    assert ask(vault, "select * from discovery_requests", limits).num_rows == 0


def test_files_of_another_width_of_vid_and_without_a_later_column_are_read_together(vault: Vault) -> None:
    """Column types only ever grow: a reader meets files of before."""
    _write(vault, [(0, 1, 10, 3)])
    wide = pa.schema([pa.field("vid", pa.int64()) if field.name == "vid" else field for field in SAMPLES.schema][:-1])
    row = {"vid": 1, "polled_at": NOON, "status": 0, "definition": 3, "views": 5}
    write_batch(vault, SAMPLES, DAY, pa.Table.from_pylist([row], wide), lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    found = query(vault, "select vid, views, comments from raw_samples where vid in (0, 1) order by vid").to_pylist()
    assert found == [{"vid": 0, "views": 10, "comments": None}, {"vid": 1, "views": 5, "comments": None}]
