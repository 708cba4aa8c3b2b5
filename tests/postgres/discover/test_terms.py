"""The search queue on a real server: turns, acknowledgements, evidence, snowball, culling; two hunters at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from support.unmetered import Unmetered

from pleiades_core.discover.admission.claims import note
from pleiades_core.discover.search_queue import bandit, snowball, terms
from pleiades_core.discover.search_queue.bandit import Target
from pleiades_core.discover.search_queue.terms import take_turns
from pleiades_core.discover.sources.base import Find
from pleiades_core.discover.sources.search import search
from pleiades_core.errors import BackendError, BadRequest, QuotaExhausted, UsageError
from pleiades_core.models import Candidate, ChannelId, Counts, Page, VideoDetails, VideoId
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.postgres import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = timedelta(days=7)
HOUR = timedelta(hours=1)


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  tests must be repeatable


def _seed(database: Database, *words: str, priority: int = 0) -> None:
    with database.transaction() as connection:
        terms.seed(connection, words, priority=priority)


def _row(database: Database, term: str) -> dict[str, Any]:
    with database.transaction() as connection:
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        row = cursor.execute("select * from search_queue where term = %s", [term]).fetchone()
    assert row is not None
    return row


def _count(database: Database) -> int:
    with database.transaction() as connection:
        row = connection.execute("select count(*) from search_queue").fetchone()
    assert row is not None
    return int(row[0])


def _details(number: int, tags: Sequence[str], channel: int = 0) -> VideoDetails:
    video_id = VideoId(f"{number:011d}")
    return VideoDetails(
        video_id=video_id, channel_id=ChannelId(f"UC{channel:022d}"), channel_title="c", title="t", description="",
        published_at=NOW, tags=tuple(tags), category_id=10, language=None, duration_s=60, live="none",
        counts=Counts(video_id=video_id, views=1, likes=None, comments=None),
    )  # fmt: skip


class FakeSearch(Unmetered):
    """A search that answers from a script of pages by term, and remembers what it was asked."""

    def __init__(self, script: dict[str, list[Page | Exception]]) -> None:
        self.script = script
        self.asked: list[tuple[str, datetime, str | None]] = []

    def search(self, term: str, /, *, published_after: datetime, page_token: str | None) -> Page:
        """The next answer of the script."""
        self.asked.append((term, published_after, page_token))
        answer = self.script[term].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _page(first: int, count: int, token: str | None = None) -> Page:
    found = tuple(Candidate(video_id=VideoId(f"{n:011d}"), channel_id=None) for n in range(first, first + count))
    return Page(candidates=found, next_page_token=token)


def _search(database: Database, fake: FakeSearch, now: datetime, pages: int = 10) -> list[Find]:
    return list(search(database, fake.as_youtube(), now=now, pages=pages, window=WINDOW, rng=_rng(1)))


def _acknowledge(database: Database, finds: Sequence[Find], now: datetime) -> None:
    with database.transaction() as connection:
        for find in finds:
            find.acknowledge(connection, now)


def test_a_round_goes_on_page_by_page_and_the_next_ends_where_it_began(database: Database) -> None:
    _seed(database, "lofi")
    fake = FakeSearch({"lofi": [_page(0, 50, "P2"), _page(50, 10), _page(60, 5)]})
    first = _search(database, fake, NOW)
    assert [(find.source, find.target, find.name) for find in first] == [("search", "lofi", "search:lofi")]
    _acknowledge(database, first, NOW)
    later = NOW + HOUR
    _acknowledge(database, _search(database, fake, later), later)
    again = later + timedelta(hours=24)
    _acknowledge(database, _search(database, fake, again), again)
    assert fake.asked == [
        ("lofi", NOW - WINDOW, None),
        ("lofi", NOW - WINDOW, "P2"),
        ("lofi", NOW - terms.OVERLAP, None),
    ]
    assert _row(database, "lofi")["found"] == 65


def test_a_round_looks_back_for_what_search_learnt_late(database: Database) -> None:
    """A video may come into the results an hour after it was published, when the round that it belonged to is over."""
    _seed(database, "lofi")
    fake = FakeSearch({"lofi": [_page(0, 1), _page(1, 1)]})
    _acknowledge(database, _search(database, fake, NOW), NOW)
    _search(database, fake, NOW + timedelta(hours=24))
    assert fake.asked[1][1] <= NOW - HOUR


def test_a_page_that_was_never_durable_is_asked_again(database: Database) -> None:
    _seed(database, "lofi")
    fake = FakeSearch({"lofi": [_page(0, 50, "P2"), _page(0, 50, "P2")]})
    _search(database, fake, NOW)
    _search(database, fake, NOW + HOUR)
    assert [token for _, _, token in fake.asked] == [None, None]


@pytest.mark.parametrize(("hours", "token"), [(12, "P2"), (12.01, None)])
def test_a_token_lives_for_twelve_hours(database: Database, hours: float, token: str | None) -> None:
    _seed(database, "lofi")
    fake = FakeSearch({"lofi": [_page(0, 50, "P2"), _page(50, 50)]})
    _acknowledge(database, _search(database, fake, NOW), NOW)
    _search(database, fake, NOW + timedelta(hours=hours))
    assert fake.asked[-1][2] == token


def test_a_term_that_was_read_to_its_end_rests_and_comes_back(database: Database) -> None:
    _seed(database, "lofi")
    _acknowledge(database, _search(database, FakeSearch({"lofi": [_page(0, 3)]}), NOW), NOW)
    assert _search(database, FakeSearch({}), NOW + bandit.REST - timedelta(seconds=1)) == []
    assert _search(database, FakeSearch({"lofi": [_page(3, 1)]}), NOW + bandit.REST) != []


def test_a_refused_term_says_why_and_does_not_stop_the_others(database: Database) -> None:
    _seed(database, "bad", "good")
    fake = FakeSearch({"bad": [BadRequest("invalidPageToken")], "good": [_page(0, 2)]})
    finds = {find.target: find for find in _search(database, fake, NOW)}
    assert finds["bad"].error == "invalidPageToken"
    assert not finds["bad"].candidates
    assert finds["good"].error == ""
    _acknowledge(database, list(finds.values()), NOW)
    assert _row(database, "bad")["searched_until"] is None


def test_an_outage_ends_the_search_after_two_terms_and_another_is_first_next_time(database: Database) -> None:
    _seed(database, "a", "b", "c")
    finds: list[Find] = []
    fake = FakeSearch({term: [BackendError("503")] for term in "abc"})
    with pytest.raises(BackendError):
        finds.extend(search(database, fake.as_youtube(), now=NOW, pages=3, window=WINDOW, rng=_rng(1)))
    broken = {asked[0] for asked in fake.asked}
    assert [find.error for find in finds] == ["503", "503"]
    _acknowledge(database, finds, NOW)
    with database.transaction() as connection:
        turns = take_turns(connection, limit=3, now=NOW + HOUR, window=WINDOW, rng=_rng(1))
    assert {turn.term for turn in turns} == {"a", "b", "c"} - broken


def test_spent_quota_ends_the_search_with_what_was_found(database: Database) -> None:
    _seed(database, "a", "b")
    spent = QuotaExhausted("p", "search", NOW)
    fake = FakeSearch({"a": [_page(0, 1), spent], "b": [_page(0, 1), spent]})
    assert len(_search(database, fake, NOW)) == 2
    finds: list[Find] = []
    with pytest.raises(QuotaExhausted):
        finds.extend(search(database, fake.as_youtube(), now=NOW, pages=2, window=WINDOW, rng=_rng(1)))
    assert finds == []


def test_two_hunters_on_one_term_move_it_once_and_lose_nothing(database: Database) -> None:
    _seed(database, "lofi")
    one = _search(database, FakeSearch({"lofi": [_page(0, 50, "P2")]}), NOW)
    two = _search(database, FakeSearch({"lofi": [_page(0, 50, "P2")]}), NOW)
    _acknowledge(database, one, NOW)
    on = _search(database, FakeSearch({"lofi": [_page(50, 50, "P3")]}), NOW)
    _acknowledge(database, on, NOW)
    _acknowledge(database, two, NOW)
    row = _row(database, "lofi")
    assert (row["next_page_token"], row["found"]) == ("P3", 150)


def test_mentions_and_culls_never_wait(database: Database) -> None:
    """While one transaction holds every row of the queue, feeding in another one returns at once."""
    _seed(database, "a", "b")
    with database.transaction() as holder:
        holder.execute("select * from search_queue for update")
        snowball.feed(holder, [_details(1, ["new term"])], NOW, cap=10)
        with database.transaction() as other:
            other.execute("set local lock_timeout = '2s'")
            fed = snowball.feed(other, [_details(1, ["new term", "a", "bbb"])], NOW, cap=1)
    assert (fed.mentioned, fed.added, fed.culled) == (0, 0, 0)
    assert _row(database, "new term")["mentions"] == 1


def test_a_place_is_noted_also_when_somebody_holds_its_row_at_that_moment(database: Database) -> None:
    """A page that is not noted is asked for again: a search of a hundred, lost."""
    _seed(database, "lofi")
    finds = _search(database, FakeSearch({"lofi": [_page(0, 50, "P2")]}), NOW)

    def take_down() -> None:
        note(database, [find.acknowledge for find in finds], now=NOW)
        with database.transaction() as connection:
            terms.note_search(connection, "lofi", new=5, now=NOW)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as holder:
            holder.execute("select * from search_queue for update")
            noting = pool.submit(take_down)
            # Long enough for somebody who would not wait.
            wait([noting], timeout=1.0)
        noting.result(timeout=30)
    row = _row(database, "lofi")
    assert (row["next_page_token"], row["found"], row["requests"]) == ("P2", 50, 1)


@pytest.mark.parametrize("what", ["seed", "add"])
def test_a_writer_of_the_queue_waits_for_the_lock(database: Database, what: str) -> None:
    def write() -> None:
        with database.transaction() as connection:
            if what == "seed":
                terms.seed(connection, ["lofi"])
            else:
                terms.add(connection, "lofi", priority=1, now=NOW)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as hunter:
            lock_discovery(hunter)
            writing = pool.submit(write)
            with pytest.raises(TimeoutError):
                writing.result(timeout=0.5)
        writing.result(timeout=30)
    assert _count(database) == 1


def test_many_hunters_at_once_leave_a_queue_that_adds_up(database: Database) -> None:
    words = [f"term {n}" for n in range(20)]
    _seed(database, *words)

    def hunt(number: int) -> None:
        rng = _rng(number)
        for turn in range(10):
            now = NOW + timedelta(minutes=turn)
            with database.transaction() as connection:
                turns = take_turns(connection, limit=4, now=now, window=WINDOW, rng=rng)
            with database.transaction() as connection:
                lock_discovery(connection)
                for one in turns:
                    terms.acknowledge(connection, one, next_page_token=str(turn), finished=False, found=1, now=now)
                    terms.note_search(connection, one.term, new=1, now=now)
                tags = [rng.choice(words) for _ in range(5)] + [f"tag {rng.randrange(50)}"]
                snowball.feed(connection, [_details(number, tags)], now, cap=60)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hunt, range(6)))
    assert _count(database) <= 60 + 6
    with database.transaction() as connection:
        assert connection.execute("select count(*) from search_queue where requests < 0 or reward < 0").fetchone() == (0,)


def test_a_request_in_sql_is_the_discount_of_the_bandit(database: Database) -> None:
    _seed(database, "lofi")
    target = Target(term="lofi")
    for days, new in ((0.0, 50), (0.5, 10), (10.25, 0)):
        now = NOW + timedelta(days=days)
        with database.transaction() as connection:
            terms.note_search(connection, "lofi", new=new, now=now)
        target = Target(
            term="lofi", scored_at=now, requests=bandit.discounted(target.requests, target.scored_at, now) + 1,
            reward=bandit.discounted(target.reward, target.scored_at, now) + new * bandit.VIRAL_SHARE,
        )  # fmt: skip
    row = _row(database, "lofi")
    assert (row["requests"], row["reward"]) == pytest.approx((target.requests, target.reward), rel=1e-5)
    assert row["scored_at"] == target.scored_at


def test_a_clock_that_went_backwards_takes_no_evidence_away(database: Database) -> None:
    _seed(database, "lofi")
    with database.transaction() as connection:
        terms.note_search(connection, "lofi", new=50, now=NOW)
        terms.note_search(connection, "lofi", new=50, now=NOW - timedelta(days=3))
    row = _row(database, "lofi")
    assert row["requests"] == pytest.approx(2)
    assert row["scored_at"] == NOW


def test_a_request_of_a_term_that_left_changes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        terms.note_search(connection, "gone", new=3, now=NOW)
    assert _count(database) == 0


def test_a_person_adds_terms_and_their_priority(database: Database) -> None:
    _seed(database, "lofi", "jazz")
    with database.transaction() as connection:
        assert terms.add(connection, "  JaZZ ", priority=5, now=NOW) == "jazz"
        terms.add(connection, "swing", priority=9, now=NOW)
        assert [one.term for one in terms.queued(connection, NOW)] == ["swing", "jazz", "lofi"]
        for text, priority in (("", 0), ("x" * 101, 0), ("a\0b", 0), ("\ud800", 0), ("fine", -1), ("fine", 2_000)):
            with pytest.raises(UsageError):
                terms.add(connection, text, priority=priority, now=NOW)


def test_a_tag_is_one_mention_a_batch_however_many_videos_have_it(database: Database) -> None:
    _seed(database, "lofi")
    batch = [_details(n, ["LoFi", "lofi ", "Ambient  Study"], channel=n) for n in range(30)]
    with database.transaction() as connection:
        assert snowball.feed(connection, batch, NOW, cap=100) == snowball.Fed(offered=2, mentioned=1, added=1, culled=0)
        assert snowball.feed(connection, batch, NOW, cap=100).mentioned == 2
    assert _row(database, "lofi")["mentions"] == 2
    assert _row(database, "ambient study")["mentions"] == 2


def test_mentions_fade_by_half_in_a_fortnight(database: Database) -> None:
    batch = [_details(1, ["ambient"])]
    with database.transaction() as connection:
        for _ in range(8):
            snowball.feed(connection, batch, NOW, cap=100)
        snowball.feed(connection, batch, NOW + bandit.MENTIONS_HALVE, cap=100)
    assert _row(database, "ambient")["mentions"] == 8 / 2 + 1


def test_a_batch_adds_a_bounded_number_of_terms_the_widest_spread_first(database: Database) -> None:
    chatty = [_details(n, [f"only mine {m}" for m in range(300)], channel=1) for n in range(50)]
    shared = [_details(100 + n, ["everybody"], channel=2 + n) for n in range(3)]
    with database.transaction() as connection:
        fed = snowball.feed(connection, chatty + shared, NOW, cap=10_000)
    assert fed.added == snowball.MOST_NEW
    assert _row(database, "everybody")["mentions"] == 1


def test_children_of_a_fruitful_term_start_with_more_credit(database: Database) -> None:
    _seed(database, "rich", "poor")
    with database.transaction() as connection:
        for _ in range(10):
            terms.note_search(connection, "rich", new=50, now=NOW)
            terms.note_search(connection, "poor", new=0, now=NOW)
        found = [_details(1, ["rich child"]), _details(2, ["poor child"]), _details(3, ["orphan"])]
        sources = {found[0].video_id: "search:rich", found[1].video_id: "search:poor", found[2].video_id: "uploads"}
        snowball.feed(connection, found, NOW, cap=100, sources=sources)
        order = [one.term for one in terms.queued(connection, NOW)]
    assert _row(database, "rich child")["prior_mean"] > bandit.USUAL_REWARD > _row(database, "poor child")["prior_mean"]
    assert _row(database, "orphan")["prior_mean"] is None
    assert order.index("rich child") < order.index("orphan") < order.index("poor child")


def test_a_batch_without_tags_is_no_harm(database: Database) -> None:
    with database.transaction() as connection:
        assert snowball.feed(connection, [], NOW, cap=10) == snowball.Fed(offered=0, mentioned=0, added=0, culled=0)


def test_a_hundred_thousand_terms_are_culled_to_the_cap_and_the_right_ones_stay(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into search_queue (term, mentions, mentioned_at, added_at) "
            "select 'term ' || n, 1 + n %% 7, %(now)s, %(now)s from generate_series(1, 100000) n", {"now": NOW},
        )  # fmt: skip
        terms.add(connection, "wanted", priority=1, now=NOW)
        terms.seed(connection, ["rewarded", "barren"])
        for _ in range(3):
            terms.note_search(connection, "rewarded", new=50, now=NOW)
            terms.note_search(connection, "barren", new=0, now=NOW)
    with database.transaction() as connection:
        culled = snowball.cull(connection, NOW, cap=20_000)
    assert culled == 80_003
    assert _count(database) == 20_000
    with database.transaction() as connection:
        left = {row[0] for row in connection.execute("select term from search_queue where term !~ '^term '").fetchall()}
        fewest = connection.execute("select min(mentions) from search_queue where term ~ '^term '").fetchone()
        assert snowball.cull(connection, NOW, cap=20_000) == 0
    assert left == {"wanted", "rewarded"}
    assert fewest == (6,)


def test_what_is_protected_stays_even_beyond_the_cap(database: Database) -> None:
    _seed(database, *(f"wanted {n}" for n in range(5)), priority=1)
    with database.transaction() as connection:
        assert snowball.cull(connection, NOW, cap=2) == 0
    assert _count(database) == 5


def test_the_promise_in_sql_orders_terms_as_the_bandit_does(database: Database) -> None:
    """Culling one by one takes the unprotected terms from the least expected up."""
    rng = _rng(3)
    with database.transaction() as connection:
        for n in range(30):
            connection.execute(
                "insert into search_queue (term, mentions, mentioned_at, requests, reward, scored_at, prior_mean) "
                "values (%s, %s, %s, %s, %s, %s, %s)",
                [
                    f"t{n}", rng.randrange(300), NOW - timedelta(days=rng.random() * 40), rng.random() * 9, rng.random(),
                    NOW - timedelta(days=rng.random() * 40), rng.choice([None, rng.random() * 2]),
                ],
            )  # fmt: skip
        rows = {one.term: one for one in terms.queued(connection, NOW)}
        priors = dict(connection.execute("select term, prior_mean from search_queue").fetchall())
        usual = bandit.usual_reward(
            [Target(term=one.term, requests=one.requests, reward=one.reward) for one in rows.values()], NOW
        )  # fmt: skip
        free = [
            one for one in rows.values()
            if one.reward <= one.requests * (usual if priors[one.term] is None else priors[one.term])
        ]  # fmt: skip
        expected = [one.term for one in sorted(free, key=lambda one: one.expected)]
        left = set(rows)
        for cap in range(len(rows) - 1, len(rows) - len(free) - 1, -1):
            # Without the culled ones the usual reward would be another; only the order within one state is compared.
            connection.execute("savepoint before")
            assert snowball.cull(connection, NOW, cap=cap) == len(rows) - cap
            left = {row[0] for row in connection.execute("select term from search_queue").fetchall()}
            connection.execute("rollback to savepoint before")
            assert left == set(rows) - set(expected[: len(rows) - cap])
