"""Checking keys: one live call for each, and what a person can do about a key that does not work.

Belongs here: the test of keys, and restoring keys that work again. Does not belong here: how it is shown (ops/doctor.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pleiades_core.errors import ApiError, KeyRefused
from pleiades_core.youtube.executor import HydraExecutor

#: Any method would do; this one needs no id and answers briefly.
_METHOD = "videoCategories.list"
_PARAMS = {"part": "snippet", "regionCode": "US"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """The result of one key's test."""

    fingerprint: str
    project: str
    ok: bool
    #: What was found, as people read it.
    found: str
    #: What to do about it; empty when there is nothing to do.
    cure: str = ""
    #: Exit code of the error; 0 without an error.
    exit_code: int = 0


def check_keys(executor: HydraExecutor) -> tuple[KeyCheck, ...]:
    """Try every key in use, one general unit each. A retired key that works is restored; a key that is refused is retired.

    The keys are tried one after another: no operator has so many that threads would pay.
    """
    checks = []
    for key in executor.ring.keys:
        outcome = executor.try_key(key, _METHOD, _PARAMS)
        if isinstance(outcome, ApiError):
            if isinstance(outcome, KeyRefused):
                executor.ring.retire(key, outcome)
            checks.append(
                KeyCheck(
                    fingerprint=key.fingerprint, project=key.project, ok=False, found=str(outcome), cure=outcome.cure,
                    exit_code=outcome.exit_code,
                )
            )  # fmt: skip
        else:
            again = ", and is used again" if executor.ring.restore(key) else ""
            checks.append(KeyCheck(fingerprint=key.fingerprint, project=key.project, ok=True, found=f"works{again}"))
    return tuple(checks)
