"""The ledger against its rule and against the simulator's own count: pools, projects, wrong limits, midnights, restarts.

What the ledger grants is charged to the simulator's quota book at once, which counts as YouTube does and knows the true limits.
The model of the ledger is the pure rule of shares.py over accounts kept here; the statement in SQL has to agree with it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import cast

import orjson
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from pleiades_core.clock import ManualClock, pacific_day, quota_resets_at
from pleiades_core.errors import QuotaExhausted
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.simulator.api.error_bodies import Refusal
from pleiades_core.simulator.api.quota import QuotaBook, SimulatedKey
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.parse import parse_error
from pleiades_core.youtube.quota import DEFAULT_LIMITS, TOLD_FOR_DAYS, Ledger, Reservation
from pleiades_core.youtube.shares import POOLS, Elapsed, QuotaAccount, free_for, lapses, set_aside, weights

#: What the ledger believes until it is told otherwise, where the settings name limits; else DEFAULT_LIMITS.
LIMITS: dict[str, int] = {Bucket.SEARCH: 20, Bucket.GENERAL: 40}
METHODS = {Bucket.SEARCH: "search.list", Bucket.GENERAL: "videos.list"}
#: The evening before a day of 23 hours, before one of 25, and before an ordinary one.
EVENINGS = [datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 6, 1, 6, tzinfo=UTC)]
MOST_WANTED = 25

_machines = itertools.count()
Key = tuple[str, Bucket, date]


class LedgerMachine(RuleBasedStateMachine):
    """The ledger, the rule's accounts and the simulator's quota book side by side; `teardown` compares the three."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        number = next(_machines)
        # One project for every pool, one whose keys only hunt.
        self.pools_of = {f"all{number}": POOLS, f"hunt{number}": frozenset({QuotaPool.HUNTING})}
        self.projects = list(self.pools_of)
        self.accounts: dict[Key, QuotaAccount] = {}
        self.held: list[Reservation] = []
        self.granted: Counter[Key] = Counter()
        self.given_back: Counter[Key] = Counter()
        self.sent: Counter[Key] = Counter()
        self.refused: Counter[Key] = Counter()
        #: What the API named, by day.
        self.told: dict[Key, int] = {}

    @initialize(
        evening=st.sampled_from(EVENINGS),
        search=st.sampled_from([0, 7, 20, 30]),
        general=st.sampled_from([25, 40]),
        granted=st.booleans(),
    )
    def begin(self, evening: datetime, search: int, general: int, granted: bool) -> None:
        """The true limits are the API's affair: they may be fewer than believed, or none."""
        self.clock = ManualClock(evening)
        self.limits: dict[str, dict[str, int]] = dict.fromkeys(self.projects, LIMITS) if granted else {}
        self.truth: dict[str, int] = {Bucket.SEARCH: search, Bucket.GENERAL: general}
        self.book = QuotaBook([SimulatedKey(key=name, project=name, limits=dict(self.truth)) for name in self.projects])
        self.restart()

    @rule()
    def restart(self) -> None:
        """A new process knows what the database knows."""
        self.ledger = Ledger(self.database, self.clock, self.limits, self.pools_of)

    @rule(
        place=st.integers(0, 1),
        bucket=st.sampled_from([Bucket.SEARCH, Bucket.GENERAL]),
        pool=st.sampled_from(QuotaPool),
        units=st.integers(0, MOST_WANTED),
    )
    def debit(self, place: int, bucket: Bucket, pool: QuotaPool, units: int) -> None:
        """The ledger grants a debit exactly when the rule does."""
        key = self.key(place, bucket)
        possible = units <= self.free(key, pool)
        assert self.ledger.debit(*key[:2], pool, units) == possible
        self.write(key, pool, units if possible else None)
        self.send(key, units if possible else 0)

    @rule(
        place=st.integers(0, 1),
        bucket=st.sampled_from([Bucket.SEARCH, Bucket.GENERAL]),
        pool=st.sampled_from(QuotaPool),
        units=st.integers(0, MOST_WANTED),
    )
    def reserve(self, place: int, bucket: Bucket, pool: QuotaPool, units: int) -> None:
        """The ledger reserves as many units as the rule leaves, and no more."""
        key = self.key(place, bucket)
        possible = min(units, self.free(key, pool))
        with self.database.transaction() as connection:
            reservation = self.ledger.reserve(connection, *key[:2], pool, units)
        assert (reservation.units, reservation.quota_day) == (possible, self.day)
        self.write(key, pool, possible)
        self.held.append(reservation)

    @rule(place=st.integers(0, 1), bucket=st.sampled_from([Bucket.SEARCH, Bucket.GENERAL]), pool=st.sampled_from(QuotaPool))
    def connection_refused(self, place: int, bucket: Bucket, pool: QuotaPool) -> None:
        """A call that was paid for never left: its unit can be had again, and nothing else can."""
        key = self.key(place, bucket)
        possible = self.free(key, pool) > 0
        assert self.ledger.debit(*key[:2], pool) == possible
        self.write(key, pool, 1 if possible else None)
        if possible:
            self.ledger.give_back(*key[:2], pool, now=self.clock.now())
            self.unwrite(key, pool, 1)

    @precondition(lambda self: self.held)
    @rule(uses=st.integers(0, MOST_WANTED), unsent=st.integers(0, 3))
    def use_and_settle(self, uses: int, unsent: int) -> None:
        """Calls of the day it was reserved on use it; the rest goes back to the pool and the day it came from."""
        reservation = self.held.pop(0)
        key = (reservation.project, reservation.bucket, reservation.quota_day)
        uses = uses if reservation.quota_day == self.day and not self.accounts[key].exhausted else 0
        used = sum(reservation.take() for _ in range(uses))
        used -= sum(reservation.put_back() for _ in range(min(unsent, used)))
        self.send(key, used)
        with self.database.transaction() as connection:
            self.ledger.settle(connection, reservation)
        assert not reservation.take()
        assert not reservation.put_back()
        self.unwrite(key, reservation.pool, reservation.units - used)

    @rule(place=st.integers(0, 1), bucket=st.sampled_from([Bucket.SEARCH, Bucket.GENERAL]))
    def somebody_else_calls(self, place: int, bucket: Bucket) -> None:
        """With a key of the same project, unseen by the ledger."""
        key = self.key(place, bucket)
        self.charge(key)
        self.sent[key] -= 1

    @rule(minutes=st.sampled_from([1, 50, 300, 720, 1_500, 3 * 1_440, 7 * 1_440]))
    def time_passes(self, minutes: int) -> None:
        """The clock moves on, over midnights and changes of summer time too."""
        self.clock.advance(timedelta(minutes=minutes))

    @rule()
    def everything_set_aside_can_be_had(self) -> None:
        """By looking alone; taking it is what `debit` is for."""
        for place, bucket in itertools.product((0, 1), (Bucket.SEARCH, Bucket.GENERAL)):
            project, _, _ = key = self.key(place, bucket)
            account, shares = self.account(key), weights(bucket, self.pools_of[project])
            kept = set_aside(account, shares, Elapsed.at(self.clock.now()))
            assert sum(kept.values()) <= account.left or account.exhausted
            for pool in QuotaPool:
                free = self.ledger.left(project, bucket, pool)
                assert free == self.free(key, pool)
                assert free >= min(kept.get(pool, 0), account.left)
            assert self.ledger.left(project, bucket) == account.left
            assert self.ledger.limit(project, bucket) == account.limit

    def teardown(self) -> None:
        """The last word has the simulator's count."""
        if not hasattr(self, "book"):
            return
        for row in self.ledger.rows():
            if row.project in self.projects:
                account = self.accounts[row.project, row.bucket, row.quota_day]
                assert (row.spent, row.left, row.limit) == (account.spent, account.left, account.limit)
                assert row.spent == sum(row.spent_by.values())
        for key, units in self.granted.items():
            assert units - self.given_back[key] <= self.believed(key)
            assert self.sent[key] <= units - self.given_back[key]
        # After the first refusal nothing was sent, so whatever the truth was, it was run into once a day at most.
        assert all(refused <= 1 for refused in self.refused.values())
        # No quota at all is heard of once a week, unless a person says otherwise.
        if not self.limits and not self.truth[Bucket.SEARCH]:
            for project in self.projects:
                heard = sorted(day for name, bucket, day in self.refused if (name, bucket) == (project, Bucket.SEARCH))
                assert all((later - earlier).days >= TOLD_FOR_DAYS for earlier, later in itertools.pairwise(heard))
        counted = self.book.ledger()["calls"]
        assert all(row["units"] <= self.truth[row["bucket"]] for row in counted)

    @property
    def day(self) -> date:
        """The quota day of the clock: the date in California."""
        return pacific_day(self.clock.now())

    def key(self, place: int, bucket: Bucket) -> Key:
        """Today's account of one of the two projects."""
        return self.projects[place], bucket, self.day

    def believed(self, key: Key) -> int:
        """The limit of a day before the API names one on that day itself."""
        project, bucket, day = key
        if self.limits:
            return LIMITS[bucket]
        for days in range(1, TOLD_FOR_DAYS):
            limit = self.told.get((project, bucket, day - timedelta(days=days)))
            if limit is not None:
                return limit
        return DEFAULT_LIMITS[bucket]

    def account(self, key: Key) -> QuotaAccount:
        """What the model holds of an account; an untouched one has its full limit."""
        return self.accounts.get(key, QuotaAccount(limit=self.believed(key), spent=0, by_pool={}, lapsed={}))

    def free(self, key: Key, pool: QuotaPool) -> int:
        """Units that the rule leaves to a pool at this moment."""
        return free_for(pool, self.account(key), weights(key[1], self.pools_of[key[0]]), Elapsed.at(self.clock.now()))

    def write(self, key: Key, pool: QuotaPool, units: int | None) -> None:
        """Units granted to a pool; None: refused, which writes nothing but an empty row."""
        account = self.account(key)
        if units is not None:
            shares = weights(key[1], self.pools_of[key[0]])
            account = replace(
                account,
                spent=account.spent + units,
                by_pool={**account.by_pool, pool: account.by_pool.get(pool, 0) + units},
                lapsed=lapses(account, shares, Elapsed.at(self.clock.now())),
            )
            self.granted[key] += units
        self.accounts[key] = account

    def unwrite(self, key: Key, pool: QuotaPool, units: int) -> None:
        """Units given back to the pool and the day they came from."""
        account = self.accounts[key]
        by_pool = {**account.by_pool, pool: account.by_pool.get(pool, 0) - units}
        self.accounts[key] = replace(account, spent=account.spent - units, by_pool=by_pool)
        self.given_back[key] += units

    def send(self, key: Key, calls: int) -> None:
        """Calls that were paid for; a caller stops at the first verdict."""
        for _ in range(calls):
            refusal = self.charge(key)
            if refusal is not None:
                self.refused[key] += 1
                self.ledger.mark_exhausted(*key[:2], refusal.limit)
                if refusal.limit is not None:
                    self.told[key] = refusal.limit
                told = self.accounts[key].limit if refusal.limit is None else refusal.limit
                self.accounts[key] = replace(self.accounts[key], exhausted=True, limit=told)
                return

    def charge(self, key: Key) -> QuotaExhausted | None:
        """One call at the simulator: the verdict when the bucket is spent there."""
        self.sent[key] += 1
        now = self.clock.now()
        try:
            self.book.charge(key[0], METHODS[key[1]], now)
        except Refusal as refusal:
            body = orjson.dumps(refusal.body)
            error = parse_error(refusal.status, {}, body, project=key[0], bucket=key[1], now=now)
            assert isinstance(error, QuotaExhausted)
            assert error.resets_at == quota_resets_at(now)
            return error
        return None


@pytest.mark.parametrize("runs", [300, pytest.param(1_000, marks=pytest.mark.sweep)])
def test_the_ledger_follows_its_rule_and_the_simulator_never_counts_more(database: Database, runs: int) -> None:
    """Never overspent, never refused while the rule allows, and every pool can always reach what is set aside for it."""
    machines: list[LedgerMachine] = []

    def new_machine() -> LedgerMachine:
        machines.append(LedgerMachine(database))
        return machines[-1]

    # Without shrinking, which takes minutes here: fourteen steps can be read as they are.
    phases = (Phase.explicit, Phase.generate)
    run_state_machine_as_test(
        cast("type[RuleBasedStateMachine]", new_machine),
        settings=settings(max_examples=runs, stateful_step_count=14, deadline=None, database=None, phases=phases),
    )
    assert len(machines) >= runs
