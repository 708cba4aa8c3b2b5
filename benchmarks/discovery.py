"""How much of what is uploaded is found, how late, for how many units: 100,000 uploads a day, 50,000 channels, one project.

Two plays of the product's own hunts against the simulator, over HTTP, in simulated time:

    push and feeds   every source, 24 hours. The hub delays (median 60 s), loses 2 %, doubles 3 % and never verifies 2 % of the
                     channels; all of that is assumed, nobody publishes figures (simulator/feeds/hub.py). Full hunts every hour,
                     hunts of the inbox and of feeds every 20 minutes, as the shipped schedule and sensor do.
    uploads lists    that source alone, 72 hours: one to settle, one measured, one for what was uploaded late in it.

Found means described and in the registry. The share is of all uploads of the measured day, also of those that were gone before
anybody could describe them. `bound` is what an oracle finds with the same 10,000 units: it knows without asking which list
holds how many new videos. The rival is the loop that most trackers run: uploads lists in turn, one unit each.

`cpu_s` is of the product's process, its receiver and the driver of this benchmark included; PostgreSQL and simulator apart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks import machine
from pleiades_core.clock import ManualClock
from pleiades_core.discover.push.server import listening
from pleiades_core.discover.push.subscriptions import renew
from pleiades_core.errors import QuotaExhausted
from pleiades_core.installation import Installation, open_installation
from pleiades_core.models import ChannelId
from pleiades_core.settings import DemoSettings
from pleiades_core.simulator.api.quota import SimulatedKey
from pleiades_core.simulator.config import DEFAULT_START, SimulatorConfig
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.server import start_subprocess
from pleiades_core.vault import query
from pleiades_core.youtube.hub import Hub

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_PROJECT, _KEY = "benchmark", "benchmark-key-0001"
_LIMITS = {"search": 100, "stats": 10_000, "general": 10_000}
_IDS_PER_CALL = 50


@dataclass(frozen=True, slots=True)
class Stage:
    """One play: a simulator of its own and an installation on it."""

    control: SimulatorControl
    pleiades: Installation
    clock: ManualClock

    def set(self, instant: datetime) -> None:
        """Move both clocks."""
        self.control.set(instant)
        self.clock.set(instant)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object (the default)")
    parser.add_argument("--uploads", type=int, default=100_000, help="a day")
    parser.add_argument("--channels", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    print(json.dumps(measure(options.uploads, options.channels, options.seed)))


def measure(uploads: int, channels: int, seed: int) -> dict[str, Any]:
    """Both plays and the rival."""
    with staged(uploads, channels, seed, days=2) as stage:
        fresh = _push_and_feeds(stage)
    with staged(uploads, channels, seed, days=3) as stage:
        lists = _uploads_alone(stage)
    with staged(uploads, channels, seed, days=2) as stage:
        rival = _each_list_in_rotation(stage)
    return {
        "figures": {
            "found_1h_push_feeds": fresh["found_1h"],
            "found_24h_uploads": lists["found_24h"],
            "units_per_1000_new": fresh["units_per_1000_new"],
            "units_overspent": fresh["units_overspent"] + lists["units_overspent"],
        },
        "push_and_feeds": fresh,
        "uploads_lists": lists,
        "rivals": {"uploads_lists_each_list_in_rotation_found": rival, "bound_of_an_oracle": lists["bound"]},
        "workload": {"uploads_a_day": uploads, "channels": channels, "projects": 1, "seed": seed},
        "machine": machine.describe(),
    }


@contextlib.contextmanager
def staged(uploads: int, channels: int, seed: int, *, days: int) -> Iterator[Stage]:
    """A simulator whose uploads begin at its start, and an installation that follows all of its channels."""
    # A back catalogue, so that few channels begin with an empty list.
    videos = uploads * days + 2 * channels
    config = SimulatorConfig(
        videos=videos, channels=channels, uploads_per_day=uploads, days_ahead=days, seed=seed,
        keys=(SimulatedKey(key=_KEY, project=_PROJECT),),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="plb") as folder, contextlib.ExitStack() as stack:
        process = stack.enter_context(start_subprocess(config, log_path=Path(folder) / "simulator.log"))
        control = SimulatorControl(process.base_url, timeout_s=120)
        clock = ManualClock(DEFAULT_START)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = DemoSettings(home=Path(folder) / "home").changed(
            youtube__url=process.base_url,
            keys__pool=SecretStr(json.dumps([{"key": _KEY, "project": _PROJECT}])),
            discovery__seed_terms=tuple(str(term) for term in control.world()["terms"]),
            push__callback_url=f"http://127.0.0.1:{port}",
            push__port=port,
            push__secret=SecretStr("benchmark-" * 4),
        )
        pleiades = stack.enter_context(open_installation(settings, create=True, clock=clock))
        with pleiades.database.transaction() as connection, connection.cursor() as cursor:
            # As weeks of running would have left them: known, listed once, and otherwise judged as average.
            cursor.executemany(
                "insert into channels (channel_id, listed_at) values (%s, %s)",
                [(channel_id, DEFAULT_START) for channel_id in control.channels()],
            )
        yield Stage(control, pleiades, clock)


def _push_and_feeds(stage: Stage) -> dict[str, Any]:
    """24 hours of every source, and one more for what was uploaded in the last of them."""
    pleiades, control = stage.pleiades, stage.control
    settings = pleiades.settings.changed(youtube__parallel_calls=8)
    with (
        listening(pleiades.database, pleiades.clock, settings),
        contextlib.closing(Hub(settings.youtube.hub_root, 20.0)) as hub,
    ):
        subscribed = -time.perf_counter()
        while renew(pleiades.database, hub, pleiades.clock, settings, limit=2_000).requested:
            control.deliver()
        subscribed += time.perf_counter()
        before = time.process_time()

        def hour(at: datetime) -> None:
            for part in range(3):
                stage.set(at + part * _HOUR / 3)
                control.deliver()
                # The first hunt of an hour takes every source, as the schedule's does; the others what the sensor asks for.
                pleiades.hunter().hunt(*([] if part == 0 else [("added", "push", "feeds")]))

        lateness, found = _play(stage, hour, hours=25, measured_from=DEFAULT_START)
        cpu_s = time.process_time() - before
    day = _units(control, first=DEFAULT_START, days=1)
    new = _found(lateness)
    return {
        "found_1h": _share(lateness, _HOUR),
        "found_24h": _share(lateness, _DAY),
        "found_1h_by_source": _by_source(lateness, found, _HOUR),
        "lateness_minutes": _quantiles(lateness),
        "units": dict(day),
        "units_per_1000_new": round(sum(day.values()) / new * 1_000, 1),
        "units_overspent": _overspent(stage),
        "new": new,
        "feeds_read": control.ledger()["feeds"],
        "hub": control.hub(),
        "watched_share": round(sum(found["watched"]) / len(found["watched"]), 3),
        "subscribing_s": round(subscribed, 1),
        "cpu_s": round(cpu_s, 1),
        "cpu_ms_per_new": round(cpu_s / new * 1_000, 2),
    }


def _uploads_alone(stage: Stage) -> dict[str, Any]:
    """72 hours of uploads lists: the middle day is measured, the last one finds what it left."""
    before = time.process_time()

    def hour(at: datetime) -> None:
        stage.set(at)
        with contextlib.suppress(QuotaExhausted):
            stage.pleiades.hunter().hunt(("uploads",))

    measured_from = DEFAULT_START + _DAY
    lateness, _ = _play(stage, hour, hours=72, measured_from=measured_from)
    day = _units(stage.control, first=measured_from, days=1)
    new = _found(lateness)
    bound = _bound(stage.control, measured_from)
    share = _share(lateness, _DAY)
    return {
        "found_24h": share,
        "bound": bound,
        "of_bound": round(share / bound, 3),
        "lateness_minutes": _quantiles(lateness),
        "units": dict(day),
        "units_per_1000_new": round(sum(day.values()) / max(1, new) * 1_000, 1),
        "units_overspent": _overspent(stage),
        "new": new,
        "cpu_s": round(time.process_time() - before, 1),
    }


def _play(
    stage: Stage, hour: Callable[[datetime], None], *, hours: int, measured_from: datetime
) -> tuple[dict[str, timedelta | None], dict[str, list[Any]]]:
    """Play hour by hour; how late each upload of the measured day was found (None: not at all), and the whole registry."""
    for number in range(hours):
        hour(DEFAULT_START + number * _HOUR)
        _progress(number + 1, hours)
    stage.set(DEFAULT_START + hours * _HOUR)
    found = query.query(
        stage.pleiades.vault, "select video_id, discovered_at, split_part(source, ':', 1) as source, watched from videos"
    ).to_pydict()
    at = dict(zip(found["video_id"], found["discovered_at"], strict=True))
    uploaded = stage.control.uploads(measured_from, measured_from + _DAY)
    return {video: at[video] - published if video in at else None for video, _, published in uploaded}, found


def _each_list_in_rotation(stage: Stage) -> float:
    """The rival: each channel's list in turn, all day long, described 50 at a time. Share of the day's uploads it finds."""
    youtube, seen = stage.pleiades.youtube(), set[str]()
    channels = [ChannelId(channel_id) for channel_id in stage.control.channels()]
    uploaded = {video for video, _, _ in stage.control.uploads(DEFAULT_START, DEFAULT_START + _DAY)}
    turn, undescribed = 0, 0
    for number in range(24):
        stage.set(DEFAULT_START + (number + 1) * _HOUR - timedelta(minutes=1))
        budget = _LIMITS["general"] // 24
        while budget > undescribed / _IDS_PER_CALL:
            page = youtube.uploads(channels[turn % len(channels)])
            turn, budget = turn + 1, budget - 1
            fresh = {candidate.video_id for candidate in page.candidates} - seen
            seen |= fresh
            undescribed += len(fresh)
        undescribed = 0
    return round(len(seen & uploaded) / len(uploaded), 4)


def _bound(control: SimulatorControl, day: datetime) -> float:
    """The share of a day's uploads that 10,000 units can list and describe, if one knew where they are."""
    of_channel = Counter(channel for _, channel, _ in control.uploads(day, day + _DAY))
    pages = [min(_IDS_PER_CALL, count - start) for count in of_channel.values() for start in range(0, count, _IDS_PER_CALL)]
    units, found = float(_LIMITS["general"]), 0
    for videos in sorted(pages, reverse=True):
        units -= 1 + videos / _IDS_PER_CALL
        if units < 0:
            break
        found += videos
    return round(found / of_channel.total(), 4)


def _units(control: SimulatorControl, *, first: datetime, days: int) -> Counter[str]:
    """Units by bucket that the simulator counted on the Pacific days from `first`."""
    expected = {(first + number * _DAY - timedelta(hours=7)).date().isoformat() for number in range(days)}
    spent: Counter[str] = Counter()
    for row in control.ledger()["calls"]:
        if row["pacific_day"] in expected:
            spent[row["bucket"]] += row["units"]
    return spent


def _overspent(stage: Stage) -> int:
    """Units beyond a limit, and calls that our ledger does not know of: of every bucket and day."""
    with stage.pleiades.database.transaction() as connection:
        rows = connection.execute("select bucket, quota_day, spent from quota_ledger").fetchall()
    ledger_units = {(bucket, day.isoformat()): spent for bucket, day, spent in rows}
    return sum(
        max(0, row["units"] - _LIMITS[row["bucket"]])
        + max(0, row["calls"] - ledger_units.get((row["bucket"], row["pacific_day"]), 0))
        for row in stage.control.ledger()["calls"]
    )


def _found(lateness: dict[str, timedelta | None]) -> int:
    """Uploads of the day that were found within a day. Older videos, which the sources bring along, are not counted as new."""
    return sum(late is not None and late <= _DAY for late in lateness.values())


def _share(lateness: dict[str, timedelta | None], within: timedelta) -> float:
    return round(sum(late is not None and late <= within for late in lateness.values()) / len(lateness), 4)


def _by_source(lateness: dict[str, timedelta | None], found: dict[str, list[Any]], within: timedelta) -> dict[str, float]:
    source = dict(zip(found["video_id"], found["source"], strict=True))
    first = Counter(source[video] for video, late in lateness.items() if late is not None and late <= within)
    return {name: round(count / len(lateness), 4) for name, count in first.most_common()}


def _quantiles(lateness: dict[str, timedelta | None]) -> dict[str, float | None]:
    """Over all uploads; None where the share was never found."""
    minutes = sorted(math.inf if late is None else late / timedelta(minutes=1) for late in lateness.values())
    named = {f"p{percent}": minutes[len(minutes) * percent // 100] for percent in (50, 90, 95)}
    return {name: round(value, 1) if math.isfinite(value) else None for name, value in named.items()}


def _progress(done: int, of: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"hour {done} of {of}, {used.ru_utime + used.ru_stime:.0f} CPU-s", file=sys.stderr)


if __name__ == "__main__":
    main()
