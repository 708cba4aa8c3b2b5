"""The recorded world: playback by its written rule, and folders that are none."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import Counts, VideoId
from pleiades_core.simulator.api.replies import encode
from pleiades_core.simulator.world.base import SearchQuery
from pleiades_core.simulator.world.catalogue_world import CatalogueWorld
from pleiades_core.simulator.world.recorded import recorded_world
from pleiades_core.videoid import encode as video_id_of

PUBLISHED = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = VideoId("dQw4w9WgXcQ")
CHANNEL = "UC" + "B" * 21 + "A"

Reading = tuple[datetime, int | None, int | None, int | None]


def video(video_id: str = ID, **more: Any) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "channel_id": CHANNEL,
        "channel_title": "Channel",
        "title": "Cooking & more",
        "description": "d",
        "tags": ["cooking", "pan"],
        "category_id": "26",
        "published_at": PUBLISHED.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration": None,
        "language": "en",
        "first_region": "DE",
        "live": "none",
    } | more


READINGS_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("observed_at", pa.timestamp("ms", tz="UTC")),
        ("views", pa.int64()),
        ("likes", pa.int64()),
        ("comments", pa.int64()),
    ]
)


def written(folder: Path, videos: Sequence[dict[str, Any]], readings: dict[str, Sequence[Reading]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(videos)), folder / "videos.parquet")
    rows = [(video_id, *reading) for video_id, of in readings.items() for reading in of]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    arrays = [pa.array(list(column), type=field.type) for column, field in zip(columns, READINGS_SCHEMA, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=READINGS_SCHEMA), folder / "readings.parquet")
    return folder


def world_of(folder: Path, readings: Sequence[Reading], **more: Any) -> CatalogueWorld:
    return recorded_world(written(folder, [video(**more)], {ID: readings}))[0]


def counts(world: CatalogueWorld, at: datetime) -> Counts | None:
    found = world.counts([ID], at)
    return found[0] if found else None


def hours(number: float) -> datetime:
    return PUBLISHED + timedelta(hours=number)


def test_the_rule_before_at_between_and_after_readings(tmp_path: Path) -> None:
    world = world_of(tmp_path, [(hours(20), 2_000, 100, None), (hours(10), 1_000, None, 10), (hours(30), 1_500, 300, 40)])
    assert counts(world, hours(-1)) is None
    table = {
        0.0: (0, None, 0),
        5.0: (500, None, 5),
        10.0: (1_000, None, 10),
        15.0: (1_500, None, None),
        20.0: (2_000, 100, None),
        25.0: (1_750, 200, None),
        30.0: (1_500, 300, 40),
        900.0: (1_500, 300, 40),
    }
    for at, (views, likes, comments) in table.items():
        assert counts(world, hours(at)) == Counts(video_id=ID, views=views, likes=likes, comments=comments), at


count = st.one_of(st.none(), st.integers(0, 10**12))
milliseconds = st.integers(-60 * 3_600_000, 2_000 * 3_600_000)
instants = milliseconds.map(lambda ms: PUBLISHED + timedelta(milliseconds=ms))
readings_of_one = st.lists(st.tuples(instants, count, count, count), min_size=1, max_size=6, unique_by=lambda r: r[0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(readings_of_one, st.lists(instants, max_size=25))
def test_playback_is_exact_at_readings_and_monotone_between_them(
    tmp_path: Path, readings: list[Reading], asked: list[datetime]
) -> None:
    world = world_of(tmp_path, readings)
    for at, views, likes, comments in readings:
        assert counts(world, at) == Counts(video_id=ID, views=views, likes=likes, comments=comments)
    for (begin, first, *_), (end, last, *_) in itertools.pairwise(sorted(readings, key=lambda r: r[0])):
        between = [counts(world, at) for at in sorted(asked) if begin < at < end]
        views_between = [found.views for found in between if found is not None]
        assert len(views_between) == len(between)
        if first is None or last is None:
            assert set(views_between) <= {None}
        else:
            series = [first, *(v for v in views_between if v is not None), last]
            assert len(series) == len(between) + 2
            assert series == sorted(series, reverse=last < first)
    final = max(readings, key=lambda r: r[0])
    for at in asked:
        if at > final[0]:
            assert counts(world, at) == Counts(video_id=ID, views=final[1], likes=final[2], comments=final[3])


def test_a_video_without_readings_has_no_counts_and_one_reading_is_enough(tmp_path: Path) -> None:
    other = video_id_of(5)
    folder = written(tmp_path, [video(), video(other)], {ID: [(hours(2), 10, 1, None)]})
    world, begin = recorded_world(folder)
    assert begin == PUBLISHED.replace(hour=0)
    assert counts(world, hours(1)) == Counts(video_id=ID, views=5, likes=0, comments=None)
    assert world.counts([other], hours(9)) == [Counts(video_id=other, views=None, likes=None, comments=None)]


def test_a_reading_before_publication_brings_the_video_forward(tmp_path: Path) -> None:
    """Premieres: the chart lists them before the hour that `published_at` names."""
    world = world_of(tmp_path, [(hours(-3), 7, None, None), (hours(1), 11, None, None)])
    assert counts(world, hours(-4)) is None
    assert counts(world, hours(-3)) == Counts(video_id=ID, views=7, likes=None, comments=None)
    assert counts(world, hours(-1)) == Counts(video_id=ID, views=9, likes=None, comments=None)


def test_hostile_rows_are_served_or_left_out_but_break_nothing(tmp_path: Path) -> None:
    ids = [video_id_of(n) for n in range(8)]
    rows = [
        video(ids[0], title="NUL \x00 and \u202e RTL"),
        video(ids[1], title="x" * 1_000_000, tags=None),
        video(ids[2], title=None, description=None, language=None, category_id=None, first_region=None, channel_title=None),
        video(ids[3], channel_id="not a channel", category_id="9" * 5_000, live="completed"),
        video(ids[4], published_at=None),
        video("bad id"),
        video(None),  # type: ignore[arg-type]
        video(ids[0], title="a second row for the same id"),
    ]
    readings: dict[str, Sequence[Reading]] = {i: [(hours(1), 5, None, None)] for i in ids[:6]} | {
        "bad id": [(hours(1), 1, 1, 1)]
    }
    world, _ = recorded_world(written(tmp_path, rows, readings))
    found = world.search(SearchQuery(term="", order="title"), hours(2), call_seed=1)
    assert set(found.ids) <= set(ids[:5])
    assert {c.video_id for c in world.counts(ids, hours(2))} == set(ids[:5])
    facts = world.describe()
    assert (facts["ignored_videos"], facts["ignored_readings"]) == (3, 2)
    assert world.text(ids[0]).title == "NUL \x00 and \u202e RTL"
    assert len(world.text(ids[1]).title) == 1_000_000
    for video_id in ids[:5]:
        assert encode({"title": world.text(video_id).title})


def test_lone_surrogates_go_out_as_escapes(tmp_path: Path) -> None:
    """Parquet text may hold the three bytes of a surrogate, which is no UTF-8; JSON can still spell it."""
    folder = written(tmp_path, [video()], {ID: [(hours(1), 1, 1, 1)]})
    table = pq.read_table(folder / "videos.parquet")
    broken = pa.array([b"lone \xed\xa0\x80 half"], type=pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("title"), "title", broken), folder / "videos.parquet")
    world, _ = recorded_world(folder)
    assert world.text(ID).title == "lone \ud800 half"
    assert encode({"title": world.text(ID).title}) == b'{"title": "lone \\ud800 half"}'


def test_dictionary_columns_duplicates_and_other_integers_are_read(tmp_path: Path) -> None:
    folder = written(tmp_path, [video()], {ID: [(hours(1), 10, 1, 1), (hours(1), 10, 1, 1), (hours(3), 30, 3, None)]})
    table = pq.read_table(folder / "readings.parquet")
    table = table.set_column(0, "video_id", table.column("video_id").dictionary_encode())
    table = table.set_column(2, "views", table.column("views").cast(pa.uint32()))
    table = table.set_column(4, "comments", pa.array([1.0, float("nan"), float("nan")]))
    pq.write_table(table, folder / "readings.parquet")
    world, _ = recorded_world(folder)
    assert world.describe()["readings"] == 2
    assert counts(world, hours(2)) == Counts(video_id=ID, views=20, likes=2, comments=None)


def broken(folder: Path, what: str) -> None:
    videos, readings = folder / "videos.parquet", folder / "readings.parquet"
    table = pq.read_table(readings)
    tables: dict[str, tuple[pa.Table, Path]] = {
        "column": (table.drop_columns(["views"]), readings),
        "type": (table.set_column(2, "views", pa.array(["many"] * len(table))), readings),
        "naive": (table.set_column(1, "observed_at", table.column("observed_at").cast(pa.timestamp("ms"))), readings),
        "strangers": (table.set_column(0, "video_id", pa.array([video_id_of(77)] * len(table))), readings),
        "no zone": (pa.Table.from_pylist([video(published_at="2026-03-01T12:00:00")]), videos),
        "no instant": (pa.Table.from_pylist([video(published_at="soon")]), videos),
        "empty": (pa.Table.from_pylist([video()]).slice(0, 0), videos),
    }
    if what in tables:
        pq.write_table(*tables[what])
    elif what == "missing":
        readings.unlink()
    elif what == "not parquet":
        videos.write_bytes(b"PAR1 no")
    else:
        readings.write_bytes(readings.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("missing", "readings.parquet"),
        ("not parquet", "videos.parquet"),
        ("cut", "readings.parquet"),
        ("column", "views"),
        ("type", "views"),
        ("naive", "observed_at"),
        ("strangers", "readings.parquet"),
        ("no zone", "published_at"),
        ("no instant", "published_at"),
        ("empty", "videos.parquet"),
    ],
)
def test_a_broken_folder_is_refused_with_its_cause_and_a_cure(tmp_path: Path, what: str, named: str) -> None:
    folder = written(tmp_path, [video()], {ID: [(hours(1), 1, 1, 1)]})
    broken(folder, what)
    with pytest.raises(ConfigurationError, match=named) as caught:
        recorded_world(folder)
    assert caught.value.cure


def test_search_chart_and_channel_work_on_a_recorded_world(tmp_path: Path) -> None:
    song = video_id_of(9)
    rows = [video(), video(song, category_id="10", title="A song", first_region="FR")]
    world, _ = recorded_world(written(tmp_path, rows, {ID: [(hours(1), 90, 1, 1)], song: [(hours(1), 10, 1, 1)]}))
    at = hours(4)
    assert world.chart("FR", None, at) == [song]
    assert world.chart("DE", None, at) == []
    assert world.uploads(CHANNEL, at) is not None
    channel = world.channel(CHANNEL, at)
    assert channel is not None
    assert (channel.video_count, channel.view_count) == (2, 100)
    terms = world.describe()["terms"]
    assert isinstance(terms, list)
    assert {"music", "howto", "cooking", "pan"} <= set(terms)
    found = {i for seed in range(5) for i in world.search(SearchQuery(term="pan cooking"), at, call_seed=seed).ids}
    assert found == {ID, song}


@pytest.mark.skipif("PLEIADES_TEST_WORLD" not in os.environ, reason="PLEIADES_TEST_WORLD names no recorded world")
def test_a_real_recorded_world_plays_back_its_own_readings() -> None:
    folder = Path(os.environ["PLEIADES_TEST_WORLD"])
    world, begin = recorded_world(folder)
    with pq.ParquetFile(folder / "readings.parquet") as file:
        rows = file.read().to_pylist()[::997]
    for row in rows:
        found = world.counts([row["video_id"]], row["observed_at"])
        assert [(c.views, c.likes, c.comments) for c in found] == [(row["views"], row["likes"], row["comments"])]
    terms = world.describe()["terms"]
    assert isinstance(terms, list)
    assert world.search(SearchQuery(term=terms[0]), begin + timedelta(days=7), call_seed=1).ids
