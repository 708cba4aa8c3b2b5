"""The sample that admission takes: unbiased, repeatable, monotone."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pleiades_core.discover.admission.capacity import decide, demand, is_chosen, room
from pleiades_core.models import Tier

ids = st.integers(min_value=-(2**63), max_value=2**63 - 1)
shares = st.floats(min_value=0, max_value=1)


@given(ids, shares, shares)
def test_who_is_in_a_sample_is_in_every_larger_one(id8: int, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_chosen(id8, large) >= is_chosen(id8, small)
    assert is_chosen(id8, 1.0)
    assert not is_chosen(id8, 0.0)


@given(st.floats(min_value=0.02, max_value=0.98), st.integers(0, 63), st.integers(-(2**63), 2**63 - 20_001))
@settings(max_examples=25, derandomize=True)
def test_a_sample_has_its_size_whatever_the_ids_have_in_common(share: float, bit: int, first: int) -> None:
    """Consecutive ids, and ids that share a bit: four standard deviations of a fair draw."""
    n = 5_000
    draw = random.Random(first)  # noqa: S311
    for id8s in (range(first, first + n), [draw.getrandbits(63) | 1 << bit for _ in range(n)]):
        assert abs(sum(is_chosen(id8, share) for id8 in id8s) - n * share) < 4 * (n * share * (1 - share)) ** 0.5 + 1


@given(
    st.fixed_dictionaries({tier: st.integers(0, 3_000_000) for tier in Tier}),
    st.integers(0, 1_000_000), st.integers(0, 100_000), st.floats(min_value=0.1, max_value=1e6),
)  # fmt: skip
def test_a_share_never_overruns_the_room(watched: dict[Tier, int], units: int, new: int, a_day: float) -> None:
    left = room(watched, units)
    assert left >= 0
    if left:
        assert demand({**watched, Tier.HOURLY: watched[Tier.HOURLY] + left}) <= units * 50 + 1e-6
    decision = decide(new, left, "sample", hourly=watched[Tier.HOURLY], a_day=a_day)
    assert 0 <= decision.share <= 1
    assert decision.share * new <= max(left, 0) + 1e-6
    assert (decision.reason == "") == (decision.share == 1)
