"""Which videos a search finds: word matching, the decay of findability with age, and the lottery of each call.

Belongs here: pure arithmetic over positions and text. Does not belong here: filters and orders (catalogue.py). The lottery is
thin: a later issue deepens it. Evidence: Rieder, Padilla and Coromina 2025 (arXiv 2506.11727): identical queries give different
sets, and videos become hard to find 20 to 60 days after publication; Efstratiou, IMC 2025 (arXiv 2506.04422).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pleiades_core.simulator.world import CATEGORIES, VideoText

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Share of matches that one call does not return though they match.
DROPPED_BY_A_CALL = 0.10
#: Between these ages findability falls from 1 to FINDABLE_FOR_EVER.
FADES_FROM_DAYS, FADES_UNTIL_DAYS = 20.0, 60.0
FINDABLE_FOR_EVER = 0.25

_DAY_S = 86_400.0
_CACHED_TERMS = 512
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class WordIndex:
    """Answers which videos a query matches; the searched text is put together at the first search.

    A plain scan of lower-cased text: 40,000 videos with descriptions take about 10 ms a new word, and every word's answer is
    kept, so an inverted index would cost more to build than it saves.
    """

    def __init__(self, texts: Callable[[], list[VideoText]]) -> None:
        self._texts = texts
        self._searched: list[str] | None = None
        self._known: dict[str, Ints] = {}

    def matching(self, query: str) -> Ints:
        """Positions, ascending, of videos that hold every word of `query`; `a|b` means either, `-a` means without."""
        searched = self._haystacks()
        found = np.arange(len(searched), dtype=np.int64)
        # Quotation marks ask for the exact phrase; a phrase is matched as one word.
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
                # A Latin word must begin where the query's begins: "art" is not in "start". Scripts without spaces: anywhere.
                begins = re.compile(rf"(?<![a-z0-9]){re.escape(word)}")
                hits = [number for number in hits if begins.search(self._haystacks()[number])]
            if len(self._known) >= _CACHED_TERMS:
                self._known.clear()
            self._known[word] = np.array(hits, dtype=np.int64)
        return self._known[word]


def searched_text(text: VideoText) -> str:
    """Everything a query is matched against, in lower case."""
    parts = (text.title, *text.tags, text.description, text.channel_title, CATEGORIES.get(text.category_id, ""))
    return "\n".join(parts).lower()


def findable(positions: Ints, age_s: npt.NDArray[np.float64], seed: int) -> Bools:
    """Which videos search still knows at their age: always the same ones, fewer as they grow older."""
    faded = np.clip((age_s / _DAY_S - FADES_FROM_DAYS) / (FADES_UNTIL_DAYS - FADES_FROM_DAYS), 0.0, 1.0)
    return _uniform(positions, seed) >= faded * (1.0 - FINDABLE_FOR_EVER)


def kept_by_call(positions: Ints, seed: int, call_seed: int) -> Bools:
    """Which matches this one call returns; another call drops others."""
    return _uniform(positions, seed + 1 + call_seed * 7_919) >= DROPPED_BY_A_CALL


def _uniform(positions: Ints, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each position, decided by position and seed alone (the finaliser of splitmix64)."""
    mixed = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64((seed * 0xD1342543DE82EF95 + 1) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_A
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_B
    return (mixed ^ (mixed >> np.uint64(31))) / float(2**64)
