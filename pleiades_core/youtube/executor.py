"""Request executor with key failover: one call's way through keys, ledger, transport and errors until it succeeds or cannot.

Belongs here: what is done about each kind of error, and paying for every attempt before it is sent. Does not belong here: what
an error looks like in a reply (api_errors.py), the content of a reply (parse.py).

YouTube bills every request, refused and repeated ones included. So an attempt that the ledger did not grant is never sent. The
unit of a failed attempt is given back only if provably nothing of it left this machine: hunts without a network would spend the
day's searches on nothing. If the process dies between payment and call, the unit stays spent.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from pleiades_core.clock import Clock, pacific_day
from pleiades_core.errors import ApiError, KeyRefused, QuotaExhausted
from pleiades_core.models import Bucket, QuotaPool
from pleiades_core.youtube.call_meter import CallMeter
from pleiades_core.youtube.client import Transport
from pleiades_core.youtube.key_pool import ApiKey, in_order
from pleiades_core.youtube.keyring import KeyRing
from pleiades_core.youtube.parse import parse_error, parse_object, require_list
from pleiades_core.youtube.quota import BUCKET_OF_METHOD, Reservation

#: Waits are random between 0 and base · 2ⁿ, at most the cap, so that callers that failed together come back apart.
#: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter ("full jitter")
_BACK_OFF_BASE_S = 0.5
_BACK_OFF_CAP_S = 8.0
#: A server may demand a longer wait (Retry-After). Beyond this bound the call fails at once: a lease must outlive the wait, and
#: an attempt that comes too early is billed and refused.
_LONGEST_RETRY_AFTER_S = 30.0
#: Just after the reset YouTube's clock may still be on the day before. A verdict "spent" would close the whole new day.
_CLOCK_SKEW = timedelta(minutes=2)


class HydraExecutor:
    """Carries calls out. Safe to share between threads.

    `attempts` bounds how often a call is sent in spite of transient errors; changing keys or projects does not count.
    """

    def __init__(
        self,
        ring: KeyRing,
        transport: Transport,
        clock: Clock,
        *,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 4,
    ) -> None:
        self.ring = ring
        self.transport = transport
        self.clock = clock
        self._sleep = sleep
        self._attempts = attempts
        #: Project, bucket and day of every verdict "spent"; grows by a few entries a day.
        self._closed: set[tuple[str, Bucket, date]] = set()
        #: Every attempt of this executor.
        self.meter = CallMeter()

    def execute(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        pool: QuotaPool,
        meter: CallMeter | None = None,
        reservation: Reservation | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> dict[str, Any]:
        """Send one call, and repeat it as far as that helps.

        Args:
            method: such as `videos.list`.
            params: parameters of the call; those that are None are left out.
            pool: the quota pool that pays.
            meter: counts the attempts; None: the executor's own meter.
            reservation: pays while it is of the method's bucket, of the present quota day and not used up; the ledger pays
                otherwise.
            is_wanted: called before each repetition; if it returns False, the last error is raised.

        Returns:
            The JSON object of the reply.

        Raises:
            QuotaExhausted: no project of the pool has units left.
            KeyInvalid: no key is left.
            RateLimited, BackendError, BadReply: the last attempt failed, or the server asks to wait longer than a call may.
            BadRequest, ResourceMissing, ReplyTooLarge: at once.

        """
        bucket = BUCKET_OF_METHOD[method]
        spent: set[str] = set()
        failures = 0
        while True:
            now = self.clock.now()
            key, paid_from = self._pay(bucket, pool, reservation, spent, now)
            outcome = self._attempt(method, params, key, bucket, now, meter or self.meter)
            if isinstance(outcome, dict):
                return outcome
            if not outcome.sent and not (paid_from and paid_from.put_back()):
                self.ring.ledger.give_back(key.project, bucket, pool, now=now)
            if isinstance(outcome, QuotaExhausted):
                spent.add(key.project)
                self._close(outcome, bucket, now)
            elif isinstance(outcome, KeyRefused):
                self.ring.retire(key, outcome)
            elif outcome.retry_helps:
                failures += 1
                wait_s = _wait_s(failures, outcome)
                if failures >= self._attempts or wait_s > _LONGEST_RETRY_AFTER_S or not is_wanted():
                    raise outcome
                self._sleep(wait_s)
            else:
                raise outcome

    async def execute_async(
        self, method: str, params: Mapping[str, Any], *, pool: QuotaPool, reservation: Reservation | None = None
    ) -> dict[str, Any]:
        """Run `execute` in a thread, for callers that run an event loop.

        If the waiting is cancelled, the attempt in flight still ends and stays paid for; no other attempt follows it.

        Args:
            method: as for `execute`.
            params: as for `execute`.
            pool: as for `execute`.
            reservation: as for `execute`.

        Returns:
            The JSON object of the reply.
        """
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(
                self.execute, method, params, pool=pool, reservation=reservation, is_wanted=lambda: not cancelled.is_set()
            )
        finally:
            cancelled.set()

    def try_key(self, key: ApiKey, method: str, params: Mapping[str, Any]) -> dict[str, Any] | ApiError:
        """Make one attempt with one key, even if the key is retired. It is paid for like any other attempt.

        No ApiError is raised, and the key ring does not change.

        Args:
            key: the key.
            method: as for `execute`.
            params: as for `execute`.

        Returns:
            The JSON object of the reply, or the error.

        Raises:
            StorageError: the ledger cannot be reached.
        """
        now = self.clock.now()
        bucket = BUCKET_OF_METHOD[method]
        ledger = self.ring.ledger
        payer = next((pool for pool in in_order(key.pools) if ledger.debit(key.project, bucket, pool, now=now)), None)
        if payer is None:
            return QuotaExhausted(key.project, bucket, ledger.resets_at(), limit=ledger.limit(key.project, bucket))
        outcome = self._attempt(method, params, key, bucket, now, self.meter)
        if isinstance(outcome, ApiError) and not outcome.sent:
            ledger.give_back(key.project, bucket, payer, now=now)
        if isinstance(outcome, QuotaExhausted):
            self._close(outcome, bucket, now)
        return outcome

    def _close(self, verdict: QuotaExhausted, bucket: Bucket, sent_at: datetime) -> None:
        """Believe the API that a bucket is spent, for the day on which the call was sent."""
        # A limit of 0 does not depend on clocks.
        if verdict.limit == 0 or not _just_reset(sent_at):
            self._closed.add((verdict.project, bucket, pacific_day(sent_at)))
            self.ring.ledger.mark_exhausted(verdict.project, bucket, verdict.limit, now=sent_at)

    def _pay(
        self, bucket: Bucket, pool: QuotaPool, reservation: Reservation | None, spent: set[str], now: datetime
    ) -> tuple[ApiKey, Reservation | None]:
        """A key whose project has just been charged one unit, and the reservation if that has paid.

        Raises QuotaExhausted or KeyInvalid.
        """
        if (
            reservation is not None
            and reservation.bucket == bucket
            and reservation.project not in spent
            # A unit of yesterday does not pay for a call of today.
            and reservation.quota_day == pacific_day(now)
            # The ledger knows it too, but it is not asked about units that were reserved before.
            and (reservation.project, bucket, reservation.quota_day) not in self._closed
        ):
            key = self.ring.of_project(reservation.project, pool)
            if key is not None and reservation.take():
                return key, reservation
        candidates = self.ring.candidates(pool)
        for key in candidates:
            # The ledger refuses a spent project until its reset, in this process and in every later one.
            if key.project not in spent and self.ring.ledger.debit(key.project, bucket, pool, now=now):
                return key, None
        raise self.ring.exhausted(candidates[0].project, bucket, pool)

    def _attempt(
        self, method: str, params: Mapping[str, Any], key: ApiKey, bucket: Bucket, now: datetime, meter: CallMeter
    ) -> dict[str, Any] | ApiError:
        meter.count(bucket, 1)
        try:
            reply = self.transport.send(method, params, key.secret)
            if reply.status == 200:  # noqa: PLR2004
                answer = parse_object(reply.body)
                require_list(answer)
                return answer
        except ApiError as error:
            if not error.sent:
                meter.count(bucket, -1)
            return error
        return parse_error(reply.status, reply.headers, reply.body, project=key.project, bucket=bucket, now=now)


def _wait_s(failures: int, error: ApiError) -> float:
    """Seconds until the next attempt after that many failures."""
    jitter = random.uniform(0, min(_BACK_OFF_CAP_S, _BACK_OFF_BASE_S * 2.0**failures))  # noqa: S311  not a secret
    return max(error.retry_after or 0.0, jitter)


def _just_reset(now: datetime) -> bool:
    return pacific_day(now - _CLOCK_SKEW) != pacific_day(now)
