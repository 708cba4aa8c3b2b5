"""The simulated quota: keys, their projects, buckets with a limit for each Pacific day, and a count of every call.

Belongs here: pure bookkeeping over instants that the caller gives. Does not belong here: the clock (clocks.py), the bodies
(error_bodies.py). Limits are those of 1 June 2026 (developers.google.com/youtube/v3/determine_quota_cost, read 2026-11-22).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pleiades_core.clock import pacific_day
from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.api import error_bodies

SEARCH, STATS, GENERAL = "search", "stats", "general"

#: Calls (search, stats) or units (general) per project and Pacific day. Every call served here costs one.
LIMITS: dict[str, int] = {SEARCH: 100, STATS: 10_000, GENERAL: 10_000}

#: The bucket that each method draws from.
BUCKETS: dict[str, str] = {
    "search.list": SEARCH,
    "videos.batchGetStats": STATS,
    "videos.list": GENERAL,
    "channels.list": GENERAL,
    "playlistItems.list": GENERAL,
    "videoCategories.list": GENERAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedKey:
    """A key, its project, and the project's limits if they differ from LIMITS."""

    key: str
    project: str
    limits: Mapping[str, int] = field(default_factory=dict)


#: Three keys of one project: they show that several keys do not add quota.
DEMO_KEYS: tuple[SimulatedKey, ...] = tuple(SimulatedKey(key=f"demo-key-{n}", project="demo") for n in (1, 2, 3))


@dataclass(slots=True)
class _Count:
    calls: int = 0
    units: int = 0


class QuotaBook:
    """Counts calls, and refuses them when a bucket is spent. One thread only: the server's event loop."""

    def __init__(self, keys: Sequence[SimulatedKey] = DEMO_KEYS, *, calls_per_minute: int | None = None) -> None:
        self._project_of = {key.key: key.project for key in keys}
        self._limits = {key.project: dict(LIMITS) for key in keys}
        for key in keys:
            self._limits[key.project].update(key.limits)
        self._counts: dict[tuple[str, str, date], _Count] = {}
        self._by_key: Counter[str] = Counter()
        self._by_method: Counter[str] = Counter()
        self._unknown = 0
        self._calls_per_minute = calls_per_minute
        #: The latest minute of each project, and its calls.
        self._minutes: dict[str, tuple[int, int]] = {}

    def knows(self, key: str) -> bool:
        """True if the key belongs to a project."""
        return key in self._project_of

    def charge(self, key: str | None, method: str, at: datetime) -> None:
        """Count one call, and take one unit for it.

        Args:
            key: of the call; None: it had none.
            method: such as `videos.list`.
            at: instant of the call.

        Raises:
            Refusal: the key is absent or unknown (nothing is charged); or the bucket is spent or the project made too many
                calls in this minute (the call counts, no unit is taken).
        """
        if not key:
            self._unknown += 1
            raise error_bodies.key_missing()
        project = self._project_of.get(key)
        if project is None:
            self._unknown += 1
            raise error_bodies.key_invalid()
        bucket = BUCKETS[method]
        count = self._counts.setdefault((project, bucket, pacific_day(at)), _Count())
        count.calls += 1
        self._by_key[key] += 1
        self._by_method[method] += 1
        if self._calls_per_minute is not None and self._this_minute(project, at) > self._calls_per_minute:
            raise error_bodies.per_minute(project)
        limit = self._limits[project][bucket]
        if count.units >= limit:
            if bucket == SEARCH:
                raise error_bodies.search_spent(project, limit)
            raise error_bodies.stats_spent(project, limit) if bucket == STATS else error_bodies.general_spent()
        count.units += 1

    def _this_minute(self, project: str, at: datetime) -> int:
        minute = int(at.timestamp() // 60)
        latest, calls = self._minutes.get(project, (minute, 0))
        calls = calls + 1 if latest == minute else 1
        self._minutes[project] = (minute, calls)
        return calls

    def ledger(self) -> dict[str, Any]:
        """Every call, ready for JSON. `calls` has refused ones too; `units` has the charged units."""
        rows = [
            {
                "project": project,
                "bucket": bucket,
                "pacific_day": day.isoformat(),
                "calls": count.calls,
                "units": count.units,
                "limit": self._limits[project][bucket],
            }
            for (project, bucket, day), count in sorted(self._counts.items())
        ]
        return {
            "calls": rows,
            "by_key": dict(self._by_key),
            "by_method": dict(self._by_method),
            "unknown_key_calls": self._unknown,
        }


def parse_keys(entries: Any) -> tuple[SimulatedKey, ...]:
    """Keys from parsed JSON, `[{"key": ..., "project": ..., "limits": {"search": 3}}]`.

    Raises:
        ConfigurationError: the list is malformed.
    """
    cure = 'give keys as [{"key": "...", "project": "...", "limits": {"search": 3}}]; buckets are search, stats, general'
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError("the simulator's keys are not a list with at least one key", cure=cure)
    keys = []
    for number, entry in enumerate(entries):
        named = isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("project"), str)
        limits = entry.get("limits", {}) if named else None
        if not isinstance(limits, dict) or not entry["key"] or not entry["project"]:
            raise ConfigurationError(f"simulator key number {number + 1} has no key and project", cure=cure)
        for bucket, limit in limits.items():
            if bucket not in LIMITS or isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
                raise ConfigurationError(f"simulator key number {number + 1}: no such limit {bucket}={limit!r}", cure=cure)
        keys.append(SimulatedKey(key=entry["key"], project=entry["project"], limits=limits))
    if len({key.key for key in keys}) != len(keys):
        raise ConfigurationError(
            "a simulator key is listed twice", cure="a key belongs to one project: remove the second entry"
        )
    return tuple(keys)
