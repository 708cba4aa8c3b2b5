"""The options of the demo, and their defaults.

Belongs here: records that `pleiades --help` needs, and checks of them. Does not belong here: anything that imports Dagster,
which costs two seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pleiades_core.errors import ConfigurationError, UsageError

#: Days of the longest play.
MOST_DAYS = 31
#: Files of a recorded world; pleiades_core/simulator/world/columns.py lists their columns.
_WORLD_FILES = ("videos.parquet", "readings.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to play, and in which folder."""

    home: Path = Path(".pleiades/demo")
    #: Folder of a recorded world; None: the synthetic one.
    world: Path | None = None
    #: None: a recorded world's own first day; else so that the play ends today (play.py).
    start: date | None = None
    days: int = 3
    videos: int = 40_000
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the options. Raises UsageError for a wrong number of days, ConfigurationError for a folder that is no world."""
        if not 1 <= self.days <= MOST_DAYS:
            raise UsageError(f"{self.days} days cannot be played", cure=f"choose 1 to {MOST_DAYS}")
        if self.world is None:
            return
        if not self.world.is_dir():
            raise ConfigurationError(f"no folder {self.world}", cure=f"name a folder with {' and '.join(_WORLD_FILES)}")
        for name in _WORLD_FILES:
            if not (self.world / name).is_file():
                raise ConfigurationError(
                    f"the world has no file {self.world / name}", cure=f"name a folder with {' and '.join(_WORLD_FILES)}"
                )


#: The defaults of the command line.
USUAL = DemoOptions()
