"""Several requests at once.

Belongs here: threads, and when to stop. Does not belong here: the requests (api.py), retries of one call (executor.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pleiades_core.errors import ApiError, KeyRefused, QuotaExhausted

Question = TypeVar("Question")
Answer = TypeVar("Answer")

#: This many failed calls in a row, each after its retries, are an outage: further attempts would be billed for nothing.
_OUTAGE = 3


def ask_all(
    ask: Callable[[Question], Answer], questions: Sequence[Question], *, threads: int, within_s: float = float("inf")
) -> tuple[list[Answer], list[ApiError]]:
    """Make requests in several threads.

    No further request is made once quota has run out, no key is left, calls have failed three times in a row, or `within_s`
    seconds have passed. Any other exception, Ctrl-C included, is raised here once the calls in flight have ended.

    Args:
        ask: makes one request.
        questions: its arguments.
        threads: the most requests at once.
        within_s: seconds after which no request is begun.

    Returns:
        The answers in the order of the questions, and the errors.
    """
    # A flag and not `shutdown(cancel_futures=True)`: waiting for a future that was cancelled that way never ends.
    stop = threading.Event()
    outage = _OutageDetector(stop)
    deadline = time.monotonic() + within_s

    def ask_one(question: Question) -> Answer | ApiError | None:
        if stop.is_set() or time.monotonic() > deadline:
            return None
        try:
            answer = ask(question)
        except ApiError as error:
            outage.failed(error)
            return error
        outage.succeeded()
        return answer

    with ThreadPoolExecutor(threads, thread_name_prefix="youtube") as pool:
        try:
            outcomes = list(pool.map(ask_one, questions))
        except BaseException:
            stop.set()
            raise
    errors = [outcome for outcome in outcomes if isinstance(outcome, ApiError)]
    return [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, ApiError)], errors


class _OutageDetector:
    """Counts failures in a row, over all threads, and sets `stop` at `_OUTAGE` of them."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._failures = 0
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self, error: ApiError) -> None:
        with self._lock:
            self._failures += error.retry_helps
            if self._failures >= _OUTAGE or isinstance(error, QuotaExhausted | KeyRefused):
                self._stop.set()
