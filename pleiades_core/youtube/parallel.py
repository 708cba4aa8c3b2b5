"""Several questions at once.

Belongs here: threads. Does not belong here: what is asked, and what an error means beyond "ask no more".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pleiades_core.errors import ApiError, QuotaExhausted

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def ask_all(
    ask: Callable[[Question], Answer], questions: Sequence[Question], *, threads: int
) -> tuple[list[Answer], list[ApiError]]:
    """The answers in the order of the questions, and the errors. When quota runs out, what was not asked yet is not asked.

    Whatever else is raised, Ctrl-C included, is raised here once the calls in flight have ended.
    """
    # A flag and not `shutdown(cancel_futures=True)`: waiting for a future that was cancelled that way never ends.
    stop = threading.Event()

    def one(question: Question) -> Answer | ApiError | None:
        if stop.is_set():
            return None
        try:
            return ask(question)
        except ApiError as error:
            if isinstance(error, QuotaExhausted):
                stop.set()
            return error

    with ThreadPoolExecutor(threads, thread_name_prefix="youtube") as pool:
        try:
            outcomes = list(pool.map(one, questions))
        except BaseException:
            stop.set()
            raise
    errors = [outcome for outcome in outcomes if isinstance(outcome, ApiError)]
    return [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, ApiError)], errors
