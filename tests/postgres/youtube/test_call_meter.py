"""A part of YouTube counts its own calls and no other ones, where several parts share one executor."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from pydantic import SecretStr
from support.loopback import json_reply, serve

from pleiades_core.clock import ManualClock
from pleiades_core.models import Bucket, VideoId
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.postgres import Database
from pleiades_core.youtube.api import YouTube, open_youtube
from pleiades_core.youtube.parallel import ask_all

A = VideoId("dQw4w9WgXcQ")


def test_a_part_counts_its_own_calls_and_those_of_its_threads(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Two parts ask at the same time, one of them in several threads: each count is exact, and the whole is their sum."""
    settings = DemoSettings(home=tmp_path).changed(keys__pool=SecretStr('["canary-key"]'), youtube__call_deadline_s=5)

    def rival(youtube: YouTube) -> None:
        for _ in range(5):
            youtube.stats([A])
            youtube.videos([A])

    with serve(json_reply({"kind": "k", "items": []})) as server:
        settings = settings.changed(youtube__url=server.base_url)
        with open_youtube(settings, database, clock) as youtube:
            youtube.videos([A])
            first, second = youtube.part(), youtube.part()
            thread = threading.Thread(target=rival, args=[second])
            thread.start()
            ask_all(first.videos, [[A]] * 6, threads=3)
            thread.join()
            assert first.calls() == Counter({Bucket.GENERAL: 6})
            assert second.calls() == Counter({Bucket.GENERAL: 5, Bucket.STATS: 5})
            assert youtube.calls() == Counter({Bucket.GENERAL: 1 + 6 + 5, Bucket.STATS: 5})
            assert first.part().calls() == Counter()
