"""One program at a time has a home open, and the next one is told which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pleiades_core.errors import ConfigurationError
from pleiades_dagster.ui.home_lock import RECORD, Holder, hold

_UI = Holder(program="ui", address="http://127.0.0.1:3000")


def test_a_second_holder_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    words = r"this demo is open already at http://127\.0\.0\.1:3000"
    with hold(tmp_path, _UI):
        with pytest.raises(ConfigurationError, match=words) as refused, hold(tmp_path, Holder(program="demo")):
            pass
        assert str(os.getpid()) in refused.value.cure
        assert (tmp_path / RECORD).exists()
    assert list(tmp_path.iterdir()) == []
    with hold(tmp_path, Holder(program="demo")):
        pass


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (Holder(program="demo", pid=7), "process 7 plays a demo"),
        (
            Holder(program="ui", demo=False, address="http://127.0.0.1:9"),
            "this installation is open already at http://127.0.0.1:9",
        ),
    ],
)
def test_the_refusal_says_what_the_home_is_open_for(tmp_path: Path, first: Holder, words: str) -> None:
    with hold(tmp_path, first), pytest.raises(ConfigurationError, match=words), hold(tmp_path, _UI):
        pass


@pytest.mark.parametrize("left", ["", "[]", '{"program": "ui"', '{"other": 1}'])
def test_a_holder_that_has_not_said_who_it_is_refuses_all_the_same(tmp_path: Path, left: str) -> None:
    with hold(tmp_path, _UI):
        (tmp_path / RECORD).write_text(left)
        with pytest.raises(ConfigurationError, match="in use"), hold(tmp_path, _UI):
            pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """Its record stays behind, and its lock is gone with it."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom pleiades_dagster.ui.home_lock import Holder, hold\n"
        "with hold(Path(sys.argv[1]), Holder(program='demo')):\n    print('held', flush=True)\n    time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match=f"process {process.pid} plays"), hold(tmp_path, _UI):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / RECORD).exists()
    with hold(tmp_path, _UI):
        assert str(os.getpid()) in (tmp_path / RECORD).read_text()


def test_a_folder_that_stays_empty_is_removed_and_another_is_not(tmp_path: Path) -> None:
    with hold(tmp_path / "a" / "home", _UI):
        pass
    assert not (tmp_path / "a" / "home").exists()
    with hold(tmp_path / "home", _UI):
        (tmp_path / "home" / "file").touch()
    assert (tmp_path / "home" / "file").exists()


def test_a_folder_that_took_the_place_of_the_held_one_is_free(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with hold(home, _UI):
        home.rename(tmp_path / "elsewhere")
        with hold(home, _UI):
            assert (home / RECORD).exists()


def test_a_file_can_not_be_held(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(ConfigurationError), hold(tmp_path / "home", _UI):
        pass
