"""Search misses what the audits say it misses, each effect measured over many seeded calls."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from statistics import fmean

import numpy as np
import pytest

from pleiades_core.simulator.world.base import SEARCH_DEPTH, SearchQuery
from pleiades_core.simulator.world.catalogue_world import CatalogueWorld
from pleiades_core.simulator.world.finding import AS_AUDITED, MOST_RESULTS, SearchBehaviour, estimated_total, findable, kept
from pleiades_core.simulator.world.synthetic import SyntheticSize, synthetic_world

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
AT = START + timedelta(days=2)
WORLD: CatalogueWorld = synthetic_world(SyntheticSize(videos=12_000, start=START), seed=5)
MANY = np.arange(20_000, dtype=np.int64)


def share(**more: object) -> float:
    """Share of 20,000 alike videos that a call returns."""
    alike: dict[str, object] = {
        "views": np.full(len(MANY), 10_000),
        "duration_s": np.full(len(MANY), 60),
        "order": "date",
        "lottery": 3,
    }
    return float(kept(MANY, **(alike | more)).mean())  # type: ignore[arg-type]


def test_identical_queries_find_different_sets_that_overlap() -> None:
    query = SearchQuery(term="football", order="date", published_after=AT - timedelta(days=12))
    sets = [set(WORLD.search(query, AT, call_seed=seed).ids) for seed in range(30)]
    union = set().union(*sets)
    assert all(0.55 < len(one) / len(union) < 0.95 for one in sets)
    overlaps = [len(a & b) / len(a | b) for a, b in itertools.pairwise(sets)]
    assert 0.4 < fmean(overlaps) < 0.9
    # A union of repeats recovers what single calls miss.
    assert len(set().union(*sets[:6])) > 0.98 * len(union)


def test_the_same_call_finds_the_same() -> None:
    query = SearchQuery(term="music")
    assert WORLD.search(query, AT, call_seed=9) == WORLD.search(query, AT, call_seed=9)


def test_orders_differ_in_recall() -> None:
    assert share(order="date") > share(order="viewCount") > share(order="relevance") + 0.05


def test_popular_and_shorter_videos_are_favoured() -> None:
    by_fame = [share(views=np.full(len(MANY), views)) for views in (-1, 100, 10_000, 1_000_000)]
    assert by_fame == sorted(by_fame)
    assert by_fame[-1] > by_fame[0] + 0.1
    by_length = [share(duration_s=np.full(len(MANY), seconds)) for seconds in (60, 600, 3_600)]
    assert by_length == sorted(by_length, reverse=True)
    assert by_length[0] > by_length[2] + 0.05


def test_popular_and_shorter_videos_are_favoured_in_what_searches_find() -> None:
    """The same, seen from outside: in the results of many calls, against everything that any of them found."""
    query = SearchQuery(term="music", order="date", published_after=AT - timedelta(days=15))
    calls = [WORLD.search(query, AT, call_seed=seed).ids for seed in range(60)]
    found = {video_id: sum(video_id in ids for ids in map(set, calls)) / len(calls) for video_id in set().union(*calls)}
    views = {count.video_id: count.views or 0 for count in WORLD.counts(list(found), AT)}
    middle = sorted(views.values())[len(views) // 2]
    assert fmean(found[v] for v in views if views[v] > middle) > fmean(found[v] for v in views if views[v] <= middle) + 0.02
    lengths = {video_id: WORLD.text(video_id).duration_s or 0 for video_id in found}
    assert fmean(found[v] for v in found if lengths[v] < 240) > fmean(found[v] for v in found if lengths[v] >= 1_200)


def test_crowded_topics_are_drawn_more_thinly() -> None:
    few = MANY[:50]
    args = {"views": np.full(50, 10_000), "duration_s": np.full(50, 60), "order": "date"}
    thin = fmean(float(kept(few, **args, lottery=seed).mean()) for seed in range(400))  # type: ignore[arg-type]
    assert thin > share() + 0.04


def test_relevance_brings_videos_that_have_nothing_to_do_with_the_query() -> None:
    def on_topic(order: str) -> float:
        ids = [i for seed in range(20) for i in WORLD.search(SearchQuery(term="chess", order=order), AT, call_seed=seed).ids]
        texts = [WORLD.text(i) for i in ids]
        hits = [("chess" in f"{t.title}{t.tags}{t.description}{t.channel_title}".lower()) for t in texts]
        return fmean(hits)

    assert on_topic("date") == 1
    assert 0.80 < on_topic("relevance") < 0.97


def test_findability_falls_between_20_and_60_days_and_then_stays() -> None:
    by_age = [float(findable(MANY, np.full(len(MANY), days * 86_400.0), seed=1).mean()) for days in range(0, 121, 5)]
    assert by_age[:5] == [1.0] * 5
    assert by_age[4:13] == sorted(by_age[4:13], reverse=True)
    assert by_age[12:] == [by_age[12]] * 13
    assert by_age[12] == pytest.approx(AS_AUDITED.findable_for_ever, abs=0.02)


def test_a_video_that_faded_does_not_come_back() -> None:
    """Gone from search is not gone: the same videos stay public."""
    window = SearchQuery(order="date", published_after=START - timedelta(days=2), published_before=START)

    def found(at: datetime) -> set[str]:
        return {i for seed in range(12) for i in WORLD.search(window, at, call_seed=seed).ids}

    young, old = found(START + timedelta(days=1)), found(START + timedelta(days=65))
    assert 0 < len(old) < 0.5 * len(young)
    assert old <= found(START + timedelta(days=30))
    missed = list(young - old)
    public = WORLD.counts(missed, START + timedelta(days=65))
    assert len(public) > 0.9 * len(missed)


def test_results_end_at_500_whatever_the_total_says() -> None:
    found = WORLD.search(SearchQuery(order="date"), AT, call_seed=1)
    assert len(found.ids) == SEARCH_DEPTH
    assert estimated_total(found.matching, 1) > 10 * SEARCH_DEPTH


def test_totals_change_from_page_to_page_and_never_exceed_a_million() -> None:
    totals = [estimated_total(5_000, call) for call in range(50)]
    assert len(set(totals)) > 40
    assert max(totals) > 1.5 * min(totals)
    assert all(estimated_total(10**7, call) == MOST_RESULTS for call in range(9))
    assert estimated_total(0, 3) == 0


def test_windows_hold() -> None:
    after, before = START - timedelta(days=9), START - timedelta(days=4)
    for order in ("date", "relevance", "viewCount"):
        query = SearchQuery(term="music", order=order, published_after=after, published_before=before)
        ids = WORLD.search(query, AT, call_seed=2).ids
        assert ids
        assert all(after <= WORLD.text(i).published_at <= before for i in ids)


def test_a_kinder_search_can_be_asked_for() -> None:
    kind = SearchBehaviour(recall_by_date=1.0, unpopular_lose=0.0, medium_lose=0.0, long_lose=0.0, crowd_lose=0.0)
    assert share(behaviour=kind) == 1.0
