"""Describing what was claimed: details of 50 videos a call, and how one bad video is kept from hiding 49 others.

Belongs here: portions of ids, and what a failed portion means. Does not belong here: admitting (admission.py).

A portion that fails is asked for again by the next hunt, in halves of the halves: its ids get smaller company at every attempt,
until the bad one is alone and is given up. A reply that is too large is halved at once.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pleiades_core.clock import Clock
from pleiades_core.discover.admission import Claim
from pleiades_core.discover.sources.source import Found
from pleiades_core.errors import ApiError, QuotaExhausted, ReplyTooLarge
from pleiades_core.models import VideoDetails, VideoId
from pleiades_core.settings import Settings
from pleiades_core.youtube.api import IDS_PER_CALL, YouTube
from pleiades_core.youtube.parallel import ask_all
from pleiades_core.youtube.quota import GENERAL, Reservation

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What YouTube said of a claim."""

    found: tuple[Found, ...]
    #: Asked for and not in the reply.
    absent: tuple[VideoId, ...]
    #: In the reply and not to be understood, or in a portion that failed.
    failed: tuple[VideoId, ...]
    errors: tuple[ApiError, ...]


#: Of a claim that waits for company.
NOTHING = Described(found=(), absent=(), failed=(), errors=())


def describe(youtube: YouTube, clock: Clock, settings: Settings, claimed: Claim, given: Mapping[VideoId, Found]) -> Described:
    """Ask for everything claimed that did not come with its details (`given`), several calls at once.

    Errors are collected; nothing is raised for them.
    """
    portions = portions_of(claimed, given)
    with youtube.reserved(GENERAL, "hunting", len(portions)) as reservation:
        ask = partial(_ask, youtube, clock, reservation)
        answers, errors = ask_all(ask, portions, threads=settings.parallel_calls, within_s=settings.asking_s)
    found = (
        *(given[video_id] for video_id in claimed.vids if video_id in given),
        *(found for answer in answers for found in answer.found),
    )
    unreadable = {video_id for answer in answers for video_id in answer.failed}
    answered = {video_id for answer in answers for video_id in (*answer.absent, *answer.failed)}
    answered |= {details.video_id for details, _ in found}
    # Not asked for because quota ran out is no fault of the video.
    spared = any(isinstance(error, QuotaExhausted) for error in errors)
    lost = () if spared else tuple(video_id for video_id in claimed.vids if errors and video_id not in answered)
    return Described(
        found=found,
        absent=tuple(itertools.chain.from_iterable(answer.absent for answer in answers)),
        failed=(*unreadable, *lost),
        errors=tuple(errors),
    )


def portions_of(claimed: Claim, given: Mapping[VideoId, Found]) -> list[list[VideoId]]:
    """Ids for one call each: 50, and half as many for every attempt that failed. Pure."""
    portions: list[list[VideoId]] = []
    wanted = [video_id for video_id in claimed.vids if video_id not in given]
    by_attempts = sorted(wanted, key=lambda video_id: claimed.attempts[video_id])
    for attempts, group in itertools.groupby(by_attempts, key=lambda video_id: claimed.attempts[video_id]):
        ids, size = list(group), max(1, IDS_PER_CALL >> attempts)
        portions += [ids[start : start + size] for start in range(0, len(ids), size)]
    return portions


def _ask(youtube: YouTube, clock: Clock, reservation: Reservation | None, ids: Sequence[VideoId]) -> Described:
    details, unreadable = _details(youtube, ids, reservation)
    arrived_at = clock.now()
    there = {one.video_id for one in details} | unreadable
    return Described(
        found=tuple((one, arrived_at) for one in details),
        absent=tuple(video_id for video_id in ids if video_id not in there),
        failed=tuple(unreadable),
        errors=(),
    )


def _details(
    youtube: YouTube, ids: Sequence[VideoId], reservation: Reservation | None
) -> tuple[tuple[VideoDetails, ...], frozenset[VideoId]]:
    try:
        return youtube.videos_and_unreadable(ids, reservation=reservation)
    except ReplyTooLarge as error:
        if len(ids) == 1:
            log.warning("video %s cannot be described: %s", ids[0], error)
            return (), frozenset(ids)
    half = len(ids) // 2
    first, second = (_details(youtube, part, reservation) for part in (ids[:half], ids[half:]))
    return first[0] + second[0], first[1] | second[1]
