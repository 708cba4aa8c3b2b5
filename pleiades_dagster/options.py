"""What the command line may say to the demo, and what holds where it says nothing.

Belongs here: records that `pleiades --help` needs. Does not belong here: anything that imports Dagster, which costs two
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

#: Days of the longest play.
MOST_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to play, and where to keep it."""

    home: Path = Path(".pleiades/demo")
    #: Folder of a recorded world; None: the synthetic one.
    world: Path | None = None
    #: None: a recorded world's own first day; else so that the last day played is the day before yesterday.
    start: date | None = None
    days: int = 3
    videos: int = 40_000
    seed: int = 1


#: Where the command line says nothing.
USUAL = DemoOptions()
