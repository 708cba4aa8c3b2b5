"""The survey: everything that a forecast starts from, read once.

Belongs here: the queries of planner.sql and what their rows mean. Does not belong here: any forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pleiades_core.discover.admission.claims import waiting
from pleiades_core.discover.search_queue.campaigns import PAGES_A_CELL, open_ones
from pleiades_core.discover.search_queue.campaigns import campaigns as known_campaigns
from pleiades_core.discover.search_queue.terms import usable
from pleiades_core.discover.sources import SOURCES
from pleiades_core.discover.sources.charts import A_CHART
from pleiades_core.models import Tier
from pleiades_core.planner.allocation import Discovery
from pleiades_core.planner.forecast import Arrival, Watched
from pleiades_core.reports.sources import channels_state
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.watchlist.cadence import TIERS

#: Future finds are assumed to be like the finds of this time.
LOOK_BACK = timedelta(days=7)
#: In its first day an installation finds older videos, and follows few channels. That day is left out as soon as half another
#: day has passed; until then the forecast is based on it.
_FIRST_DAY, _ENOUGH = timedelta(days=1), timedelta(hours=12)
_SQL = load_queries("planner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The facts that a forecast starts from."""

    at: datetime
    watched: tuple[Watched, ...]
    #: New watched videos in a day.
    arrivals: tuple[Arrival, ...]
    discovery: Discovery
    #: The time whose finds the forecast is based on.
    seen_over: timedelta

    @property
    def videos(self) -> int:
        """Videos that are watched now."""
        return sum(group.videos for group in self.watched)

    @property
    def by_tier(self) -> dict[Tier, int]:
        """Videos that are watched now, by tier."""
        return {tier: sum(group.videos for group in self.watched if group.tier is tier) for tier in Tier}


def survey(database: Database, settings: Settings, now: datetime, first: datetime) -> Survey:
    """Read the watchlist, recent finds, and the work that the sources have before them.

    Args:
        database: has all of it.
        settings: of discovery.
        now: the present instant.
        first: the beginning of the present hour.

    Returns:
        The facts.
    """
    parameters = {**TIERS.parameters(), "now": now, "first": first, "tick": TIERS.tick(Tier.HOURLY)}
    parameters["named"] = SOURCES["added"].bit
    parameters["oldest_h"] = round(TIERS.daily_below / timedelta(hours=1)) + 1
    with database.transaction() as connection:
        began = connection.execute(_SQL.first_found).fetchone()
        parameters["since"], seen_over = looking_back(now, began[0] if began else None)
        watched = connection.execute(_SQL.watched, parameters).fetchall()
        found = connection.execute(_SQL.found, parameters).fetchall()
        spent = connection.execute(_SQL.spent, parameters).fetchone()
        terms = connection.execute(_SQL.terms, {"seeds": usable(settings.discovery.seed_terms)}).fetchone()
        campaigns = open_ones(known_campaigns(connection))
    days = seen_over / timedelta(days=1)
    return Survey(
        at=now,
        watched=tuple(
            Watched(age_h=age_h, tier=Tier(tier), due_h=due_h, missing=missing, tick=tick, videos=videos)
            for age_h, tier, due_h, missing, tick, videos in watched
        ),
        arrivals=tuple(Arrival(age_h=age_h, a_day=kept / days) for age_h, _, kept in found if kept),
        discovery=Discovery(
            found_a_day=sum(row[1] for row in found) / days,
            channels=channels_state(database, now),
            uploads_a_day=(spent[0] if spent else 0) / days,
            terms=terms[0] if terms else 0,
            chart_regions=len(settings.discovery.chart_regions),
            searches_per_hunt=settings.discovery.searches_per_hunt,
            uploads_per_hunt=settings.discovery.uploads_per_hunt,
            campaign_pages=sum(campaign.cells_left * PAGES_A_CELL - campaign.pages for campaign in campaigns),
            units_a_chart=min(A_CHART, spent[1]) if spent and spent[1] else A_CHART,
            to_describe=waiting(database),
        ),
        seen_over=seen_over,
    )


def looking_back(now: datetime, began: datetime | None) -> tuple[datetime, timedelta]:
    """The instant from which finds count, and the time since. `began`: when the installation found its first video."""
    if began is None or now - began >= LOOK_BACK + _FIRST_DAY:
        return now - LOOK_BACK, LOOK_BACK
    if now - began >= _FIRST_DAY + _ENOUGH:
        return began + _FIRST_DAY, now - began - _FIRST_DAY
    return now - LOOK_BACK, max(_FIRST_DAY, now - began)
