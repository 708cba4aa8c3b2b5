"""The home of a demo: writing it, removing it, and starting its simulator again.

Belongs here: everything that distinguishes a demo's home from a real one: it cannot be mistaken for a real one, and it cannot
reach the real YouTube; and its clock, which goes on from session to session. Does not belong here: playing (play.py), locking a
home (ui/home_lock.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pleiades_core.clock import utc_midnight
from pleiades_core.errors import ConfigurationError, UsageError
from pleiades_core.settings import SETTINGS_FILE, Settings
from pleiades_core.simulator.api.quota import DEMO_KEYS
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.server import SimulatorConfig, start_subprocess
from pleiades_core.storage.disk import make_folder, replace_file
from pleiades_core.storage.embedded import users_of
from pleiades_dagster.ui.home_lock import RECORD

#: How the simulator was started.
_PLAYED = "demo.json"
#: Characters that a basic string of TOML must escape besides quote and backslash.
_TOML_CONTROL = frozenset(map(chr, [*range(0x20), 0x7F]))
#: Days beyond the play in which a synthetic world still publishes.
_DAYS_AFTERWARDS = 7.0
#: Share of a synthetic world that is published from the first day played on: a demo is about new videos.
_SHARE_OF_NEW = 0.75
#: Real seconds between two records of a running clock.
_NOTE_EVERY_S = 5.0
#: How far ahead of the running clock the record is: after a SIGKILL "now" may be a moment late, but never earlier than a
#: sample. Twice the time between two records, for a machine that is busy.
_NOTED_AHEAD = timedelta(seconds=2 * _NOTE_EVERY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The world of a demo: enough to start its simulator again. The instant of its clock is in the home's settings."""

    #: Folder of a recorded world; None: the synthetic one of `videos` and `seed`.
    world: str | None
    videos: int
    seed: int
    start: date
    days: int

    def write(self, home: Path) -> None:
        """Write it into the home."""
        content = asdict(self) | {"start": self.start.isoformat()}
        (home / _PLAYED).write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, home: Path) -> Played:
        """Read what `write` wrote.

        Raises:
            ConfigurationError: the demo was not played to its end.
        """
        try:
            content = json.loads((home / _PLAYED).read_text(encoding="utf-8"))
            return cls(**(content | {"start": date.fromisoformat(content["start"])}))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"the demo in {home} was not played to its end: {type(error).__name__}: {error}",
                cure="run `pleiades demo` again",
            ) from None


def holds_older_demo(home: Path) -> bool:
    """True if a folder has a demo that a new one may replace; False if there is nothing to replace.

    Raises:
        UsageError: the folder has something else.
    """
    if not home.exists() or (home.is_dir() and not _content(home)):
        return False
    if not home.is_dir() or not is_demo(home):
        raise UsageError(
            f"{home} is not empty and was not made by a demo; nothing was touched",
            cure="give --home a new or empty folder",
        )
    return True


def refuse_used(home: Path) -> None:
    """Refuse to replace a demo whose PostgreSQL another command uses, such as a `pleiades track`.

    Raises:
        UsageError: a process uses it.
    """
    if users := users_of(home / "postgres"):
        raise UsageError(
            f"the demo in {home} is in use by process {', '.join(map(str, users))}",
            cure="wait until that process has ended, or stop it, or give another --home",
        )


def remove(home: Path) -> None:
    """Remove the demo that `holds_older_demo` found. A link in it is removed, but not its target."""
    # The file that marks a demo is removed last: an interrupted removal can be continued.
    for path in sorted(_content(home), key=lambda path: path.name == SETTINGS_FILE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _content(home: Path) -> list[Path]:
    """The content of the home, except the record of the process that has it open."""
    return [path for path in home.iterdir() if path.name != RECORD]


def is_demo(home: Path) -> bool:
    """True if the settings in the folder mark it as a demo."""
    return _settings_in(home).get("demo") is True


def write_settings(home: Path, *, youtube_url: str, first_day: date, terms: tuple[str, ...]) -> None:
    """Write the settings of a demo's home, which is made if it is missing. Its clock stands at the first midnight.

    Args:
        home: the folder.
        youtube_url: address of the simulator.
        first_day: of the play.
        terms: seed terms of the search queue.
    """
    make_folder(home)
    pool = json.dumps([{"key": key.key, "project": key.project} for key in DEMO_KEYS])
    lines = [
        "# Written by `pleiades demo`. The data come from a simulator; `pleiades demo` may remove this folder.",
        "demo = true",
        f"youtube.url = {toml_string(youtube_url)}",
        'clock = "simulator"',
        f"first_day = {first_day.isoformat()}",
        f"keys.pool = {toml_string(pool)}",
        f"discovery.seed_terms = [{', '.join(map(toml_string, terms))}]",
        # A day of the demo takes ten seconds, and feeds take time even if they cost no quota.
        "discovery.feeds_per_hunt = 50",
        "discovery.uploads_per_hunt = 60",
        f"simulator_stopped_at = {utc_midnight(first_day).isoformat()}",
    ]
    replace_file(home / SETTINGS_FILE, ("\n".join(lines) + "\n").encode())


def note_clock(home: Path, instant: datetime) -> None:
    """Record the instant of the simulated clock: "now" for commands while no simulator runs."""
    _change_setting(home, "simulator_stopped_at", instant.isoformat())


def _change_setting(home: Path, name: str, value: str) -> None:
    """Change one setting (TOML). The other lines of the file stay, and readers see the old file or the new one."""
    text = (home / SETTINGS_FILE).read_text(encoding="utf-8")
    replace_file(home / SETTINGS_FILE, with_setting(text, name, value).encode())


def with_setting(text: str, name: str, value: str) -> str:
    """Change one setting in a text of TOML without tables.

    Args:
        text: the settings.
        name: of the setting.
        value: as TOML has it.

    Returns:
        The text with the line `name = value`, in place of the old line or at the end.
    """
    line = f"{name} = {value}"
    # A function, because a backslash in a plain replacement has a special meaning.
    changed, found = re.subn(rf"^{re.escape(name)} *=.*$", lambda _: line, text, count=1, flags=re.MULTILINE)
    return changed if found else f"{text.rstrip()}\n{line}\n".lstrip()


def toml_string(text: str) -> str:
    """`text` as a basic string of TOML. Lone surrogates, which no file can hold, are left out."""
    kept = text.encode("utf-8", "ignore").decode("utf-8")
    escaped = (f"\\{c}" if c in '"\\' else f"\\u{ord(c):04X}" if c in _TOML_CONTROL else c for c in kept)
    return f'"{"".join(escaped)}"'


def _settings_in(home: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((home / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def simulator_config(
    *, world: str | None, videos: int, seed: int, start: datetime | None, days: int, rate: float = 0.0
) -> SimulatorConfig:
    """The simulator of a demo. Videos are published after the play too, so that a UI left open sees new ones.

    Args:
        world: folder of a recorded world; None: a synthetic one.
        videos: size of the synthetic world.
        seed: of the synthetic world.
        start: first instant; None: the recorded world's own.
        days: days of the play.
        rate: simulated seconds a second; 0: the clock stands still.

    Returns:
        The configuration.
    """
    ahead = days + _DAYS_AFTERWARDS
    return SimulatorConfig(
        world_folder=world,
        videos=videos,
        uploads_per_day=_SHARE_OF_NEW * videos / ahead,
        seed=seed,
        start=start,
        days_ahead=ahead,
        rate=rate,
    )


@contextlib.contextmanager
def running_simulator(settings: Settings) -> Iterator[None]:
    """For a demo's home: run its simulator; the clock goes on. For another home nothing happens.

    The settings in the home name the simulator's address, which changes each time: another program may use the old port by now.
    They record its clock too: within `_NOTED_AHEAD` while it runs, and exactly once it has stopped.
    """
    if not settings.demo:
        yield
        return
    played = Played.read(settings.home)
    start = utc_midnight(played.start)
    config = simulator_config(
        world=played.world, videos=played.videos, seed=played.seed, start=start, days=played.days, rate=1.0
    )
    with start_subprocess(config, log_path=settings.home / "simulator.log") as simulator:
        control = SimulatorControl(simulator.base_url)
        # Before the address is published.
        control.set(settings.simulator_stopped_at or start)
        _change_setting(settings.home, "youtube.url", toml_string(simulator.base_url))
        with _clock_noted(settings.home, control):
            yield


@contextlib.contextmanager
def _clock_noted(home: Path, control: SimulatorControl) -> Iterator[None]:
    """Record a running simulator's clock for the length of a block."""
    over = threading.Event()

    def note(ahead: timedelta) -> None:
        # If the simulator does not answer or the disk is full, the last record stays.
        with contextlib.suppress(ConfigurationError, OSError):
            note_clock(home, control.now() + ahead)

    def note_again() -> None:
        while not over.wait(_NOTE_EVERY_S):
            note(_NOTED_AHEAD)

    note(_NOTED_AHEAD)
    noting = threading.Thread(target=note_again, name="clock note", daemon=True)
    noting.start()
    try:
        yield
    finally:
        over.set()
        noting.join()
        note(timedelta())
