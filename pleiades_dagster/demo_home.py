"""The home that a demo makes: writing it, throwing it away, and starting its simulator again.

Belongs here: what distinguishes a demo's home from a real one, above all that it can neither be mistaken for one nor reach the
real YouTube. Does not belong here: playing (play.py).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import ConfigurationError, UsageError
from pleiades_core.settings import SETTINGS_FILE, Settings
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.quota import DEMO_KEYS
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess
from pleiades_core.storage.embedded import users_of
from pleiades_core.storage.folders import make_folder

#: How the simulator was started, and where its clock stands.
_PLAYED = "demo.json"
#: What a basic string of TOML must escape besides quote and backslash.
_TOML_CONTROL = frozenset(map(chr, [*range(0x20), 0x7F]))
#: Days beyond the play in which a synthetic world still publishes.
_DAYS_AFTERWARDS = 7.0
#: Share of a synthetic world that is published from the first day played on: a demo is about what is new.
_SHARE_OF_NEW = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What world a demo played in, and until when: enough to start its simulator again."""

    #: Folder of a recorded world; None: the synthetic one of `videos` and `seed`.
    world: str | None
    videos: int
    seed: int
    start: date
    days: int
    port: int
    #: Simulated, aware UTC.
    ended_at: datetime

    def write(self, home: Path) -> None:
        """Keep it in the home."""
        words = asdict(self) | {"start": self.start.isoformat(), "ended_at": self.ended_at.isoformat()}
        (home / _PLAYED).write_text(json.dumps(words, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, home: Path) -> Played:
        """What `write` kept. Raises ConfigurationError when the demo did not come to its end."""
        try:
            words = json.loads((home / _PLAYED).read_text(encoding="utf-8"))
            words |= {"start": date.fromisoformat(words["start"]), "ended_at": datetime.fromisoformat(words["ended_at"])}
            return cls(**words)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"the demo in {home} was not played to its end: {type(error).__name__}: {error}",
                cure="run `pleiades demo` again",
            ) from None


def holds_older_demo(home: Path) -> bool:
    """True when `home` holds a demo that a new one may replace, False when there is nothing to replace.

    Raises UsageError for a folder that is not a demo's, and for a demo that is running.
    """
    if not home.exists() or (home.is_dir() and not any(home.iterdir())):
        return False
    if not home.is_dir() or not is_demo(home):
        raise UsageError(
            f"{home} is not empty and was not made by a demo; nothing was touched",
            cure="give --home a new or empty folder",
        )
    if users := users_of(home / "postgres"):
        raise UsageError(
            f"the demo in {home} is in use by process {', '.join(map(str, users))}",
            cure="stop its UI or demo first, or give another --home",
        )
    return True


def remove(home: Path) -> None:
    """Remove what `holds_older_demo` found. A link in it is removed, what it leads to is not."""
    # The file that says "demo" goes last: a removal that is cut short can be taken up again.
    for path in sorted(home.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_demo(home: Path) -> bool:
    """True for a folder whose settings say that a demo made it."""
    return _said(home).get("demo") is True


def write_settings(
    home: Path, *, youtube_url: str, first_day: date, terms: tuple[str, ...], stopped_at: datetime | None = None
) -> None:
    """Write the settings of a demo's home, which is made if it is missing.

    `stopped_at`: where the play ended, which is "now" for whoever looks at what it left while no simulator runs.
    """
    make_folder(home)
    pool = json.dumps([{"key": key.key, "project": key.project} for key in DEMO_KEYS])
    lines = [
        "# Written by `pleiades demo`. These data are a simulator's; `pleiades demo` may remove this folder.",
        "demo = true",
        f"youtube_url = {toml_string(youtube_url)}",
        'clock = "simulator"',
        f"first_day = {first_day.isoformat()}",
        f"api_key_pool = {toml_string(pool)}",
        f"seed_terms = [{', '.join(map(toml_string, terms))}]",
        # A day of the demo is ten seconds: what costs no quota costs time all the same.
        "feeds_per_hunt = 50",
        "uploads_per_hunt = 60",
    ]
    if stopped_at is not None:
        lines.append(f"simulator_stopped_at = {stopped_at.isoformat()}")
    (home / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def toml_string(text: str) -> str:
    """`text` as a basic string of TOML. Lone surrogates, which no file can hold, are left out."""
    kept = text.encode("utf-8", "ignore").decode("utf-8")
    escaped = (f"\\{c}" if c in '"\\' else f"\\u{ord(c):04X}" if c in _TOML_CONTROL else c for c in kept)
    return f'"{"".join(escaped)}"'


def _said(home: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((home / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def simulator_config(
    *, world: str | None, videos: int, seed: int, start: datetime | None, days: int, port: int = 0, rate: float = 0.0
) -> SimulatorConfig:
    """The simulator of a demo. Videos are published beyond the days played too, so that a UI left open sees new ones."""
    ahead = days + _DAYS_AFTERWARDS
    return SimulatorConfig(
        world_folder=world,
        videos=videos,
        uploads_per_day=_SHARE_OF_NEW * videos / ahead,
        seed=seed,
        start=start,
        days_ahead=ahead,
        rate=rate,
        port=port,
    )


@contextlib.contextmanager
def running_simulator(settings: Settings) -> Iterator[None]:
    """For a demo's home: its simulator, at the address that the settings name, its clock going on from where the play ended."""
    if not settings.demo:
        yield
        return
    played = Played.read(settings.home)
    config = simulator_config(
        world=played.world,
        videos=played.videos,
        seed=played.seed,
        start=utc_midnight(played.start),
        days=played.days,
        port=played.port,
        rate=1.0,
    )
    with start_subprocess(config, log_path=settings.home / "simulator.log") as simulator:
        SimulatorControl(simulator.base_url).set(played.ended_at)
        since = time.monotonic()
        try:
            yield
        finally:
            # Reckoned and not asked: Ctrl-C may have reached the simulator first. Time must not run backwards next time.
            elapsed = timedelta(seconds=time.monotonic() - since)
            replace(played, ended_at=played.ended_at + elapsed).write(settings.home)
