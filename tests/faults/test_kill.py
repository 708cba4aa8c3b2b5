"""SIGKILL before every single effect of a hunt and of a tick: nothing lost, nothing doubled, nothing stuck.

Every effect takes four minutes: `make sweep` does that. `make test` kills before every fifth one.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.rows import read_rows

from pleiades_core.batches.reaper import reap
from pleiades_core.discover.admission.pipeline import AdmissionPipeline
from pleiades_core.discover.sources.base import Find
from pleiades_core.discover.usage import HuntUsage
from pleiades_core.installation import Installation
from pleiades_core.vault.layout import SAMPLES

sys.path.insert(0, str(Path(__file__).parent))
from support.invariants import check_invariants
from support.victim import _close, work

#: Far more effects than a hunt of this size has; the loop ends when the victim comes back alive.
_MOST_EFFECTS = 400


@pytest.fixture(scope="module")
def forks() -> multiprocessing.context.ForkServerContext:
    """Children from a process that has imported everything and has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["victim"])
    return context


#: Every thirteenth effect in each run of the tests, every one in the sweep.
_STRIDES = [13, pytest.param(1, marks=[pytest.mark.sweep, pytest.mark.timeout(3_000)])]


@pytest.mark.parametrize("stride", _STRIDES)
@pytest.mark.parametrize("what", ["track", "hunt"])
def test_a_kill_at_any_step_loses_and_doubles_nothing(
    pleiades: Installation, forks: multiprocessing.context.ForkServerContext, what: str, stride: int
) -> None:
    for _ in range(3):
        pleiades.hunter().hunt()
    # Every source, and few effects of each.
    few = {
        "discovery__uploads_per_hunt": 3,
        "discovery__searches_per_hunt": 1,
        "discovery__feeds_per_hunt": 2,
        "discovery__chart_regions": (),
        "youtube__parallel_calls": 2,
    }
    settings = pleiades.settings = pleiades.settings.changed(**few)
    wasted = []
    for effect in range(1, _MOST_EFFECTS, stride):
        # Two hours: 60 searches a day, within the quota of 100.
        pleiades.clock.advance(timedelta(hours=2))  # type: ignore[attr-defined]
        with pleiades.database.transaction() as connection:
            # Young for ever, so that every tick has something to poll.
            connection.execute("update watchlist set published_at = %s", [pleiades.clock.now() - timedelta(hours=5)])
        victim = forks.Process(target=work, args=(settings, pleiades.clock.now(), what, effect))
        victim.start()
        victim.join(60)
        assert victim.exitcode in {0, -signal.SIGKILL}
        with pleiades.database.transaction() as connection:
            # The lease's ten minutes pass. Leases go by the database's clock, which no test can move.
            held = connection.execute("update leases set expires_at = clock_timestamp() returning lease_id").rowcount
        report = reap(pleiades.database, pleiades.vault, pleiades.clock)
        assert report.expired == held
        wasted.append(held)
        done = pleiades.tracker().track() if what == "track" else pleiades.hunter().hunt()
        assert done.resets_at is None
        check_invariants(pleiades)
        if victim.exitcode == 0:
            break
    else:
        pytest.fail("the victim never came to its end")
    assert effect > 12, "the kills did not reach the effects"
    assert any(wasted), "no kill ever left a lease behind"


def test_little_is_asked_before_it_is_settled(pleiades: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one kill may waste: about 50 units of questions, and the description of what they brought."""
    settle, unsettled, last = AdmissionPipeline.settle, [], [0]

    def settling(pipeline: AdmissionPipeline, finds: Sequence[Find], usage: HuntUsage) -> None:
        unsettled.append(pleiades.youtube().calls().total() - last[0])
        settle(pipeline, finds, usage)
        last[0] = pleiades.youtube().calls().total()

    monkeypatch.setattr(AdmissionPipeline, "settle", settling)
    pleiades.settings = pleiades.settings.changed(discovery__uploads_per_hunt=5_000)
    for _ in range(6):
        pleiades.hunter().hunt()
        pleiades.clock.advance(timedelta(hours=3))  # type: ignore[attr-defined]
        with pleiades.database.transaction() as connection:
            connection.execute("update channels set moved = 50")
    hunted = pleiades.youtube().calls().total()
    pleiades.hunter().hunt()
    assert pleiades.youtube().calls().total() - hunted > 2 * max(unsettled), "the hunt was too small to need settling"
    assert max(unsettled) <= 60


@pytest.mark.parametrize("stride", _STRIDES)
def test_a_kill_at_any_step_of_closing_and_sweeping_loses_nothing(
    pleiades: Installation, forks: multiprocessing.context.ForkServerContext, stride: int
) -> None:
    """Days with batches in the journal, days with late ones, days ready to be swept: all at every step."""
    seen: set[tuple[Any, Any, Any]] = set()
    for effect in range(1, _MOST_EFFECTS, stride):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        pleiades.clock.advance(timedelta(hours=9))  # type: ignore[attr-defined]
        victim = forks.Process(target=work, args=(pleiades.settings, pleiades.clock.now(), "close", effect))
        victim.start()
        victim.join(60)
        assert victim.exitcode in {0, -signal.SIGKILL}
        _close(pleiades)
        check_invariants(pleiades)
        rows = read_rows(pleiades.vault, SAMPLES).to_pylist()
        keys = {(row["vid"], row["polled_at"], row["views"]) for row in rows}
        assert keys >= seen, "a sample that was there is gone"
        seen = keys
        if victim.exitcode == 0 and effect > 40:
            break
    assert pleiades.vault.archive.keys("metrics")


def test_what_a_killed_sweep_left_is_swept_by_the_next(pleiades: Installation) -> None:
    """Rows are forgotten before files are deleted; the files must not be forgotten with them."""
    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(days=1, hours=1))  # type: ignore[attr-defined]
    _close(pleiades)
    with pleiades.database.transaction() as connection:
        connection.execute("delete from batches")
    assert pleiades.vault.journal.keys("journal/samples")
    pleiades.clock.advance(timedelta(days=1, hours=1))  # type: ignore[attr-defined]
    _close(pleiades)
    assert pleiades.vault.journal.keys("journal/samples") == []
