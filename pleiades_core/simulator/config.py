"""What to simulate, as one record, and the world that it describes.

Belongs here: `SimulatorConfig`, its JSON, building its world. Does not belong here: listening (server.py).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pleiades_core.errors import ConfigurationError
from pleiades_core.simulator.api.quota import DEMO_KEYS, SimulatedKey, parse_keys
from pleiades_core.simulator.feeds.hub import HubBehaviour
from pleiades_core.simulator.world.base import World
from pleiades_core.simulator.world.recorded import recorded_world
from pleiades_core.simulator.world.synthetic import SyntheticSize, synthetic_world

#: A Pacific midnight after the change of the counting definition of 24 August 2026, so that no series crosses it.
DEFAULT_START = datetime(2026, 9, 1, 7, tzinfo=UTC)
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """What to simulate and where to listen."""

    #: A folder with videos.parquet and readings.parquet; None: the synthetic world.
    world_folder: str | None = None
    videos: int = 20_000
    seed: int = 1
    #: Videos published a day between `start` and `start` + `days_ahead`; None: as many as in the 30 days before.
    uploads_per_day: float | None = None
    days_ahead: float = 30.0
    #: Channels of the synthetic world; None: one for every twelve videos.
    channels: int | None = None
    #: The clock's first instant. None: DEFAULT_START, or the first reading's day of a recorded world.
    start: datetime | None = None
    #: Simulated seconds a second; 0: the clock stands still until it is set.
    rate: float = 0.0
    keys: tuple[SimulatedKey, ...] = DEMO_KEYS
    #: Calls that a project may make in one minute of the simulated clock. None: any number, since a clock may stand still for
    #: thousands of calls.
    calls_per_minute: int | None = None
    hub: HubBehaviour = field(default_factory=HubBehaviour)
    #: Median of the simulated seconds from publication until a video is in its channel's feed; see feeds.Feeds.
    feed_lag_s: float = 0.0
    #: Compress replies for clients with the headers that YouTube needs. Off: on loopback 50 videos with text took 1.5 times as
    #: long with zlib's level 1 as without, 50 samples 1.15 times (two cores, 2026-11-22).
    compress: bool = False
    host: str = "127.0.0.1"
    #: 0: any free port.
    port: int = 0

    def __post_init__(self) -> None:
        """Check the values. Raises ConfigurationError for an impossible one."""
        if self.start is not None and self.start.tzinfo is None:
            raise ConfigurationError(
                f"the simulator's start {self.start} has no zone", cure="write it in UTC, as 2026-09-01T07:00Z"
            )
        if not (0 <= self.port <= _LAST_PORT and 0 <= self.rate < float("inf") and 0 <= self.feed_lag_s < float("inf")):
            raise ConfigurationError(
                "the simulator needs a port from 0 to 65535, a rate ≥ 0 and a lag of feeds ≥ 0", cure="correct the numbers"
            )
        if self.calls_per_minute is not None and self.calls_per_minute < 1:
            raise ConfigurationError("calls_per_minute is at least 1", cure="leave it out for no limit")

    def to_json(self) -> str:
        """For the child process; see `from_json`."""
        plain = dataclasses.asdict(self)
        return json.dumps(plain | {"start": self.start.isoformat() if self.start else None})

    @classmethod
    def from_json(cls, text: str) -> SimulatorConfig:
        """The inverse of `to_json`."""
        plain = json.loads(text)
        start = datetime.fromisoformat(plain["start"]) if plain["start"] else None
        hub = HubBehaviour(**plain.get("hub", {}))
        return cls(**(plain | {"start": start, "keys": parse_keys(plain["keys"]), "hub": hub}))


def build_world(config: SimulatorConfig) -> tuple[World, datetime]:
    """The world, and the clock's first instant.

    Raises:
        ConfigurationError: the folder has no world.
    """
    if config.world_folder is not None:
        world, first = recorded_world(Path(config.world_folder), seed=config.seed)
        return world, config.start or first
    start = config.start or DEFAULT_START
    size = SyntheticSize(
        videos=config.videos,
        start=start,
        days_ahead=config.days_ahead,
        uploads_per_day=config.uploads_per_day,
        channels=config.channels,
    )
    return synthetic_world(size, seed=config.seed), start
