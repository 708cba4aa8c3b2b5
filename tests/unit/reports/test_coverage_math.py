"""Capture and recapture on counts whose answer is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pleiades_core.discover.sources import SOURCES
from pleiades_core.reports.capture import chao, chapman, odds_ratio
from pleiades_core.reports.coverage import Described, report

SINCE, UNTIL = datetime(2026, 2, 22, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def test_chapman_on_the_textbook_case() -> None:
    """200 marked, 150 caught, 30 of them marked: 201 · 151 / 31 - 1."""
    found = chapman(200, 150, 30)
    assert found is not None
    assert found.total == pytest.approx(978.06, abs=0.01)
    assert found.seen == 320
    assert found.low < found.total < found.high
    assert found.unseen_share == pytest.approx(1 - 320 / 978.06, abs=1e-4)


def test_too_few_in_both_says_nothing() -> None:
    assert chapman(1_000, 1_000, 6) is None
    assert chao({1: 500, 2: 500, 3: 6}, [1, 2]) is None
    assert chao({1: 500, 3: 600}, [1]) is None


def test_samples_that_saw_the_same_leave_nothing_unseen() -> None:
    found = chapman(500, 500, 500)
    assert found is not None
    assert (found.total, found.low, found.high, found.unseen_share) == (500, 500, 500, 0)
    everything = chao({7: 500, 3: 7}, [1, 2, 4])
    assert everything is not None
    assert everything.unseen_share == 0


@pytest.mark.parametrize(("first", "second", "both"), [(5, 5, 6), (5, 5, -1), (-1, 5, 0)])
def test_impossible_counts_are_refused(first: int, second: int, both: int) -> None:
    with pytest.raises(ValueError, match="cannot be in both"):
        chapman(first, second, both)


def test_odds_of_a_bias() -> None:
    """90 of 100 here, 10 of 100 elsewhere: 81 to 1, less what the halves take."""
    odds = odds_ratio(90, 100, 10, 100)
    assert odds.ratio == pytest.approx((90.5 / 10.5) ** 2)
    assert odds.low > 20
    even = odds_ratio(50, 100, 500, 1_000)
    assert even.low < 1 < even.high


def test_with_two_occasions_chao_is_chapman() -> None:
    one, other = chao({1: 170, 2: 120, 3: 30}, [1, 2]), chapman(200, 150, 30)
    assert one is not None
    assert other is not None
    assert one.total == pytest.approx(other.total)
    assert one.seen == other.seen
    assert one.high == pytest.approx(other.high, rel=0.02)


def test_a_group_of_sources_is_one_occasion() -> None:
    search, uploads, feeds = SOURCES["search"].bit, SOURCES["uploads"].bit, SOURCES["feeds"].bit
    masks = {search: 50, uploads: 20, feeds: 30, uploads | feeds: 70, search | feeds: 30, search | uploads | feeds: 5}
    assert chao(masks, [search, uploads | feeds]) == chao({1: 50, 2: 120, 3: 35}, [1, 2])


def test_a_report_of_nothing_says_nothing() -> None:
    nothing = report({}, [], since=SINCE, until=UNTIL)
    assert (nothing.videos, nothing.sources, nothing.pairs, nothing.by_group, nothing.bias) == (0, (), (), None, ())
    assert nothing.caveats


def test_a_report_of_three_sources() -> None:
    search, feeds, manual = SOURCES["search"].bit, SOURCES["feeds"].bit, SOURCES["added"].bit
    described = [
        Described(language="en", category="10", sources=search, videos=400),
        Described(language="en", category="20", sources=feeds, videos=100),
        Described(language="hi", category="20", sources=feeds, videos=300),
        Described(language="hi", category="10", sources=search | feeds, videos=100),
    ]
    found = report({search: 400, feeds: 400, search | feeds: 100, manual: 5}, described, since=SINCE, until=UNTIL)
    assert found.videos == 905
    assert [(one.source, one.seen, one.only) for one in found.sources] == [
        ("search", 500, 400), ("feeds", 500, 400), ("added", 5, 5)
    ]  # fmt: skip
    assert [(pair.first, pair.second, pair.both) for pair in found.pairs] == [("search", "feeds", 100)]
    estimate = found.pairs[0].estimate
    assert estimate is not None
    assert estimate.total == pytest.approx(2_484.2, abs=0.1)
    # Two groups: Chao's is Chapman's estimate, of the videos that were drawn.
    assert found.by_group is not None
    assert found.by_group.total == pytest.approx(estimate.total)
    assert found.by_group.seen == 900
    hindi = next(one for one in found.bias if (one.by, one.kind, one.source) == ("language", "hi", "feeds"))
    assert hindi.share == pytest.approx(400 / 500)
    assert hindi.share_of_all == pytest.approx(400 / 900)
    assert hindi.odds is not None
    assert hindi.odds.low > 100
    assert not [one for one in found.bias if one.source == "added"]


def test_sources_of_the_same_channels_say_nothing_of_what_is_unseen() -> None:
    """Push loses 2 % and lists are read only where it did: all is seen, and the pair would claim half as much again unseen."""
    push, uploads, charts = SOURCES["push"].bit, SOURCES["uploads"].bit, SOURCES["charts"].bit
    masks = {push: 56_000, push | uploads: 2_500, uploads: 1_200, push | charts: 290, uploads | charts: 10}
    found = report(masks, [], since=SINCE, until=UNTIL)
    assert {(pair.first, pair.second) for pair in found.pairs} == {("uploads", "charts"), ("charts", "push")}
    assert found.by_group is not None
    assert found.by_group.total == pytest.approx(60_000, rel=1e-3)
