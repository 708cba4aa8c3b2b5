"""Whose calls are whose, where several share one YouTube."""

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


def test_a_block_counts_its_own_calls_and_those_of_its_threads(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """What another thread asks meanwhile is that thread's, and everybody's once the block is over."""
    settings = DemoSettings(home=tmp_path, api_key_pool=SecretStr('["canary-key"]'), call_deadline_s=5)

    def rival(youtube: YouTube) -> None:
        youtube.stats([A])
        youtube.videos([A])

    with serve(json_reply({"kind": "k", "items": []})) as server:
        settings = settings.model_copy(update={"youtube_url": server.base_url})
        with open_youtube(settings, database, clock) as youtube:
            youtube.videos([A])
            with youtube.executor.own_calls():
                before = youtube.calls()
                for _ in range(2):
                    thread = threading.Thread(target=rival, args=[youtube])
                    thread.start()
                    thread.join()
                    ask_all(youtube.videos, [[A]] * 3, threads=2)
                assert youtube.calls() - before == Counter({Bucket.GENERAL: 6})
            assert youtube.calls() == Counter({Bucket.GENERAL: 1 + 2 + 6, Bucket.STATS: 2})
