"""The recorded world: a folder with videos.parquet and readings.parquet, played back.

Belongs here: reading both files once, with clear errors, and counts between readings. Does not belong here: search and channels
(catalogue_world.py). The rule of playback, for views, likes and comments each on its own:

* AT a reading: exactly that reading; a count that it lacks is absent.
* BETWEEN two readings: linear in time, rounded, so monotone; absent if either neighbour lacks the count.
* BEFORE the first reading: linear from 0 at publication to the first reading; absent if that lacks the count.
* AFTER the last reading: stays at the last reading.
* A video exists from its publication on, or from its first reading if that is earlier; without any reading it has no counts.

Rows that cannot be a video or a reading (malformed id, no date at all, readings of videos that are not listed) are left out and
counted in `GET /simulator/world`. If two readings have one instant, the later row counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import ChannelId, VideoId
from pleiades_core.simulator.world import columns
from pleiades_core.simulator.world.base import CATEGORIES, VideoText
from pleiades_core.simulator.world.catalogue import Catalogue
from pleiades_core.simulator.world.catalogue_world import CatalogueWorld
from pleiades_core.videoid import is_channel_id, is_video_id

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TERMS = 40
_SHORTEST_TERM = 3
#: Between the keys of two videos in the one sorted array of reading times: the milliseconds until 2109. Two million videos fit.
_STRIDE = 1 << 42
#: A category that YouTube uses when the owner does not choose.
_PEOPLE_AND_BLOGS = 22
_CATEGORY_NUMBERS = {str(number): number for number in CATEGORIES}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCurves:
    """Readings of all videos in one array, sorted by video and instant. Instants are milliseconds since the epoch."""

    #: position * _STRIDE + instant of each reading.
    key: Ints
    at_ms: Ints
    #: Shape (3, readings): views, likes, comments; -1: not given.
    count: Ints
    #: Where each video's readings begin; one longer than the number of videos.
    start: Ints
    published_ms: Ints

    def at(self, positions: Ints, at_s: float) -> tuple[Ints, Ints, Ints]:
        """Views, likes and comments by the rule of this module; -1 where none is given."""
        if not len(self.key):
            nothing = np.full(len(positions), -1, dtype=np.int64)
            return nothing, nothing, nothing
        at_ms = min(max(round(at_s * 1_000), 0), _STRIDE - 1)
        first, end = self.start[positions], self.start[positions + 1]
        # The first reading at or after the instant, and the one before it; both inside the video's own range.
        after = np.searchsorted(self.key, positions * _STRIDE + at_ms)
        before = after - 1
        early, late, empty = after <= first, after >= end, first == end
        right = np.clip(np.where(late, end - 1, after), 0, len(self.key) - 1)
        left = np.clip(np.where(early, first, before), 0, len(self.key) - 1)
        t_right = self.at_ms[right]
        t_left = np.where(early, np.minimum(self.published_ms[positions], t_right), self.at_ms[left])
        exact = late | (t_right == at_ms)
        span = np.maximum(t_right - t_left, 1)
        share = np.where(exact, 1.0, np.clip((at_ms - t_left) / span, 0.0, 1.0))
        columns_out = []
        for column in self.count:
            upper = column[right]
            lower = np.where(early, np.where(upper < 0, -1, 0), column[left])
            between = lower + np.rint((upper - lower) * share).astype(np.int64)
            lacking = empty | (upper < 0) | (~exact & (lower < 0))
            columns_out.append(np.where(lacking, -1, np.where(exact, upper, between)))
        return columns_out[0], columns_out[1], columns_out[2]


def recorded_world(folder: Path, *, seed: int = 1) -> tuple[CatalogueWorld, datetime]:
    """The world of a folder, and the midnight (UTC) at which a simulation of it should begin.

    Raises:
        ConfigurationError: the folder or a file is missing, broken or of another shape. The message names file and cure.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"no folder {folder}", cure="name a folder with videos.parquet and readings.parquet")
    listed = columns.read(folder / "videos.parquet", ("video_id", "channel_id", "title", "published_at"))
    read = columns.read(folder / "readings.parquet", ("video_id", "observed_at", "views", "likes", "comments"))
    ids = columns.texts(listed, "video_id")
    published = columns.instants_ms(listed, "published_at", folder / "videos.parquet")
    row_of: dict[str, int] = {}
    for row, video_id in enumerate(ids):
        if is_video_id(video_id):
            row_of.setdefault(str(video_id), row)
    first_row = np.array(list(row_of.values()), dtype=np.int64)
    readings = _Readings.of(read, list(row_of), folder / "readings.parquet")
    first_reading = readings.first_ms(len(row_of))
    appears = np.where(published[first_row] < 0, first_reading, np.minimum(published[first_row], first_reading))
    order = np.argsort(appears, kind="stable")
    order = order[: np.searchsorted(appears[order], columns.NEVER)]
    if not len(order):
        raise ConfigurationError(
            f"no video in {folder / 'videos.parquet'} has a valid id and a date", cure="name another world folder"
        )
    rows = first_row[order]
    curves = readings.curves(order, np.where(published[rows] < 0, appears[order], published[rows]))
    catalogue = _catalogue(listed, rows, appears[order], published[rows])
    facts = {
        "terms": _terms(listed, rows),
        "readings": len(curves.key),
        "ignored_readings": len(read) - len(curves.key),
        "ignored_videos": len(listed) - len(rows),
        "first_reading": _iso(int(curves.at_ms.min())) if len(curves.at_ms) else None,
        "last_reading": _iso(int(curves.at_ms.max())) if len(curves.at_ms) else None,
    }
    # After a tenth of the readings there are videos to find from the first hour on.
    early = np.sort(curves.at_ms)[len(curves.at_ms) // 10 :]
    begin = int(early[0]) if len(early) else int(appears[order[0]])
    midnight = datetime.fromtimestamp(begin // 86_400_000 * 86_400, UTC)
    return CatalogueWorld("recorded", catalogue, curves, facts, search_seed=seed), midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class _Readings:
    """Readings of known videos, in file order; `video` counts through the known ids."""

    video: Ints
    at_ms: Ints
    count: Ints

    @classmethod
    def of(cls, read: pa.Table, known: list[str], path: Path) -> _Readings:
        names = columns.plain(read, "video_id")
        video = pc.index_in(names, value_set=pa.array(known, type=names.type)).to_numpy(zero_copy_only=False)
        at_ms = columns.instants_ms(read, "observed_at", path)
        count = np.stack([columns.counts(read, name, path) for name in ("views", "likes", "comments")])
        usable = ~np.isnan(video.astype(np.float64)) & (at_ms >= 0)
        if len(read) and not usable.any():
            raise ConfigurationError(
                f"no reading in {path} belongs to a video of videos.parquet",
                cure="name a folder whose two files belong together",
            )
        return cls(video=video[usable].astype(np.int64), at_ms=at_ms[usable], count=count[:, usable])

    def first_ms(self, videos: int) -> Ints:
        first = np.full(videos, columns.NEVER, dtype=np.int64)
        np.minimum.at(first, self.video, self.at_ms)
        return first

    def curves(self, order: Ints, published_ms: Ints) -> RecordedCurves:
        """Sorted for a catalogue in which position p is the known video order[p]."""
        position = np.full(int(max(order.max(), self.video.max(initial=0))) + 1, -1, dtype=np.int64)
        position[order] = np.arange(len(order))
        of = position[self.video]
        key = of * _STRIDE + self.at_ms
        by_key = np.argsort(key, kind="stable")
        by_key = by_key[of[by_key] >= 0]
        # If keys are equal, the last one in file order stays.
        by_key = by_key[np.append(np.diff(key[by_key]) != 0, [True] * bool(len(by_key))).astype(bool)]
        return RecordedCurves(
            key=key[by_key],
            at_ms=self.at_ms[by_key],
            count=self.count[:, by_key],
            start=np.searchsorted(of[by_key], np.arange(len(order) + 1)),
            published_ms=published_ms,
        )


def _catalogue(listed: pa.Table, rows: Ints, appears_ms: Ints, published_ms: Ints) -> Catalogue:
    table = listed.take(rows)
    ids = [VideoId(str(video_id)) for video_id in columns.texts(table, "video_id")]
    owners = [owner if is_channel_id(owner) else "UC" + "A" * 22 for owner in columns.texts(table, "channel_id")]
    channel_ids = [ChannelId(owner) for owner in dict.fromkeys(map(str, owners))]
    number = {channel_id: n for n, channel_id in enumerate(channel_ids)}
    channel = np.array([number[ChannelId(str(owner))] for owner in owners], dtype=np.int64)
    owner_titles = columns.texts(table, "channel_title")
    titles: dict[int, str] = {}
    for of, owner_title in zip(channel.tolist(), owner_titles, strict=True):
        # A catalogue is ordered from old to new: the latest name stays.
        titles[of] = owner_title or titles.get(of, "")
    texts, descriptions = columns.texts(table, "title"), columns.texts(table, "description")
    tags, languages, lives = columns.tag_lists(table, "tags"), columns.texts(table, "language"), columns.texts(table, "live")
    category = np.array([_category(value) for value in columns.texts(table, "category_id")], dtype=np.int64)
    region_names = [region or "" for region in columns.texts(table, "first_region")]
    regions = sorted(set(region_names))
    durations = columns.durations_s(table, "duration")
    published = np.where(published_ms < 0, appears_ms, published_ms)

    def text(n: int) -> VideoText:
        return VideoText(
            video_id=ids[n],
            channel_id=channel_ids[channel[n]],
            channel_title=titles[int(channel[n])],
            title=texts[n] or "",
            description=descriptions[n] or "",
            tags=tags[n],
            category_id=int(category[n]),
            published_at=datetime.fromtimestamp(int(published[n]) / 1_000, UTC),
            duration_s=int(durations[n]) if durations[n] >= 0 else None,
            language=languages[n] or None,
            live=lives[n] if lives[n] in {"live", "upcoming"} else "none",  # type: ignore[arg-type]
        )

    oldest = np.full(len(channel_ids), np.inf)
    np.minimum.at(oldest, channel, appears_ms / 1_000.0)
    return Catalogue(
        ids=ids,
        appears_s=appears_ms / 1_000.0,
        away_from_s=np.full(len(ids), np.inf),
        away_until_s=np.full(len(ids), np.inf),
        channel=channel,
        category=category,
        region=np.searchsorted(np.array(regions), np.array(region_names)),
        regions=regions,
        duration_s=durations,
        channel_ids=channel_ids,
        channel_titles=[titles[n] for n in range(len(channel_ids))],
        channel_created_s=oldest - 86_400.0 * 365,
        text=text,
    )


def _category(value: str | None) -> int:
    return _CATEGORY_NUMBERS.get(value or "", _PEOPLE_AND_BLOGS)


def _terms(listed: pa.Table, rows: Ints) -> list[str]:
    """Search terms for this world: its categories, then its most frequent tags."""
    table = listed.take(rows)
    present = Counter(_category(value) for value in columns.texts(table, "category_id"))
    names = [CATEGORIES[number].split(" & ")[0].lower() for number, _ in present.most_common()]
    frequent: Counter[str] = Counter()
    for tags in columns.tag_lists(table, "tags"):
        frequent.update({tag.strip().lower() for tag in tags})
    tags_first = (tag for tag, _ in frequent.most_common(4 * _TERMS) if len(tag) >= _SHORTEST_TERM and tag.isprintable())
    return list(dict.fromkeys([*names, *tags_first]))[:_TERMS]


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()
