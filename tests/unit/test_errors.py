"""The tree of errors: every one of them says whether a retry helps, when, and what a person can do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pleiades_core import errors
from pleiades_core.discover.push.inbox_writer import NotKept
from pleiades_core.errors import ApiError, KeyRefused, PleiadesError, QuotaExhausted, StorageError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESET = datetime(2026, 3, 2, 8, tzinfo=UTC)

#: What asking again may mend. A day of 429s retried 5,363 times somewhere else is why this is a list and not a default.
TRANSIENT = {
    "DatabaseBusy",
    "DatabaseUnreachable",
    "LeaseLost",
    "PublishConflict",
    "RateLimited",
    "BackendError",
    "BadReply",
    "EmptyReply",
}


def walk(kind: type[PleiadesError] = PleiadesError) -> Iterator[type[PleiadesError]]:
    """An error and all its kinds, wherever they are defined."""
    yield kind
    for narrower in kind.__subclasses__():
        yield from walk(narrower)


EVERY = sorted(set(walk()), key=lambda kind: kind.__name__)


def made(kind: type[PleiadesError]) -> PleiadesError:
    """One of that kind, of which nothing particular is known."""
    return QuotaExhausted("p", "search", RESET) if issubclass(kind, QuotaExhausted) else kind("it broke")


def test_the_tree_is_walked_beyond_its_own_module() -> None:
    assert {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PleiadesError)} < set(EVERY)
    assert NotKept in EVERY


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do_and_when(kind: type[PleiadesError]) -> None:
    error = made(kind)
    assert error.cure
    assert error.exit_code > 0
    assert kind.retry_helps is (kind.__name__ in TRANSIENT)
    expected = RESET if kind is QuotaExhausted else NOW if kind.retry_helps else None
    assert error.retry_at(NOW) == expected


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind is not QuotaExhausted], ids=lambda kind: kind.__name__)
def test_a_particular_cure_goes_before_the_usual_one(kind: type[PleiadesError]) -> None:
    assert kind("it broke", cure="mend it").cure == "mend it"


@pytest.mark.parametrize("kind", [kind for kind in EVERY if issubclass(kind, ApiError) and kind is not QuotaExhausted])
def test_a_server_that_asks_for_a_wait_gets_it(kind: type[ApiError]) -> None:
    """But waiting alone makes no wrong call right."""
    assert kind("wait", retry_after=90.0).retry_at(NOW) == (NOW + timedelta(seconds=90) if kind.retry_helps else None)


def test_a_limit_of_zero_has_no_better_day() -> None:
    assert QuotaExhausted("p", "search", RESET, limit=0).retry_at(NOW) is None
    assert QuotaExhausted("p", "search", RESET, limit=100).retry_at(RESET + timedelta(hours=1)) == RESET + timedelta(hours=1)


def test_exit_codes_are_those_of_the_branches() -> None:
    codes = {kind.exit_code for kind in walk(KeyRefused)}, {kind.exit_code for kind in walk(StorageError)}
    assert codes == ({4}, {6})


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_error_is_complete_when_it_is_raised(kind: type[PleiadesError]) -> None:
    """No attribute changes afterwards, but those of Python's own machinery."""
    error = made(kind)
    for name in vars(error):
        with pytest.raises(AttributeError, match=f"{name} is set already"):
            setattr(error, name, "changed")
    with pytest.raises(kind), contextlib.ExitStack():
        raise error from ValueError("the cause")
    assert error.__cause__ is not None
