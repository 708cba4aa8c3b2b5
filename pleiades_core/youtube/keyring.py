"""API keys: the pool that the operator gives, and which key a call travels with.

Belongs here: reading YOUTUBE_API_KEY_POOL_JSON, choosing and retiring keys. Does not belong here: counting units (quota.py),
sending. Quota is a project's, never a key's: two keys of one project share everything and only help when one is refused.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import SecretStr

from pleiades_core.errors import ApiError, ConfigurationError, KeyInvalid, QuotaExhausted
from pleiades_core.youtube.quota import Ledger

#: What a key may be used for. A key that names no pools serves all of them.
POOLS = frozenset({"hunting", "tracking", "archeology"})
#: The project of keys that are given as plain strings.
DEFAULT_PROJECT = "default"

_VARIABLE = "YOUTUBE_API_KEY_POOL_JSON"
#: Google's keys have 39 characters of this set; a simulator's may be shorter. It also keeps line ends out of the header.
_KEY = re.compile(r"[A-Za-z0-9_-]{8,256}")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_CURE = 'write it as ["KEY", ...] or [{"key": "KEY", "project": "NAME", "pools": ["hunting", "tracking"]}, ...]'

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key. Its text shows nowhere; `fingerprint` stands for it."""

    secret: SecretStr
    project: str
    #: Words of `POOLS`.
    pools: frozenset[str]
    #: First 8 hexadecimal digits of the key's SHA-256.
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.secret.get_secret_value().encode()).hexdigest()
        object.__setattr__(self, "fingerprint", digest[:8])


def parse_pool(text: str) -> tuple[ApiKey, ...]:
    """The keys of a pool, in its order: a JSON list of strings (one project), or of objects with key, project and pools.

    Raises ConfigurationError that names the variable, the place and the cure, and never repeats what was given.
    """
    try:
        rows = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise _malformed("is not JSON") from None
    if not isinstance(rows, list) or not rows:
        raise _malformed("is not a list of at least one key")
    keys = tuple(_parse_key(row, place) for place, row in enumerate(rows, start=1))
    if len({key.secret.get_secret_value() for key in keys}) < len(keys):
        raise _malformed("holds the same key twice")
    return keys


def _parse_key(row: Any, place: int) -> ApiKey:
    if isinstance(row, str):
        row = {"key": row}
    if not isinstance(row, dict) or not set(row) <= {"key", "project", "pools"}:
        raise _malformed(f"entry {place} is neither a string nor an object of key, project and pools")
    key, project, pools = row.get("key"), row.get("project", DEFAULT_PROJECT), row.get("pools")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _malformed(f"entry {place} holds no key: at least 8 letters, digits, - or _")
    if not isinstance(project, str) or not _PROJECT.fullmatch(project):
        raise _malformed(f"entry {place} has no usable project name")
    if pools is not None and not (isinstance(pools, list) and pools and all(p in POOLS for p in map(str, pools))):
        raise _malformed(f"entry {place} has pools other than {', '.join(sorted(POOLS))}")
    return ApiKey(secret=SecretStr(key), project=project, pools=frozenset(map(str, pools)) if pools else POOLS)


def _malformed(cause: str) -> ConfigurationError:
    return ConfigurationError(f"{_VARIABLE} {cause}", cure=_CURE)


class KeyRing:
    """The keys in use. Safe to share between threads; a retired key stays retired as long as the program runs."""

    def __init__(self, keys: Sequence[ApiKey], ledger: Ledger) -> None:
        self._keys = tuple(keys)
        self._ledger = ledger
        self._retired: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects of all keys, in their order."""
        return tuple(dict.fromkeys(key.project for key in self._keys))

    def choose(self, bucket: str, pool: str, *, avoid: Collection[str] = ()) -> ApiKey:
        """The first live key of the pool whose project has units left in the bucket and is not to be avoided.

        Raises QuotaExhausted with the reset, KeyInvalid when every key of the pool was refused, ConfigurationError when the
        pool has none.
        """
        live = self._live(pool)
        for key in live:
            if key.project not in avoid and self._ledger.left(key.project, bucket) > 0:
                return key
        raise QuotaExhausted(live[0].project, bucket, self._ledger.resets_at())

    def of_project(self, project: str, pool: str) -> ApiKey | None:
        """The first live key of one project, whose units the caller already holds. None when there is none."""
        return next((key for key in self._live(pool) if key.project == project), None)

    def retire(self, key: ApiKey, error: ApiError) -> None:
        """Use the key no more: YouTube refused it for good."""
        with self._lock:
            known = key.fingerprint in self._retired
            self._retired[key.fingerprint] = error.reason or type(error).__name__
        if not known:
            _log.warning("key %s of project %s is not used any more: %s", key.fingerprint, key.project, error)

    def describe(self) -> list[dict[str, str]]:
        """Fingerprint, project, pools and state of every key, in their order."""
        with self._lock:
            retired = dict(self._retired)
        return [
            {
                "fingerprint": key.fingerprint,
                "project": key.project,
                "pools": " ".join(sorted(key.pools)),
                "state": f"refused: {retired[key.fingerprint]}" if key.fingerprint in retired else "live",
            }
            for key in self._keys
        ]

    def _live(self, pool: str) -> list[ApiKey]:
        members = [key for key in self._keys if pool in key.pools]
        if not members:
            raise ConfigurationError(f"no key in {_VARIABLE} serves the pool {pool!r}", cure=f"add {pool!r} to a key's pools")
        with self._lock:
            live = [key for key in members if key.fingerprint not in self._retired]
            reasons = "" if live else ", ".join(f"{key.fingerprint} {self._retired[key.fingerprint]}" for key in members)
        if not live:
            raise KeyInvalid(f"every key of the pool {pool!r} was refused: {reasons}", cure=f"replace the keys in {_VARIABLE}")
        return live
