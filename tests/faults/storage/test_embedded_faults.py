"""The embedded server after crashes: killed at any moment of its start, stale and damaged files, users that died."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from support.clusters import answers, copied, is_up, main_process, starting_process, until, user_process

from pleiades_core.storage.embedded import embedded, embedded_url, users_of

#: A file of a server as it was before a hard stop. The first line is the number of its main process.
_PID_FILE = "{number}\n{folder}\n1795656235\n5432\n{folder}\n\n  3000777     32818\nready   \n"


@pytest.fixture
def folder(data_folder: Path, short_tmp: Path) -> Path:
    """A folder of the test's own, whose server does not run."""
    return copied(data_folder, short_tmp / "pg")


def _crash(folder: Path) -> None:
    """Kill the server and all that belongs to it."""
    server = main_process(folder)
    for process in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def test_a_process_that_has_the_number_of_a_dead_server_lives_on(folder: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            (folder / "postmaster.pid").write_text(_PID_FILE.format(number=bystander.pid, folder=folder))
            (folder / ".s.PGSQL.5432.lock").write_text(_PID_FILE.format(number=bystander.pid, folder=folder))
            assert answers(folder)
            assert not is_up(folder)
            assert bystander.poll() is None, "it was killed"
        finally:
            bystander.kill()


def test_another_folders_server_that_has_the_number_of_a_dead_one_lives_on(folder: Path, data_folder: Path) -> None:
    with embedded(data_folder) as server:
        (folder / "postmaster.pid").write_text(_PID_FILE.format(number=main_process(data_folder).pid, folder=folder))
        assert answers(folder)
        with psycopg.connect(embedded_url(server, "postgres")) as connection:
            connection.execute("select 1")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{dead}",
        b"{dead}\n{folder}\n1795656235\n5432\n{folder}\n\n  30007",
        b"{living}\n{folder}\n1795656235\n5432\n{folder}\n\n  30007",
        b"-1\n",
        b"99999999999999999999999999\n",
        b"\x00\xff\xfe garbage \x80" * 50,
    ],
)
def test_a_damaged_file_of_the_server_stops_no_later_command(folder: Path, content: bytes) -> None:
    """A power cut leaves it empty; a kill in its first moments, half of it."""
    with user_process(folder) as other:
        _crash(folder)
        dead = int((folder / "postmaster.pid").read_text().split()[0])
        other.kill()
    numbers = {b"{dead}": dead, b"{living}": os.getpid(), b"{folder}": folder}
    for word, value in numbers.items():
        content = content.replace(word, str(value).encode())
    (folder / "postmaster.pid").write_bytes(content)
    assert answers(folder)
    assert not is_up(folder)


@pytest.mark.parametrize("content", ["", "{", "[1,", '"x"', '{"a": 1}', "\x00"])
def test_a_damaged_list_of_users_stops_no_later_command(folder: Path, content: str) -> None:
    (folder / ".handle_pids.json").write_text(content)
    users = folder.with_name(".pg.users")
    users.mkdir(mode=0o700, exist_ok=True)
    for name in ("notes", f"{os.getpid()}.old", "12.x", "no number.x"):
        (users / name).write_text(content)
    (users / "13.folder").mkdir()
    assert answers(folder)
    assert users_of(folder) == []
    assert not is_up(folder)


def _holds(root: Path, file: str) -> bool:
    """Whether there is such a file; folders may come and go meanwhile."""
    return any(file in files for _, _, files in os.walk(root))


@pytest.mark.parametrize(
    ("file", "killed"),
    [
        pytest.param("PG_VERSION", "the starter", marks=pytest.mark.sweep),
        ("PG_VERSION", "its whole group"),
        ("pg_control", "the starter"),
        pytest.param("pg_control", "its whole group", marks=pytest.mark.sweep),
        pytest.param("log", "the starter", marks=pytest.mark.sweep),
        ("postmaster.pid", "its whole group"),
        ("postmaster.pid", "the starter and the server"),
    ],
)
def test_a_kill_at_any_moment_of_the_first_start_heals(short_tmp: Path, file: str, killed: str) -> None:
    """`file` appears, wherever the first start makes it, and everything dies at once. The next start has all that it needs."""
    with starting_process(short_tmp / "pg") as starter:
        until(lambda: _holds(short_tmp, file) or starter.poll() is not None)
        if killed == "its whole group":
            os.killpg(starter.pid, signal.SIGKILL)
        else:
            starter.kill()
        if killed == "the starter and the server":
            with contextlib.suppress(OSError, IndexError, ValueError, psutil.Error):
                main_process(short_tmp / "pg").kill()
    assert answers(short_tmp / "pg")
    assert not is_up(short_tmp / "pg")
    # What the killed start left behind goes with one of the next, once no initdb works in it any more.
    until(lambda: answers(short_tmp / "pg") and not any(".new-" in path.name for path in short_tmp.iterdir()))


def test_a_server_that_dies_in_its_first_moments_is_started_again(folder: Path) -> None:
    """Its file is written in steps, and a kill between them left one that nothing could read."""
    for _ in range(5):
        with starting_process(folder) as starter:
            until((folder / "postmaster.pid").exists)
            starter.kill()
            with contextlib.suppress(OSError, IndexError, ValueError, psutil.Error):
                main_process(folder).kill()
        assert answers(folder)


def test_a_server_that_died_under_its_users_is_started_by_the_next_block(folder: Path) -> None:
    with embedded(folder) as server:
        _crash(folder)
        assert answers(folder)
        with psycopg.connect(embedded_url(server, "postgres")) as connection:
            connection.execute("select 1")
    assert not is_up(folder)


def test_a_killed_user_is_counted_no_longer(folder: Path) -> None:
    """The server outlives it as long as another process uses it, and no longer."""
    with user_process(folder) as other:
        with embedded(folder) as server:
            assert users_of(folder) == sorted([os.getpid(), other.pid])
            other.kill()
            other.wait()
            assert users_of(folder) == [os.getpid()]
            with psycopg.connect(embedded_url(server, "postgres")) as connection:
                connection.execute("select 1")
        assert not is_up(folder)


def test_a_server_without_users_is_stopped_by_the_next_one(folder: Path) -> None:
    with user_process(folder) as other:
        other.kill()
    assert is_up(folder)
    assert users_of(folder) == []
    assert answers(folder)
    assert not is_up(folder)


def test_ctrl_c_in_the_terminal_of_one_user_leaves_the_others_the_server(folder: Path) -> None:
    with user_process(folder, stderr=subprocess.DEVNULL) as first, embedded(folder) as server:
        # As a terminal does it: to everything in the group.
        os.killpg(first.pid, signal.SIGINT)
        first.wait()
        assert users_of(folder) == [os.getpid()]
        with psycopg.connect(embedded_url(server, "postgres")) as connection:
            connection.execute("select 1")
    assert not is_up(folder)


_WAIT_AND_SEE = """
import signal, sys
from pathlib import Path
from pleiades_core.storage.embedded import embedded
signal.signal(signal.SIGINT, lambda *_: None)
with embedded(Path(sys.argv[1])):
    print("up", flush=True)
"""


def test_a_program_that_ends_in_its_own_time_after_ctrl_c_gets_the_server_it_began(short_tmp: Path) -> None:
    """As the demo does: Ctrl-C, which reaches the whole group, must not turn into a failure of the database."""
    command = [sys.executable, "-c", _WAIT_AND_SEE, str(short_tmp / "pg")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as program:
        until(lambda: _holds(short_tmp, "PG_VERSION") or program.poll() is not None)
        os.killpg(program.pid, signal.SIGINT)
        assert program.stdout is not None
        assert program.stdout.read() == "up\n"
    assert program.returncode == 0
    assert not is_up(short_tmp / "pg")


_FORK = """
import os, sys
from pathlib import Path
import psycopg
from pleiades_core.storage.embedded import embedded, embedded_url, users_of
folder = Path(sys.argv[1])
with embedded(folder) as server:
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert users_of(folder) == [os.getpid()]
        with psycopg.connect(embedded_url(server, "postgres")) as connection:
            connection.execute("select 1")
if not child:
    # It left the block that it inherited. A block of its own is another one.
    with embedded(folder) as server:
        assert users_of(folder) == sorted([os.getpid(), os.getppid()])
"""

_FORK_AND_STAY = """
import os, sys, time
from pathlib import Path
from pleiades_core.storage.embedded import embedded
with embedded(Path(sys.argv[1])):
    if not os.fork():
        print("up", flush=True)
    sys.stdin.read()
    os._exit(0)
"""


def test_a_forked_child_does_not_leave_in_its_parents_place(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FORK, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not is_up(folder)


def test_a_forked_child_does_not_stay_in_its_killed_parents_place(folder: Path) -> None:
    command = [sys.executable, "-c", _FORK_AND_STAY, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.kill()
        os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
        assert users_of(folder) == []
        assert answers(folder)
        assert not is_up(folder)
