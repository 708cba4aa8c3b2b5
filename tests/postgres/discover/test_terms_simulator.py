"""Search, snowball and archeology against the simulator, and the commands that show them."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pleiades_core.discover.search_queue import campaigns, terms
from pleiades_core.discover.search_queue.rewards import rescore
from pleiades_core.discover.sources.past_search import past_search
from pleiades_core.discover.sources.search import search
from pleiades_core.errors import NotFound, PleiadesError, UsageError
from pleiades_core.installation import Installation
from pleiades_dagster.cli import app

WINDOW = timedelta(days=7)


def _rng() -> random.Random:
    return random.Random(1)  # noqa: S311  tests must be repeatable


def test_search_and_archeology_bring_videos_and_are_billed_to_their_pools(pleiades: Installation) -> None:
    database, youtube, now = pleiades.database, pleiades.youtube(), pleiades.clock.now()
    last = now.date().replace(day=1) - timedelta(days=1)
    with database.transaction() as connection:
        terms.seed(connection, pleiades.settings.discovery.seed_terms)
        campaigns.add(connection, "past", last - timedelta(days=31), last, [20], now=now)
    found = list(search(database, youtube, now=now, pages=3, window=WINDOW, rng=_rng()))
    assert len(found) == 3
    assert all(one.published_at and now - WINDOW <= one.published_at <= now for find in found for one in find.candidates)
    dug = list(past_search(database, youtube, now=now, pages=2))
    assert len(dug) == 2
    assert {candidate.published_at.month for candidate in dug[0].candidates if candidate.published_at} == {last.month}
    with database.transaction() as connection:
        spent = connection.execute(
            "select sum(spent), sum(spent) filter (where pool = 'hunting'), sum(spent) filter (where pool = 'archeology')"
            " from quota_pool_usage where bucket = 'search'"
        ).fetchone()
    assert spent == (5, 3, 2)


def test_a_hunt_feeds_the_queue_and_notes_its_requests(pleiades: Installation) -> None:
    with pleiades.database.transaction() as connection:
        terms.seed(connection, pleiades.settings.discovery.seed_terms)
    report = pleiades.hunter().hunt()
    now = pleiades.clock.now()
    assert report.admitted > 0
    with pleiades.database.transaction() as connection:
        queue = terms.queued(connection, now)
    assert sum(one.requests for one in queue) == pytest.approx(report.sources["search"].targets)
    assert sum(one.reward for one in queue) > 0
    assert len(queue) > len(pleiades.settings.discovery.seed_terms)
    assert max(one.mentions for one in queue) >= 1
    said = rescore(pleiades.database, pleiades.vault, now)
    assert said.terms == report.sources["search"].targets
    with pleiades.database.transaction() as connection:
        again = {one.term: one for one in terms.queued(connection, now)}
    assert all(again[one.term].reward == pytest.approx(one.reward, abs=0.05) for one in queue)


@pytest.fixture
def home(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name in ("PLEIADES_HOME", "YOUTUBE_API_KEY_POOL_JSON"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home" / "vault").mkdir(parents=True)
    return tmp_path / "home"


def _run(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["--home", str(home), *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_terms_are_listed_and_added(home: Path) -> None:
    assert json.loads(_run(home, "terms", "list", "--json")) == {"total": 0, "terms": []}
    added = json.loads(_run(home, "terms", "add", "lofi", "--priority", "7", "--json"))
    assert (added["term"], added["priority"]) == ("lofi", 7)
    _run(home, "terms", "add", "jazz")
    listed = json.loads(_run(home, "terms", "list", "--limit", "1", "--json"))
    assert (listed["total"], [one["term"] for one in listed["terms"]]) == (2, ["lofi"])
    assert "lofi" in _run(home, "terms", "list")
    with pytest.raises(UsageError):
        _run(home, "terms", "add", " ")


def test_campaigns_are_added_listed_and_removed(home: Path) -> None:
    said = json.loads(
        _run(home, "campaign", "add", "old", "--from", "2019-01", "--to", "2019-12", "--category", "10", "--json")
    )
    assert said == {"name": "old", "cells": 12, "searches_at_most": 120}
    (listed,) = json.loads(_run(home, "campaign", "list", "--json"))["campaigns"]
    assert (listed["first_month"], listed["last_month"]) == ("2019-01", "2019-12")
    assert (listed["cell"], listed["cells_left"], listed["finished_at"]) == ("2019-12/10", 12, None)
    assert "2019-12/10" in _run(home, "campaign", "list")
    _run(home, "campaign", "remove", "old")
    assert json.loads(_run(home, "campaign", "list", "--json")) == {"campaigns": []}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("campaign", "remove", "none"), NotFound),
        (("campaign", "add", "x", "--from", "2019", "--to", "2019-02"), UsageError),
        (("campaign", "add", "x", "--from", "2019-03", "--to", "2019-02"), UsageError),
        (("campaign", "add", "x", "--from", "2019-13", "--to", "2020-01"), UsageError),
    ],
)
def test_a_mistake_is_explained(home: Path, arguments: tuple[str, ...], error: type[PleiadesError]) -> None:
    with pytest.raises(error) as raised:
        _run(home, *arguments)
    assert raised.value.cure
