"""Added videos are always watched, and take their room before the others are sampled."""

from __future__ import annotations

import uuid
from datetime import timedelta

from pleiades_core.batches.leases import Lease
from pleiades_core.clock import ManualClock
from pleiades_core.discover.admission.capacity import in_hourly, left_out, room
from pleiades_core.discover.admission.claims import Claim
from pleiades_core.discover.sources import SOURCES
from pleiades_core.models import ChannelId, Counts, Tier, VideoDetails
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries
from pleiades_core.videoid import encode
from pleiades_core.youtube.keyring import KeyRing, parse_pool
from pleiades_core.youtube.quota import Ledger

CHANNEL = ChannelId("UCooVYzDxdwTtGYAkcPmOgOw")
#: Stats units a day.
UNITS = 10


def _details(number: int, clock: ManualClock) -> VideoDetails:
    """A video that is years old."""
    video_id = encode(number)
    return VideoDetails(
        video_id=video_id, channel_id=CHANNEL, channel_title="", title="", description="", tags=(), category_id=None,
        language=None, duration_s=1, live="none", published_at=clock.now() - timedelta(days=900),
        counts=Counts(video_id=video_id, views=1, likes=None, comments=None),
    )  # fmt: skip


def test_a_back_catalogue_takes_its_room_first(database: Database, clock: ManualClock) -> None:
    """The sample was as large as if what is watched in any case were sampled too: together they were more than fits."""
    found = [(_details(number, clock), clock.now()) for number in range(4_000)]
    found_by = {one.video_id: "added" if place % 2 else "search:x" for place, (one, _) in enumerate(found)}
    claimed = Claim(lease=Lease(lease_id=uuid.uuid4(), epoch=uuid.uuid4()), vids={}, tries={}, found_by=found_by)
    keys = parse_pool('["the-only-key"]')
    ring = KeyRing(keys, Ledger(database, clock, limits={keys[0].project: {"stats": UNITS}}))
    out, decision = left_out(database, ring, DemoSettings(), claimed, found, clock.now())
    assert all(found_by[video_id] != "added" for video_id in out)
    assert 0 < len(out) < 2_000
    assert in_hourly({Tier.WEEKLY: 4_000 - len(out)}) <= room({}, UNITS) * 1.05
    assert decision.share < 1


def test_what_a_person_named_is_no_part_of_what_comes_in_a_day(database: Database, clock: ManualClock) -> None:
    words = {"now": clock.now(), "added": SOURCES["added"].bit, "feeds": SOURCES["feeds"].bit}
    with database.transaction() as connection:
        connection.execute(
            "insert into videos (id8, vid, state, published_at, claimed_at, sources)"
            " select n, n, 'admitted', %(now)s, %(now)s, case when n <= 3 then %(added)s else %(feeds)s end"
            " from generate_series(1, 5) n",
            words,
        )
        statement = load_queries("videos").young_since
        within = {"since": clock.now() - timedelta(hours=1), "latest": clock.now(), "named": SOURCES["added"].bit}
        counted = connection.execute(statement, within)
        assert counted.fetchone() == (2,)
