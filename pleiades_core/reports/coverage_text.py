"""The coverage report as text: a sentence that can be cited, the significant comparisons, and Markdown for a paper.

Belongs here: wording and choice, pure. Does not belong here: the numbers (coverage.py), tables of a terminal (cli/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pleiades_core.reports.capture import Estimate
from pleiades_core.reports.coverage import Bias, CoverageReport

#: `videoCategories.list` gives the same numbers and titles in every region.
CATEGORIES = {
    1: "Film & Animation", 2: "Autos & Vehicles", 10: "Music", 15: "Pets & Animals", 17: "Sports", 18: "Short Movies",
    19: "Travel & Events", 20: "Gaming", 21: "Videoblogging", 22: "People & Blogs", 23: "Comedy", 24: "Entertainment",
    25: "News & Politics", 26: "Howto & Style", 27: "Education", 28: "Science & Technology", 29: "Nonprofits & Activism",
}  # fmt: skip
#: YouTube's API policies, III.E.2 (docs/policy.md).
_NO_MEASURE_OF_YOUTUBE = (
    "These figures say how much this search misses. They are no measure of YouTube, and not to be published as one."
)
METHOD = "Chao 1989, a lower bound; sources of the same channels count as one occasion"
_REFERENCES = (
    (
        "Chapman, D. G. (1951). Some properties of the hypergeometric distribution with applications to zoological sample"
        " censuses. *University of California Publications in Statistics* 1, 131-160."
    ),
    "Chao, A. (1989). Estimating population size for sparse data in capture-recapture experiments. *Biometrics* 45, 427-438.",
    "Woolf, B. (1955). On estimating the relation between blood group and disease. *Annals of Human Genetics* 19, 251-253.",
)


def window(report: CoverageReport) -> str:
    """The videos that the report is about."""
    return f"published from {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"


def summary(report: CoverageReport) -> str:
    """One sentence that can be cited: the videos, the sources, the number seen, the estimate, its interval, its method."""
    sources = ", ".join(source.source for source in report.sources) or "none"
    seen = f"Of the YouTube videos {window(report)}, {report.videos:,} were seen (sources: {sources})"
    found = report.by_group
    if found is None:
        return f"{seen}; too few of them were seen on two independent sources for an estimate of the total."
    return (
        f"{seen}; from the {found.seen:,} of these that the sources drew, the total is estimated at {found.total:,.0f} or more"
        f" (95 % interval {interval(found)}; {METHOD})."
    )


def interval(estimate: Estimate) -> str:
    """The 95 % interval of a number of videos."""
    return f"{estimate.low:,.0f} to {estimate.high:,.0f}"


def odds_interval(bias: Bias) -> str | None:
    """The 95 % interval of an odds ratio."""
    return f"{bias.odds.low:.2f} to {bias.odds.high:.2f}" if bias.odds else None


def kind_of(bias: Bias) -> str:
    """A language as its code, a category as its number and its title."""
    name = CATEGORIES.get(int(bias.kind)) if bias.by == "category" and bias.kind.isdecimal() else None
    return f"{bias.kind} {name}" if name else bias.kind


def telling(report: CoverageReport) -> list[Bias]:
    """The comparisons whose interval excludes 1: the source finds more, or fewer, of that kind than the other sources."""
    return [bias for bias in report.bias if bias.odds and not bias.odds.low <= 1 <= bias.odds.high]


def left_out(report: CoverageReport) -> str:
    """How many comparisons are left out, and why; empty if none is."""
    count = len(report.bias) - len(telling(report))
    if not count:
        return ""
    return (
        f"{count:,} of {len(report.bias):,} comparisons are left out, because their 95 % interval includes 1 or too few videos"
        " were described; --json prints all of them."
    )


def markdown(report: CoverageReport) -> str:
    """The whole report for a paper: summary, tables, limits, and references."""
    parts = [
        f"## Coverage of YouTube videos {window(report)}",
        summary(report),
        _table(
            "Videos seen by each source",
            ("source", "seen", "only by it", "share of all seen"),
            [(source.source, f"{source.seen:,}", f"{source.only:,}", f"{source.share:.1%}") for source in report.sources],
        ),
        _table(
            "Pairs of sources (Chapman 1951)",
            ("sources", "seen by both", "estimate", "95 % interval", "unseen by both"),
            [(f"{pair.first}, {pair.second}", f"{pair.both:,}", *_estimated(pair.estimate)) for pair in report.pairs],
        ),
        _table(
            f"Bias, measured on {report.described:,} descriptions (odds ratios, Woolf 1955)",
            ("by", "kind", "source", "odds ratio", "95 % interval", "share", "share of all"),
            [
                (
                    bias.by, kind_of(bias), bias.source, f"{bias.odds.ratio:.2f}" if bias.odds else "-",
                    odds_interval(bias) or "-",
                    f"{bias.share:.1%}", f"{bias.share_of_all:.1%}",
                )
                for bias in telling(report)
            ],
        ),
        left_out(report),
        "### Limits",
        "\n".join(f"- {caveat}" for caveat in (*report.caveats, _NO_MEASURE_OF_YOUTUBE)),
        "### References",
        "\n".join(f"- {reference}" for reference in _REFERENCES),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _estimated(estimate: Estimate | None) -> tuple[str, str, str]:
    if estimate is None:
        return "too few in both", "-", "-"
    return f"{estimate.total:,.0f}", interval(estimate), f"{estimate.unseen_share:.1%}"


def _table(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown below its title; a stroke in a cell would end the cell."""
    lines = [names, ["---"] * len(names), *rows]
    cells = ("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"**{title}**\n\n" + "\n".join(cells)
