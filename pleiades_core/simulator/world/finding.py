"""Which videos a search finds: word matching, the decay of findability with age, and the lottery of each call.

Belongs here: pure arithmetic over positions and text, and the parameters of the lottery with their sources. Does not belong
here: filters and orders (searching.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pleiades_core.simulator.world.base import CATEGORIES, VideoText

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: videoDuration: `short` is under 4 minutes, `long` over 20 (discovery document, rev 20261104).
SHORT_S, LONG_S = 240, 1_200
#: The highest `totalResults` (documentation of search.list, read 2026-11-22).
MOST_RESULTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBehaviour:
    """How a search misses videos that match.

    The direction of each effect is known from the abstracts of two audits: A, Rieder, Padilla and Coromina 2025 (arXiv
    2506.11727, weekly searches for eleven queries over six months), and B, Efstratiou, IMC 2025 (arXiv 2506.04422, identical
    queries over 12 weeks). The sizes are our assumptions, kept moderate.
    """

    #: Share of findable matches that one call returns at best, by order. A: `date` and `relevance` differ much in recall.
    recall_by_date: float = 0.95
    recall_by_relevance: float = 0.75
    recall_by_another: float = 0.90
    #: The part of that share that a video without views loses, against one with a million views. B: popular videos are
    #: favoured.
    unpopular_lose: float = 0.20
    #: The part that videos of 4 to 20 minutes, and longer videos, lose against shorter ones. B: short videos are favoured.
    medium_lose: float = 0.05
    long_lose: float = 0.12
    #: The part that a query with 100,000 matches loses against one with a single match. B: results are drawn at random, by the
    #: popularity of the topic.
    crowd_lose: float = 0.15
    #: Share of results by relevance that have nothing to do with the query. A: "often numerous".
    off_topic: float = 0.10
    #: Between these ages findability falls. A: sharply, 20 to 60 days after publication, though the videos are still there.
    fades_from_days: float = 20.0
    fades_until_days: float = 60.0
    #: Share of videos that is found at any age. A: the tail is flat.
    findable_for_ever: float = 0.25


AS_AUDITED = SearchBehaviour()

_DAY_S = 86_400.0
_CACHED_TERMS = 512
_CROWD_LOG10, _FAME_LOG10 = 5.0, 6.0
#: Captures name totals of 1,000,000 for words whose results end at 500. The factor is ours.
_INFLATION = 25.0
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class WordIndex:
    """Finds the videos that a query matches; the searched text is built at the first search.

    It is a plain scan of lower-case text: 40,000 videos with descriptions take about 10 ms for a new word, and every word's
    answer is kept, so an inverted index would cost more to build than it saves.
    """

    def __init__(self, texts: Callable[[], list[VideoText]]) -> None:
        self._texts = texts
        self._searched: list[str] | None = None
        self._known: dict[str, Ints] = {}

    def matching(self, query: str) -> Ints:
        """Positions, ascending, of videos with every word of `query`; `a|b` means either, `-a` means without."""
        searched = self._haystacks()
        found = np.arange(len(searched), dtype=np.int64)
        # Quotation marks mean the exact phrase, which is matched as one word.
        for quoted, plain in re.findall(r'(-?"[^"]+")|(\S+)', query.lower()):
            word = quoted.replace('"', "") or plain
            without, word = word.startswith("-") and len(word) > 1, word.removeprefix("-")
            hits = np.unique(np.concatenate([self._holding(part) for part in word.split("|") if part] or [found]))
            found = (
                np.setdiff1d(found, hits, assume_unique=True) if without else np.intersect1d(found, hits, assume_unique=True)
            )
        return found

    def _haystacks(self) -> list[str]:
        if self._searched is None:
            self._searched = [searched_text(text) for text in self._texts()]
        return self._searched

    def _holding(self, word: str) -> Ints:
        if word not in self._known:
            hits = [number for number, text in enumerate(self._haystacks()) if word in text]
            if word.isascii() and word.isalnum():
                # A Latin word must match from its beginning: "art" is not in "start". In scripts without spaces it may be
                # anywhere.
                begins = re.compile(rf"(?<![a-z0-9]){re.escape(word)}")
                hits = [number for number in hits if begins.search(self._haystacks()[number])]
            if len(self._known) >= _CACHED_TERMS:
                self._known.clear()
            self._known[word] = np.array(hits, dtype=np.int64)
        return self._known[word]


def searched_text(text: VideoText) -> str:
    """The text that a query is matched against, in lower case."""
    parts = (text.title, *text.tags, text.description, text.channel_title, CATEGORIES.get(text.category_id, ""))
    return "\n".join(parts).lower()


def findable(positions: Ints, age_s: npt.NDArray[np.float64], seed: int, behaviour: SearchBehaviour = AS_AUDITED) -> Bools:
    """Which videos a search can find at their age: fewer as they grow older, and always the same ones.

    Args:
        positions: of the videos.
        age_s: their ages in seconds.
        seed: decides which videos.
        behaviour: of the search.

    Returns:
        True for each video that can be found.
    """
    span = behaviour.fades_until_days - behaviour.fades_from_days
    faded = np.clip((age_s / _DAY_S - behaviour.fades_from_days) / span, 0.0, 1.0)
    return uniform(positions, seed) >= faded * (1.0 - behaviour.findable_for_ever)


def kept(
    positions: Ints, *, views: Ints, duration_s: Ints, order: str, lottery: int, behaviour: SearchBehaviour = AS_AUDITED
) -> Bools:
    """Which findable matches one call returns. All arrays are aligned.

    Args:
        positions: of the videos.
        views: -1 if not known: the video counts as unpopular.
        duration_s: -1 if not known: the video counts as short.
        order: of the results.
        lottery: decides which matches are dropped.
        behaviour: of the search.

    Returns:
        True for each video that is returned.
    """
    recall = {"date": behaviour.recall_by_date, "relevance": behaviour.recall_by_relevance}.get(
        order, behaviour.recall_by_another
    )
    crowd = np.clip(np.log10(max(1, len(positions))) / _CROWD_LOG10, 0.0, 1.0)
    fame = np.clip(np.log10(np.maximum(views, 0) + 1.0) / _FAME_LOG10, 0.0, 1.0)
    length = np.where(duration_s < SHORT_S, 0.0, np.where(duration_s < LONG_S, behaviour.medium_lose, behaviour.long_lose))
    share = recall * (1.0 - behaviour.crowd_lose * crowd) * (1.0 - behaviour.unpopular_lose * (1.0 - fame)) * (1.0 - length)
    chosen: Bools = uniform(positions, lottery) < share
    return chosen


def estimated_total(matching: int, call: int) -> int:
    """The `totalResults` of a search: far too many, another number on each page, never above a million."""
    noise = float(uniform(np.array([matching], dtype=np.int64), 31 + call)[0])
    return min(MOST_RESULTS, round(matching * _INFLATION * (0.7 + 0.6 * noise)))


def uniform(positions: Ints, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each position, decided by position and seed alone (the finaliser of splitmix64)."""
    mixed = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64((seed * 0xD1342543DE82EF95 + 1) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_A
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_B
    return (mixed ^ (mixed >> np.uint64(31))) / float(2**64)
