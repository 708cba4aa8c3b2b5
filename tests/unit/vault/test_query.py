"""Asking the vault: a query that nobody waits for any more ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import duckdb
import pytest

from pleiades_core.vault import interruptible, query
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
        query.query(vault, _ENDLESS)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("duckdb")] == []


def test_a_query_ends_under_many_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C does not wait for the answer."""
    further = iter(range(3))

    def stopped(*_: object, **__: object) -> None:
        if next(further, None) is not None:
            raise _Stopped

    monkeypatch.setattr(interruptible, "wait", stopped)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(_Stopped):
        query.query(open_vault(tmp_path), _ENDLESS)
    assert next(further, None) is None
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("duckdb")] == []


def test_an_answer_and_a_mistake_come_through_as_they_are(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    assert query.query(vault, "select 1 as x").to_pylist() == [{"x": 1}]
    assert query.query(vault, "create view v as select 1").to_pylist() == []
    with pytest.raises(duckdb.CatalogException, match="nowhere"):
        query.query(vault, "select nothing from nowhere")


_HANGING = """
import os, sys
from pathlib import Path
from pleiades_core.cli import signals
from pleiades_core.cli.app import app
from pleiades_core.cli.main import run
from pleiades_core.vault import interruptible, query, relations
from pleiades_core.vault.layout import SAMPLES
from pleiades_core.vault.vault import open_vault

folder = Path(sys.argv.pop())
interruptible._GIVE_UP_AFTER_S = 0.2
to_reader = relations._Scan.to_reader

def reading(scan):
    print("reading", flush=True)
    return to_reader(scan)

relations._Scan.to_reader = reading

@app.command()
def hang() -> None:
    pipe = relations.relation(SAMPLES.schema, lambda: relations.WholeFiles(locations=[str(folder / "pipe")]))
    with signals.unwinding():
        query.query(open_vault(folder / "vault"), "select * from pipe", tables={"pipe": pipe})

run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_program_whose_read_hangs(tmp_path: Path, number: signal.Signals) -> None:
    """A FIFO that nobody writes to, as a mount that hangs: only SIGKILL ended it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "spill").mkdir()
    command = [sys.executable, "-c", _HANGING, "hang", str(tmp_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "spill")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
            process.send_signal(number)
            _, said = process.communicate(timeout=200)
        finally:
            process.kill()
    assert process.returncode == 128 + number, said
    assert said == {signal.SIGINT: "interrupted\n", signal.SIGTERM: "terminated\n"}[number]
    assert list((tmp_path / "spill").iterdir()) == []


def test_a_thread_that_was_given_up_is_known_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptible, "_GIVE_UP_AFTER_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(_Stopped):
        interruptible.interruptible((tmp_path / "pipe").read_bytes, lambda: None)
    assert interruptible.has_hanging_thread()
    (tmp_path / "pipe").write_bytes(b"")
    for thread in threading.enumerate():
        if thread.name == "duckdb":
            thread.join()
    assert not interruptible.has_hanging_thread()
