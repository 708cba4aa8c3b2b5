"""Commands that look at discovery and at quota to come: plan, sources, coverage.

Does not belong here: how the numbers come about (pleiades_core/{planner,insights}).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import NO_KEY, JsonOption, hint, print_facts, print_json, print_rows, say, text
from pleiades_core.errors import UsageError
from pleiades_core.models import Bucket

if TYPE_CHECKING:
    from pleiades_core.planner.report import Plan
    from pleiades_core.reports.capture import Estimate
    from pleiades_core.reports.coverage import CoverageReport


@app.command(epilog=examples("pleiades plan --days 7", "pleiades plan --found-a-day 100000 --projects 2"))
def plan(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days after today.")] = 30,
    found_a_day: Annotated[
        float | None,
        typer.Option(
            min=0, max=1e9, show_default="as lately", help="Plan as if so many new videos a day were found, all to be watched."
        ),
    ] = None,
    projects: Annotated[
        int | None,
        typer.Option(min=1, max=100, show_default="those in use", help="Plan as if you had the quota of so many projects."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What quota the coming days need, what fits, and what goes without. A forecast: it ends with 0 either way."""
    from pleiades_core.planner.plan import plan as make_plan

    with opened(context) as pleiades:
        ring = pleiades.key_ring()
        made = make_plan(
            pleiades.database, ring.ledger, pleiades.settings, pleiades.clock.now(),
            projects=ring.living(), days=days, found_a_day=found_a_day, suppose=projects,
        )  # fmt: skip
    if as_json:
        print_json(made)
    else:
        _print_plan(made)
    if not ring.keys:
        hint(f"{NO_KEY}. This plan is what one project with the usual quota would do")


@app.command(epilog=examples("pleiades sources --days 1 --targets", "pleiades sources --json | jq '.sources[].new_per_unit'"))
def sources(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0.01, max=3_660, help="So many days back.")] = 7,
    targets: Annotated[bool, typer.Option(help="Each term, chart and month of its own.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What each source to videos cost and brought, what failed last, and how the followed channels stand."""
    from pleiades_core.reports.sources import sources as measure_sources

    with opened(context) as pleiades:
        home = pleiades.settings.home
        report = measure_sources(pleiades.database, pleiades.vault, pleiades.clock.now(), days=days, targets=targets)
    if not report.sources:
        hint(f"no source was asked in these days in {home}: `pleiades hunt` asks all of them")
    if as_json:
        print_json(report)
        pleiades.vault.require_whole_answers()
        return
    names = ("source", "requests", "units", "candidates", "new", "new per unit", "last requested at", "last error", "failed at")
    rows = [
        [
            f"{one.source} {one.target}".strip(), one.requests, one.units, one.candidates, one.new, one.new_per_unit,
            one.last_requested_at, one.last_error, one.failed_at,
        ]
        for one in report.sources
    ]  # fmt: skip
    print_rows(
        f"sources from {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC", names, rows,
        expendable=("failed at", "new per unit", "last requested at", "candidates", "requests"), prose=("last error",),
    )  # fmt: skip
    say(f"{report.to_describe:,} videos were found and wait to be described, 50 for a general unit")
    channels = report.channels
    print_facts(
        "followed channels",
        {
            "followed": channels.followed, "uploads a day (estimate)": channels.uploads_a_day, "live push": channels.push_live,
            "feed read within a day, no push": channels.feeds_only,
            "neither push nor feed: counts and lists alone find uploads": channels.unanswered,
            "feeds failing": channels.feeds_failing, "with uploads that wait for a list": channels.waiting,
            "pages of lists that wait": channels.waiting_pages,
            "with past uploads that are not read yet": channels.back_catalogues,
            "past uploads that are not read yet": channels.back_catalogue_uploads,
        },
    )  # fmt: skip
    pleiades.vault.require_whole_answers()


@app.command(
    epilog=examples(
        "pleiades coverage --days 7",
        "pleiades coverage --markdown | tee coverage.md",
        "pleiades coverage --json | jq .by_group",
    )
)
def coverage(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0.1, max=365, help="Videos published in so many days before now.")] = 7,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the report as Markdown, for a paper.")] = False,
    as_json: JsonOption = False,
) -> None:
    """How much of what there is the sources find: overlap, an estimate of the unseen, bias by language and category."""
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


def _print_plan(made: Plan) -> None:
    from pleiades_core.planner.report import added

    days = dict.fromkeys(row.day for row in made.rows)
    rows = []
    for day in days:
        of_day = [row for row in made.rows if row.day == day]
        cells: list[object] = [day]
        for bucket in Bucket:
            mine = [row for row in of_day if row.bucket == bucket]
            gets = added(row.gets for row in mine)
            cells += [round(sum(gets.values())), sum(row.supply for row in mine)]
        lacking = added(row.shortfall for row in of_day)
        cells.append(", ".join(f"{name} lacks {units:,.0f}" for name, units in lacking.items()))
        rows.append(cells)
    names = ["Pacific day", *(name for bucket in Bucket for name in (bucket, f"of {bucket}")), "goes without"]
    if not any(row[-1] for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]
    print_rows(
        f"units to be spent, of {', '.join(made.projects)}; {made.watched:,} videos watched ({text(made.by_tier)}); of"
        f" {made.found_a_day:,.0f} found a day {made.watched_a_day:,.0f} join them",
        names,
        rows,
        # The sentences below say what goes without, and why.
        expendable=(*(f"of {bucket}" for bucket in Bucket), "goes without"),
        prose=("goes without",),
    )
    for verdict in made.verdicts:
        say(verdict.text)
    for one in made.starved:
        say(
            f"{one.consumer} goes without from {one.day}: gets {one.gets:,} of {one.needs:,} units; {one.why}. Help: {one.help}"
        )
    if made.most_watched_a_day is not None:
        say(f"tracking could take in {made.most_watched_a_day:,} new videos on every day of the plan")
    say("assumed: " + "; ".join(made.assumptions))


def _print_coverage(report: CoverageReport) -> None:
    from pleiades_core.reports import coverage_text as words

    print_rows(
        f"{report.videos:,} videos {words.window(report)}",
        ("source", "seen", "only by it", "share of all seen"),
        [[one.source, one.seen, one.only, _percent(one.share)] for one in report.sources],
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
                one.by, words.kind_of(one), one.source, f"{one.odds.ratio:.2f}" if one.odds else None,
                words.odds_interval(one), _percent(one.share), _percent(one.share_of_all),
            ]
            for one in words.telling(report)
        ],
        expendable=("of all", "share", "by", "95 % interval"),
    )  # fmt: skip
    for sentence in (words.left_out(report), words.summary(report), *report.caveats):
        if sentence:
            say(sentence)


def _estimated(estimate: Estimate | None) -> tuple[int | None, str | None, str | None]:
    """Estimate, interval and the share that is unseen."""
    from pleiades_core.reports.coverage_text import interval

    return (round(estimate.total), interval(estimate), _percent(estimate.unseen_share)) if estimate else (None, None, None)


def _percent(share: float) -> str:
    return f"{share:.1%}"
