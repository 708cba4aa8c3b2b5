"""Does each key work? One live call for each, and what a person can do about those that do not.

Belongs here: the test of keys, and bringing back those that work again. Does not belong here: how it is shown (ops/doctor.py).
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
    """What came of one key's test."""

    fingerprint: str
    project: str
    ok: bool
    #: What was seen, in words.
    found: str
    #: What to do about it; empty when there is nothing to do.
    cure: str = ""
    #: Of the error behind it, 0 without one.
    exit_code: int = 0


def check_keys(executor: HydraExecutor) -> tuple[KeyCheck, ...]:
    """Try every key in use, one general unit each. A retired one that works is used again, one that is refused is retired.

    Keys one after the other: the ledger counts them all the same, and no operator has a hundred.
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
