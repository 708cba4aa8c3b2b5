"""Push end to end: our subscriptions, receiver and hunter against the simulator's hub, over simulated days."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.pushing import SECRET, running
from support.rows import read_rows
from support.simulators import Simulators

from pleiades_core.clock import ManualClock
from pleiades_core.discover.push.subscriptions import renew
from pleiades_core.installation import Installation, open_installation
from pleiades_core.settings import DemoSettings
from pleiades_core.simulator.api.quota import DEMO_KEYS
from pleiades_core.simulator.config import SimulatorConfig
from pleiades_core.simulator.control import SimulatorControl
from pleiades_core.simulator.feeds.hub import HubBehaviour
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.youtube.hub import Hub

#: A hub without chance, so that every upload can be asked for; it sends some notices twice.
FAITHFUL = HubBehaviour(lost=0, never_verified=0, doubled=0.2, median_delay_s=30)


@pytest.fixture
def following(
    simulators: Simulators, tmp_path: Path, database_url: str, world_start: datetime
) -> Iterator[tuple[Installation, SimulatorControl]]:
    """An installation that follows every channel of a simulator, and whose receiver listens."""
    config = SimulatorConfig(videos=1_500, seed=5, start=world_start, days_ahead=14, uploads_per_day=60, hub=FAITHFUL)
    with simulators.running(config, log_path=tmp_path / "simulator.log") as simulator, contextlib.ExitStack() as stack:
        control = SimulatorControl(simulator.base_url)
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        stack.pop_all().close()
        settings = DemoSettings(home=tmp_path / "home").changed(
            database__url=database_url,
            youtube__url=simulator.base_url,
            keys__pool=SecretStr(f'["{DEMO_KEYS[0].key}"]'),
            push__secret=SecretStr(SECRET),
            push__port=port,
            push__callback_url=f"http://127.0.0.1:{port}/push",
        )
        with open_installation(settings, create=True, clock=ManualClock(world_start)) as pleiades:
            with pleiades.database.transaction() as connection, connection.cursor() as cursor:
                cursor.executemany("insert into channels (channel_id) values (%s)", [(one,) for one in control.channels()])
            with running(pleiades.database, pleiades.clock, settings):
                yield pleiades, control


def _pass(following: tuple[Installation, SimulatorControl], by: timedelta) -> None:
    """Let simulated time pass: what is published meanwhile is announced."""
    pleiades, control = following
    assert isinstance(pleiades.clock, ManualClock)
    pleiades.clock.advance(by)
    control.set(pleiades.clock.now())
    control.deliver()


def _renewed(following: tuple[Installation, SimulatorControl]) -> int:
    """Ask for what is due, and let the hub verify; how many were asked for."""
    pleiades, control = following
    with contextlib.closing(Hub(pleiades.settings.youtube.hub_root, 10.0)) as hub:
        report = renew(pleiades.database, hub, pleiades.clock, pleiades.settings, limit=5_000)
    assert report.error is None
    control.deliver()
    return report.requested


def _in_registry(pleiades: Installation) -> dict[str, str]:
    return {row["video_id"]: row["source"] for row in read_rows(pleiades.vault, REGISTRY).to_pylist()}


def test_what_is_published_is_announced_and_hunted_without_a_search(following: tuple[Installation, SimulatorControl]) -> None:
    pleiades, control = following
    begun = pleiades.clock.now()
    channels = len(control.channels())
    assert _renewed(following) == channels
    assert control.hub()["subscriptions"] == channels
    for _ in range(6):
        _pass(following, timedelta(hours=1))
    _pass(following, timedelta(minutes=30))
    published = {video for video, _, _ in control.uploads(begun, begun + timedelta(hours=6))}
    assert len(published) > 5
    report = pleiades.hunter().hunt(("push",))
    assert report.new >= len(published)
    found = _in_registry(pleiades)
    assert published <= found.keys()
    assert set(found.values()) == {"push"}
    with pleiades.database.transaction() as connection:
        assert connection.execute("select from inbox").rowcount == 0
        assert connection.execute("select from quota_ledger where bucket = 'search' and spent > 0").rowcount == 0


def test_leases_are_kept_alive_for_two_weeks_and_end_when_nobody_renews(
    following: tuple[Installation, SimulatorControl],
) -> None:
    pleiades, control = following
    channels = len(control.channels())
    asked = 0
    for _ in range(9):
        asked += _renewed(following)
        assert control.hub()["subscriptions"] == channels
        _pass(following, timedelta(days=1))
    assert 2 * channels <= asked <= 4 * channels
    _pass(following, timedelta(days=4, hours=23))
    assert control.hub()["subscriptions"] == 0
    with pleiades.database.transaction() as connection:
        live = connection.execute("select from channels where push_until > %s", [pleiades.clock.now()]).rowcount
    assert live == 0


def test_what_is_lost_while_the_receiver_is_down_is_sent_again(
    following: tuple[Installation, SimulatorControl],
) -> None:
    """The database is locked for a while: notices are refused with 503, and the hub repeats them."""
    pleiades, control = following
    _renewed(following)
    begun = pleiades.clock.now()
    with pleiades.database.transaction() as connection:
        connection.execute("alter table inbox rename to elsewhere")
    _pass(following, timedelta(hours=3))
    with pleiades.database.transaction() as connection:
        connection.execute("alter table elsewhere rename to inbox")
    assert control.hub()["delivered"] == 0
    for _ in range(4):
        _pass(following, timedelta(hours=1))
    pleiades.hunter().hunt(("push",))
    published = {video for video, _, _ in control.uploads(begun, begun + timedelta(hours=3))}
    assert published
    assert published <= _in_registry(pleiades).keys()
