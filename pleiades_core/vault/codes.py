"""What the codes and the columns of the vault's files mean, in words: for the files' footers, docs/dataset.md and Dagster.

Belongs here: words. Does not belong here: types and keys (layout.py), the values behind the codes (models.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pleiades_core.models import CountingDefinition, SampleStatus

#: Column -> code -> word. A status has the word that the views show.
CODES: Mapping[str, Mapping[int, str]] = {
    "status": {int(status): status.name.lower() for status in SampleStatus},
    "definition": {
        int(CountingDefinition.WATCHED): "until 2025-03-31: a view is a watched playback",
        int(CountingDefinition.SHORTS_STARTED): "from 2025-03-31: a view of a Short counts when playback starts",
        int(CountingDefinition.ALL_STARTED): "from 2026-08-24: a view of any video counts when playback starts",
    },
}

_VIEWS = "views that YouTube reported; null: hidden, or no answer; a count may fall"
_VID = "number of the video in this vault; `videos` has its id"
_MEASURES = {
    "views": "views at the newest sample of the window that has a count",
    "likes": "likes at that sample; null: hidden",
    "comments": "comments at that sample; null: hidden or switched off",
    "views_gained": "views between the base sample and the newest; negative where YouTube took views back",
    "span_hours": "hours between the two samples",
    "views_per_hour": "views_gained per hour of span_hours",
    "acceleration": "change of views per hour, per hour; null: fewer than three samples",
    "samples": "samples from the base to the newest, both included",
    "definition_changed": "true: samples of an earlier counting definition were left out",
}

#: Dataset or view -> column -> meaning, with its unit and what null means.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "samples": {
        "vid": _VID,
        "polled_at": "when YouTube's answer arrived, UTC, to the second",
        "status": "code: 0 ok, 1 missing, 2 unreadable",
        "definition": "code: what counted as a view at that time, 1 to 3",
        "views": _VIEWS,
        "likes": "likes; null: hidden, or no answer",
        "comments": "comments; null: switched off, or no answer",
    },
    "registry": {
        "vid": "number of the video in this vault, the same for ever",
        "video_id": "YouTube's id, 11 characters",
        "channel_id": "YouTube's id of the channel, `UC…`",
        "channel_title": "name of the channel when the video was found",
        "title": "title when the video was found",
        "description": "description when the video was found",
        "tags": "the uploader's tags; an empty list: none",
        "category_id": "YouTube's number of the category; null: not given",
        "language": "language that the uploader named, BCP 47; null: not given",
        "duration_s": "length in seconds; null: not given, as for live videos",
        "live": "`none`, `live` or `upcoming`, when the video was found",
        "published_at": "when the video was published, UTC",
        "discovered_at": "when Pleiades found the video, UTC",
        "road": "how Pleiades found it, such as `uploads` or `search:lofi`",
        "watched": "false: found when quota had no room, and not polled; null, in older files: true",
    },
    "pulls": {
        "pulled_at": "when the question was asked, UTC",
        "pull": "number of the question",
        "road": "road of discovery that asked",
        "arm": "what the road asked for: a term, a chart, a month; empty: the road asks one thing only",
        "bucket": "quota bucket that paid; null: the question cost nothing",
        "units": "units of that bucket",
        "candidates": "videos in the answer",
        "new": "of these, videos that no road had found before",
        "error": "what went wrong; null: nothing",
    },
    "velocity": {
        "vid": _VID,
        **_MEASURES,
        "polled_at": "time of the newest sample of the window that has a count, UTC",
    },
    "rankings": {
        "rank": "place by views_per_hour, from 1",
        "video_id": "YouTube's id, 11 characters",
        "title": "title when the video was found",
        "channel_title": "name of the channel when the video was found",
        "channel_id": "YouTube's id of the channel, `UC…`",
        "age_hours": "hours from publication to the end of the window",
        **_MEASURES,
        "viral_score": "reserved for the age-matched score: null",
    },
    "metrics": {
        "video_id": "YouTube's id; null: the description is lost",
        "vid": _VID,
        "day": "UTC day of the polls",
        "polls": "polls of that day that YouTube answered",
        "misses": "polls of that day whose answer did not have the video",
        "views": "views in the last answer of the day; null: hidden, or no answer",
        "likes": "likes in the last answer of the day; null: hidden, or no answer",
        "comments": "comments in the last answer of the day; null: switched off, or no answer",
        "views_gained": (
            "change of views since the sample at base_at; null: there is none, the last answer hides the views, or "
            "definition_changed"
        ),
        "base_at": "time of the last sample with a count before the day, on whatever day; null: there is none",
        "definition_changed": "true: the two samples counted views under different definitions, so there is no gain",
    },
}


def codes_metadata(columns: Iterable[str]) -> dict[str, str]:
    """Parquet key-value metadata that explains those of `columns` that hold codes: `pleiades.codes.<column>` -> JSON."""
    return {
        f"pleiades.codes.{column}": json.dumps({str(code): word for code, word in CODES[column].items()})
        for column in columns
        if column in CODES
    }


def columns_metadata(dataset: str) -> dict[str, str]:
    """Parquet key-value metadata that explains every column of a dataset: `pleiades.columns` -> JSON. Raises KeyError."""
    return {"pleiades.columns": json.dumps(dict(COLUMNS[dataset]), ensure_ascii=False)}
