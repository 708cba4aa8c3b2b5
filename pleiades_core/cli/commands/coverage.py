"""`pleiades coverage`: the share of published videos that the sources find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import JsonOption, hint, print_json, print_rows, say
from pleiades_core.errors import UsageError

if TYPE_CHECKING:
    from pleiades_core.reports.capture import Estimate
    from pleiades_core.reports.coverage import CoverageReport


@app.command(
    panel="Look",
    place=7,
    epilog=examples(
        "pleiades coverage --days 7",
        "pleiades coverage --markdown | tee coverage.md",
        "pleiades coverage --json | jq .by_group",
    ),
)
def coverage(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0.1, max=365, help="Videos published in so many days before now.")] = 7,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the report as Markdown, for a paper.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate the share of videos that the sources find: their overlap, unseen videos, bias by language and category."""
    from pleiades_core.reports.coverage import coverage as measure_coverage
    from pleiades_core.reports.coverage_text import markdown

    if as_markdown and as_json:
        raise UsageError("--markdown and --json are two forms of one answer", cure="give one of them")
    with opened(context) as pleiades:
        home = pleiades.settings.home
        report = measure_coverage(pleiades.database, pleiades.vault, pleiades.clock.now(), days=days)
    if not report.videos:
        hint(f"no video that was published in these days was found in {home}: `pleiades hunt` finds videos")
    if as_json:
        print_json(report)
    elif as_markdown:
        typer.echo(markdown(report))
    else:
        _print_coverage(report)
    pleiades.vault.require_whole_answers()


def _print_coverage(report: CoverageReport) -> None:
    from pleiades_core.reports import coverage_text as words

    print_rows(
        f"{report.videos:,} videos {words.window(report)}",
        ("source", "seen", "only by it", "share of all seen"),
        [[source.source, source.seen, source.only, _percent(source.share)] for source in report.sources],
    )
    print_rows(
        "pairs of sources (Chapman)",
        ("sources", "seen by both", "estimate", "95 % interval", "unseen by both"),
        [[f"{pair.first}, {pair.second}", pair.both, *_estimated(pair.estimate)] for pair in report.pairs],
        expendable=("unseen by both", "seen by both", "95 % interval"),
    )
    if any(pair.estimate is None for pair in report.pairs):
        say("Without an estimate: too few videos were seen by both sources.")
    print_rows(
        "all sources, those of the same channels as one (Chao, a lower bound)",
        ("seen", "estimate, at least", "95 % interval", "unseen"),
        [[report.by_group.seen if report.by_group else None, *_estimated(report.by_group)]],
        expendable=("unseen", "95 % interval"),
    )
    print_rows(
        f"bias, measured on {report.described:,} descriptions",
        ("by", "kind", "source", "odds ratio", "95 % interval", "share", "of all"),
        [
            [
                bias.by, words.kind_of(bias), bias.source, f"{bias.odds.ratio:.2f}" if bias.odds else None,
                words.odds_interval(bias), _percent(bias.share), _percent(bias.share_of_all),
            ]
            for bias in words.telling(report)
        ],
        expendable=("of all", "share", "by", "95 % interval"),
    )  # fmt: skip
    for sentence in (words.left_out(report), words.summary(report), *report.caveats):
        if sentence:
            say(sentence)


def _estimated(estimate: Estimate | None) -> tuple[int | None, str | None, str | None]:
    """Estimate, interval and unseen share, for a table."""
    from pleiades_core.reports.coverage_text import interval

    return (round(estimate.total), interval(estimate), _percent(estimate.unseen_share)) if estimate else (None, None, None)


def _percent(share: float) -> str:
    return f"{share:.1%}"
