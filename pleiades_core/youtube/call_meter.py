"""Call meters: what the calls of one piece of work cost.

Belongs here: counting attempts. Does not belong here: paying for them (quota.py), sending them (executor.py).

A meter is given to the calls that it counts, as a part of `YouTube` (`YouTube.part`). So work that shares an executor with
other work, or runs in several threads, counts its own calls alone.
"""

from __future__ import annotations

import threading
from collections import Counter

from pleiades_core.models import Bucket


class CallMeter:
    """Attempts sent, by bucket: refused and repeated ones included, as YouTube bills them. Safe to share between threads."""

    def __init__(self, whole: CallMeter | None = None) -> None:
        self._whole = whole
        self._attempts: Counter[Bucket] = Counter()
        self._lock = threading.Lock()

    def count(self, bucket: Bucket, attempts: int) -> None:
        """Add attempts, here and in the meters that this one is a part of. Negative: an attempt was never sent."""
        with self._lock:
            self._attempts[bucket] += attempts
        if self._whole is not None:
            self._whole.count(bucket, attempts)

    def calls(self) -> Counter[Bucket]:
        """The attempts so far; buckets without any are left out."""
        with self._lock:
            return +self._attempts

    def part(self) -> CallMeter:
        """A meter for a part of this work: this meter counts its calls too."""
        return CallMeter(self)
