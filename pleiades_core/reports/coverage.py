"""Coverage: which share of all videos the sources find, and of what kind. An estimate with its interval and its limits.

Belongs here: overlap between sources, unseen videos, bias by language and category. Does not belong here: the estimators
(capture.py), what a source costs (sources.py).

The population is the videos published within the window. The report must not be used to conclude that a video does not exist.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from pleiades_core.discover.sources import SOURCES
from pleiades_core.reports.capture import Estimate, OddsRatio, chao, chapman, odds_ratio
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_duckdb_text, load_queries
from pleiades_core.vault import query
from pleiades_core.vault.vault import Vault

CAVEATS = (
    "Sources are not independent: followed channels were found by searching. They overlap more than by chance: more is unseen.",
    (
        "Push, feeds and lists follow the same channels and count as one source. A list is read mainly where push and feeds"
        " missed a video, so their overlap would make far too many videos look unseen."
    ),
    "Chances are unequal: search prefers popular videos, charts show what has risen. So Chao's figure is a lower bound.",
    "What no search shows and no followed channel published is in no estimate.",
    "Search forgets videos after 20 to 60 days and answers differently each time: never take silence for a video's absence.",
    "The newest days look poorer than they are, because some sources are slow.",
)
#: Languages and categories that are compared; the rest is in the totals.
_KINDS = 10
#: Kinds with fewer videos are not compared: their share is noise.
_FEWEST = 30
#: Videos whose descriptions are read: a share of 1 % is known to 0.05 points.
_SAMPLE = 200_000

_SQL = load_queries("coverage")
_DESCRIBED = load_duckdb_text("coverage", "pleiades_core.reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSeen:
    """The videos of one source, of those published in the window."""

    source: str
    seen: int
    #: Seen by this source and no other.
    only: int
    #: Share of the videos that any source saw.
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two sources of different groups."""

    first: str
    second: str
    both: int
    #: None: too few videos were seen by both.
    estimate: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """A kind of video on one source, compared with the other sources."""

    #: `language` or `category`.
    by: str
    kind: str
    source: str
    #: Share of the kind in the source's videos, and in all videos.
    share: float
    share_of_all: float
    #: Relative to the videos that this source did not see. None: it saw all of them, or too few were described.
    odds: OddsRatio | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Videos that one set of sources saw, of one language and category."""

    language: str
    category: str
    #: A mask, as in `SOURCES`.
    sources: int
    videos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """How much the sources find."""

    since: datetime
    until: datetime
    #: Videos seen by any source.
    videos: int
    sources: tuple[SourceSeen, ...]
    pairs: tuple[Pair, ...]
    #: A lower bound of all videos; each group of sources is one occasion.
    by_group: Estimate | None
    bias: tuple[Bias, ...]
    #: Videos whose descriptions the bias was measured on.
    described: int
    caveats: tuple[str, ...] = CAVEATS


def coverage(database: Database, vault: Vault, until: datetime, *, days: float = 7) -> CoverageReport:
    """Compare the sources on the videos published in the `days` before `until`.

    Args:
        database: knows which sources saw which videos.
        vault: has the descriptions.
        until: end of the window.
        days: length of the window.

    Returns:
        The report.
    """
    since = until - timedelta(days=days)
    parameters = {"since": since, "until": until, "limit": _SAMPLE}
    with database.transaction() as connection:
        masks = {int(mask): int(count) for mask, count in connection.execute(_SQL.masks, parameters).fetchall()}
        drawn = connection.execute(_SQL.sample, parameters).fetchall()
    sampled = pa.table(
        {"vid": pa.array([vid for vid, _ in drawn], pa.int64()), "sources": pa.array([mask for _, mask in drawn], pa.int16())}
    )
    last = until.date()
    table = query.query(vault, _DESCRIBED, first=last, last=last, tables={"sampled": sampled})
    described = [Described(**row) for row in table.to_pylist()]
    return report(masks, described, since=since, until=until)


def report(masks: Mapping[int, int], described: Sequence[Described], *, since: datetime, until: datetime) -> CoverageReport:
    """The report for counts and descriptions. Pure.

    Args:
        masks: videos by the exact set of sources that saw them.
        described: described videos by set of sources, language and category.
        since: beginning of the window.
        until: end of the window.

    Returns:
        The report.
    """
    by_bit = sorted(SOURCES, key=lambda name: SOURCES[name].bit)
    used = [name for name in by_bit if any(mask & SOURCES[name].bit for mask in masks)]
    seen = {source: _count(masks, SOURCES[source].bit) for source in used}
    videos = sum(masks.values())
    # Sources that follow the same channels see the same videos: they are one occasion. Added videos are no sample.
    drawn = [source for source in used if SOURCES[source].group is not None]
    groups = [
        sum(source.bit for source in SOURCES.values() if source.group == group)
        for group in dict.fromkeys(SOURCES[source].group for source in drawn)
    ]
    return CoverageReport(
        since=since, until=until, videos=videos,
        sources=tuple(
            SourceSeen(source=source, seen=seen[source], only=masks.get(SOURCES[source].bit, 0), share=seen[source] / videos)
            for source in used
        ),
        pairs=tuple(
            Pair(first=first, second=second, both=both, estimate=chapman(seen[first], seen[second], both))
            for first, second in itertools.combinations(drawn, 2)
            if SOURCES[first].group != SOURCES[second].group
            for both in [_both(masks, SOURCES[first].bit, SOURCES[second].bit)]
        ),
        by_group=chao(masks, groups),
        bias=(
            *_bias("language", [(row.language, row) for row in described], used),
            *_bias("category", [(row.category, row) for row in described], used),
        ),
        described=sum(row.videos for row in described),
    )  # fmt: skip


def _count(masks: Mapping[int, int], bit: int) -> int:
    return sum(count for mask, count in masks.items() if mask & bit)


def _both(masks: Mapping[int, int], first: int, second: int) -> int:
    return sum(count for mask, count in masks.items() if mask & first and mask & second)


def _bias(by: str, described: Sequence[tuple[str, Described]], sources: Sequence[str]) -> list[Bias]:
    """The most frequent kinds on each source that saw enough."""
    everywhere = Counter[str]()
    for kind, row in described:
        everywhere[kind] += row.videos
    whole = everywhere.total()
    found = []
    for source in sources:
        here = Counter[str]()
        for kind, row in described:
            if row.sources & SOURCES[source].bit:
                here[kind] += row.videos
        if here.total() < _FEWEST:
            continue
        elsewhere = whole - here.total()
        found += [
            Bias(
                by=by, kind=kind, source=source, share=here[kind] / here.total(), share_of_all=count / whole,
                odds=odds_ratio(here[kind], here.total(), count - here[kind], elsewhere) if elsewhere >= _FEWEST else None,
            )
            for kind, count in everywhere.most_common(_KINDS)
        ]  # fmt: skip
    return found
