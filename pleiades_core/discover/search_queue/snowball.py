"""Snowball: the tags of admitted videos become search terms.

Belongs here: which tags are terms, and how many may enter. Does not belong here: which terms are searched (bandit.py), the
channels of the videos (admission follows them).

Tags come from `videos.list`: results of `search.list` have none. Uploaders may write anything there. So tags are filtered, a
batch may add a bounded number, a batch counts as one mention however many of its videos have the tag, mentions fade, and the
queue has a cap: beyond it the least promising terms leave.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg

from pleiades_core.discover.search_queue import bandit
from pleiades_core.discover.search_queue.terms import spelt
from pleiades_core.models import ChannelId, VideoDetails, VideoId
from pleiades_core.storage.locks import ADDING_TERMS
from pleiades_core.storage.queries import load_queries

_SQL = load_queries("terms")

#: Terms that one batch may add: a hunt describes up to 2,500 videos a batch, with some ten tags each.
MOST_NEW = 200
#: Width of the narrowest term, so that two Chinese characters are enough; characters of the longest term.
_NARROWEST, LONGEST = 3, 60
#: The expectation of a new term, relative to the term whose videos have it as a tag: above 1, or it would never be tried. An
#: assumption; the real factor is measured once its videos are two days old (rewards.py).
LIFT = 1.5

_URL = re.compile(r"://|^www\.|^\S+\.(?:com|net|org|tv|io|ly|me|be|gg|co|info|app|xyz)(?:/|$)")
#: Search operators, and signs around a tag that are not part of it.
_OPERATORS = re.compile(r'[|"]')
#: Words that say nothing of what a video is about: articles, and what platforms make people write.
_SAY_NOTHING = """
    a an and are at de del der des di die do e el en for from how i ich in is it la las le les los mein mi my o of on or para
    per por que the to un una und with y you your
    best channel clip clips comment daily fyp foryou foryoupage full fy hd uhd hq k 4k 8k 1080p 720p 60fps latest like likes
    live most new news now official part short shorts share sub subs subscribe subscriber subscribers tiktok today top trend
    trending ultra vid video videos viral vlog watch youtube youtuber youtubers youtubeshorts youtubeshort ytshorts
    shortsvideo shortvideo shortsfeed viralvideo viralshorts viralshort trendingshorts explore page reels reel instagram
    facebook twitter
"""
_BOILERPLATE = frozenset(_SAY_NOTHING.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """What one batch changed in the queue."""

    #: Distinct terms among its tags.
    offered: int
    #: Known terms that got one more mention.
    mentioned: int
    #: Terms that entered.
    added: int
    #: Terms that left.
    culled: int


def term_of(tag: str) -> str | None:
    """The term that a tag stands for: one spelling for all its spellings. None if it is of no use as a search term.

    The term of a term is the term itself.
    """
    plain = "".join(character if character.isprintable() else " " for character in _OPERATORS.sub(" ", tag))
    term = spelt(plain.lstrip("#@- "))
    parts = re.findall(r"\w+", term)
    if _columns(term) < _NARROWEST or len(term) > LONGEST or not any(character.isalpha() for character in term):
        return None
    if _URL.search(term) or all(word in _BOILERPLATE or word.isnumeric() for word in parts):
        return None
    return term


def feed(
    connection: psycopg.Connection, found: Iterable[VideoDetails], now: datetime, *,
    cap: int, sources: Mapping[VideoId, str] | None = None,
) -> Fed:  # fmt: skip
    """Count a mention for the tags of a batch of admitted videos, and let the most widespread unknown tags enter the queue.

    Never waits for another transaction: rows that another hunter holds are left out.

    Args:
        connection: the transaction that admits the videos.
        found: the videos.
        now: the present instant.
        cap: the most terms of the queue.
        sources: where each video was found, as in `Find.name`; the tags of a fruitful term start with more credit.

    Returns:
        What was changed.
    """
    channels: dict[str, set[ChannelId]] = defaultdict(set)
    parents: dict[str, str] = {}
    for details in found:
        source = (sources or {}).get(details.video_id, "")
        for term in {term_of(tag) for tag in details.tags} - {None}:
            assert term is not None  # noqa: S101  the line above checks it; mypy cannot see that
            channels[term].add(details.channel_id)
            if source.startswith("search:"):
                parents.setdefault(term, source.removeprefix("search:"))
    # A channel counts once for a tag, even if all of its videos have it.
    terms = sorted(channels, key=lambda term: (-len(channels[term]), term))
    rule = {
        "now": now, "mentions_kept_a_day": bandit.MENTIONS_KEPT_A_DAY, "prior_requests": bandit.PRIOR_REQUESTS,
    }  # fmt: skip
    mentioned, added = _row_of(
        connection, _SQL.mention_terms,
        {
            **rule, "terms": terms, "parents": [parents.get(term) for term in terms], "most": MOST_NEW, "lift": LIFT,
            "usual": bandit.USUAL_REWARD, "lock": ADDING_TERMS,
        },
    )  # fmt: skip
    return Fed(offered=len(terms), mentioned=mentioned, added=added, culled=cull(connection, now, cap=cap))


def cull(connection: psycopg.Connection, now: datetime, *, cap: int) -> int:
    """Remove the terms with the least promise until the queue is within its cap.

    Terms that a person prioritised stay, and so do terms that brought more than was expected of them.

    Args:
        connection: the caller's transaction.
        now: the present instant.
        cap: the most terms.

    Returns:
        How many terms were removed.
    """
    rule = {"now": now, "kept_a_day": bandit.KEPT_A_DAY, "prior_requests": bandit.PRIOR_REQUESTS}
    usual, length = _row_of(
        connection, _SQL.usual_reward, {**rule, "usual": bandit.USUAL_REWARD, "pool_terms": bandit.POOL_TERMS}
    )
    if length <= cap:
        return 0
    return connection.execute(
        _SQL.cull_terms,
        {
            **rule, "usual": usual, "cap": cap, "mentions_kept_a_day": bandit.MENTIONS_KEPT_A_DAY,
            "most_mentions": bandit.MOST_MENTIONS,
        },
    ).rowcount  # fmt: skip


def _row_of(connection: psycopg.Connection, query: str, parameters: Mapping[str, object]) -> tuple[int, int]:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None  # noqa: S101  an aggregate has a row
    return row[0], row[1]


def _columns(text: str) -> int:
    """The width of a text; Chinese, Japanese and Korean characters are as wide as two letters."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
