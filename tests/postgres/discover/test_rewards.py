"""Rewards of terms, folded from a vault that the test wrote and from table `discovery_requests`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pleiades_core.discover.search_queue import bandit, rewards, terms
from pleiades_core.discover.search_queue.rewards import Rescored, rescore
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database
from pleiades_core.vault import query
from pleiades_core.vault.discovery_requests import export_day, forget_requests
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import REGISTRY, SAMPLES, Dataset
from pleiades_core.vault.vault import Vault, open_vault

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THEN = NOW - 5 * DAY


@dataclass(frozen=True, kw_only=True)
class Video:
    """A video as the test wants it: published and found at once, polled at some ages."""

    source: str
    #: By age in hours.
    views: dict[float, int | None]
    tags: tuple[str, ...] = ()
    found_at: datetime = THEN
    definition: int = 2


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "vault")


def _write(vault: Vault, videos: Sequence[Video], first_vid: int = 1) -> None:
    registry, polls = [], []
    for vid, video in enumerate(videos, first_vid):
        registry.append(
            {
                "vid": vid, "video_id": f"{vid:011d}", "channel_id": "UC", "channel_title": "", "title": "", "description": "",
                "tags": list(video.tags), "category_id": None, "language": None, "duration_s": None, "live": "none",
                "published_at": video.found_at, "discovered_at": video.found_at, "source": video.source, "watched": True,
            }
        )  # fmt: skip
        for age, views in video.views.items():
            at = video.found_at + timedelta(hours=age)
            polls.append({"vid": vid, "polled_at": at, "status": 0, "definition": video.definition, "views": views})
    _batches(vault, REGISTRY, registry, "discovered_at")
    _batches(vault, SAMPLES, polls, "polled_at")


def _batches(vault: Vault, dataset: Dataset, rows: list[dict[str, object]], column: str) -> None:
    days: dict[date, list[dict[str, object]]] = {}
    for row in rows:
        at = row[column]
        assert isinstance(at, datetime)
        days.setdefault(at.date(), []).append({name: row.get(name) for name in dataset.schema.names})
    for day, group in days.items():
        table = pa.Table.from_pylist(group, dataset.schema)
        write_batch(vault, dataset, day, table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())


def _request(database: Database, term: str, new: int, at: datetime = THEN, error: str | None = None) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new, error) "
            "values (%s, 'search', %s, 'search', 1, 50, %s, %s)",
            [at, term, new, error],
        )
        if error is None:
            terms.note_search(connection, term, new=new, now=at)


def _sums(database: Database) -> dict[str, tuple[float, float, float | None]]:
    with database.transaction() as connection:
        rows = connection.execute("select term, requests, reward, prior_mean from search_queue order by term").fetchall()
    return {term: (requests, reward, prior) for term, requests, reward, prior in rows}


def _plain(count: int, source: str = "uploads", views: int = 100, **other: object) -> list[Video]:
    return [Video(source=source, views={48: views + n % 50}, **other) for n in range(count)]  # type: ignore[arg-type]


def _kept(days: float) -> float:
    return bandit.discounted(1.0, NOW - timedelta(days=days), NOW)


def _queue(database: Database, *words: str) -> None:
    with database.transaction() as connection:
        terms.seed(connection, words)


def test_a_term_is_rewarded_for_what_turned_out_viral(database: Database, vault: Vault) -> None:
    _queue(database, "hot", "cold")
    _write(vault, [*_plain(392), *_plain(8, "search:hot", 5_000), *_plain(40, "search:hot"), *_plain(48, "search:cold")])
    _request(database, "hot", 48)
    _request(database, "cold", 48)
    said = rescore(database, vault, NOW)
    assert (said.terms, said.judged, said.viral) == (2, 488, 8)
    assert 149 <= said.marks[2] < 5_000
    sums = _sums(database)
    assert sums["hot"][:2] == pytest.approx((_kept(5), 8 * _kept(5)), rel=1e-4)
    assert sums["cold"][:2] == pytest.approx((_kept(5), 0.0), rel=1e-4)


def test_the_fold_may_be_repeated_and_does_not_need_what_was_summed_up(database: Database, vault: Vault) -> None:
    _queue(database, "hot")
    _write(vault, [*_plain(300), *_plain(5, "search:hot", 5_000)])
    _request(database, "hot", 5)
    first = rescore(database, vault, NOW)
    sums = _sums(database)
    assert rescore(database, vault, NOW) == first
    assert _sums(database) == sums
    with database.transaction() as connection:
        connection.execute("update search_queue set requests = 99, reward = 99")
    rescore(database, vault, NOW)
    assert _sums(database) == sums


def test_requests_count_once_whether_sql_or_the_vault_has_them(database: Database, vault: Vault) -> None:
    _queue(database, "hot")
    _write(vault, [*_plain(300), *_plain(5, "search:hot", 5_000)])
    _request(database, "hot", 5)
    _request(database, "hot", 0, at=THEN + DAY)
    rescore(database, vault, NOW)
    sums = _sums(database)
    for day in (THEN.date(), (THEN + DAY).date()):
        export_day(database, vault, day)
    rescore(database, vault, NOW)
    assert _sums(database) == sums
    assert forget_requests(database, vault, NOW).rows == 2
    rescore(database, vault, NOW)
    assert _sums(database) == sums


def test_what_is_too_young_to_be_judged_is_expected_to_be_like_the_rest_of_its_term(database: Database, vault: Vault) -> None:
    _queue(database, "good", "bad", "new")
    young = {"views": {1: 9}, "found_at": NOW - HOUR}
    _write(
        vault,
        [
            *_plain(600), *_plain(10, "search:good", 9_000), *_plain(40, "search:good"), *_plain(100, "search:bad"),
            *(Video(source=f"search:{term}", **young) for term in ("good", "bad", "new") for _ in range(10)),  # type: ignore[arg-type]
        ],
    )  # fmt: skip
    for term in ("good", "bad"):
        _request(database, term, 50)
    for term in ("good", "bad", "new"):
        _request(database, term, 10, at=NOW - HOUR)
    rescore(database, vault, NOW)
    sums = _sums(database)
    weight = _kept(1 / 24)
    assert sums["new"][1] == pytest.approx(10 * weight * bandit.VIRAL_SHARE, rel=1e-3)
    assert sums["good"][1] - 10 * _kept(5) > 10 * weight * bandit.VIRAL_SHARE > sums["bad"][1] > 0


def test_with_too_little_measured_there_is_no_mark_and_all_is_expectation(database: Database, vault: Vault) -> None:
    _queue(database, "hot")
    _write(vault, [*_plain(rewards.ENOUGH - 20), *_plain(5, "search:hot", 5_000)])
    _request(database, "hot", 5)
    assert rescore(database, vault, NOW) == Rescored(terms=1, priors=0, judged=0, viral=0, marks={})
    assert _sums(database)["hot"][1] == pytest.approx(5 * _kept(5) * bandit.VIRAL_SHARE, rel=1e-4)


def test_no_mark_spans_two_definitions_of_a_view(database: Database, vault: Vault) -> None:
    """The new definition counts ten times as much; a video of the old one is not judged by it."""
    _queue(database, "old")
    _write(
        vault, [*_plain(396), *_plain(4, "search:old", 900), *_plain(400, views=5_000, definition=3)]
    )  # fmt: skip
    _request(database, "old", 4)
    said = rescore(database, vault, NOW)
    assert said.marks[2] < 900 < said.marks[3]
    assert _sums(database)["old"][1] == pytest.approx(4 * _kept(5), rel=1e-4)


def test_views_are_those_nearest_to_48_hours_and_no_others(database: Database, vault: Vault) -> None:
    _queue(database, "t")
    ages: list[dict[float, int | None]] = [
        {47: 900, 52: 10},
        {35: 900, 61: 900},
        {48: None, 50: 900},
        {44: 900, 52: 10},
    ]
    _write(vault, [*_plain(396), *(Video(source="search:t", views=views) for views in ages)])
    _request(database, "t", 4)
    said = rescore(database, vault, NOW)
    assert (said.judged, said.viral) == (399, 3)


def test_outages_and_old_searches_are_no_evidence(database: Database, vault: Vault) -> None:
    """What ended the search of a whole hunt stands with no target, too."""
    _queue(database, "t", "forgotten")
    _request(database, "t", 0, error="503")
    _request(database, "", 0, error="503")
    _request(database, "forgotten", 50, at=NOW - 31 * DAY)
    assert _sums(database)["forgotten"][0] == 1
    rescore(database, vault, NOW)
    assert {term: sums[:2] for term, sums in _sums(database).items()} == {"t": (0, 0), "forgotten": (0, 0)}


def test_a_term_that_only_errs_is_known_to_bring_nothing(database: Database, vault: Vault) -> None:
    """Once, whether SQL or the vault has the request; without it the term would stay unknown, and be tried for ever."""
    _queue(database, "refused")
    _request(database, "refused", 0, error="invalidPageToken")
    rescore(database, vault, NOW)
    sums = _sums(database)
    assert sums["refused"][:2] == pytest.approx((_kept(5), 0), rel=1e-4)
    export_day(database, vault, THEN.date())
    rescore(database, vault, NOW)
    assert _sums(database) == sums
    assert forget_requests(database, vault, NOW).rows == 1
    rescore(database, vault, NOW)
    assert _sums(database) == sums


def test_a_rescore_waits_for_the_hunter_whose_turn_it_is(database: Database, vault: Vault) -> None:
    _queue(database, "t", "u")
    _request(database, "t", 50)
    _request(database, "u", 50)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as hunter:
            lock_discovery(hunter)
            rescoring = pool.submit(rescore, database, vault, NOW)
            with pytest.raises(TimeoutError):
                rescoring.result(timeout=1.5)
            # It has read by now, and would hold the row if it had not waited: then this page would be lost, or both stuck.
            hunter.execute("set local lock_timeout = '2s'")
            terms.note_search(hunter, "t", new=50, now=NOW)
        assert rescoring.result(timeout=30).terms == 1
    assert _sums(database)["t"][0] == pytest.approx(1 + _kept(5))


def test_a_term_that_is_searched_meanwhile_keeps_what_its_search_wrote(
    database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    _queue(database, "t", "u")
    _request(database, "t", 50)
    _request(database, "u", 50)
    asked = query.query

    def slow(*arguments: object, **words: object) -> pa.Table:
        answer = asked(*arguments, **words)  # type: ignore[arg-type]
        _request(database, "t", 50, at=NOW)
        return answer

    monkeypatch.setattr(query, "query", slow)
    assert rescore(database, vault, NOW).terms == 1
    assert _sums(database)["t"][0] == pytest.approx(1 + _kept(5))


def test_a_tag_is_expected_to_bring_what_its_videos_showed(database: Database, vault: Vault) -> None:
    """Its expectation is the yield of the terms that led to its videos, times what it adds, up to four times."""
    _queue(database, "parent", "rising", "dull", "elsewhere", "unseen")
    _write(
        vault,
        [
            *_plain(500), *_plain(60, tags=("elsewhere",)), *_plain(9, "search:parent", 9_000, tags=("Rising ",)),
            *_plain(60, "search:parent", tags=("dull",)),
        ],
    )  # fmt: skip
    _request(database, "parent", 50)
    said = rescore(database, vault, NOW)
    sums = _sums(database)
    assert said.priors == 3
    dull, rising, elsewhere = (sums[term][2] or 0.0 for term in ("dull", "rising", "elsewhere"))
    assert rising == pytest.approx(dull * 4 * 110 / 50)
    assert dull > elsewhere > 0
    assert sums["unseen"][2] is None
    assert sums["rising"][:2] == (0, 0)


def test_an_empty_installation_is_no_harm(database: Database, vault: Vault) -> None:
    assert rescore(database, vault, NOW) == Rescored(terms=0, priors=0, judged=0, viral=0, marks={})
