"""The ledger against a model of it: arbitrary debits, reservations, settlements, API verdicts and midnights."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pleiades_core.clock import ManualClock, pacific_day
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.quota import SEARCH, Ledger, Reservation

LIMIT = 20
_projects = itertools.count()


def test_the_ledger_agrees_with_its_model(database: Database) -> None:  # noqa: C901  a machine is many small rules
    """Never more granted than the limit; what was reserved and not used comes back to its own day; a verdict closes the day."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            # Just before midnight in California, on the day before its clocks change: the next day has 23 hours.
            self.clock = ManualClock(datetime(2026, 3, 8, 7, tzinfo=UTC))
            self.ledger = Ledger(database, self.clock, {SEARCH: LIMIT})
            self.project = f"p{next(_projects)}"
            self.spent: dict[date, int] = {}
            self.told: dict[date, int] = {}
            self.exhausted: set[date] = set()
            self.held: list[Reservation] = []

        @property
        def day(self) -> date:
            return pacific_day(self.clock.now())

        def left(self, day: date) -> int:
            return 0 if day in self.exhausted else max(0, self.told.get(day, LIMIT) - self.spent.get(day, 0))

        @rule(units=st.integers(0, LIMIT + 5))
        def debit(self, units: int) -> None:
            known = self.day in self.spent or self.day in self.exhausted
            possible = units <= self.left(self.day) and self.day not in self.exhausted
            assert self.ledger.debit(self.project, SEARCH, units) == possible
            if possible or known:
                self.spent[self.day] = self.spent.get(self.day, 0) + (units if possible else 0)

        @rule(units=st.integers(0, LIMIT + 5))
        def reserve(self, units: int) -> None:
            granted = min(units, self.left(self.day))
            with database.transaction() as connection:
                reservation = self.ledger.reserve(connection, self.project, SEARCH, units)
            assert (reservation.units, reservation.quota_day) == (granted, self.day)
            self.spent[self.day] = self.spent.get(self.day, 0) + granted
            self.held.append(reservation)

        @precondition(lambda self: self.held)
        @rule(uses=st.integers(0, LIMIT))
        def settle(self, uses: int) -> None:
            reservation = self.held.pop(0)
            used = sum(reservation.take() for _ in range(uses))
            assert used == min(uses, reservation.units) == reservation.used
            with database.transaction() as connection:
                self.ledger.settle(connection, reservation)
            assert not reservation.take()
            self.spent[reservation.quota_day] -= reservation.units - used

        @rule(limit=st.none() | st.integers(0, LIMIT))
        def verdict(self, limit: int | None) -> None:
            self.ledger.mark_exhausted(self.project, SEARCH, limit)
            self.exhausted.add(self.day)
            self.spent.setdefault(self.day, 0)
            if limit is not None:
                self.told[self.day] = limit

        @rule(hours=st.integers(0, 25))
        def time_passes(self, hours: int) -> None:
            self.clock.advance(timedelta(hours=hours))

        @invariant()
        def agrees(self) -> None:
            assert self.ledger.left(self.project, SEARCH) == self.left(self.day)
            rows = [row for row in self.ledger.rows() if row.project == self.project]
            assert all(row.spent == self.spent.get(self.day, 0) for row in rows)
            assert all(spent <= LIMIT for spent in self.spent.values())

    run_state_machine_as_test(Machine, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))
