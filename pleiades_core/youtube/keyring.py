"""API keys in use: which key a call travels with, and which ones YouTube has refused.

Belongs here: choosing and retiring keys. Does not belong here: reading the pool (key_pool.py), counting units (quota.py),
sending. Quota is a project's, never a key's: two keys of one project share everything and only help when one is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pleiades_core.clock import Clock
from pleiades_core.errors import ApiDisabled, ApiError, ConfigurationError, KeyInvalid, QuotaExhausted
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.settings import Settings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api_errors import in_words
from pleiades_core.youtube.key_pool import VARIABLE, ApiKey, choose_keys, in_order, keys_of, parse_pool, pools_of
from pleiades_core.youtube.quota import Ledger
from pleiades_core.youtube.retired_keys import RetiredKeys
from pleiades_core.youtube.shares import POOLS

__all__ = ["POOLS", "ApiKey", "KeyRing", "KeyState", "State", "choose_keys", "open_keyring", "parse_pool", "pools_of"]

log = logging.getLogger(__name__)


class State(Enum):
    """Whether a key is used."""

    LIVE = "live"
    #: YouTube refuses the key, so it is not used.
    REFUSED = "refused"
    #: Compliance mode leaves it out.
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """One key of the pool and its state."""

    #: First 8 hexadecimal digits of its SHA-256; the key itself shows nowhere.
    fingerprint: str
    project: str
    #: The pools that it serves, in their usual order.
    pools: tuple[QuotaPool, ...]
    state: State
    #: Why it is not used; empty for a live one.
    reason: str = ""

    @property
    def description(self) -> str:
        """State and reason, such as `refused: the key has expired (keyExpired)`."""
        return f"{self.state.value}: {self.reason}" if self.reason else self.state.value


class KeyRing:
    """The keys in use. Safe to share between threads.

    A key that YouTube refuses is retired: in this process, and with `retired` in every later one, until `pleiades doctor
    --call` finds that it works. `ignored` are keys that compliance mode leaves out; they are only named.
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

    def shared(self) -> dict[str, tuple[QuotaPool, ...]]:
        """The projects whose keys serve several pools, which share their buckets (shares.py), with those pools."""
        return {project: in_order(pools) for project, pools in pools_of(self.keys).items() if len(pools) > 1}

    def living(self) -> dict[str, frozenset[QuotaPool]]:
        """Every project of the keys in use, with the pools that its live keys serve: none if all of them were refused.

        No plan, budget or limit counts units of a project that no live key reaches.
        """
        with self._lock:
            live = pools_of(key for key in self.keys if key.fingerprint not in self._retired)
        return {project: live.get(project, frozenset()) for project in self.projects}

    def serving(self, *pools: QuotaPool) -> tuple[str, ...]:
        """The projects that have a live key for one of `pools`; without `pools`, for any pool."""
        return tuple(project for project, served in self.living().items() if served & frozenset(pools or QuotaPool))

    def candidates(self, pool: QuotaPool) -> list[ApiKey]:
        """The first live key of each project that serves a pool.

        Raises:
            KeyInvalid: every key of the pool was refused.
            ConfigurationError: the pool has no key.
        """
        first: dict[str, ApiKey] = {}
        for key in self._live(pool):
            first.setdefault(key.project, key)
        return list(first.values())

    def choose(self, bucket: Bucket, pool: QuotaPool) -> ApiKey:
        """The first live key of the pool whose project has units of the bucket left for it.

        Raises:
            QuotaExhausted: no project has any; the error has the reset.
            KeyInvalid: every key of the pool was refused.
            ConfigurationError: the pool has no key.
        """
        candidates = self.candidates(pool)
        for key in candidates:
            if self.ledger.left(key.project, bucket, pool) > 0:
                return key
        raise self.exhausted(candidates[0].project, bucket, pool)

    def exhausted(self, project: str, bucket: Bucket, pool: QuotaPool) -> QuotaExhausted:
        """The error for a project without units of a bucket for a pool.

        Args:
            project: names the project.
            bucket: the bucket.
            pool: the pool.

        Returns:
            The error, with the instant of the reset.
        """
        # Just after a reset the API may call a bucket spent that still has units for this pool in the ledger.
        kept = self.ledger.left(project, bucket) > 0 and self.ledger.left(project, bucket, pool) == 0
        limit = self.ledger.limit(project, bucket)
        return QuotaExhausted(project, bucket, self.ledger.resets_at(), limit=limit, pool=pool if kept else None)

    def of_project(self, project: str, pool: QuotaPool) -> ApiKey | None:
        """The first live key of a project whose units the caller already holds; None if there is none."""
        return next((key for key in self._live(pool) if key.project == project), None)

    def retire(self, key: ApiKey, error: ApiError) -> None:
        """Stop using a key that YouTube refused for good. If its project has no API, stop using all keys of the project."""
        reason = error.reason or type(error).__name__
        for refused in self.keys:
            if refused is not key and not (isinstance(error, ApiDisabled) and refused.project == key.project):
                continue
            with self._lock:
                known = refused.fingerprint in self._retired
                self._retired[refused.fingerprint] = reason
            if not known and (self._kept is None or self._kept.add(refused.fingerprint, refused.project, reason)):
                log.warning(
                    "key %s of project %s is not used any more: %s; %s", refused.fingerprint, refused.project, error, error.cure
                )

    def restore(self, key: ApiKey) -> bool:
        """Use a key again that was seen to work. Returns False if it was in use all along."""
        with self._lock:
            was_retired = self._retired.pop(key.fingerprint, None) is not None
        if was_retired and self._kept is not None:
            self._kept.remove(key.fingerprint)
        return was_retired

    def states(self) -> tuple[KeyState, ...]:
        """The state of every key, those in use first."""
        with self._lock:
            retired = dict(self._retired)
        return (
            *(
                _state(key, State.REFUSED, in_words(retired[key.fingerprint]))
                if key.fingerprint in retired
                else _state(key, State.LIVE)
                for key in self.keys
            ),
            *(_state(key, State.IGNORED, "compliance mode") for key in self.ignored),
        )

    def refused(self) -> tuple[KeyState, ...]:
        """The keys that YouTube refuses."""
        return tuple(key for key in self.states() if key.state is State.REFUSED)

    def announce(self) -> None:
        """Log what an operator may not expect: keys that are left out, pools that share a project, keys retired before."""
        for ignored in self.ignored:
            log.warning(
                "key %s of project %s is ignored: compliance mode uses the first key's project alone",
                ignored.fingerprint,
                ignored.project,
            )
        for project, pools in self.shared().items():
            log.info("project %s is shared by the pools %s", project, ", ".join(pools))
        for key in self.refused():
            log.info("key %s of project %s stays retired (%s)", key.fingerprint, key.project, key.description)

    def _live(self, pool: QuotaPool) -> list[ApiKey]:
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
    """The keys of an installation with their ledger, without a way to send. Without any key the ring is empty.

    Args:
        settings: have the keys.
        database: has ledger and retired keys.
        clock: the present instant.

    Returns:
        The key ring.

    Raises:
        ConfigurationError: the pool or the compliance mode is malformed.
    """
    keys = keys_of(settings) if settings.keys.pool else ()
    used, ignored = choose_keys(keys, settings.keys.compliance_mode)
    ledger = Ledger(database, clock, settings.keys.quota_limits, pools_of(used))
    return KeyRing(used, ledger, ignored=ignored, retired=RetiredKeys(database, clock))


def _state(key: ApiKey, state: State, reason: str = "") -> KeyState:
    return KeyState(fingerprint=key.fingerprint, project=key.project, pools=in_order(key.pools), state=state, reason=reason)
