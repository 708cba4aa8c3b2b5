"""API keys in use: which key a call travels with, and which ones YouTube has refused.

Belongs here: choosing and retiring keys. Does not belong here: reading the pool (pool.py), counting units (quota.py), sending.
Quota is a project's, never a key's: two keys of one project share everything and only help when one is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence

from pleiades_core.clock import Clock
from pleiades_core.errors import ApiDisabled, ApiError, ConfigurationError, KeyInvalid, QuotaExhausted
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.pool import VARIABLE, ApiKey, choose_keys, parse_pool, pools_of
from pleiades_core.youtube.quota import Ledger
from pleiades_core.youtube.refusals import in_words
from pleiades_core.youtube.retired import RetiredKeys
from pleiades_core.youtube.shares import POOL_NAMES, POOLS

__all__ = ["POOLS", "ApiKey", "KeyRing", "choose_keys", "open_keyring", "parse_pool", "pools_of"]

_log = logging.getLogger(__name__)


class KeyRing:
    """The keys in use. Safe to share between threads.

    A key that YouTube refuses is retired: for this program's life, and with `retired` for every later one's, until
    `pleiades doctor --call` finds that it works. `ignored` are keys that compliance mode leaves out; they are only named.
    """

    def __init__(
        self, keys: Sequence[ApiKey], ledger: Ledger, *, ignored: Sequence[ApiKey] = (), retired: RetiredKeys | None = None
    ) -> None:
        self.keys = tuple(keys)
        self.ignored = tuple(ignored)
        self.ledger = ledger
        self._kept = retired
        known = retired.reasons() if retired else {}
        self._retired = {key.fingerprint: known[key.fingerprint] for key in self.keys if key.fingerprint in known}
        self._lock = threading.Lock()

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects of the keys in use, in their order."""
        return tuple(dict.fromkeys(key.project for key in self.keys))

    def shared(self) -> dict[str, tuple[str, ...]]:
        """The projects whose keys serve several pools, which share their buckets (shares.py), with those pools."""
        return {
            project: tuple(pool for pool in POOL_NAMES if pool in pools)
            for project, pools in pools_of(self.keys).items()
            if len(pools) > 1
        }

    def candidates(self, pool: str) -> list[ApiKey]:
        """The first live key of each project that serves a pool.

        Raises KeyInvalid when every key of the pool was refused, ConfigurationError when the pool has none.
        """
        first: dict[str, ApiKey] = {}
        for key in self._live(pool):
            first.setdefault(key.project, key)
        return list(first.values())

    def choose(self, bucket: str, pool: str, *, avoid: Collection[str] = ()) -> ApiKey:
        """The first live key of the pool whose project has units of the bucket left for it and is not to be avoided.

        Raises QuotaExhausted with the reset, and what `candidates` raises.
        """
        candidates = self.candidates(pool)
        for key in candidates:
            if key.project not in avoid and self.ledger.left(key.project, bucket, pool) > 0:
                return key
        raise self.exhausted(candidates[0].project, bucket, pool)

    def exhausted(self, project: str, bucket: str, pool: str) -> QuotaExhausted:
        """What to raise when a project has no units of a bucket for a pool."""
        # Just after a reset the API may say "spent" of a bucket that the ledger has units of for this very pool.
        kept = self.ledger.left(project, bucket) > 0 and self.ledger.left(project, bucket, pool) == 0
        limit = self.ledger.limit(project, bucket)
        return QuotaExhausted(project, bucket, self.ledger.resets_at(), limit=limit, pool=pool if kept else None)

    def of_project(self, project: str, pool: str) -> ApiKey | None:
        """The first live key of one project, whose units the caller already holds. None when there is none."""
        return next((key for key in self._live(pool) if key.project == project), None)

    def retire(self, key: ApiKey, error: ApiError) -> None:
        """Use the key no more: YouTube refused it for good. Where its project has no API, use none of the project's keys."""
        reason = error.reason or type(error).__name__
        for refused in self.keys:
            if refused is not key and not (isinstance(error, ApiDisabled) and refused.project == key.project):
                continue
            with self._lock:
                known = refused.fingerprint in self._retired
                self._retired[refused.fingerprint] = reason
            if not known and (self._kept is None or self._kept.add(refused.fingerprint, refused.project, reason)):
                _log.warning(
                    "key %s of project %s is not used any more: %s; %s", refused.fingerprint, refused.project, error, error.cure
                )

    def restore(self, key: ApiKey) -> bool:
        """Use a key again, because it was seen to work. False when it was in use all along."""
        with self._lock:
            was_retired = self._retired.pop(key.fingerprint, None) is not None
        if was_retired and self._kept is not None:
            self._kept.remove(key.fingerprint)
        return was_retired

    def describe(self) -> list[dict[str, str]]:
        """Fingerprint, project, pools and state of every key, those in use first."""
        with self._lock:
            retired = dict(self._retired)
        states = [
            (key, f"refused: {in_words(retired[key.fingerprint])}" if key.fingerprint in retired else "live")
            for key in self.keys
        ] + [(key, "ignored: compliance mode") for key in self.ignored]
        return [
            {"fingerprint": key.fingerprint, "project": key.project, "pools": _words(key.pools), "state": state}
            for key, state in states
        ]

    def announce(self) -> None:
        """Say what an operator may not expect: keys that are left out, pools that share a project, keys retired before."""
        for key in self.ignored:
            _log.warning(
                "key %s of project %s is ignored: compliance mode uses the first key's project alone",
                key.fingerprint,
                key.project,
            )
        for project, pools in self.shared().items():
            _log.info("project %s is shared by the pools %s", project, ", ".join(pools))
        for row in self.describe():
            if row["state"].startswith("refused"):
                _log.info("key %s of project %s stays retired (%s)", row["fingerprint"], row["project"], row["state"])

    def _live(self, pool: str) -> list[ApiKey]:
        members = [key for key in self.keys if pool in key.pools]
        if not members:
            raise ConfigurationError(f"no key in {VARIABLE} serves the pool {pool!r}", cure=f"add {pool!r} to a key's pools")
        with self._lock:
            live = [key for key in members if key.fingerprint not in self._retired]
            reasons = (
                "" if live else "; ".join(f"{key.fingerprint}: {in_words(self._retired[key.fingerprint])}" for key in members)
            )
        if not live:
            raise KeyInvalid(
                f"every key of the pool {pool!r} was refused: {reasons}",
                cure=f"replace the keys in {VARIABLE}, or mend them and let `pleiades doctor --call` try them again",
            )
        return live


def open_keyring(settings: Settings, database: Database, clock: Clock) -> KeyRing:
    """The keys of an installation with their ledger, without anything to send them with. No keys at all make an empty ring.

    Raises ConfigurationError for a malformed pool or compliance mode.
    """
    keys = parse_pool(settings.api_key_pool.get_secret_value()) if settings.api_key_pool else ()
    used, ignored = choose_keys(keys, settings.compliance_mode)
    ledger = Ledger(database, clock, settings.quota_limits, pools_of(used))
    return KeyRing(used, ledger, ignored=ignored, retired=RetiredKeys(database, clock))


def _words(pools: Collection[str]) -> str:
    return " ".join(pool for pool in POOL_NAMES if pool in pools)
