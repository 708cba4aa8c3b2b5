"""search.list over a catalogue: filters, the lottery of each call, and orders.

Belongs here: the results of one call, in their order. Does not belong here: which words match and how the lottery is weighed
(finding.py), pages and bodies (simulator/api/methods.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pleiades_core.models import VideoId
from pleiades_core.simulator.world.base import SEARCH_DEPTH, Found, SearchQuery
from pleiades_core.simulator.world.catalogue import Catalogue, Curves, Ints
from pleiades_core.simulator.world.finding import (
    AS_AUDITED,
    LONG_S,
    SHORT_S,
    SearchBehaviour,
    WordIndex,
    findable,
    kept,
    uniform,
)

_HOUR_S = 3_600.0
_LENGTHS = {"short": (0, SHORT_S), "medium": (SHORT_S, LONG_S), "long": (LONG_S, 10**9)}


class Search:
    """Answers queries over one catalogue."""

    def __init__(self, catalogue: Catalogue, curves: Curves, seed: int, behaviour: SearchBehaviour = AS_AUDITED) -> None:
        self._catalogue = catalogue
        self._curves = curves
        self._seed = seed
        self._behaviour = behaviour
        self._word_index = WordIndex(lambda: [catalogue.text(number) for number in range(len(catalogue.ids))])

    def find(self, query: SearchQuery, at_s: float, call_seed: int) -> Found:
        """The results of one call.

        Args:
            query: of the call.
            at_s: seconds since the epoch.
            call_seed: decides which matches this call drops.

        Returns:
            The results.
        """
        shown = self._shown(self._word_index.matching(query.term), query, at_s)
        behaviour = self._behaviour
        appears = self._catalogue.appears_s
        known = shown[findable(shown, at_s - appears[shown], self._seed, behaviour)]
        views = self._curves.at(known, at_s)[0]
        chosen = kept(
            known, views=views, duration_s=self._catalogue.duration_s[known], order=query.order,
            lottery=self._seed + 1 + call_seed * 7_919, behaviour=behaviour,
        )  # fmt: skip
        found = known[chosen]
        if query.order == "relevance" and query.term:
            found = np.union1d(found, self._strays(found, query, at_s, call_seed))
        ids: tuple[VideoId, ...] = tuple(
            self._catalogue.ids[number] for number in self._ordered(found, query.order, at_s)[:SEARCH_DEPTH].tolist()
        )
        return Found(ids=ids, matching=len(shown))

    def _shown(self, positions: Ints, query: SearchQuery, at_s: float) -> Ints:
        """The positions of videos that are public, inside the window, and pass the filters."""
        catalogue = self._catalogue
        earliest = query.published_after.timestamp() if query.published_after else -np.inf
        latest = min(at_s, query.published_before.timestamp() if query.published_before else np.inf)
        appears = catalogue.appears_s[positions]
        inside = positions[np.searchsorted(appears, earliest) : np.searchsorted(appears, latest, side="right")]
        return inside[self._asked_for(inside, query) & catalogue.visible(inside, at_s)]

    def _strays(self, found: Ints, query: SearchQuery, at_s: float, call_seed: int) -> Ints:
        """Videos unrelated to the query, as the order `relevance` has them."""
        matches = round(len(found) * self._behaviour.off_topic / (1.0 - self._behaviour.off_topic))
        draws = uniform(np.arange(4 * matches, dtype=np.int64), self._seed + 2 + call_seed * 104_729)
        # Drawn from the whole world and then filtered: a shuffle of all videos would cost more than the search.
        drawn = np.unique((draws * len(self._catalogue.ids)).astype(np.int64))
        return self._shown(drawn, query, at_s)[:matches]

    def _asked_for(self, positions: Ints, query: SearchQuery) -> npt.NDArray[np.bool_]:
        catalogue = self._catalogue
        matches = np.ones(len(positions), dtype=np.bool_)
        if query.channel_id is not None:
            matches &= catalogue.channel[positions] == catalogue.channel_position.get(query.channel_id, -1)
        if query.category is not None:
            matches &= catalogue.category[positions] == query.category
        if query.duration is not None:
            seconds = catalogue.duration_s[positions]
            low, high = _LENGTHS[query.duration]
            matches &= (seconds >= low) & (seconds < high)
        # `region` selects videos that can be watched there; no video of these worlds is blocked anywhere.
        return matches

    def _ordered(self, positions: Ints, order: str, at_s: float) -> Ints:
        if order == "title":
            return np.array(sorted(positions.tolist(), key=lambda n: self._catalogue.text(n).title.casefold()), dtype=np.int64)
        if order in {"viewCount", "rating", "relevance"}:
            views, likes, _ = self._curves.at(positions, at_s)
            score = views.astype(np.float64)
            if order == "rating":
                score = likes / np.maximum(views, 1)
            if order == "relevance":
                age_h = (at_s - self._catalogue.appears_s[positions]) / _HOUR_S
                score = np.log1p(np.maximum(views, 0)) - 0.5 * np.log1p(age_h)
            return positions[np.argsort(-score, kind="stable")]
        return positions[::-1]
