"""Asking the vault: a query that nobody waits for any more ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import duckdb
import pytest

from pleiades_core.vault import samples
from pleiades_core.vault.vault import open_vault

_ENDLESS = "select count(*) from range(10000000) a, range(10000000) b where a.range * b.range % 7 = 3"


class _Stopped(BaseException):
    """What the program's signal handlers raise."""


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("after_s", [0.02, 0.08, 0.5])
def test_a_signal_ends_a_query(tmp_path: Path, after_s: float) -> None:
    """DuckDB alone looked at none until it had an answer, and made Ctrl-C a fault of its own."""
    vault = open_vault(tmp_path)
    signal.setitimer(signal.ITIMER_REAL, after_s)
    with pytest.raises(_Stopped):
        samples.query(vault, _ENDLESS)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("duckdb")] == []


def test_a_query_ends_under_many_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses Ctrl-C twice is not made to wait for the answer."""
    further = iter(range(3))

    def stopped(*_: object, **__: object) -> None:
        if next(further, None) is not None:
            raise _Stopped

    monkeypatch.setattr(samples, "wait", stopped)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(_Stopped):
        samples.query(open_vault(tmp_path), _ENDLESS)
    assert next(further, None) is None
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("duckdb")] == []


def test_an_answer_and_a_mistake_come_through_as_they_are(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    assert samples.query(vault, "select 1 as x").to_pylist() == [{"x": 1}]
    assert samples.query(vault, "set memory_limit = '1GB'").to_pylist() == []
    with pytest.raises(duckdb.CatalogException, match="nowhere"):
        samples.query(vault, "select nothing from nowhere")
