"""Describing claimed videos: details of 50 videos a call, without one bad video hiding 49 good ones.

Belongs here: portions of ids, and what a failed portion means. Does not belong here: admitting (claims.py).

A portion that fails is requested again by a later hunt in halves, so that its ids get less company at every attempt, until the
bad id is alone and is given up. A reply that is too large is halved at once. Only videos that were requested count a failure,
and none does when YouTube demands fewer calls: in an outage most of a large claim is never requested.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pleiades_core.clock import Clock
from pleiades_core.discover.admission.claims import Claim
from pleiades_core.discover.admission.retry import RetryDecision, absent, failed
from pleiades_core.discover.sources.base import FailureCause, Found, cause_of
from pleiades_core.errors import ApiError, ConfigurationError, EmptyReply, RateLimited, ReplyTooLarge
from pleiades_core.models import Bucket, QuotaPool, VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import Reservation

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeResult:
    """YouTube's answers to a claim."""

    found: tuple[Found, ...]
    #: Requested, and not in the reply.
    absent: tuple[VideoId, ...]
    #: In the reply and not understood, or in a portion that was sent and failed.
    failed: tuple[VideoId, ...]
    errors: tuple[ApiError, ...]
    #: True if any call was answered.
    answered: bool


#: For a claim that waits until a call is full.
NOTHING = DescribeResult(found=(), absent=(), failed=(), errors=(), answered=False)


def describe(
    youtube: YouTube, clock: Clock, settings: Settings, claimed: Claim, given: Mapping[VideoId, Found]
) -> DescribeResult:
    """Request the details of every claimed video that did not come with details, several calls at once. Errors are collected.

    Args:
        youtube: is called.
        clock: says when details arrived.
        settings: have the number of parallel calls.
        claimed: the claim.
        given: details that came with the candidates.

    Returns:
        The answers.
    """
    portions = portions_of(claimed, given)
    blamed: list[VideoId] = []

    def ask(ids: Sequence[VideoId]) -> DescribeResult:
        try:
            return _ask(youtube, clock, reservation, ids)
        except ApiError as error:
            if cause_of(error) is not FailureCause.ACCESS and not isinstance(error, RateLimited):
                blamed.extend(ids)
            raise

    with youtube.reserved(Bucket.GENERAL, QuotaPool.HUNTING, len(portions)) as reservation:
        answers, errors = ask_all(ask, portions, threads=settings.youtube.parallel_calls, within_s=settings.tracking.asking_s)
    found = (
        *(given[video_id] for video_id in claimed.vids if video_id in given),
        *(found for answer in answers for found in answer.found),
    )
    return DescribeResult(
        found=found,
        absent=tuple(itertools.chain.from_iterable(answer.absent for answer in answers)),
        failed=(*itertools.chain.from_iterable(answer.failed for answer in answers), *blamed),
        errors=tuple(errors),
        answered=bool(answers),
    )


def retry_decisions(claimed: Claim, described: DescribeResult, now: datetime, *, up: bool) -> dict[VideoId, RetryDecision]:
    """Decide what to do with claimed videos that were not described. Pure.

    Args:
        claimed: the claim.
        described: the answers.
        now: the present instant.
        up: YouTube answered some other request in this hunt.

    Returns:
        The decision for each video.
    """
    decisions = {video_id: absent(claimed.tries[video_id], now) for video_id in described.absent}
    # In an outage no video is at fault. If other calls were answered, the videos of the failed calls may be.
    for video_id in described.failed if up or described.answered else ():
        decisions[video_id] = failed(claimed.tries[video_id], now, answered=described.answered)
    return decisions


def portions_of(claimed: Claim, given: Mapping[VideoId, Found]) -> list[list[VideoId]]:
    """The ids of each call: 50, and half as many for every attempt that failed. Pure."""
    portions: list[list[VideoId]] = []
    to_describe = [video_id for video_id in claimed.vids if video_id not in given]
    by_attempts = sorted(to_describe, key=lambda video_id: claimed.tries[video_id].attempts)
    for attempts, group in itertools.groupby(by_attempts, key=lambda video_id: claimed.tries[video_id].attempts):
        ids, size = list(group), max(1, IDS_PER_CALL >> attempts)
        portions += [ids[start : start + size] for start in range(0, len(ids), size)]
    return portions


def _ask(youtube: YouTube, clock: Clock, reservation: Reservation | None, ids: Sequence[VideoId]) -> DescribeResult:
    details, unreadable = _details(youtube, ids, reservation)
    arrived_at = clock.now()
    there = {video.video_id for video in details} | unreadable
    return DescribeResult(
        found=tuple((video, arrived_at) for video in details),
        absent=tuple(video_id for video_id in ids if video_id not in there),
        failed=tuple(unreadable),
        errors=(),
        answered=True,
    )


def _details(
    youtube: YouTube, ids: Sequence[VideoId], reservation: Reservation | None
) -> tuple[tuple[VideoDetails, ...], frozenset[VideoId]]:
    try:
        return youtube.videos(ids, reservation=reservation)
    except EmptyReply as doubt:
        _require_absent(youtube, ids, doubt)
        return (), frozenset()
    except ReplyTooLarge as error:
        if len(ids) == 1:
            log.warning("video %s cannot be described: %s", ids[0], error)
            return (), frozenset(ids)
    half = len(ids) // 2
    first, second = (_details(youtube, part, reservation) for part in (ids[:half], ids[half:]))
    return first[0] + second[0], first[1] | second[1]


def _require_absent(youtube: YouTube, ids: Sequence[VideoId], doubt: EmptyReply) -> None:
    """Ask a second method whether all of many videos are absent: a person may add a list of deleted videos.

    One unit of the stats bucket. Raises the doubt if that method has some of them, or cannot be asked.
    """
    try:
        youtube.stats(ids)
    except EmptyReply as second:
        if second.method != doubt.method:
            return
    except (ApiError, ConfigurationError) as error:
        log.info("%s, and the other method cannot say more: %s", doubt, error)
    raise doubt
