"""The synthetic world: the same question has the same answer, and its misfits are there."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.world.base import SearchQuery
from pleiades_core.simulator.world.catalogue_world import CatalogueWorld
from pleiades_core.simulator.world.synthetic import SyntheticCurves, SyntheticSize, synthetic_world
from pleiades_core.videoid import is_channel_id, is_video_id

START = datetime(2026, 9, 1, 7, tzinfo=UTC)


def made(videos: int = 4_000, seed: int = 3) -> CatalogueWorld:
    return synthetic_world(SyntheticSize(videos=videos, start=START), seed=seed)


WORLD = made()
IDS = list(WORLD.search(SearchQuery(order="date"), START + timedelta(days=3), call_seed=1).ids)
ALL = [
    video_id
    for channel in (WORLD.uploads(c, START + timedelta(days=30)) or [] for c in WORLD.channels_named(""))
    for video_id in channel
]

days = st.floats(-40, 90, allow_nan=False).map(lambda d: START + timedelta(days=d))


@given(st.lists(st.tuples(st.sampled_from(ALL), days), min_size=1, max_size=12), st.randoms())
def test_any_instant_may_be_asked_in_any_order(questions: list[tuple[str, datetime]], random: object) -> None:
    """A second world of the same seed, asked in another order and in groups, gives the same counts."""
    first = [WORLD.counts([video_id], at) for video_id, at in questions]
    shuffled = list(range(len(questions)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for n in shuffled:
        video_id, at = questions[n]
        together = {count.video_id: count for count in OTHER.counts([*IDS[:5], video_id], at)}
        assert ([together[count.video_id] for count in first[n]]) == first[n]
        assert bool(first[n]) == (video_id in together)


OTHER = made()


def test_views_grow_and_only_the_few_that_fall_do() -> None:
    falling, hidden_likes, no_comments = set(), set(), set()
    instants = [START + timedelta(days=n) for n in range(30)]
    for before, after in itertools.pairwise(instants):
        earlier = {c.video_id: c for c in WORLD.counts(ALL, before)}
        for count in WORLD.counts(ALL, after):
            assert count.views is not None
            if count.likes is None:
                hidden_likes.add(count.video_id)
            if count.comments is None:
                no_comments.add(count.video_id)
            old = earlier.get(count.video_id)
            if old is not None and old.views is not None and count.views < old.views:
                falling.add(count.video_id)
    assert 0 < len(falling) < 0.02 * len(ALL)
    assert 0.01 * len(ALL) < len(hidden_likes) < 0.04 * len(ALL)
    assert 0.015 * len(ALL) < len(no_comments) < 0.05 * len(ALL)


def test_a_frozen_video_stands_still_and_then_catches_up() -> None:
    """Two videos alike, but that the first is frozen between its second and third day."""
    both = np.full(2, 1.0)
    curves = SyntheticCurves(
        published_s=0.0 * both,
        size=1e6 * both,
        tau_s=4e4 * both,
        theta=0.8 * both,
        burst_age_s=np.zeros((2, 1)),
        burst_height=np.zeros((2, 1)),
        burst_span_s=np.ones((2, 1)),
        frozen_from_s=np.array([2 * 86_400.0, np.inf]),
        frozen_until_s=np.array([3 * 86_400.0, np.inf]),
        fall_age_s=np.inf * both,
        fall_share=0.0 * both,
        like_rate=0.01 * both,
        comment_rate=-both,
    )

    def at(days: float) -> tuple[list[int], list[int], list[int]]:
        views, likes, comments = curves.at(np.array([0, 1]), days * 86_400.0)
        return views.tolist(), likes.tolist(), comments.tolist()

    assert at(2.3)[0][0] == at(2.9)[0][0] == at(2.0)[0][1] < at(2.3)[0][1] < at(2.9)[0][1]
    for days in (0.5, 2.0, 3.0, 9.0):
        views, likes, comments = at(days)
        assert views[0] == views[1]
        assert likes[0] == likes[1] == int(views[0] * 0.01)
        assert comments == [-1, -1]


def test_some_leave_for_good_and_some_come_back() -> None:
    history = {
        video_id: "".join(WORLD.truth(video_id, START + timedelta(hours=20 * n)).state[0:2] for n in range(45))
        for video_id in ALL[::4]
    }
    # pu: public, pr: private, de: deleted, un: unpublished.
    deleted = [h for h in history.values() if "de" in h]
    returned = [h for h in history.values() if "pr" in h and h.endswith("pu")]
    assert deleted
    assert returned
    assert all("pu" not in h[h.index("de") :] for h in deleted)


def test_sizes_are_heavy_tailed() -> None:
    views = sorted((c.views or 0 for c in WORLD.counts(ALL, START + timedelta(days=30))), reverse=True)
    top = views[: len(views) // 100]
    assert sum(top) > 0.3 * sum(views)
    sizes = sorted((len(WORLD.uploads(c, START + timedelta(days=30)) or []) for c in WORLD.channels_named("")), reverse=True)
    assert sizes[0] > 10 * sizes[len(sizes) // 2]


def test_uploads_come_at_the_rate_that_was_asked_for() -> None:
    world = synthetic_world(SyntheticSize(videos=5_000, start=START, days_ahead=4, uploads_per_day=800), seed=1)
    listed = [v for c in world.channels_named("") for v in world.uploads(c, START + timedelta(days=300)) or []]
    fresh = [v for v in listed if world.text(v).published_at >= START]
    assert 3_000 < len(fresh) <= 3_200
    assert max(world.text(v).published_at for v in fresh) <= START + timedelta(days=5)


def test_identifiers_are_those_of_youtube() -> None:
    assert all(map(is_video_id, ALL))
    assert all(map(is_channel_id, WORLD.channels_named("")))


def test_old_videos_are_harder_to_find() -> None:
    """The same ages, searched when young and when 70 days old."""
    query = SearchQuery(published_after=START - timedelta(days=3), published_before=START, order="date")
    young = WORLD.search(query, START, call_seed=1).ids
    old = WORLD.search(query, START + timedelta(days=70), call_seed=1).ids
    assert set(old) <= set(young) | set(ALL)
    assert 0 < len(old) < 0.5 * len(young)


def test_queries_know_exclusion_alternatives_and_word_beginnings() -> None:
    at = START + timedelta(days=2)

    def found(term: str) -> set[str]:
        """By five calls: each drops others."""
        query = SearchQuery(term=term, order="date")
        return {video_id for seed in range(5) for video_id in WORLD.search(query, at, call_seed=seed).ids}

    assert found("cricket")
    assert found("CRICKET") == found("cricket")
    assert not found("ricket")
    assert found("cricket|chess") > found("cricket")
    assert not (found("cricket -innings") & found("cricket innings"))
    assert found("料理")
    assert not found("nothing-has-this-word")


def test_channels_can_be_as_many_as_one_likes() -> None:
    world = synthetic_world(SyntheticSize(videos=900, channels=300, start=START), seed=1)
    assert len(world.channel_ids()) == len(set(world.channel_ids())) == 300
    listed = [v for c in world.channel_ids() for v in world.uploads(c, START + timedelta(days=300)) or []]
    assert 800 < len(listed) <= 900


def test_a_benchmark_s_world_is_ready_in_seconds_and_answers_at_once() -> None:
    """50,000 channels, 100,000 uploads in a day, and a back catalogue."""
    began = time.process_time()
    size = SyntheticSize(videos=160_000, channels=50_000, start=START, days_ahead=1, uploads_per_day=100_000)
    world = synthetic_world(size, seed=1)
    at = START + timedelta(hours=12)
    channels = world.channel_ids()
    world.uploads(channels[0], at)
    assert time.process_time() - began < 5
    began = time.process_time()
    for start in range(0, 5_000, 50):
        assert len(world.channels(channels[start : start + 50], at)) == 50
    assert time.process_time() - began < 2
    published = [one for one in world.happenings(START, START + timedelta(days=1)) if one.kind == "published"]
    assert len(published) == 100_000
    assert [one.at for one in published] == sorted(one.at for one in published)


def test_what_happens_is_what_the_truth_says() -> None:
    """Published and deleted, each at its instant and not before; spans join without gap or overlap."""
    begin, end = START, START + timedelta(days=20)
    whole = WORLD.happenings(begin, end)
    middle = begin + timedelta(days=7.3)
    assert whole == WORLD.happenings(begin, middle) + WORLD.happenings(middle, end)
    assert {one.kind for one in whole} == {"published", "deleted"}
    second = timedelta(seconds=1)
    for one in whole[:: len(whole) // 200]:
        before, after = WORLD.truth(one.video_id, one.at - second).state, WORLD.truth(one.video_id, one.at + second).state
        assert (before, after) == (("unpublished", "public") if one.kind == "published" else ("public", "deleted"))
        assert WORLD.text(one.video_id).channel_id == one.channel_id


def test_channels_together_are_the_channels_alone() -> None:
    at = START + timedelta(days=3)
    some = [*WORLD.channel_ids()[:40], "UC" + "A" * 22, WORLD.channel_ids()[0]]
    together = WORLD.channels(some, at)
    assert together == [WORLD.channel(channel_id, at) for channel_id in some[:40]]
    for state in together:
        uploads = WORLD.uploads(state.channel_id, at) or []
        assert state.video_count == len(uploads)
        assert state.view_count == sum(count.views or 0 for count in WORLD.counts(uploads, at))
        assert WORLD.uploads(state.channel_id, at, 3) == uploads[:3]


def test_every_channel_has_a_handle_of_its_own_that_leads_to_it() -> None:
    states = WORLD.channels(WORLD.channel_ids(), START)
    handles = [state.handle for state in states]
    assert len(set(handles)) == len(handles)
    for state in states:
        assert state.handle.startswith("@")
        assert 3 < len(state.handle) <= 31
        assert state.handle == state.handle.lower()
        assert (
            WORLD.channel_with_handle(state.handle.upper()) == WORLD.channel_with_handle(state.handle[1:]) == state.channel_id
        )
    assert WORLD.channel_with_handle("@nobody") is None


def test_fifty_thousand_videos_are_ready_in_a_moment() -> None:
    began = time.process_time()
    world = made(50_000)
    world.counts(IDS, START)
    assert time.process_time() - began < 3.0


@pytest.mark.parametrize("size", [{"videos": 0}, {"videos": 10, "uploads_per_day": 100.0}, {"videos": 10, "days_ahead": -1.0}])
def test_sizes_that_cannot_be_are_refused_with_a_cure(size: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        synthetic_world(SyntheticSize(start=START, **size), seed=1)  # type: ignore[arg-type]
    assert caught.value.cure
