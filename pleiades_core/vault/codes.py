"""The meaning of codes, columns and rows of the vault's files: for the files' footers, docs/columns.md and Dagster.

Belongs here: texts. Does not belong here: types and keys (layout.py), the values behind the codes (models.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pleiades_core.models import CountingDefinition, SampleStatus

#: Column -> code -> meaning. That of a status is the word that the views show.
CODES: Mapping[str, Mapping[int, str]] = {
    "status": {int(status): status.name.lower() for status in SampleStatus},
    "definition": {
        int(CountingDefinition.WATCHED): "until 2025-03-31: a view is a watched playback",
        int(CountingDefinition.SHORTS_STARTED): "from 2025-03-31: a view of a Short counts when playback starts",
        int(CountingDefinition.ALL_STARTED): "from 2026-08-24: a view of any video counts when playback starts",
    },
}

_VID = "number of the video in this vault; `videos` has its id"
_VIDEO_ID = "YouTube's id, 11 characters"
_CHANNEL_ID = "YouTube's id of the channel, `UC…`"
_CHANNEL_TITLE = "name of the channel when the video was found"
_TITLE = "title when the video was found"
_PUBLISHED_AT = "when the video was published, UTC"
#: Columns that are measured on the samples that insights/views.duckdb.sql compares: status ok, with a count of views.
_MEASURES = {
    "views": "views at the newest sample of the window that has a count",
    "likes": "likes at that sample; null: hidden",
    "comments": "comments at that sample; null: hidden or switched off",
    "views_gained": "views at the newest sample minus views at the base sample; negative where YouTube took views back",
    "span_hours": "hours between the two samples",
    "views_per_hour": "views_gained per hour of span_hours",
    "acceleration": "change of views per hour, per hour; null: fewer than three samples",
    "samples": "samples with a count of views from the base to the newest, both included",
    "definition_changed": (
        "true: samples of an earlier counting definition, from the 48 hours before the end of the window, were left out"
    ),
}

#: Dataset or view -> column -> meaning, with its unit and what null means.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "samples": {
        "vid": _VID,
        "polled_at": "when YouTube's answer arrived, UTC, to the second",
        "status": "code: whether YouTube's answer had the video",
        "definition": "code: what counted as a view at that time",
        "views": "views that YouTube reported, which may fall; null: hidden, or the status is not ok",
        "likes": "likes; null: hidden, or the status is not ok",
        "comments": "comments; null: hidden or switched off, or the status is not ok",
    },
    "registry": {
        "vid": "number of the video in this vault, the same for ever",
        "video_id": _VIDEO_ID,
        "channel_id": _CHANNEL_ID,
        "channel_title": _CHANNEL_TITLE,
        "title": _TITLE,
        "description": "description when the video was found",
        "tags": "the uploader's tags; an empty list: none",
        "category_id": "YouTube's number of the category; null: not given",
        "language": "language that the uploader named, BCP 47; null: not given",
        "duration_s": "length in seconds; null: not given, as for live videos",
        "live": "`none`, `live` or `upcoming`, when the video was found",
        "published_at": _PUBLISHED_AT,
        "discovered_at": "when Pleiades found the video, UTC",
        "source": "how Pleiades found it, such as `uploads` or `search:lofi`",
        "watched": "false: found when quota had no room, and not polled; null, in older files: true",
    },
    "discovery_requests": {
        "requested_at": "when the answer was recorded, UTC",
        "request": "number of the row in the database; a restored database may give a number again",
        "source": "source of discovery that made the request",
        "target": "what was requested of the source: a term, a chart, a month; empty: the source has one target only",
        "bucket": "quota bucket that paid, or paid most; null: the request cost nothing",
        "units": "units of quota, of all buckets; refused and repeated calls included",
        "candidates": "videos in the answer",
        "new": "of these, videos that no source had found before; for `details`: videos that were written to the vault",
        "error": "what went wrong; null: nothing",
    },
    "checkpoints": {
        "vid": _VID,
        "published_at": _PUBLISHED_AT,
        "polled_at": "time of the last poll, UTC; null: none yet",
        "answered_at": "time of the last poll with status ok, UTC; null: none yet",
        "polls": "polls of any status",
        "misses": "polls with status missing since the last poll that had the video, unreadable or not",
        "views": "views at answered_at; null: hidden, or no poll with status ok",
        "likes": "likes at answered_at; null: hidden, or no poll with status ok",
        "comments": "comments at answered_at; null: hidden or switched off, or no poll with status ok",
    },
    "velocity": {
        "vid": _VID,
        **_MEASURES,
        "polled_at": "time of the newest sample of the window that has a count, UTC",
    },
    "rankings": {
        "rank": "place by views_per_hour, from 1",
        "video_id": _VIDEO_ID,
        "title": _TITLE,
        "channel_title": _CHANNEL_TITLE,
        "channel_id": _CHANNEL_ID,
        "age_hours": "hours from publication to the end of the window",
        **_MEASURES,
        "viral_score": "reserved for the age-matched score: null",
    },
    "metrics": {
        "video_id": "YouTube's id; null: the description is lost",
        "vid": _VID,
        "day": "UTC day of the polls",
        "polls": "polls of that day with status ok",
        "misses": "polls of that day with status missing",
        "views": "views in the last poll of the day with status ok; null: hidden, or polls is 0",
        "likes": "likes in that poll; null: hidden, or polls is 0",
        "comments": "comments in that poll; null: hidden or switched off, or polls is 0",
        "views_gained": (
            "change of views since the sample at base_at; null: base_at or views is null, or definition_changed is true"
        ),
        "base_at": "time of the last sample with a count before the day, on whatever day; null: there is none",
        "definition_changed": "true: the two samples counted views under different definitions, so there is no gain",
    },
}

#: Dataset or view -> what one row of it is about.
ROWS: Mapping[str, str] = {
    "samples": "each poll of each video",
    "registry": "each video that was found on the day",
    "discovery_requests": "each source of discovery and target, in each portion of a hunt",
    "checkpoints": "each video of the cohort, as it was at the end of a closed day; a cache that can be computed again",
    "velocity": "each video that has two samples to compare in the 24 hours of the day",
    "rankings": "each of the 1,000 videos with the most views per hour",
    "metrics": "each video and UTC day with a poll",
}


class View(NamedTuple):
    """A table of `pleiades sql`: what a row is about, the dataset that it shows, and the columns that it adds or changes."""

    row: str
    dataset: str
    added: Mapping[str, str]


#: Every view by its name.
VIEWS: Mapping[str, View] = {
    "videos": View("each video, with its first description", "registry", {"watched": "true if any description says so"}),
    "samples": View(
        ROWS["samples"],
        "samples",
        {"video_id": _VIDEO_ID, "status": "word of the code: whether YouTube's answer had the video"},
    ),
    "discovery_requests": View(ROWS["discovery_requests"], "discovery_requests", {}),
    "metrics": View(ROWS["metrics"], "metrics", {}),
    "daily_velocity": View("each video and published day", "velocity", {"day": "UTC day that was published"}),
    "rankings": View("each place and published day", "rankings", {"day": "UTC day that was published"}),
}


def codes_metadata(columns: Iterable[str]) -> dict[str, str]:
    """Parquet key-value metadata that explains those of `columns` that hold codes: `pleiades.codes.<column>` -> JSON."""
    return {
        f"pleiades.codes.{column}": json.dumps({str(code): word for code, word in CODES[column].items()})
        for column in columns
        if column in CODES
    }


def columns_metadata(dataset: str) -> dict[str, str]:
    """Parquet key-value metadata that explains every column of a dataset: `pleiades.columns` -> JSON.

    Raises:
        KeyError: there is no such dataset.
    """
    return {"pleiades.columns": json.dumps(dict(COLUMNS[dataset]), ensure_ascii=False)}
