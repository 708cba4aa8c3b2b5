"""The key pool that the operator gives, and which of its keys may be used.

Belongs here: reading YOUTUBE_API_KEY_POOL_JSON, Google's rule of one project for each API client. Does not belong here: which
key a call travels with (keyring.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import SecretStr

from pleiades_core.errors import ConfigurationError
from pleiades_core.models import QuotaPool
from pleiades_core.settings import SEVERAL_PROJECTS, Settings
from pleiades_core.youtube.shares import POOLS

#: The project of keys that are given as plain strings.
DEFAULT_PROJECT = "default"
VARIABLE = "YOUTUBE_API_KEY_POOL_JSON"

#: Google's keys have 39 characters of this set; a simulator's may be shorter. It also keeps line ends out of the header.
_KEY = re.compile(r"[A-Za-z0-9_-]{8,256}")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_CURE = (
    'write it as ["KEY", ...] or [{"key": "KEY", "project": "NAME", "pools": ["hunting", "tracking"]}, ...];'
    " a shell needs single quotes around it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key. Its text shows nowhere; `fingerprint` stands for it."""

    secret: SecretStr
    project: str
    pools: frozenset[QuotaPool]
    #: First 8 hexadecimal digits of the key's SHA-256.
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.secret.get_secret_value().encode()).hexdigest()
        object.__setattr__(self, "fingerprint", digest[:8])


def keys_of(settings: Settings) -> tuple[ApiKey, ...]:
    """The keys that the settings give.

    Raises:
        ConfigurationError: there is no key, or the pool is malformed.
    """
    if settings.keys.pool is None:
        raise ConfigurationError(
            f"no API key: {VARIABLE} is not set",
            cure=f"put {VARIABLE}='[\"KEY\"]' into the environment or .env, with the single quotes; `pleiades demo` needs none",
        )
    return parse_pool(settings.keys.pool.get_secret_value())


def parse_pool(text: str) -> tuple[ApiKey, ...]:
    """The keys of a pool, in its order: a JSON list of strings (one project), or of objects with key, project and pools.

    Raises:
        ConfigurationError: the text is malformed. The message names variable, place and cure, and never repeats the text.
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


def choose_keys(keys: Sequence[ApiKey], compliance_mode: str) -> tuple[tuple[ApiKey, ...], tuple[ApiKey, ...]]:
    """The keys that may be used and the keys that are ignored, each in the order of the pool.

    In compliance mode (`on`) only the first key's project is used: Google allows one project for each API client, and forbids
    several projects for more quota.

    Raises:
        ConfigurationError: `compliance_mode` is neither `on` nor `SEVERAL_PROJECTS`. The message states the rule.
    """
    if compliance_mode == SEVERAL_PROJECTS:
        return tuple(keys), ()
    if compliance_mode != "on":
        raise ConfigurationError(
            "PLEIADES_KEYS_COMPLIANCE_MODE is neither `on` nor the sentence that turns it off",
            cure="YouTube's Developer Policies (III.D.1.c) allow an API client exactly one API project, and none to gather more"
            f' quota; leave it at `on`, or state that it holds: PLEIADES_KEYS_COMPLIANCE_MODE="{SEVERAL_PROJECTS}"',
        )
    own = {key.project for key in keys[:1]}
    return tuple(key for key in keys if key.project in own), tuple(key for key in keys if key.project not in own)


def pools_of(keys: Iterable[ApiKey]) -> dict[str, frozenset[QuotaPool]]:
    """The pools that the keys of each project serve together, by project in the order of the keys."""
    pools: dict[str, frozenset[QuotaPool]] = {}
    for key in keys:
        pools[key.project] = pools.get(key.project, frozenset()) | key.pools
    return pools


def in_order(pools: Collection[QuotaPool]) -> tuple[QuotaPool, ...]:
    """Pools in the order in which people see them."""
    return tuple(pool for pool in QuotaPool if pool in pools)


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
        raise _malformed(f"entry {place} has pools other than {', '.join(QuotaPool)}")
    return ApiKey(secret=SecretStr(key), project=project, pools=frozenset(map(QuotaPool, pools)) if pools else POOLS)


def _malformed(cause: str) -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE} {cause}", cure=_CURE)
