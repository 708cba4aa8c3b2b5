"""The recorded demo: every stored sample lies between the two readings around it, hostile titles and all."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pleiades_core.videoid import encode
from pleiades_dagster.demo.options import DemoOptions
from pleiades_dagster.demo.play import play
from pleiades_dagster.demo.summary import DemoSummary

START = date(2026, 3, 1)
#: What other people call their videos. A file cannot hold a lone surrogate; JSON can, and the parser's tests feed it those.
_TITLES = ["plain music", "nul \0 music", "\N{RIGHT-TO-LEFT OVERRIDE}music", "\N{COLLISION SYMBOL} <b>music</b> & 'quotes'; --"]
#: Two of them in one reply are more than the client takes in.
_MONSTER = "m" * 3_000_000 + " music"
_CHANNELS = ["UC" + "A" * 20 + letter + "A" for letter in "abc"]


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: the name of PostgreSQL's Unix socket is limited to 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="plr"))
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """200 videos with up to six readings each, some of which fall, some of which say nothing of likes."""
    chance = random.Random(3)  # noqa: S311  a world, not a secret
    begin = datetime(2026, 2, 27, tzinfo=UTC)
    videos, readings = [], []
    for number in range(200):
        published = begin + timedelta(hours=chance.uniform(0, 90))
        video_id = encode(chance.getrandbits(63))
        videos.append(
            {
                "video_id": video_id, "channel_id": _CHANNELS[number % 3], "channel_title": "music channel",
                "title": _MONSTER if number % 50 == 7 else _TITLES[number % len(_TITLES)],
                "description": "", "tags": ["music"] if number % 4 else None,
                "category_id": "10", "published_at": f"{published:%Y-%m-%dT%H:%M:%SZ}", "duration": None, "language": "en",
                "first_region": "US", "live": "none",
            }
        )  # fmt: skip
        at, views = published, 0
        for _ in range(number % 7):
            at += timedelta(hours=chance.uniform(1, 30))
            views = max(0, views + chance.randrange(-50, 5_000))
            likes = None if number % 5 == 0 else views // 20
            readings.append({"video_id": video_id, "observed_at": at, "views": views, "likes": likes, "comments": None})
    schema = pa.schema(
        [("video_id", pa.string()), ("observed_at", pa.timestamp("us", tz="UTC"))]
        + [(name, pa.int64()) for name in ("views", "likes", "comments")]
    )
    pq.write_table(pa.Table.from_pylist(videos), tmp_path / "videos.parquet")
    pq.write_table(pa.Table.from_pylist(readings, schema), tmp_path / "readings.parquet")
    return tmp_path


def _played(home: Path, world: Path, days: int) -> DemoSummary:
    options = DemoOptions(home=home, world=world, start=START, days=days)
    return play(options, show=lambda _: None, stop=threading.Event())


def _assert_between_readings(home: Path, world: Path) -> int:
    """Assert it for every sample with a reading on both sides; how many these are."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            f"create view readings as select video_id, observed_at as t, views from '{world}/readings.parquet' where views >= 0"
        )
        connection.execute(
            f"create view stored as select v.video_id, s.polled_at, s.views from '{home}/vault/metrics/*/day.parquet' s"
            f" join '{home}/vault/videos/*/day.parquet' v using (vid) where s.status = 0"
        )
        around = connection.sql(
            "select s.views as stored, p.views as before, n.views as after from stored s"
            " asof join readings p on s.video_id = p.video_id and s.polled_at >= p.t"
            " asof join readings n on s.video_id = n.video_id and s.polled_at <= n.t"
        ).fetchall()
    assert all(min(before, after) <= stored <= max(before, after) for stored, before, after in around)
    return len(around)


def test_every_sample_lies_between_the_readings_around_it(home: Path, world: Path) -> None:
    summary = _played(home, world, 1)
    assert summary.discovered > 50
    assert summary.days_closed == 1
    assert _assert_between_readings(home, world) > 100


@pytest.mark.sweep
def test_and_in_real_recordings(home: Path) -> None:
    """The folder that PLEIADES_TEST_WORLD names."""
    given = os.environ.get("PLEIADES_TEST_WORLD")
    if not given:
        pytest.skip("PLEIADES_TEST_WORLD names no recorded world")
    summary = _played(home, Path(given), 3)
    assert summary.days_closed == 3
    assert _assert_between_readings(home, Path(given)) > 500
