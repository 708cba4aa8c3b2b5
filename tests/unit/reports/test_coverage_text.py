"""The coverage report in words: what is left out, what is cited, and what a paper gets."""

from __future__ import annotations

from datetime import UTC, datetime

from pleiades_core.discover.sources import SOURCES
from pleiades_core.reports.coverage import CoverageReport, Described, report
from pleiades_core.reports.coverage_text import kind_of, left_out, markdown, summary, telling

SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
SEARCH, FEEDS = SOURCES["search"].bit, SOURCES["feeds"].bit


def made(*, both: int = 100) -> CoverageReport:
    """Search found music ten times as often as feeds did; languages are as frequent on both sources."""
    described = [
        Described(language="en", category="10", sources=SEARCH, videos=100),
        Described(language="en", category="99", sources=SEARCH, videos=100),
        Described(language="en", category="10", sources=FEEDS, videos=10),
        Described(language="en", category="99", sources=FEEDS, videos=190),
        Described(language="a|b", category="20", sources=SEARCH, videos=20),
        Described(language="a|b", category="20", sources=FEEDS, videos=20),
    ]
    return report({SEARCH: 100, FEEDS: 100, SEARCH | FEEDS: both}, described, since=SINCE, until=UNTIL)


def test_only_comparisons_whose_interval_excludes_one_are_told() -> None:
    found = made()
    told = telling(found)
    assert {(kind_of(one), one.source) for one in told} == {
        (kind, source) for kind in ("10 Music", "99") for source in ("search", "feeds")
    }
    assert len(found.bias) == 10
    assert left_out(found).startswith("6 of 10 comparisons are left out")


def test_the_summary_says_what_a_reader_must_know_to_cite_it() -> None:
    found = made().by_group
    assert found is not None
    assert summary(made()) == (
        "Of the YouTube videos published from 2026-03-01 00:00 to 2026-03-08 00:00 UTC, 300 were seen (sources: search, feeds);"
        " from the 300 of these that the sources drew, the total is estimated at 399 or more"
        f" (95 % interval {found.low:.0f} to {found.high:.0f}; Chao 1989, a lower bound;"
        " sources of the same channels count as one occasion)."
    )
    assert summary(made(both=3)).endswith("too few of them were seen on two independent sources for an estimate of the total.")


def test_nothing_was_found() -> None:
    empty = report({}, [], since=SINCE, until=UNTIL)
    assert "0 were seen (sources: none); too few" in summary(empty)
    assert (telling(empty), left_out(empty)) == ([], "")
    assert markdown(empty).startswith("## Coverage")


def test_every_row_of_the_paper_has_as_many_cells_as_its_head() -> None:
    lines = [line for line in markdown(made()).splitlines() if line.startswith("|")]
    assert "| category | 10 Music | search | " in "\n".join(lines)
    assert {line.replace("\\|", "").count("|") for line in lines} == {5, 6, 8}
