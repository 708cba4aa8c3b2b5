"""The embedded server and the machine's users: nobody but its owner and root comes near, and no folder is opened for it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from support.clusters import answers, copied, is_up, main_process, short_folder, until, user_process
from support.paths import ROOT

from pleiades_core.errors import ConfigurationError
from pleiades_core.storage.cluster import programs
from pleiades_core.storage.embedded import embedded, embedded_url, users_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as a second user")

_SECOND = "nobody"
#: CAP_DAC_READ_SEARCH among the bits of /proc/PID/status.
_READ_AND_SEARCH = 1 << 2
#: Uses a server once, and shows its capabilities and an answer that needs the wheel's other files.
_USE = (
    "import sys; from pathlib import Path; import psycopg\n"
    "from pleiades_core.storage.embedded import embedded, embedded_url\n"
    "with embedded(Path(sys.argv[1])) as server, psycopg.connect(embedded_url(server, 'postgres')) as connection:\n"
    "    [name] = connection.execute('select count(*) > 300 from pg_timezone_names').fetchone()\n"
    "    pid = (Path(sys.argv[1]) / 'postmaster.pid').read_text().split()[0]\n"
    "    print(name, Path(f'/proc/{pid}/status').read_text().partition('CapEff:')[2].split()[0].lstrip('0'))"
)


def _as_second(action: Callable[[], object]) -> str:
    """What another ordinary user of the machine gets from `action`, or the error.

    A fork, because the Python that runs the tests may lie where only root can start it.
    """
    entry = pwd.getpwnam(_SECOND)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir("/")
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            result = repr(action())
        except BaseException as error:  # noqa: BLE001  nothing of pytest may run in the child
            result = f"{type(error).__name__}: {error}"
        os.write(write, result.encode())
        os._exit(0)
    os.close(write)
    said = b""
    while part := os.read(read, 1 << 16):
        said += part
    os.close(read)
    os.waitpid(child, 0)
    return said.decode()


def _intrude(folder: Path, role: str = "postgres") -> str:
    """What another user gets who asks for a superuser's connection."""

    def connect() -> object:
        # A path of any length: what counts is who may enter the folder, not how its name is written.
        handle = os.open(folder, os.O_PATH)
        with psycopg.connect(host=f"/proc/self/fd/{handle}", port=5432, user=role, dbname="postgres") as connection:
            return connection.execute("show is_superuser").fetchone()

    return _as_second(connect)


def _second_can_run_programs() -> bool:
    return _as_second(lambda: os.access(programs() / "postgres", os.X_OK)) == "True"


@pytest.fixture
def root(short_tmp: Path) -> Path:
    """An empty folder below a short path that every user may enter, as a home's often is."""
    short_tmp.chmod(0o755)
    return short_tmp


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", ["plain", "a blank", "x" * 200])
def test_no_other_user_reaches_the_server(data_folder: Path, root: Path, name: str) -> None:
    """Where the path of the home had a blank or was long, any user of the machine was PostgreSQL's superuser."""
    (root / name).mkdir()
    folder = copied(data_folder, root / name / "pg")
    before = set(Path(tempfile.gettempdir()).glob("pleiades-*"))
    with embedded(folder) as server:
        found = {server_socket(folder), Path(embedded_url(server, "x").partition("host=")[2].partition("&")[0])}
        for place in {*found, *(set(Path(tempfile.gettempdir()).glob("pleiades-*")) - before)}:
            assert "Permission denied" in _intrude(place)


def server_socket(folder: Path) -> Path:
    """The folder in which the server listens, as the kernel has it."""
    process = main_process(folder)
    [path] = {connection.laddr for connection in process.net_connections("unix") if connection.type == socket.SOCK_STREAM} - {
        ""
    }
    return Path(process.cwd(), path).resolve().parent


def _open_to_all(folder: Path) -> None:
    """What nobody should do: make the socket reachable."""
    folder.chmod(0o711)
    for path in folder.glob(".s.PGSQL.*"):
        path.chmod(0o777)


@pytest.mark.parametrize("role", ["postgres", _SECOND])
def test_a_user_who_does_reach_the_socket_is_still_refused(data_folder: Path, root: Path, role: str) -> None:
    folder = copied(data_folder, root / "pg")
    with embedded(folder):
        _open_to_all(folder)
        assert "Peer authentication failed" in _intrude(folder, role)
        # The next block closes the folder again.
        assert answers(folder)
        assert _mode(folder) == 0o700


def test_a_folder_that_trusts_everybody_is_mended_even_while_its_server_runs(data_folder: Path, root: Path) -> None:
    """As older versions left it."""
    folder = copied(data_folder, root / "pg")
    owner = folder.stat()
    (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    (folder / "pg_ident.conf").write_text("")
    arguments = ["-c", "listen_addresses=", "-c", "unix_socket_directories=."]
    try:
        older = subprocess.Popen(
            [programs() / "postgres", "-D", "/proc/self/cwd", *arguments],
            cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=owner.st_uid, group=owner.st_gid, extra_groups=[],
        )  # fmt: skip
    except PermissionError:
        pytest.skip("the server's user cannot enter the folder of this environment")
    with older:
        until(lambda: is_up(folder) and "ready" in (folder / "postmaster.pid").read_text())
        _open_to_all(folder)
        assert _intrude(folder) == "('on',)", "what is to be mended"
        with embedded(folder) as server:
            assert main_process(folder).pid == older.pid
            _open_to_all(folder)
            until(lambda: "Peer authentication failed" in _intrude(folder))
            with psycopg.connect(embedded_url(server, "postgres")) as connection:
                connection.execute("select 1")
        assert older.wait() == 0
    assert answers(folder)


def test_no_other_user_can_hold_our_locks(data_folder: Path) -> None:
    with embedded(data_folder):
        for place in (data_folder, data_folder.with_name(f".{data_folder.name}.users")):
            assert _mode(place) == 0o700
            assert "PermissionError" in _as_second(lambda place=place: os.open(place, os.O_RDONLY))  # type: ignore[misc]


def test_roots_server_opens_no_folder_and_needs_none_open(root: Path) -> None:
    """Two folders of mode 0700 above the home became 0755, which with a home below /root is root's own."""
    home = root / "closed" / "home"
    home.mkdir(parents=True)
    for path in (root, root / "closed", home):
        path.chmod(0o700)
    with embedded(home / "pg") as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert [_mode(path) for path in (root, root / "closed", home)] == [0o700] * 3
        process = main_process(home / "pg")
        assert set(process.uids()) == {(home / "pg").stat().st_uid}
        assert 0 not in {*process.uids(), *process.gids(), *_groups(process)}
        assert _capabilities(process) == (0 if _second_can_run_programs() else _READ_AND_SEARCH)
    assert answers(home / "pg")


def _groups(process: psutil.Process) -> set[int]:
    return {int(number) for number in _status(process, "Groups").split()}


def _capabilities(process: psutil.Process) -> int:
    return int(_status(process, "CapEff"), 16)


def _status(process: psutil.Process, field: str) -> str:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))


@pytest.fixture(scope="module")
def closed_programs() -> Iterator[Path]:
    """A folder of mode 0700 with a copy of the wheel, as in a .venv below /root."""
    with short_folder() as folder:
        wheel = programs().parent.parent
        (folder / wheel.name).mkdir()
        (folder / wheel.name / "__init__.py").write_text("")
        for name in ("bin", "lib", "share"):
            shutil.copytree(wheel / programs().parent.name / name, folder / wheel.name / programs().parent.name / name)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        shutil.copytree(libraries, folder / libraries.name)
        yield folder


def _with_closed_programs(closed: Path, folder: Path, *prefix: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(closed), str(ROOT)])}
    command = [*prefix, sys.executable, "-c", _USE, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_programs_in_a_closed_folder_are_reached_with_one_capability(root: Path, closed_programs: Path) -> None:
    done = _with_closed_programs(closed_programs, root / "pg")
    assert done.stdout == f"True {_READ_AND_SEARCH}\n", done.stderr
    assert "permission denied" not in (root / "pg" / "log").read_text().lower()
    assert _mode(closed_programs) == 0o700


def test_where_that_capability_is_not_to_be_had_the_refusal_names_the_cure(root: Path, closed_programs: Path) -> None:
    """As in a container with Docker's usual capabilities."""
    done = _with_closed_programs(closed_programs, root / "pg", "setpriv", "--bounding-set=-dac_read_search")
    assert "ConfigurationError" in done.stderr
    assert f"{closed_programs}" in done.stderr
    assert not (root / "pg").exists()


def test_an_ordinary_user_has_a_server_that_root_may_share(root: Path) -> None:
    if not _second_can_run_programs():
        pytest.skip(f"user {_SECOND} cannot enter the folder of this environment")
    second = pwd.getpwnam(_SECOND)
    home = root / "home"
    home.mkdir(mode=0o700)
    os.chown(home, second.pw_uid, second.pw_gid)
    assert _as_second(lambda: answers(home / "pg")) == "True"
    with embedded(home / "pg") as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
        connection.execute("select 1")
        assert set(main_process(home / "pg").uids()) == {second.pw_uid}
        assert _as_second(lambda: answers(home / "pg")) == "True"
        assert users_of(home / "pg") == [os.getpid()]
    assert not is_up(home / "pg")


def test_another_users_folder_is_refused_with_the_cure(data_folder: Path, root: Path) -> None:
    folder = copied(data_folder, root / "pg")
    root.chmod(0o777)
    assert f"ConfigurationError: {folder} belongs to another user" in _as_second(lambda: answers(folder))
    assert _mode(folder) == 0o700


def test_a_folder_of_roots_own_files_is_refused_with_the_cure(data_folder: Path, root: Path) -> None:
    folder = copied(data_folder, root / "pg")
    subprocess.run(["chown", "-R", "root", str(folder)], check=True)
    with pytest.raises(ConfigurationError, match="belongs to root") as raised:
        answers(folder)
    assert f"chown -R USER {folder}" in raised.value.cure


def test_a_log_that_is_a_link_is_not_followed(data_folder: Path, root: Path) -> None:
    """Root opens the log in a folder of a lesser account, which must not choose what root writes to."""
    folder = copied(data_folder, root / "pg")
    (root / "precious").write_text("")
    (folder / "log").unlink(missing_ok=True)
    (folder / "log").symlink_to(root / "precious")
    with pytest.raises(Exception, match="log"):
        answers(folder)
    assert (root / "precious").read_text() == ""


def test_the_server_does_not_belong_to_our_terminal(data_folder: Path) -> None:
    with user_process(data_folder) as user:
        server = main_process(data_folder)
        assert os.getsid(server.pid) not in {os.getsid(user.pid), os.getsid(0)}
        assert os.getpgid(server.pid) != os.getpgid(user.pid)
        os.killpg(user.pid, signal.SIGKILL)
        user.wait()
        assert server.is_running()
    assert answers(data_folder)
    assert not is_up(data_folder)
