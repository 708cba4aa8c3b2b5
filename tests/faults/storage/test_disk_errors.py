"""A disk that fails at any step of the work: an error of storage, nothing lost, nothing counted twice, and work goes on."""

from __future__ import annotations

import contextlib
import errno
import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from support.disks import FailingDisk
from support.driving import advance
from support.invariants import check_invariants

from pleiades_core.batches.closing import finish_day
from pleiades_core.batches.reaper import adopt_orphans
from pleiades_core.errors import StorageError
from pleiades_core.installation import Installation
from pleiades_core.vault.archive import closable
from pleiades_core.vault.janitor import sweep
from pleiades_core.vault.verify import verify


def _hunt(pleiades: Installation) -> None:
    pleiades.hunter().hunt()


def _track(pleiades: Installation) -> None:
    pleiades.tracker().track()


def _close(pleiades: Installation) -> None:
    for dataset, day in closable(pleiades.database, pleiades.clock.now()):
        finish_day(pleiades.database, pleiades.vault, pleiades.clock, dataset, day)
    sweep(pleiades.database, pleiades.vault, pleiades.clock)


def _verify(pleiades: Installation) -> None:
    verify(pleiades.database, pleiades.vault)


@pytest.mark.parametrize(
    ("work", "between", "stride"),
    [
        # Each round adds files, and so calls of the next round: the stride must be longer than that.
        (_hunt, timedelta(hours=1), 31),
        (_track, timedelta(hours=1), 7),
        (_close, timedelta(days=1), 17),
        (_verify, timedelta(), 11),
    ],
    ids=["hunt", "track", "close", "verify"],
)
def test_every_step_may_fail_and_nothing_is_lost(
    pleiades: Installation, work: Callable[[Installation], None], between: timedelta, stride: int
) -> None:
    """The first call to the disk fails, then the one that is `stride` further, until the work needs no more."""
    errors = itertools.cycle((errno.EIO, errno.ENOSPC, errno.EACCES, errno.EMFILE))
    root = pleiades.settings.vault_root
    _hunt(pleiades)
    for at in itertools.count(1, stride):
        if work is _close:
            advance(pleiades, timedelta(hours=1))
            _track(pleiades)
        advance(pleiades, between)
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(StorageError):
            disk = FailingDisk(patch, root, at=at, number=next(errors))
            work(pleiades)
        if disk.failed != "unlink":
            assert list(root.rglob(".tmp-*")) == []
        if work is _close:
            # A day that was published and not noted is noted by the next closing.
            _close(pleiades)
        # The first file of a hunt whose second one failed; closing the day does this.
        adopt_orphans(pleiades.database, pleiades.vault, pleiades.clock, pleiades.clock.now().date())
        check_invariants(pleiades)
        if not disk.failed:
            break
        # What an `unlink` that failed left behind is the janitor's.
        pleiades.vault.journal.remove_unfinished(older_than_s=-60)
    assert at > 1
