"""Forecast and budget on hand-made surveys: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pleiades_core.models import Bucket, QuotaPool, Tier
from pleiades_core.planner import allocation, forecast
from pleiades_core.planner.allocation import Backlog, Budget, Demand, Discovery
from pleiades_core.planner.forecast import Arrival, Watched, horizon
from pleiades_core.planner.plan import make_plan, supposing
from pleiades_core.planner.report import Plan
from pleiades_core.planner.survey import Survey, looking_back
from pleiades_core.reports.sources import ChannelsState
from pleiades_core.youtube.shares import POOLS

#: One hour into a Pacific day.
NOW = datetime(2026, 3, 1, 9, 20, tzinfo=UTC)
NOBODY = ChannelsState(
    followed=0, push_live=0, feeds_failing=0, feeds_only=0, unanswered=0, lists_a_day=0, waiting=0, waiting_pages=0,
    uploads_a_day=0,
)  # fmt: skip
QUIET = Discovery(
    found_a_day=0,
    channels=NOBODY,
    uploads_a_day=0,
    terms=0,
    chart_regions=0,
    searches_per_hunt=8,
    uploads_per_hunt=500,
    campaign_pages=0,
)


def stands(*watched: Watched, arrivals: tuple[Arrival, ...] = (), discovery: Discovery = QUIET) -> Survey:
    return Survey(at=NOW, watched=watched, arrivals=arrivals, discovery=discovery, seen_over=timedelta(days=7))


def fresh(videos: int) -> Watched:
    return Watched(age_h=0, tier=Tier.HOURLY, due_h=0, missing=False, videos=videos)


def planned(survey: Survey, *, days: int = 30, projects: int = 1, when_full: str = "sample") -> Plan:
    names = {f"p{number}": POOLS for number in range(projects)}
    return make_plan(survey, horizon(NOW, days), names, {}, when_full)


def test_a_horizon_ends_with_quota_days_of_their_own_length() -> None:
    """8 March 2026 has 23 hours in the Pacific zone, 1 November 25."""
    spring = horizon(NOW, 8)
    assert [until - begin for begin, until in spring.spans] == [23, 24, 24, 24, 24, 24, 24, 23, 24]
    autumn = horizon(datetime(2026, 10, 31, 7, tzinfo=UTC), 1)
    assert [until - begin for begin, until in autumn.spans] == [24, 25]
    assert spring.hours == sum(until - begin for begin, until in spring.spans)


def test_a_video_goes_through_its_tiers() -> None:
    """24 polls in its first day, then 6 daily ones, then one a week."""
    asked = forecast.of_watched([fresh(1)], 24 * 35)
    assert asked[Tier.HOURLY].sum() == 24 + 1  # the last one finds it a day old
    assert asked[Tier.DAILY].sum() == 6
    assert list(asked[Tier.WEEKLY].nonzero()[0]) == [(24 + 6 * 24) + 168 * week for week in (1, 2, 3)]


def test_a_missing_video_stays_weekly() -> None:
    asked = forecast.of_watched([Watched(age_h=2, tier=Tier.WEEKLY, due_h=5, missing=True, videos=3)], 24 * 15)
    assert asked[Tier.HOURLY].sum() == 0
    assert list(asked[Tier.WEEKLY].nonzero()[0]) == [5, 5 + 168, 5 + 336]


def test_arrivals_are_as_many_each_hour_and_pile_up() -> None:
    asked = forecast.of_arrivals([Arrival(age_h=0, a_day=24)], 24 * 3)
    assert asked[Tier.HOURLY][0] == 0
    assert asked[Tier.HOURLY][1] == 1
    assert asked[Tier.HOURLY][40] == pytest.approx(24)
    assert forecast.of_arrivals([Arrival(age_h=9_000, a_day=24)], 24 * 3)[Tier.WEEKLY].sum() == 0


def test_units_are_full_calls_and_one_that_is_not() -> None:
    asked = {tier: forecast.nothing(12) for tier in Tier}
    asked[Tier.HOURLY][:] = [101, 50, 1, 0.25, *[0] * 8]
    asked[Tier.WEEKLY][:] = [10] * 12
    assert forecast.units(asked, [1.0]).sum() == pytest.approx(3 + 1 + 1 + 0.25 + 2 + 2)


@pytest.mark.parametrize(
    ("ticks", "units"), [((0, 0, 0, 0), 24), ((0, 1, 2, 3), 96), ((0, 0, 0, 3), 48)], ids=["one hunt", "all quarters", "two"]
)
def test_a_small_watchlist_costs_a_call_for_each_tick_that_its_videos_are_polled_in(ticks: tuple[int, ...], units: int) -> None:
    """48 videos are one call an hour when they are due together, and four when they are not."""
    watched = [replace(fresh(12), tick=tick) for tick in ticks]
    asked = {tier: forecast.nothing(24) for tier in Tier}
    asked[Tier.HOURLY][:] = 48
    assert forecast.units(asked, forecast.spread(watched)).sum() == pytest.approx(units)


def test_where_nothing_is_polled_hourly_one_hunt_an_hour_brings_what_will_be() -> None:
    assert forecast.spread([]) == [1.0]
    assert forecast.spread([Watched(age_h=50, tier=Tier.DAILY, due_h=5, missing=False, videos=3)]) == [1.0]


def test_a_small_watchlist_fits_and_says_so() -> None:
    plan = planned(stands(fresh(1_000), arrivals=(Arrival(age_h=0, a_day=1_000),)))
    assert plan.fits
    assert plan.watched == 1_000
    stats = next(verdict for verdict in plan.verdicts if verdict.bucket == "stats")
    assert stats.text.startswith("stats: fits; ")
    assert "of 10,000 units on the busiest day (20" in stats.text
    assert plan.most_watched_a_day is not None
    assert 14_000 < plan.most_watched_a_day < 20_833


def test_too_many_new_videos_starve_tracking_and_the_plan_knows_how_many_fit() -> None:
    crowded = supposing(stands(), 100_000)
    plan = planned(crowded)
    first = plan.starved[0]
    assert (first.consumer, first.bucket, first.day) == ("tracking", "stats", date(2026, 3, 1))
    assert plan.most_watched_a_day is not None
    assert f"at most {plan.most_watched_a_day:,} of 100,000" in first.help
    assert not planned(supposing(crowded, plan.most_watched_a_day)).starved
    assert planned(supposing(crowded, plan.most_watched_a_day * 1.02)).starved


def test_a_second_project_doubles_what_fits() -> None:
    one, two = (planned(supposing(stands(), 100_000), projects=number).most_watched_a_day for number in (1, 2))
    assert one is not None
    assert two == pytest.approx(2 * one, rel=0.01)


@pytest.mark.parametrize("when_full", ["sample", "refuse", "admit"])
def test_help_names_the_setting(when_full: str) -> None:
    plan = planned(supposing(stands(), 100_000), when_full=when_full)
    assert f"PLEIADES_DISCOVERY_WHEN_FULL={when_full}" in plan.starved[0].help


def test_what_is_overdue_on_the_first_day_alone_asks_for_no_setting() -> None:
    """600,000 weekly videos that are all due now take a day more than there is; from the next on there is room."""
    overdue = Watched(age_h=300, tier=Tier.WEEKLY, due_h=0, missing=False, videos=600_000)
    plan = planned(supposing(stands(overdue), 1_000), days=3, when_full="refuse")
    assert [one.consumer for one in plan.starved] == ["tracking"]
    assert "polled late" in plan.starved[0].help
    assert "PLEIADES_DISCOVERY_WHEN_FULL" not in plan.starved[0].help


def test_lists_starve_where_no_feed_answers() -> None:
    many = replace(NOBODY, followed=50_000, unanswered=50_000, lists_a_day=19_673.0)
    plan = planned(stands(discovery=replace(QUIET, channels=many, found_a_day=40_000, chart_regions=5)))
    assert [one.consumer for one in plan.starved] == ["lists"]
    assert "feeds and push cost no quota" in plan.starved[0].help
    answered = replace(many, unanswered=0, lists_a_day=0, feeds_only=50_000)
    assert planned(stands(discovery=replace(QUIET, channels=answered, found_a_day=40_000, chart_regions=5))).fits


def test_lists_are_expected_to_take_what_they_took_and_nobody_starves_for_it() -> None:
    plan = planned(stands(discovery=replace(QUIET, uploads_a_day=20_000)))
    assert plan.fits
    general = [row for row in plan.rows if row.bucket == "general"][1]
    assert general.gets["lists"] == 10_000
    assert general.demand["lists"] == 12_000


def test_search_wants_more_than_there_is_and_nobody_starves() -> None:
    plan = planned(stands(discovery=replace(QUIET, terms=20, campaign_pages=1_000)))
    assert plan.fits
    search = next(verdict for verdict in plan.verdicts if verdict.bucket == "search")
    assert "fits; 100 of 100 units" in search.text
    assert "the most promising requests go first" in search.text
    tomorrow = [row for row in plan.rows if row.bucket == "search"][1]
    assert (tomorrow.gets["searches"], tomorrow.gets["archeology"]) == (80, 20)


def test_a_campaign_ends() -> None:
    rows = [row for row in planned(stands(discovery=replace(QUIET, campaign_pages=250))).rows if row.bucket == "search"]
    assert [row.gets["archeology"] for row in rows[:4]] == [100, 100, 50, 0]


def test_a_told_limit_of_nothing_starves_and_is_named() -> None:
    found = stands(arrivals=(Arrival(age_h=0, a_day=10),))
    plan = make_plan(found, horizon(NOW, 2), {"new": POOLS}, {("new", Bucket.STATS): (0, 0)}, "sample")
    assert [one.consumer for one in plan.starved] == ["tracking"]
    assert plan.starved[0].why == "the limit of the bucket stats is 0 where a key serves the pool tracking"
    assert "ask Google" in plan.starved[0].help


def test_keys_that_only_track_starve_discovery_and_the_plan_says_which_pool_is_missing() -> None:
    wanting = replace(QUIET, found_a_day=1_000, chart_regions=5, terms=10, campaign_pages=50)
    plan = make_plan(
        stands(fresh(10), discovery=wanting), horizon(NOW, 2), {"p": frozenset({QuotaPool.TRACKING})}, {}, "sample"
    )
    starved = {one.consumer: one for one in plan.starved}
    assert set(starved) == {"details", "charts", "searches", "archeology"}
    for one in starved.values():
        pool = QuotaPool.ARCHEOLOGY if one.consumer == "archeology" else QuotaPool.HUNTING
        assert one.why == f"no key in use serves the pool {pool}"
        assert one.help == f"add {pool!r} to the pools of a key in YOUTUBE_API_KEY_POOL_JSON"
        assert (one.gets, one.needs > 0) == (0, True)
    verdicts = {one.bucket: one for one in plan.verdicts}
    assert {bucket: one.fits for bucket, one in verdicts.items()} == {"search": False, "stats": True, "general": False}
    assert "10,000 units, 138 needed (details lacks 23, charts lacks 115)" in verdicts[Bucket.GENERAL].text
    assert "keys in use may not spend them" in verdicts[Bucket.GENERAL].text


def test_searches_starve_where_a_day_has_none_and_wait_where_todays_are_spent() -> None:
    searching = stands(discovery=replace(QUIET, terms=10, campaign_pages=50))
    none = make_plan(searching, horizon(NOW, 2), {"p": POOLS}, {("p", Bucket.SEARCH): (0, 0)}, "sample")
    assert {one.consumer: one.why.split(" where")[0] for one in none.starved} == {
        "searches": "the limit of the bucket search is 0", "archeology": "the limit of the bucket search is 0",
    }  # fmt: skip
    assert make_plan(searching, horizon(NOW, 2), {"p": POOLS}, {("p", Bucket.SEARCH): (100, 0)}, "sample").fits


def test_todays_spent_units_are_one_reason_and_a_crowd_another() -> None:
    """Both are said where both hold; the help for one is not that for the other."""
    spent = {("p", Bucket.STATS): (10_000, 100)}
    nothing_else = {("p", Bucket.GENERAL): (10_000, 100)}
    today = make_plan(stands(fresh(10_000)), horizon(NOW, 2), {"p": POOLS}, spent | nothing_else, "sample")
    (first,) = today.starved
    assert (first.day, first.why) == (date(2026, 3, 1), "9,900 of today's 10,000 units are spent")
    assert "midnight" in first.help
    crowded = make_plan(supposing(stands(), 20_000), horizon(NOW, 5), {"p": POOLS}, spent, "sample")
    assert [(one.day.day, one.why) for one in crowded.starved] == [
        (1, "9,900 of today's 10,000 units are spent"),
        (4, "there are 10,000 units in all"),
    ]
    assert "PLEIADES_DISCOVERY_WHEN_FULL" in crowded.starved[1].help


def test_what_is_watched_is_polled_with_general_units_where_stats_units_run_out() -> None:
    """As YouTube.stats does; what is new is polled so only where all of it is admitted."""
    small = {("p", Bucket.STATS): (20, 20)}
    new = (Arrival(age_h=0, a_day=500),)

    def made(survey: Survey, when_full: str) -> tuple[Plan, dict[str, float], float]:
        plan = make_plan(survey, horizon(NOW, 1), {"p": POOLS}, small, when_full)
        (_, stats), (_, general) = ([row for row in plan.rows if row.bucket == bucket] for bucket in ("stats", "general"))
        return plan, stats.gets | stats.shortfall, general.gets.get("tracking", 0)

    for when_full in ("sample", "admit"):
        plan, stats, general = made(stands(fresh(2_000)), when_full)
        assert (plan.fits, stats) == (True, {"tracking": 20})
        # 40 calls for the last of the first day's polls, 40 for the first of the daily ones.
        assert general == pytest.approx(60)
    plan, stats, general = made(stands(arrivals=new), "admit")
    assert (plan.fits, stats["tracking"], general > 100) == (True, 20, True)
    plan, stats, general = made(stands(arrivals=new), "sample")
    assert [(one.consumer, one.bucket) for one in plan.starved] == [("tracking", "stats")]
    assert (stats["tracking"] > 100, general) == (True, 0)


def test_tracking_starves_where_general_units_do_not_do_either() -> None:
    none = {("p", bucket): (20, 20) for bucket in (Bucket.STATS, Bucket.GENERAL)}
    (starved,) = make_plan(stands(fresh(10_000)), horizon(NOW, 1), {"p": POOLS}, none, "sample").starved
    assert (starved.consumer, starved.bucket, starved.gets) == ("tracking", "general", 20)
    assert starved.needs > 1_000


def test_what_youtube_says_and_what_was_counted_are_two_things() -> None:
    """It says that the day is spent at 152 units; the plan does not make 10,000 of them."""
    wanting = stands(discovery=replace(QUIET, found_a_day=1_000))
    general = ("p", Bucket.GENERAL)
    names = {"p": POOLS}
    (one,) = make_plan(wanting, horizon(NOW, 1), names, {general: (10_000, 0)}, "sample", refused={general: 152}).starved
    assert one.why == "YouTube says that today's units are spent (152 of 10,000 counted here)"
    assert "midnight" in one.help
    limits = {general: (10_000, 0), ("q", Bucket.GENERAL): (10_000, 5)}
    (one,) = make_plan(
        wanting, horizon(NOW, 1), {**names, "q": POOLS}, limits, "sample", refused={general: 152}
    ).starved  # fmt: skip
    assert one.why == "YouTube says that today's units of p are spent (10,147 of 20,000 counted here)"


def test_what_waits_to_be_described_is_wanted_until_it_is() -> None:
    """5,000 that a day without quota left behind: 100 calls, of which a day with little quota makes 60."""
    left = stands(discovery=replace(QUIET, to_describe=5_000))
    rows = make_plan(left, horizon(NOW, 3), {"p": POOLS}, {("p", Bucket.GENERAL): (60, 60)}, "sample").rows
    assert [row.gets["details"] for row in rows if row.bucket == "general"] == [60, 40, 0, 0]
    assert [row.demand["details"] for row in rows if row.bucket == "general"] == [100, 40, 0, 0]


def test_refused_keys_are_the_reason_where_none_is_left() -> None:
    """What they could not spend is no supply either."""
    wanting = stands(discovery=replace(QUIET, found_a_day=1_000))
    plan = make_plan(wanting, horizon(NOW, 1), {"p": frozenset()}, {}, "sample")
    assert [(one.why, "doctor --call" in one.help) for one in plan.starved] == [("YouTube refused every key", True)]
    assert {row.supply for row in plan.rows} == {0}


def test_the_reason_of_a_shortfall_follows_from_the_numbers() -> None:
    """99 units, of which details take 23: that charts lack 39 is not the doing of details."""
    small = {("p", Bucket.GENERAL): (99, 99)}
    wanting = stands(discovery=replace(QUIET, found_a_day=1_000, chart_regions=5))
    starved = make_plan(wanting, horizon(NOW, 2), {"p": POOLS}, small, "sample").starved
    charts = next(one for one in starved if one.consumer == "charts")
    assert (charts.gets, charts.needs) == (76, 115)
    assert charts.why == "there are 99 units, of which details takes 23"
    assert charts.help == "fewer PLEIADES_DISCOVERY_CHART_REGIONS"


def test_what_is_spent_today_is_there_again_tomorrow() -> None:
    spent = {("p0", Bucket.STATS): (10_000, 0)}
    plan = make_plan(stands(fresh(10)), horizon(NOW, 2), {"p0": POOLS}, spent, "sample")
    supply = [row.supply for row in plan.rows if row.bucket == "stats"]
    assert supply == [0, 10_000, 10_000]
    assert [row.shortfall for row in plan.rows if row.bucket == "stats"][1:] == [{}, {}]


def test_pools_keep_their_share_and_lend_what_they_do_not_use() -> None:
    def demand(consumer: str, pool: QuotaPool, wants: float) -> Demand:
        return Demand(consumer=consumer, bucket=Bucket.SEARCH, pool=pool, wants=wants, needs=0)

    budget = Budget(project="p", bucket=Bucket.SEARCH, units=100, limit=100, pools=POOLS)

    def allocated(budgets: list[Budget]) -> Mapping[str, float]:
        return allocation.allocate(
            [demand("now", QuotaPool.HUNTING, 30), demand("past", QuotaPool.ARCHEOLOGY, 500)], budgets
        ).gets

    both = allocation.allocate([demand("now", QuotaPool.HUNTING, 500), demand("past", QuotaPool.ARCHEOLOGY, 500)], [budget])
    assert both.gets == {"now": 80, "past": 20}
    assert allocated([budget]) == {"now": 30, "past": 70}
    alone = replace(budget, pools=frozenset({QuotaPool.ARCHEOLOGY, QuotaPool.TRACKING}))
    assert allocated([alone]) == {"now": 0, "past": 100}


def test_a_backlog_is_worked_off_by_what_a_day_gives_beyond_its_needs() -> None:
    backlog = Backlog(list_pages=30, campaign_pages=10)
    lists = Demand(consumer="lists", bucket=Bucket.GENERAL, pool=QuotaPool.HUNTING, wants=40, needs=10)
    backlog.reduce([lists], {"lists": 25})
    assert backlog.list_pages == 15
    backlog.reduce([lists], {"lists": 5})
    assert backlog.list_pages == 15


@pytest.mark.parametrize(
    ("age_h", "since_h", "over_h"),
    [(None, 168, 168), (5, 168, 24), (30, 168, 30), (36, 12, 12), (100, 76, 76), (192, 168, 168), (9_000, 168, 168)],
)
def test_the_first_day_of_an_installation_is_no_rule(age_h: int | None, since_h: int, over_h: int) -> None:
    """It finds what had piled up, and follows few channels yet."""
    began = None if age_h is None else NOW - timedelta(hours=age_h)
    assert looking_back(NOW, began) == (NOW - timedelta(hours=since_h), timedelta(hours=over_h))
