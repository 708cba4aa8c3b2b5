"""The tables of the vault as Dagster's catalogue shows them: columns with types and meanings, address, freshness.

Belongs here: what a column means, and freshness policies. Does not belong here: the types of what is stored
(pleiades_core/vault/layout.py), how a table is computed (pleiades_core/insights).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from pleiades_core.vault.layout import PULL_SCHEMA, REGISTRY, SAMPLES

#: A hunt runs every hour and a tick several times an hour. Both wait for new quota until midnight Pacific at the latest.
FRESH_HOURLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=6), fail_window=timedelta(hours=26))
#: A day is closed half an hour after it ends, and what is derived from it follows within minutes.
FRESH_DAILY = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=27), fail_window=timedelta(hours=50))


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of Parquet file: a file for each UTC day under `folder` of the vault."""

    folder: str
    #: Column by column: what it means.
    meanings: Mapping[str, str] = field(repr=False)
    #: Of the columns that `known` does not name.
    types: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Schema that columns of the same name share.
    known: pa.Schema = field(default=SAMPLES.schema, repr=False)

    def columns(self) -> list[dg.TableColumn]:
        """The columns, in the order of the file."""
        return [dg.TableColumn(name, self._type(name), description=words) for name, words in self.meanings.items()]

    def _type(self, name: str) -> str:
        return self.types[name] if name in self.types else str(self.known.field(name).type)

    def metadata(self, vault_root: Path) -> dict[str, Any]:
        """Column schema and address, as metadata of an asset's definition."""
        return {
            "dagster/column_schema": dg.TableSchema(columns=self.columns()),
            "dagster/uri": (vault_root.absolute() / self.folder).as_uri(),
        }


#: What DuckDB makes of any instant.
_COMPUTED_TIME = "timestamp[us, tz=UTC]"
_VID = "Number of the video in this installation; the registry (videos/) maps it to the 11-character id."
_COUNT = "null where YouTube shows none, and for a poll without an answer."

METRICS = Table(
    SAMPLES.archive_folder,
    {
        "vid": _VID,
        "polled_at": "When the reply arrived, UTC, to the second.",
        "status": "0: answered; 1: the reply left the video out; 2: the row could not be read.",
        "definition": "YouTube's way of counting views: it grows by one at each announced change.",
        "views": f"Views by then; {_COUNT}",
        "likes": f"Likes by then; {_COUNT}",
        "comments": f"Comments by then; {_COUNT}",
    },
)

VIDEOS = Table(
    REGISTRY.archive_folder,
    {
        "vid": _VID,
        "video_id": "The 11-character id of YouTube.",
        "channel_id": "Id of the channel (UC...).",
        "channel_title": "Title of the channel when the video was found.",
        "title": "Title of the video when it was found.",
        "description": "Description of the video when it was found.",
        "tags": "Tags of the video; empty where it has none.",
        "category_id": "YouTube's number of the category.",
        "language": "Language that the uploader chose; null where none was chosen.",
        "duration_s": "Length in seconds; null where YouTube gives none, as for live streams.",
        "live": "none, live or upcoming, when the video was found.",
        "published_at": "When the video was published, UTC.",
        "discovered_at": "When the video was found, UTC.",
        "road": "The road of discovery that named the video first.",
        "watched": "False: quota had no room to poll the video; null, in older files, means true.",
    },
    known=REGISTRY.schema,
)

PULLS = Table(
    "pulls",
    {
        "pulled_at": "When the question was asked, UTC.",
        "pull": "Number of the question.",
        "road": "Road of discovery that asked.",
        "arm": "What of the road was asked: a term, a chart, a month; empty where the road asks one thing.",
        "bucket": "Quota bucket that paid; null where the question cost nothing.",
        "units": "Units of quota, refused and repeated calls included.",
        "candidates": "Videos that the answer named.",
        "new": "Of the candidates, those that no road had named before.",
        "error": "What went wrong; null where nothing did.",
    },
    known=PULL_SCHEMA,
)

COHORTS = Table(
    "journal/checkpoints",
    {
        "vid": _VID,
        "published_at": "When the video was published, UTC.",
        "polled_at": "Last poll up to the last closed day; null where there was none.",
        "answered_at": "Last poll that was answered; null where none was.",
        "polls": "Polls in all.",
        "misses": "Polls without an answer since the last one with an answer.",
        "views": "Views at the last answer.",
        "likes": "Likes at the last answer; null where YouTube shows none.",
        "comments": "Comments at the last answer; null where YouTube shows none.",
    },
    {**dict.fromkeys(("published_at", "polled_at", "answered_at"), _COMPUTED_TIME), "polls": "int32", "misses": "int16"},
)

_SPEED = {
    "views_gained": "Views at the last sample minus views at the first; negative where YouTube took views back.",
    "span_hours": "Hours between the two samples that the velocity is measured on.",
    "views_per_hour": "Views gained per hour between these samples; never interpolated.",
    "acceleration": "Change of the views per hour, per hour; null with fewer than three samples.",
    "samples": "Samples that count.",
    "definition_changed": "True: YouTube changed how it counts within the window; samples before the change are left out.",
}
_SPEED_TYPES = {
    "views_gained": "int64", "span_hours": "double", "views_per_hour": "double", "acceleration": "double", "samples": "int64",
    "definition_changed": "bool", "polled_at": _COMPUTED_TIME,
}  # fmt: skip

VELOCITY = Table(
    "insights/velocity",
    {
        "vid": _VID,
        "views": "Views at the last sample of the window.",
        "likes": "Likes at the last sample; null where YouTube shows none.",
        "comments": "Comments at the last sample; null where YouTube shows none.",
        **_SPEED,
        "polled_at": "When the last sample was taken, UTC.",
    },
    _SPEED_TYPES,
)

_SPEED_OF_A_RANKING = ("views_gained", "views_per_hour", "acceleration", "span_hours", "samples", "definition_changed")

RANKINGS = Table(
    "insights/rankings",
    {
        "rank": "1: the fastest video of the day.",
        "video_id": "The 11-character id of YouTube.",
        "title": "Title of the video when it was found.",
        "channel_title": "Title of the channel when the video was found.",
        "channel_id": "Id of the channel (UC...).",
        "age_hours": "Hours from publication to the end of the day.",
        "views": "Views at the last sample of the window.",
        "likes": "Likes at the last sample; null where YouTube shows none.",
        "comments": "Comments at the last sample; null where YouTube shows none.",
        **{name: _SPEED[name] for name in _SPEED_OF_A_RANKING},
        "viral_score": "Not computed yet: always null.",
    },
    {
        "rank": "int64", "video_id": "string", "title": "string", "channel_title": "string", "channel_id": "string",
        "age_hours": "double", "viral_score": "double", **_SPEED_TYPES,
    },
)  # fmt: skip
