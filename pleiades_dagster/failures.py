"""From the core's errors to Dagster's outcomes: what to retry, and what to show.

    QuotaExhausted        no failure: a clean partial result with a WARN check; sensors skip until the reset
    retry helps           dg.Failure(allow_retries=True): lost connections, 5xx, another publisher was faster
    everything else       dg.Failure(allow_retries=False) with the exit code that the command line would give, and the cure

Belongs here: that table. Does not belong here: the errors themselves, and whether a retry helps (pleiades_core/errors.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pleiades_core.errors import PleiadesError, QuotaExhausted

#: For assets that write: two more attempts, seconds apart. Longer waits are left to sensors: a run that waits holds a slot.
RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


def failure_of(error: PleiadesError, now: datetime) -> dg.Failure:
    """The failure for an error: as people read it in the UI at the instant `now`, and as Dagster's retry policy needs it."""
    retry_at = error.retry_at(now)
    return dg.Failure(
        description=f"{error}. {error.cure}",
        metadata={
            "error": type(error).__name__,
            "exit_code": error.exit_code,
            "cure": error.cure,
            "retry_helps": error.retry_helps,
            "retry_at": dg.MetadataValue.timestamp(retry_at) if retry_at else "never: waiting does not help",
        },
        allow_retries=error.retry_helps,
    )


def refusal(reason: str, *, cure: str) -> dg.Failure:
    """The failure for a request that makes no sense, such as polling the past. It is not retried."""
    return dg.Failure(
        description=f"{reason}. {cure}",
        metadata={"error": "Refused", "exit_code": 2, "cure": cure, "retry_helps": False},
        allow_retries=False,
    )


@contextlib.contextmanager
def as_failures() -> Iterator[None]:
    """Turn the core's errors into Dagster's, except spent quota, which the asset reports as a partial result.

    Raises:
        dagster.Failure: for an error of the core in the block.
    """
    try:
        yield
    except QuotaExhausted:
        raise
    except PleiadesError as error:
        raise failure_of(error, datetime.now(UTC)) from error
