"""The estimators on populations whose size is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pleiades_core.reports.capture import FEWEST_IN_BOTH, chao, chapman, odds_ratio

counts = st.integers(0, 10_000_000)


@given(st.data(), counts, counts)
def test_chapman_is_never_below_what_was_seen(data: st.DataObject, first: int, second: int) -> None:
    both = data.draw(st.integers(0, min(first, second)))
    found = chapman(first, second, both)
    assert (found is None) == (both < FEWEST_IN_BOTH)
    if found:
        assert first + second - both <= found.low <= found.total <= found.high
        assert 0 <= found.unseen_share < 1


@given(st.dictionaries(st.integers(1, 127), counts), st.integers(2, 7))
def test_chao_is_never_below_what_was_seen(masks: dict[int, int], occasions: int) -> None:
    found = chao(masks, [1 << place for place in range(occasions)])
    if found:
        assert sum(count for mask, count in masks.items() if mask & (1 << occasions) - 1) == found.seen
        assert found.seen <= found.low <= found.total <= found.high


def masks_of(*sources: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[int, int]:
    """How many were seen by just which sources; source i has bit i."""
    found: dict[int, int] = {}
    for mask in sum(source.astype(int) << place for place, source in enumerate(sources)):  # type: ignore[union-attr]
        found[int(mask)] = found.get(int(mask), 0) + 1
    found.pop(0, None)
    return found


@given(st.data(), st.integers(1, 1_000_000), st.integers(1, 1_000_000))
def test_an_odds_ratio_lies_in_its_interval_and_turns_over(data: st.DataObject, here: int, elsewhere: int) -> None:
    a, b = data.draw(st.integers(0, here)), data.draw(st.integers(0, elsewhere))
    one, other = odds_ratio(a, here, b, elsewhere), odds_ratio(b, elsewhere, a, here)
    assert one.low < one.ratio < one.high
    assert one.ratio * other.ratio == pytest.approx(1)


@pytest.mark.parametrize(("size", "chances"), [(2_000, (0.3, 0.2)), (20_000, (0.05, 0.1)), (500, (0.6, 0.5))])
def test_chapmans_interval_holds_the_true_size(size: int, chances: tuple[float, float]) -> None:
    """Of 1,000 draws of independent sources the interval of 95 % holds the truth in at least 93 %."""
    rng = np.random.default_rng(7)
    holds = 0
    for _ in range(1_000):
        first, second = (rng.random(size) < chance for chance in chances)
        found = chapman(int(first.sum()), int(second.sum()), int((first & second).sum()))
        holds += found is not None and found.low <= size <= found.high
    assert holds >= 930


def test_chaos_estimate_holds_the_size_when_sources_differ_and_videos_do_not() -> None:
    """Three independent sources of 5, 10 and 30 %: the interval of 95 % holds the truth in at least 93 % of 500 draws."""
    rng = np.random.default_rng(7)
    size, holds, totals = 10_000, 0, []
    for _ in range(500):
        found = chao(masks_of(*(rng.random(size) < chance for chance in (0.05, 0.1, 0.3))), [1, 2, 4])
        assert found is not None
        holds += found.low <= size <= found.high
        totals.append(found.total)
    assert holds >= 465
    assert np.mean(totals) == pytest.approx(size, rel=0.02)


def test_chaos_bound_is_a_lower_one_when_videos_differ() -> None:
    """Half of the videos are ten times as visible as the others: there are more than the bound says."""
    rng = np.random.default_rng(7)
    size = 10_000
    chances = np.where(np.arange(size) % 2, 0.4, 0.04)
    found = chao(masks_of(*(rng.random(size) < chances for _ in range(3))), [1, 2, 4])
    assert found is not None
    assert found.seen < found.total < size


def test_sources_that_follow_the_same_channels_make_the_unseen_look_small() -> None:
    """Why sources are grouped: feeds and push see the same half, and an estimate of the two says that nothing is unseen."""
    rng = np.random.default_rng(7)
    size = 20_000
    followed = rng.random(size) < 0.5
    feeds, push, search = followed & (rng.random(size) < 0.9), followed & (rng.random(size) < 0.9), rng.random(size) < 0.2
    masks = masks_of(search, feeds, push)
    naive = chapman(int(feeds.sum()), int(push.sum()), int((feeds & push).sum()))
    by_source, by_group = chao(masks, [1, 2, 4]), chao(masks, [1, 2 | 4])
    assert naive is not None
    assert by_source is not None
    assert by_group is not None
    assert naive.high < 0.6 * size
    assert by_source.high < 0.8 * size
    assert by_group.low < size < by_group.high
