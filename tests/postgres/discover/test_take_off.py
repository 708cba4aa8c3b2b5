"""What other sources brought is taken off what the uploads lists would be asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.discover.channels.followed import take_off
from pleiades_core.models import ChannelId, Counts, VideoDetails, VideoId
from pleiades_core.storage.postgres import Database

HOUR = timedelta(hours=1)
CHANNEL = ChannelId("UC" + "a" * 21 + "A")


def upload(published_at: datetime) -> VideoDetails:
    video_id = VideoId("0" * 11)
    return VideoDetails(
        video_id=video_id, channel_id=CHANNEL, channel_title="", title="", description="", published_at=published_at, tags=(),
        category_id=None, language=None, duration_s=None, live="none",
        counts=Counts(video_id=video_id, views=None, likes=None, comments=None),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "videos", "moved"),
    [
        pytest.param([], 100, 3, id="nothing"),
        pytest.param([1], 101, 3, id="after the check: the next count holds it"),
        pytest.param([-1], 100, 2, id="before the check: it is part of what moved"),
        pytest.param([-10], 100, 3, id="before the last list, which showed it"),
        pytest.param([2, 1, -1, -2, -10], 102, 1, id="of each"),
        pytest.param([-1, -1, -1, -1], 100, 0, id="more than moved"),
    ],
)
def test_what_was_brought_need_not_be_listed(
    database: Database, clock: ManualClock, hours: list[int], videos: int, moved: int
) -> None:
    """The channel was checked now, and listed five hours ago."""
    now = clock.now()
    with database.transaction() as connection:
        connection.execute(
            "insert into channels (channel_id, videos, moved, checked_at, listed_at) values (%s, 100, 3, %s, %s)",
            [CHANNEL, now, now - 5 * HOUR],
        )
        take_off(connection, [upload(now + each * HOUR) for each in hours])
        assert connection.execute("select videos, moved from channels").fetchall() == [(videos, moved)]
